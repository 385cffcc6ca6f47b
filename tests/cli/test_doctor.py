"""The doctor finds what is wrong, says what helps, and finds nothing where all is well."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import apsw
import msgspec
import pytest

from obligor.app.backup import LAST, Told, take
from obligor.app.service import Service
from obligor.app.settings import Settings
from obligor.cli import doctor
from obligor.journal.schema import FILE
from tests.app.archives import keyed
from tests.app.conftest import either_store

store = either_store


def told(directory, capsys, *more):
    code = doctor.main([str(directory), "--json", *more])
    answer = json.loads(capsys.readouterr().out)
    return code, {check["name"]: check for check in answer["checks"]}, answer


@pytest.fixture(scope="module")
def whole(tmp_path_factory, scorecard):
    """A data directory on the embedded store in which nothing runs any more."""
    from tests.app.conftest import Lender

    lender = Lender(tmp_path_factory.mktemp("doctor") / "var", scorecard)
    keyed(lender, 1)
    lender.settle()
    lender.close()
    return lender.directory


@pytest.fixture
def data(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "var")
    return tmp_path / "var"


def failing(directory, capsys):
    code, checks, _ = told(directory, capsys)
    bad = {name: check for name, check in checks.items() if not check["ok"]}
    assert code == (1 if bad else 0)
    assert all(check["do"] for check in bad.values()), bad
    return bad


def test_all_is_well_where_it_is_on_either_store(lender, store, capsys):
    keyed(lender, 1)
    lender.settle()
    code, checks, answer = told(lender.directory, capsys, "--store", store)
    assert code == 0, checks
    wanted = {"disk", "keys/kek", "keys/log", "api-keys.json", "journal", "store", "log", "projections"}
    wanted |= {"vault", "erasures", "clock", "backup", "server"}
    assert set(checks) == wanted | ({"lease"} if store else set())
    assert ("PostgreSQL" if store else "SQLite") in checks["store"]["detail"]
    assert "format 2" in checks["store"]["detail"]
    assert answer["settings"]["tenant"] == "main"
    if store:
        assert "writes" in checks["lease"]["detail"]


def test_a_directory_that_is_not_there_yet_is_well(tmp_path, capsys):
    code, checks, _ = told(tmp_path / "nothing", capsys)
    assert (code, set(checks)) == (0, {"directory"})


def test_without_a_journal_it_says_how_to_get_one(tmp_path, capsys):
    bad = failing(tmp_path, capsys)
    assert set(bad) == {"journal"}
    assert "obligor up" in bad["journal"]["do"]


def test_open_modes_are_named(data, capsys):
    (data / "keys" / "log").chmod(0o644)
    (data / "api-keys.json").chmod(0o640)
    assert set(failing(data, capsys)) >= {"keys/log", "api-keys.json"}


def test_a_flipped_leaf_and_a_torn_page_are_found(data, capsys):
    assert failing(data, capsys) == {}
    path = data / "journal" / FILE
    database = apsw.Connection(str(path))
    (leaf,) = database.execute("SELECT leaf FROM event ORDER BY known_seq DESC LIMIT 1").fetchone()
    flipped = leaf[:-1] + bytes([leaf[-1] ^ 1])
    assert flipped != leaf
    database.execute("UPDATE event SET leaf = ? WHERE leaf = ?", (flipped, leaf))
    database.close()
    assert "log" in failing(data, capsys)
    database = apsw.Connection(str(path))
    database.execute("UPDATE event SET leaf = ? WHERE leaf = ?", (leaf, flipped))
    pages = database.pragma("page_count")
    database.pragma("wal_checkpoint(TRUNCATE)")
    database.close()
    assert failing(data, capsys) == {}
    size = path.stat().st_size // pages
    with path.open("r+b") as file:
        file.seek(size * (pages // 2))
        was = file.read(64)
        file.seek(size * (pages // 2))
        file.write(bytes(byte ^ 0xFF for byte in was))
    assert failing(data, capsys)


def test_projections_of_another_release_are_named(data, capsys):
    database = apsw.Connection(str(data / "journal" / FILE))
    database.execute("UPDATE projection SET digest = 'older' WHERE name = 'loan'")
    database.close()
    bad = failing(data, capsys)
    assert set(bad) == {"projections"}
    assert "loan" in bad["projections"]["detail"]


def test_erasures_that_wait_are_named_where_nothing_runs(data, capsys):
    database = apsw.Connection(str(data / "journal" / FILE))
    database.execute("INSERT INTO erasure VALUES ('main', 'somebody', 3, 'identity')")
    database.close()
    assert set(failing(data, capsys)) == {"erasures"}


def test_a_vault_that_is_gone_or_shut_is_named(data, capsys):
    kek = data / "keys" / "kek"
    header, _, secret = kek.read_text().strip().partition(" ")
    other = bytes(byte ^ 1 for byte in bytes.fromhex(secret)).hex()
    kek.write_text(f"{header} {other}\n")
    assert set(failing(data, capsys)) == {"vault"}
    shutil.rmtree(data / "vault")
    assert set(failing(data, capsys)) == {"vault"}


def test_a_clock_behind_the_journal_is_named(data, capsys, monkeypatch):
    class Yesterday(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=1)

    monkeypatch.setattr(doctor, "datetime", Yesterday)
    bad = failing(data, capsys)
    assert set(bad) == {"clock"}
    assert "23 hours behind" in bad["clock"]["detail"]


def test_an_old_backup_is_named_and_a_new_one_is_not(data, tmp_path, capsys):
    take(data, tmp_path / "archive")
    code, checks, _ = told(data, capsys)
    assert (code, str(tmp_path / "archive") in checks["backup"]["detail"]) == (0, True)
    old = Told(datetime.now(UTC) - timedelta(days=9), "/mnt/backup", 12)
    (data / LAST).write_bytes(msgspec.json.encode(old))
    bad = failing(data, capsys)
    assert set(bad) == {"backup"}
    assert bad["backup"]["do"] == "run `obligor backup /mnt/backup`"


def test_too_little_room_is_named(data, capsys, monkeypatch):
    monkeypatch.setitem(os.environ, "OBLIGOR_DISK_FREE_LEAST_MIB", str(10**12))
    assert set(failing(data, capsys)) == {"disk"}


def test_a_database_that_is_away_is_named_and_no_password_is_printed(data, capsys):
    away = "postgresql://who:hunter2@127.0.0.1:1/x"
    code = doctor.main([str(data), "--store", away])
    said = capsys.readouterr().out
    assert code == 1
    assert "✗ journal" in said
    assert "→ see that the database can be reached" in said
    assert "hunter2" not in said


def test_a_server_that_ran_on_it_leaves_nothing_to_complain_about(data, capsys):
    service = Service(data, Settings())
    service.start()
    service.close()
    assert failing(data, capsys) == {}
