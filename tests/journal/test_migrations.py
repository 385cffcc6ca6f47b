"""A store of the previous release opens, is what a new one would be, and reads back what was written."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import apsw
import msgspec
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from obligor.journal import StoreFailed, open_reader
from obligor.journal import migrations as module
from obligor.journal.schema import VERSION
from obligor.kernel import Conflict, Gone
from tests.journal.places import rows_of
from tests.journal.support import TENANT, backend_at, fee, house, party

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as the release that wrote format 1 has left it: journal, vault, key file, and what it read."""
    with tarfile.open(GOLDEN / "format1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "kek").chmod(0o600)
    assert _version(tmp_path) == 1
    return tmp_path


def _version(directory: Path) -> int:
    connection = apsw.Connection(str(directory / "journal.db"))
    try:
        return connection.pragma("user_version")
    finally:
        connection.close()


def _tables(directory: Path) -> list[tuple[str, str]]:
    return sorted(rows_of(directory, None, "SELECT name, coalesce(sql, '') FROM sqlite_schema"))


def test_a_store_of_the_previous_release_opens_and_reads_back(old: Path) -> None:
    expected = json.loads((old / "expected.json").read_text())
    with house(old) as h:
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
        h.do(fee("l1", 1))
    assert _version(old) == VERSION
    with house(old) as h:
        assert h.journal.reader().size(TENANT) == len(expected["events"][TENANT]) + 1


def test_migrated_is_fresh(old: Path) -> None:
    fresh = old / "fresh"
    fresh.mkdir()
    for directory in (old, fresh):
        with house(directory) as h:
            h.do(fee("l1", 1))
    assert _tables(old) == _tables(fresh)
    name = "SELECT version_num FROM alembic_version"
    assert rows_of(old, None, name) == rows_of(fresh, None, name) == [(f"{VERSION:04}",)]


def test_a_fresh_store_is_stamped_with_the_last_migration(tmp_path: Path, store: str | None) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent))
    head = ScriptDirectory.from_config(config).get_current_head()
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
    assert rows_of(tmp_path, store, "SELECT version_num FROM alembic_version") == [(head,)]
    module.upgrade(store or tmp_path)
    with house(tmp_path, store=store) as h:
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


def test_a_migration_brings_no_second_sqlite_into_our_process(old: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.journal.support import house\n"
        "with house(Path(sys.argv[1])) as h:\n"
        "    print('sqlite3' in sys.modules, h.journal.reader().size('north'))"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(old)], capture_output=True, text=True, check=True)
    assert ran.stdout == "False 308\n"
    assert _version(old) == VERSION
