"""That a commit is durable hangs on settings: they are in force, and files are synced as often as we say."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import apsw
import pytest

from obligor.journal import SqliteBackend, StoreFailed, WrongStatement, open_reader
from obligor.journal import sqlite as module
from obligor.journal.sqlite import connect
from obligor.kernel import InvariantBroken
from tests.journal.support import TENANT, command, fee, house, party


def test_every_setting_is_in_force_on_the_writers_connections(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        for connection in (h.journal._store._connection, h.vault._rows._connection):
            found = {
                name: connection.pragma(name)
                for name in (
                    "journal_mode",
                    "synchronous",
                    "secure_delete",
                    "foreign_keys",
                    "temp_store",
                    "trusted_schema",
                )
            }
            assert found == {
                "journal_mode": "wal",
                "synchronous": 2,
                "secure_delete": 1,
                "foreign_keys": 1,
                "temp_store": 2,
                "trusted_schema": 0,
            }


def test_a_setting_that_does_not_take_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect(tmp_path / "a.db", synchronous="NORMAL").pragma("synchronous") == 1
    monkeypatch.setitem(module.SYNCHRONOUS, "FULL", 7)
    with pytest.raises(InvariantBroken, match="synchronous"):
        connect(tmp_path / "b.db")


def test_a_directory_that_is_not_there_is_a_failure_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed):
        connect(tmp_path / "nowhere" / "c.db")


def test_readers_cannot_write(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        h.do(fee("l1", 1))
        for sql in ("DELETE FROM event", "CREATE TABLE x(a)", "UPDATE head SET size = 0"):
            with pytest.raises(WrongStatement, match="readonly"):
                h.journal.reader().query(sql)
        with pytest.raises(WrongStatement, match="no such table"):
            h.journal.reader().query("SELECT * FROM nowhere")
        assert h.journal.reader().size(TENANT) == 1


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "var"
    directory.mkdir(mode=0o700)
    with house(directory) as h:
        h.do(fee("l1", 1))
        modes = {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}
    assert set(modes.values()) == {0o600}, modes


class _Counting(apsw.VFS):
    """Counts the syncs of each file."""

    def __init__(self, name: str) -> None:
        self.syncs: Counter[str] = Counter()
        super().__init__(name, "")

    def xOpen(self, name, flags):
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, vfs: _Counting, name, flags) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._counts, self._name = vfs.syncs, Path(path or "temporary").name
        super().__init__("", name, flags)

    def xSync(self, flags) -> None:
        self._counts[self._name] += 1
        super().xSync(flags)


def test_a_group_without_new_keys_costs_one_sync(tmp_path: Path) -> None:
    vfs = _Counting("counting-group")
    with house(tmp_path, vfs="counting-group") as h:
        h.do(party("p1"))
        h.journal._writer.call(h.journal._committer.idle).result(30)
        before = vfs.syncs.copy()
        grown: list[Counter[str]] = []
        done = h.journal.submit_many([command(fee("l1", n)) for n in range(1, 501)])
        # Counted on the writer's thread as the answers leave: an idle writer then stores its checkpoint.
        done.add_done_callback(lambda _: grown.append(vfs.syncs - before))
        done.result(30)
        while not grown:
            time.sleep(0.001)
        assert grown == [Counter({"journal.db-wal": 1})]


def test_without_syncs_a_weaker_setting_is_seen(tmp_path: Path) -> None:
    vfs = _Counting("counting-weak")
    with house(tmp_path, vfs="counting-weak", synchronous="NORMAL") as h:
        h.do(party("p1"))
        h.journal._writer.call(h.journal._committer.idle).result(30)
        before = vfs.syncs.copy()
        h.do(fee("l1", 1))
        assert vfs.syncs == before


def test_the_write_ahead_log_is_moved_on_while_writing(tmp_path: Path) -> None:
    with house(tmp_path, group_limit=100) as h:
        for _ in range(12):
            h.journal.submit_many([command(fee("l1", n, kind="k" * 200)) for n in range(1, 401)]).result(30)
        wal = (tmp_path / "journal.db-wal").stat().st_size
        assert wal < 60 << 20
        assert (tmp_path / "journal.db").stat().st_size > 4 << 20


def test_a_closed_journal_leaves_one_file_that_reads_alone(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        h.do(fee("l1", 1))
    assert not (tmp_path / "journal.db-wal").exists() or not (tmp_path / "journal.db-wal").stat().st_size
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "journal.db").write_bytes((tmp_path / "journal.db").read_bytes())
    copy.chmod(0o500)
    try:
        reader = open_reader(SqliteBackend(copy))
        assert reader.size(TENANT) == 1
        reader.close()
    finally:
        copy.chmod(0o700)
