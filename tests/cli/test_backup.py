"""Backup and restore as people run them: beside a running server, into a new place, killed at any time."""

import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from obligor.app.backup import beside
from obligor.app.backup_verify import verify
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
        again = obligor("backup", place / "archive", "--data", place / "var")
        assert again.returncode == 0, again.stderr
    (place / "token").write_text(token)
    (place / "taken.json").write_text(taken.stdout)
    (place / "again.txt").write_text(again.stdout)
    return place


def test_a_backup_beside_the_server_says_what_it_holds_and_a_second_adds(place):
    told = json.loads((place / "taken.json").read_text())
    assert told["entries_added"] == told["logs"]["main"] > 8
    assert told["vault"] == str(beside(place / "archive"))
    said = (place / "again.txt").read_text()
    assert "4 of them new" not in said
    found = obligor("backup", place / "archive", "--verify", "--json")
    assert found.returncode == 0, found.stdout
    verified = json.loads(found.stdout)
    assert verified["ok"]
    assert verified["logs"]["main"] > told["logs"]["main"]
    assert verified["keys"] > 0
    assert "own key" in obligor("backup", place / "archive", "--verify").stdout
    known = obligor("backup", place / "archive", "--verify", "--key", verified["key"])
    assert "the key given" in known.stdout


def test_what_was_restored_starts_and_answers_its_old_keys(place, tmp_path):
    done = obligor(
        "restore", place / "archive", "--data", tmp_path / "back", "--vault", beside(place / "archive"),
        "--keys", place / "keys", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["seconds"]) == {"entries", "vault", "projections", "commit"}
    size = told["logs"]["main"]
    audited = json.loads(obligor("audit", tmp_path / "back", "--json").stdout)
    assert (audited["ok"], audited["entries"]) == (True, size)
    rebuilt = obligor("rebuild", tmp_path / "back")
    assert (rebuilt.returncode, "all equal" in rebuilt.stdout) == (0, True), rebuilt.stdout
    with Child(tmp_path / "back") as server:
        headers = {"authorization": f"Bearer {(place / 'token').read_text()}"}
        summary = httpx.get(f"{server.url}/v1/summary", headers=headers).json()
        assert summary["entries"] == size
        applied(server.url, (place / "token").read_text(), [99])
    doctor = obligor("doctor", tmp_path / "back")
    assert doctor.returncode == 0, doctor.stdout


def test_refusals_say_what_would_do(place, tmp_path):
    for arguments, word in (
        (("restore", tmp_path / "nothing", "--data", tmp_path / "x"), "no finished backup of a journal"),
        (("restore", place / "archive", "--data", place / "var"), "not empty"),
        (
            ("restore", place / "archive", "--data", tmp_path / "x", "--vault", place / "archive-vault"),
            "keys",
        ),
        (("backup", tmp_path / "archive", "--data", tmp_path / "nowhere"), "no signing key"),
        (("backup", place / "keys", "--data", place / "var"), "holds other things"),
        (("backup", tmp_path / "nothing", "--verify"), "no finished backup of a journal"),
    ):
        done = obligor(*arguments)
        assert done.returncode == 2, (arguments, done.stdout)
        assert word in done.stderr, (arguments, done.stderr)
    assert not (tmp_path / "x").exists()


def test_verify_names_the_file_and_the_entry(place, tmp_path):
    import shutil

    shutil.copytree(place / "archive", tmp_path / "archive")
    (segment,) = (tmp_path / "archive" / "log" / "main").glob("*.entries")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    found = obligor("backup", tmp_path / "archive", "--verify", "--json")
    told = json.loads(found.stdout)
    assert (found.returncode, told["ok"]) == (1, False)
    assert told["file"].endswith(".entries")
    assert isinstance(told["entry"], int)
    assert "✗ log/main/" in obligor("backup", tmp_path / "archive", "--verify").stdout


# ---- killed


def killed(after, *arguments):
    """Start a command, kill it after so many seconds; whether it had ended by itself."""
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True


def spread(count, longest):
    return [longest * (number + 1) / (count + 1) for number in range(count)]


KILLS = [pytest.param(3), pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]


@pytest.mark.parametrize("kills", KILLS)
def test_a_killed_backup_leaves_the_archive_before_it(place, tmp_path, kills):
    import shutil

    archive, data = tmp_path / "archive", tmp_path / "var"
    for name in ("archive", "archive-vault"):
        shutil.copytree(place / name, tmp_path / name)
    shutil.copytree(place / "var", data)
    before = verify(archive).logs["main"]
    with Child(data) as server:
        applied(server.url, (place / "token").read_text(), range(200, 203))
    began = time.monotonic()
    shutil.copytree(archive, tmp_path / "timed")
    assert obligor("backup", tmp_path / "timed", "--data", data).returncode == 0
    whole = time.monotonic() - began
    for after in spread(kills, whole):
        ended = killed(after, "backup", archive, "--data", data)
        found = verify(archive, vault=beside(archive))
        assert (found.ok, found.why) == (True, "")
        assert found.logs["main"] == before or ended or found.logs["main"] > before
    assert obligor("backup", archive, "--data", data).returncode == 0
    found = verify(archive, vault=beside(archive))
    assert (found.ok, found.logs["main"] > before) == (True, True)


@pytest.mark.parametrize("kills", KILLS)
def test_a_killed_restore_leaves_nothing_to_start_on(place, tmp_path, kills):
    given = ("--vault", beside(place / "archive"), "--keys", place / "keys")
    began = time.monotonic()
    assert obligor("restore", place / "archive", "--data", tmp_path / "whole", *given).returncode == 0
    whole = time.monotonic() - began
    cut = 0
    for number, after in enumerate(spread(kills, whole)):
        back = tmp_path / f"back-{number}"
        if killed(after, "restore", place / "archive", "--data", back, *given):
            continue
        if back.exists():
            # It was killed after its last step.
            assert json.loads(obligor("audit", back, "--json").stdout)["ok"]
            continue
        cut += 1
        again = obligor("restore", place / "archive", "--data", back, *given)
        assert again.returncode == 0, again.stderr
        assert not (tmp_path / f".back-{number}.restoring").exists()
    assert cut > 0
