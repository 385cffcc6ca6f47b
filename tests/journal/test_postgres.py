"""That a commit is durable hangs on settings, that the writer never hangs on limits: both are in force."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from obligor.journal import PostgresBackend, PostgresVault, StoreFailed, WrongStatement, backend_of
from obligor.journal import postgres as module
from obligor.journal.postgres import connect
from obligor.journal.store import Batch, Head, Retry
from obligor.kernel import InvariantBroken, Unavailable, failpoints
from tests.journal.places import rows_of, words_in_files
from tests.journal.support import TENANT, command, erased, fee, house, party
from tests.postgres import Server

CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}' AND {}"


def _until(happened) -> None:
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_every_setting_is_in_force_on_the_writers_connections(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database) as h:
        h.do(fee("l1", 1))
        for connection in (h.journal._store._connection, h.vault._rows._connection):
            found = {
                name: connection.execute(f"SHOW {name}").fetchone()[0]
                for name in (
                    "synchronous_commit",
                    "fsync",
                    "full_page_writes",
                    "lock_timeout",
                    "statement_timeout",
                    "default_transaction_isolation",
                )
            }
            assert found == {
                "synchronous_commit": "on",
                "fsync": "on",
                "full_page_writes": "on",
                "lock_timeout": "3s",
                "statement_timeout": "8s",
                "default_transaction_isolation": "read committed",
            }
            parameters = connection.info.get_parameters()
            assert {name: parameters[name] for name in ("keepalives_idle", "tcp_user_timeout")} == {
                "keepalives_idle": "2",
                "tcp_user_timeout": "5000",
            }


def test_a_server_that_does_not_sync_is_refused(tmp_path: Path) -> None:
    with Server(in_memory=True, fsync="off") as careless:
        with pytest.raises(InvariantBroken, match="fsync=off"), house(tmp_path, store=careless.url()):
            pass
        connect(careless.url(), read_only=True).close()


def test_a_server_that_falls_silent_is_given_up(database: str) -> None:
    connection = connect(database)
    connection.silence_seconds = 0.2
    started = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="silent"):
        connection.execute("SELECT pg_sleep(10)")
    assert time.monotonic() - started < 8
    assert connection.closed


def test_nobody_listening_is_a_failure_of_the_store(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    for opening in (
        lambda: PostgresBackend(nowhere).writer(),
        lambda: PostgresBackend(nowhere).rows(),
        lambda: PostgresVault(nowhere).open(),
    ):
        with pytest.raises(StoreFailed) as raised:
            opening()
        assert "secret" not in str(raised.value)


def test_without_psycopg_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("psycopg", "obligor.journal.postgres"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    backend = backend_of("postgresql://somewhere/else")
    for opening in (backend.writer, backend.rows, PostgresVault("postgresql://x").open):
        with pytest.raises(Unavailable, match=r"install obligor\[postgres\]"):
            opening()
    with house(tmp_path) as h:
        h.do(fee("l1", 1))


def test_a_place_is_known_by_its_name(tmp_path: Path) -> None:
    assert backend_of("postgresql://a/b", lease_seconds=2.0).lease_seconds == 2.0  # type: ignore[attr-defined]
    assert backend_of("postgres://a/b").url == "postgres://a/b"  # type: ignore[attr-defined]
    assert backend_of(tmp_path).directory == backend_of(str(tmp_path)).directory  # type: ignore[attr-defined]
    assert PostgresBackend("postgresql://a/b").holder != PostgresBackend("postgresql://a/b").holder


def test_connections_that_break_while_nobody_uses_them_are_not_missed(
    tmp_path: Path, database: str, postgres_server: Server
) -> None:
    name = database.rpartition("/")[2]
    with house(tmp_path, store=database) as h:
        h.do(party("p1"))
        for number in range(1, 4):
            ((count,),) = postgres_server.sql(CUT.format(name, "true"))
            assert count >= 2  # the writer's and a reader's at least
            assert h.do(fee("l1", number, person=f"p{number}")).value[0]["known_seq"] == number
            assert h.journal.reader().at(TENANT, number).body.amount_minor == number
            assert h.journal.alive


def test_a_connection_that_breaks_in_a_group_refuses_it_and_the_next_goes_through(
    tmp_path: Path, database: str, postgres_server: Server
) -> None:
    name = database.rpartition("/")[2]
    places = iter(["group.begun", "group.folded", "group.written"])
    place = ""

    def cut(found: str) -> None:
        if found == place:
            postgres_server.sql(CUT.format(name, "application_name LIKE 'obligor writer%'"))

    with house(tmp_path, store=database) as h:
        h.do(fee("l1", 1))
        failpoints.arm(cut)
        try:
            for place in places:  # noqa: B007  seen by the failpoint
                with pytest.raises(Unavailable, match="out of reach"):
                    h.do(fee("l1", 2))
        finally:
            failpoints.disarm()
        assert h.do(fee("l1", 3)).value[0]["known_seq"] == 1
        assert h.journal.alive


def test_a_commit_of_what_had_failed_is_no_commit(database: str, tmp_path: Path) -> None:
    with house(tmp_path, store=database) as h:
        h.do(fee("l1", 1))
    store = backend_of(database).writer()
    store.begin([TENANT])
    with pytest.raises(WrongStatement):
        store.run([("SELECT 1 / ?", (0,))])
    with pytest.raises(StoreFailed, match="answered a commit with ROLLBACK"):
        store.commit()
    store.begin([TENANT])
    store.write([Batch(heads=[Head(TENANT, 7, bytes(32))])])
    store.rollback()
    assert store.head(TENANT).size == 1
    store.close()


def test_two_transactions_in_each_others_way_are_told_to_try_again(database: str, tmp_path: Path) -> None:
    with house(tmp_path, store=database) as h:
        h.do(fee("l1", 1), fee("l2", 1))
    store = backend_of(database).writer()
    store.begin([TENANT])
    change = "UPDATE p_loan SET fees = fees + 1 WHERE loan = ?"
    store.run([(change, ("l1",))])
    other = psycopg.connect(database, options="-c search_path=obligor -c deadlock_timeout=10s")
    other.execute(change.replace("?", "%s"), ("l2",))
    blocked = threading.Thread(target=lambda: other.execute(change.replace("?", "%s"), ("l1",)))
    blocked.start()
    _until(lambda: rows_of(tmp_path, database, "SELECT 1 FROM pg_locks WHERE NOT granted"))
    with pytest.raises(Retry, match="deadlock"):
        store.run([(change, ("l2",))])
    store.rollback()
    blocked.join()
    other.close()
    store.close()


def test_readers_see_the_old_rows_and_do_not_wait_while_projections_are_rebuilt(
    tmp_path: Path, database: str
) -> None:
    seen: list[object] = []
    with house(tmp_path, store=database) as h:
        h.do(fee("l1", 1), party("p1", national_id="1101"))

        def look(name: str) -> None:
            if name == "projections.filled":
                started = time.monotonic()
                seen.append(h.journal.reader().query("SELECT fees FROM p_loan"))
                seen.append(h.journal.reader().query("SELECT count(*) AS n FROM lookup"))
                assert time.monotonic() - started < 30

        failpoints.arm(look)
        try:
            h.journal.rebuild()
        finally:
            failpoints.disarm()
        assert seen == [[{"fees": 1}], [{"n": 1}]]
        assert rows_of(
            tmp_path, database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'obligor_new'"
        ) == [(0,)]
        h.do(fee("l1", 2))
        assert h.journal.reader().query("SELECT fees FROM p_loan") == [{"fees": 2}]


def test_readers_cannot_write(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database) as h:
        h.do(fee("l1", 1))
        for sql in ("DELETE FROM event", "CREATE TABLE x(a INTEGER)", "UPDATE head SET size = 0"):
            with pytest.raises(WrongStatement, match="read-only"):
                h.journal.reader().query(sql)
        with pytest.raises(WrongStatement, match="multiple commands"):
            h.journal.reader().query("SET default_transaction_read_only = off; DELETE FROM event")
        assert h.journal.reader().size(TENANT) == 1


def test_a_snapshot_is_of_one_moment(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database) as h:
        h.do(fee("l1", 1))
        with h.journal._reader._rows.snapshot() as moment:
            h.do(fee("l1", 2))
            assert moment.all("SELECT size FROM head WHERE tenant = ?", (TENANT,)) == [(1,)]
        assert h.journal.reader().size(TENANT) == 2


# ---- erasure


def test_whoever_can_still_see_a_deleted_row_delays_its_end_and_nothing_else(
    tmp_path: Path, database: str
) -> None:
    with house(tmp_path, store=database) as h:
        h.do(party("p1", name="kanarienvogel"))
        with h.journal._reader._rows.snapshot() as moment:
            assert moment.all("SELECT name FROM p_person", ()) == [("kanarienvogel",)]
            h.do(erased("p1"))
            assert h.vault.key(TENANT, "p1", "identity") is None
            assert h.do(fee("l1", 1)).value[0]["known_seq"] == 2
            assert h.journal._committer.unfinished
        _until(lambda: not h.journal._committer.unfinished)
        assert h.journal.reader().query("SELECT * FROM erasure") == []
        assert words_in_files(tmp_path, database, b"kanarienvogel") == set()


def test_the_servers_log_holds_what_was_erased_until_it_is_reused(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database) as h:
        h.do(party("p1", name="kanarienvogel"))
        h.do(erased("p1"))
        assert words_in_files(tmp_path, database, b"kanarienvogel") == set()
        assert words_in_files(tmp_path, database, b"kanarienvogel", log=True)


def test_limits_of_a_test_are_those_of_the_module() -> None:
    assert module.SILENCE_SECONDS * 1000 > module.STATEMENT_MS > module.LOCK_MS


@pytest.mark.parametrize("rows", [1, 24, 25, 300])
def test_few_rows_and_many_are_written_alike(tmp_path: Path, database: str, rows: int) -> None:
    with house(tmp_path, store=database) as h:
        many = [
            command(fee(f"l{n}", n + 1, source_ref=f"r{n}"), party(f"p{n}", national_id=f"{n}"), key=f"k{n}")
            for n in range(rows)
        ]
        outcomes = h.journal.submit_many(many).result(30)
        assert {outcome.replayed for outcome in outcomes} == {False}
        reader = h.journal.reader()
        assert [event.known_seq for event in reader.events(TENANT)] == list(range(2 * rows))
        assert reader.query("SELECT count(*) AS n FROM lookup") == [{"n": 2 * rows}]
        assert reader.query("SELECT count(*) AS n FROM subject_event") == [{"n": 2 * rows}]
        again = h.journal.submit_many(many).result(30)
        assert [outcome.data for outcome in again] == [outcome.data for outcome in outcomes]
