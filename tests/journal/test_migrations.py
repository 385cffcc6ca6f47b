"""A store of the previous release opens, is what a new one would be, and reads back what was written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import apsw
import msgspec
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from obligor.journal import RoleLost, StoreFailed, open_reader
from obligor.journal import migrations as module
from obligor.journal.schema import VERSION
from obligor.kernel import Conflict, Gone
from tests.journal.places import rows_of
from tests.journal.support import TENANT, backend_at, fee, house, party

GOLDEN = Path(__file__).parent / "golden"


def _extract(directory: Path) -> Path:
    with tarfile.open(GOLDEN / "format1.tar.xz") as archive:
        archive.extractall(directory, filter="data")
    (directory / "kek").chmod(0o600)
    assert _version(directory) == 1
    return directory


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as the release that wrote format 1 has left it: journal, vault, key file, and what it read."""
    return _extract(tmp_path)


OPEN = """
import sys
from pathlib import Path
from tests.journal.support import house
with house(Path(sys.argv[1])) as h:
    print("sqlite3" in sys.modules, h.journal.reader().size("north"))
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Such a store, once a process of its own has opened it, and what that said."""
    directory = _extract(tmp_path_factory.mktemp("format1"))
    ran = subprocess.run(
        [sys.executable, "-c", OPEN, str(directory)], capture_output=True, text=True, check=True
    )
    assert _version(directory) == VERSION
    return directory, ran.stdout


@pytest.fixture
def migrated(opened: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of it to write to."""
    return Path(shutil.copytree(opened[0], tmp_path / "migrated"))


def _version(directory: Path) -> int:
    connection = apsw.Connection(str(directory / "journal.db"))
    try:
        return connection.pragma("user_version")
    finally:
        connection.close()


def _tables(directory: Path) -> list[tuple[str, str]]:
    return sorted(rows_of(directory, None, "SELECT name, coalesce(sql, '') FROM sqlite_schema"))


def test_a_store_of_the_previous_release_opens_and_reads_back(migrated: Path) -> None:
    expected = json.loads((migrated / "expected.json").read_text())
    with house(migrated) as h:
        reader = h.journal.reader()
        read = {
            tenant: [
                {
                    "id": event.id,
                    "type": event.type,
                    "known_seq": event.known_seq,
                    "stream": event.stream,
                    "erased": sorted(event.erased),
                    "body": event.body,
                }
                for event in reader.events(tenant)
            ]
            for tenant in reader.tenants()
        }
        assert msgspec.json.decode(msgspec.json.encode(read)) == expected["events"]
        assert {tenant: h.journal.checkpoint(tenant) for tenant in read} == expected["checkpoints"]
        assert reader.query("SELECT * FROM p_loan ORDER BY loan") == expected["loans"]
        assert reader.cursor(TENANT, "monitor") == 3
        assert h.do(party("p2", name="Li"), key="k1", seal_answer_for="p2").replayed
        with pytest.raises(Gone):
            h.do(party("p4"), key="k2", seal_answer_for="p4")
        h.do(fee("l1", 1, id="since then"))
    with house(migrated) as h:
        assert h.journal.reader().size(TENANT) == len(expected["events"][TENANT]) + 1


def test_migrated_is_fresh(migrated: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    with house(fresh) as h:
        h.do(fee("l1", 1))
    assert _tables(migrated) == _tables(fresh)
    name = "SELECT version_num FROM alembic_version"
    assert rows_of(migrated, None, name) == rows_of(fresh, None, name) == [(f"{VERSION:04}",)]


def test_a_migration_brings_no_second_sqlite_into_our_process(opened: tuple[Path, str]) -> None:
    assert opened[1] == "False 308\n"


def test_a_fresh_store_is_stamped_with_the_last_migration(tmp_path: Path, store: str | None) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent))
    head = ScriptDirectory.from_config(config).get_current_head()
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
    assert rows_of(tmp_path, store, "SELECT version_num FROM alembic_version") == [(head,)]


def test_a_migration_ends_the_role_of_whoever_writes_in_the_old_format(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database, tenants=(TENANT,)) as h:
        h.do(fee("l1", 1))
        module.upgrade(database)
        with pytest.raises(RoleLost):
            h.do(fee("l1", 2))
    with house(tmp_path, store=database) as h:
        assert h.journal.reader().size(TENANT) == 1


def test_a_migration_that_fails_leaves_the_store_as_it_was(old: Path) -> None:
    connection = apsw.Connection(str(old / "journal.db"))
    connection.execute("CREATE TABLE alembic_version(other TEXT)").fetchall()
    connection.close()
    before = _tables(old)
    with pytest.raises(StoreFailed, match="could not be brought"), house(old):
        pass
    assert _version(old) == 1
    assert _tables(old) == before


def test_a_reader_does_not_touch_an_older_store(old: Path) -> None:
    with pytest.raises(Conflict, match=f"format 1, this release reads {VERSION}"):
        open_reader(backend_at(old, None))
    assert _version(old) == 1
