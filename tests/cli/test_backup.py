"""Backup and restore as people run them: beside a running server, into a new place, killed at any time."""

import json
import shutil
import signal
import subprocess
import sys

import httpx
import pytest

from obligor.app.backup import beside, take
from obligor.app.backup_verify import verify
from obligor.cli import audit, backup, doctor, restore
from tests.app.conftest import application
from tests.app.crowd import Child


def command(*arguments):
    return [sys.executable, "-m", "obligor", *map(str, arguments)]


def obligor(*arguments, **told):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, timeout=240, **told
    )


def applied(url, token, numbers):
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        for number in numbers:
            sent = application(person={"reference": f"person-{number}"})
            answer = client.post("/v1/applications", json=sent, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code in (201, 202), answer.text


@pytest.fixture(scope="module")
def place(tmp_path_factory, scorecard):
    """A directory where a server has run, and the archives that were taken beside it."""
    place = tmp_path_factory.mktemp("place")
    with Child(place / "var") as server:
        token = server.key("desk")
        model = {"version": "1", "known_on": None, "model": json.loads(scorecard.to_json())}
        sent = httpx.post(
            f"{server.url}/v1/models", json=model, headers={"authorization": f"Bearer {token}"}, timeout=60
        )
        assert sent.is_success, sent.text
        applied(server.url, token, range(8))
        taken = obligor(
            "backup", place / "archive", "--data", place / "var", "--keys-to", place / "keys", "--json"
        )
        assert taken.returncode == 0, taken.stderr
        applied(server.url, token, range(8, 12))
        again = take(place / "var", place / "archive")
    (place / "token").write_text(token)
    (place / "taken.json").write_text(taken.stdout)
    assert 0 < again.entries_added < again.logs["main"]
    return place


def test_a_backup_beside_the_server_says_what_it_holds_and_a_second_adds(place, capsys):
    told = json.loads((place / "taken.json").read_text())
    assert told["entries_added"] == told["logs"]["main"] > 8
    assert told["vault"] == str(beside(place / "archive"))
    assert backup.main([str(place / "archive"), "--verify", "--json"]) == 0
    verified = json.loads(capsys.readouterr().out)
    assert verified["ok"]
    assert verified["logs"]["main"] > told["logs"]["main"]
    assert verified["keys"] > 0
    assert backup.main([str(place / "archive"), "--verify"]) == 0
    assert "own key" in capsys.readouterr().out
    assert backup.main([str(place / "archive"), "--verify", "--key", verified["key"]]) == 0
    assert "the key given" in capsys.readouterr().out


def test_what_was_restored_starts_and_answers_its_old_keys(place, tmp_path, capsys):
    archive, keys = str(place / "archive"), str(place / "keys")
    given = ["--vault", f"{archive}-vault", "--keys", keys]
    assert restore.main([archive, "--data", str(tmp_path / "back"), *given, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["seconds"]) == {"entries", "vault", "projections", "commit"}
    size = told["logs"]["main"]
    assert audit.main([str(tmp_path / "back")]) == 0
    with Child(tmp_path / "back") as server:
        headers = {"authorization": f"Bearer {(place / 'token').read_text()}"}
        summary = httpx.get(f"{server.url}/v1/summary", headers=headers).json()
        assert summary["entries"] == size
        applied(server.url, (place / "token").read_text(), [99])
    assert doctor.main([str(tmp_path / "back")]) == 0


def test_refusals_say_what_would_do(place, tmp_path, capsys):
    for command_of, arguments, word in (
        (restore, (tmp_path / "nothing", "--data", tmp_path / "x"), "no finished backup of a journal"),
        (restore, (place / "archive", "--data", place / "var"), "not empty"),
        (restore, (place / "archive", "--data", tmp_path / "x", "--vault", place / "archive-vault"), "keys"),
        (backup, (tmp_path / "archive", "--data", tmp_path / "nowhere"), "no signing key"),
        (backup, (place / "keys", "--data", place / "var"), "holds other things"),
        (backup, (tmp_path / "nothing", "--verify"), "no finished backup of a journal"),
    ):
        assert command_of.main([*map(str, arguments)]) == 2, arguments
        assert word in capsys.readouterr().err, arguments
    assert not (tmp_path / "x").exists()


def test_verify_names_the_file_and_the_entry(place, tmp_path, capsys):
    shutil.copytree(place / "archive", tmp_path / "archive")
    (segment,) = (tmp_path / "archive" / "log" / "main").glob("*.entries")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    assert backup.main([str(tmp_path / "archive"), "--verify", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["ok"]
    assert told["file"].endswith(".entries")
    assert isinstance(told["entry"], int)
    assert backup.main([str(tmp_path / "archive"), "--verify"]) == 1
    assert f"✗ {told['file']}, entry {told['entry']}" in capsys.readouterr().out


# ---- killed

# A command that kills itself at a failpoint, or when it is about to put its n-th file in place.
KILLED = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from obligor.kernel import failpoints

where, count, plain = sys.argv[1], [0], Path.rename

def end():
    os.kill(os.getpid(), signal.SIGKILL)

def rename(path, target):
    count[0] += 1
    if str(count[0]) == where:
        end()
    return plain(path, target)

Path.rename = rename
failpoints.arm(lambda name: end() if name == where else None)
sys.exit(import_module(f"obligor.cli.{sys.argv[2]}").main(sys.argv[3:]))
"""


def killed(where, *arguments):
    """Whether a command was killed there; otherwise it ended well."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(where), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


EVERYWHERE = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_backup_killed_anywhere_leaves_the_archive_before_it(place, tmp_path):
    archive, data = tmp_path / "archive", tmp_path / "var"
    for name in ("archive", "archive-vault", "var"):
        shutil.copytree(place / name, tmp_path / name)
    before = verify(archive).logs["main"]
    with Child(data) as server:
        applied(server.url, (place / "token").read_text(), range(200, 203))
    times = 0
    for step in range(1, 100):
        if not killed(step, "backup", archive, "--data", data):
            break
        times += 1
        found = verify(archive, vault=beside(archive))
        assert (found.ok, found.why) == (True, "")
        if found.logs["main"] != before:
            # The manifest was in place; what came after it is the data directory's own note.
            break
    assert times >= 6
    assert backup.main([str(archive), "--data", str(data)]) == 0
    found = verify(archive, vault=beside(archive))
    assert (found.ok, found.logs["main"] > before) == (True, True)


@pytest.mark.parametrize(
    "steps",
    [["projections.filled"], pytest.param(["projections.dropped", *range(1, 200)], marks=EVERYWHERE)],
    ids=["once", "everywhere"],
)
def test_a_killed_restore_leaves_nothing_to_start_on(place, tmp_path, steps):
    back = tmp_path / "back"
    given = ("--data", back, "--vault", beside(place / "archive"), "--keys", place / "keys")
    times = 0
    for step in steps:
        if not killed(step, "restore", place / "archive", *given):
            break
        times += 1
        assert not back.exists()
        assert (tmp_path / ".back.restoring").is_dir()
    else:
        assert restore.main([str(place / "archive"), *map(str, given)]) == 0
    assert times >= min(len(steps), 10)
    assert not (tmp_path / ".back.restoring").exists()
    assert audit.main([str(back)]) == 0
