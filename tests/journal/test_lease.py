"""Several processes on one database: one of them writes a tenant, and whoever lost that role cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from obligor.journal import Answer, FileKeys, RoleLost, Vault
from obligor.journal.postgres_lease import Leases
from obligor.kernel import Unavailable, failpoints
from tests.journal.places import rows_of, tamper
from tests.journal.support import TENANT, House, command, device, erased, fee, house, party, vault_at

SHORT = 0.6


def _until(happened: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@contextmanager
def _held_at(name: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The first who comes by a failpoint waits there: (has come, may go on)."""
    come, go = threading.Event(), threading.Event()

    def reached(found: str) -> None:
        if found == name and not come.is_set():
            come.set()
            go.wait(30)

    failpoints.arm(reached)
    try:
        yield come, go
    finally:
        failpoints.disarm()
        go.set()


def _cut_off(h: House) -> None:
    """Renew the lease no more, as a process that was stopped or cannot reach the database."""
    leases: Leases = h.journal._store._leases  # type: ignore[attr-defined]
    leases._closing.set()


def _take_over(directory: Path, database: str, seconds: float = 10.0, **more: object) -> House:
    """Stand by until the role is free."""
    end = time.monotonic() + seconds
    while True:
        opening = house(directory, store=database, tenants=(TENANT,), **more)
        try:
            taken = opening.__enter__()
        except Unavailable:
            assert time.monotonic() < end, "the role was never free"
            time.sleep(0.05)
        else:
            break
    taken.leave = lambda: opening.__exit__(None, None, None)  # type: ignore[attr-defined]
    return taken


def test_who_asks_for_a_tenant_that_is_written_hears_so_at_once(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=60.0) as h:
        h.do(fee("l1", 1))
        started = time.monotonic()
        with (
            pytest.raises(Unavailable, match=f"tenant {TENANT} is being written by another process"),
            house(tmp_path, store=database, tenants=(TENANT,)),
        ):
            pass
        assert time.monotonic() - started < 30
        h.do(fee("l1", 2))


def test_tenants_are_written_by_different_processes_side_by_side(tmp_path: Path, database: str) -> None:
    with (
        house(tmp_path, store=database, tenants=("north",)) as north,
        house(tmp_path, store=database, tenants=("south",)) as south,
    ):
        for number in range(1, 6):
            north.do(fee("l1", number), tenant="north")
            south.do(fee("l1", number), tenant="south")
        outcomes = south.journal.submit_many(
            [
                command(fee("l1", 6), tenant="south"),
                command(fee("l1", 7), tenant="north"),
                command(fee("l1", 8), tenant="south"),
            ]
        ).result(30)
        assert [type(outcome) for outcome in outcomes] == [Answer, Unavailable, Answer]
        assert [north.journal.reader().size(each) for each in ("north", "south")] == [5, 7]
        assert south.journal.alive


def test_who_leaves_gives_the_role_back_at_once(tmp_path: Path, database: str) -> None:
    for number in range(4):
        with house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=600.0) as h:
            h.do(fee("l1", number + 1))
            assert h.journal.reader().size(TENANT) == number + 1


def test_a_group_that_lasts_longer_than_the_lease_does_not_lose_it(tmp_path: Path, database: str) -> None:
    with (
        house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=SHORT) as h,
        _held_at("group.folded") as (come, go),
    ):
        slow = h.journal.submit(command(fee("l1", 1)))
        assert come.wait(10)
        end = time.monotonic() + 3 * SHORT
        while time.monotonic() < end:
            with pytest.raises(Unavailable), house(tmp_path, store=database, tenants=(TENANT,)):
                pass
        go.set()
        assert slow.result(30).value[0]["known_seq"] == 0


def test_a_role_that_was_lost_is_noticed_without_a_command(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=SHORT) as h:
        h.do(fee("l1", 1))
        assert h.journal.alive
        tamper(tmp_path, database, "UPDATE lease SET holder = 'somebody else'")
        _until(lambda: not h.journal.alive)
        with pytest.raises(RoleLost, match="another process has become the writer"):
            h.do(fee("l1", 2))
        assert h.journal.reader().size(TENANT) == 1


def test_a_writer_that_slept_through_its_lease_writes_nothing_more(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=SHORT) as old:
        old.do(fee("l1", 1))
        _cut_off(old)
        new = _take_over(tmp_path, database)
        new.do(fee("l1", 2))
        outcomes = old.journal.submit_many([command(fee("l1", 7)), command(fee("l1", 8))]).result(30)
        assert [type(outcome) for outcome in outcomes] == [RoleLost, RoleLost]
        assert not old.journal.alive
        with pytest.raises(Unavailable, match="another process"):
            old.do(fee("l1", 9))
        new.do(fee("l1", 3))
        amounts = [event.body.amount_minor for event in new.journal.reader().events(TENANT)]
        new.leave()  # type: ignore[attr-defined]
    assert amounts == [1, 2, 3]


def test_without_the_token_a_sleeper_would_write(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the test above says hangs on the token alone."""
    with house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=SHORT) as old:
        old.do(fee("l1", 1))
        _cut_off(old)
        new = _take_over(tmp_path, database)
        monkeypatch.setattr(Leases, "check_tokens", lambda *_: None)
        assert isinstance(old.do(fee("l1", 7)), Answer)
        assert new.journal.reader().size(TENANT) == 2
        monkeypatch.undo()
        new.leave()  # type: ignore[attr-defined]


def test_a_writer_that_stops_in_a_group_is_cut_off_and_its_group_is_not_written(
    tmp_path: Path, database: str
) -> None:
    with (
        house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=SHORT) as old,
        _held_at("group.written") as (come, go),
    ):
        stuck = old.journal.submit(command(fee("l1", 7)))
        assert come.wait(10)
        _cut_off(old)
        new = _take_over(tmp_path, database)
        new.do(fee("l1", 2))
        go.set()
        with pytest.raises(Unavailable):
            stuck.result(30)
        with pytest.raises(RoleLost):
            old.do(fee("l1", 8))
        assert [event.body.amount_minor for event in new.journal.reader().events(TENANT)] == [2]
        new.leave()  # type: ignore[attr-defined]


CHILD = """
import sys
from pathlib import Path
from obligor.kernel import failpoints
from tests.journal.support import command, fee, house
failpoints.arm(lambda name: print(name, flush=True) if name == "group.written" else None)
with house(Path(sys.argv[1]), store=sys.argv[2], tenants=("north",), lease_seconds=0.6) as h:
    print("ready", flush=True)
    for line in sys.stdin:
        outcome = h.journal.submit_many([command(fee("l1", int(line)))]).result(30)[0]
        print(type(outcome).__name__, h.journal.alive, flush=True)
"""


def test_a_stopped_process_that_wakes_up_cannot_commit(tmp_path: Path, database: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None

    def ask(amount: int) -> str:
        child.stdin.write(f"{amount}\n")
        child.stdin.flush()
        assert child.stdout.readline() == "group.written\n"
        return child.stdout.readline()

    try:
        assert child.stdout.readline() == "ready\n"
        assert ask(1) == "Answer True\n"
        child.send_signal(signal.SIGSTOP)
        new = _take_over(tmp_path, database)
        new.do(fee("l1", 2))
        child.send_signal(signal.SIGCONT)
        child.stdin.write("9\n")
        child.stdin.flush()
        assert child.stdout.readline() == "RoleLost False\n"
        new.do(fee("l1", 3))
        assert [event.body.amount_minor for event in new.journal.reader().events(TENANT)] == [1, 2, 3]
        new.leave()  # type: ignore[attr-defined]
    finally:
        child.kill()
        child.wait(30)


def test_the_next_writer_goes_on_where_the_last_one_stopped(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=SHORT) as old:
        old.do(party("p1"), fee("l1", 1), key="k")
        _cut_off(old)
        new = _take_over(tmp_path, database)
        assert new.do(party("p1"), fee("l1", 1), key="k").replayed
        new.do(device("p1", "phone"), fee("l1", 2))
        assert new.journal.reader().query("SELECT fees_minor FROM p_loan") == [{"fees_minor": 3}]
        assert rows_of(tmp_path, database, "SELECT token FROM fence") == [(2,)]
        new.leave()  # type: ignore[attr-defined]


def test_two_processes_may_open_an_empty_database_at_once(tmp_path: Path, database: str) -> None:
    FileKeys(tmp_path / "kek")
    failures: list[BaseException] = []
    barrier = threading.Barrier(3)

    def client(tenant: str) -> None:
        try:
            barrier.wait()
            with house(tmp_path, store=database, tenants=(tenant,)) as h:
                h.do(fee("l1", 1), tenant=tenant)
        except BaseException as error:  # noqa: BLE001  told to the test
            failures.append(error)

    threads = [threading.Thread(target=client, args=(tenant,)) for tenant in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(rows_of(tmp_path, database, "SELECT * FROM p_loan")) == 3


# ---- the vault, which all of them have open


def _vault(directory: Path, database: str) -> Vault:
    return Vault.open(vault_at(directory, database), FileKeys(directory / "kek"))


def test_processes_agree_on_keys(tmp_path: Path, database: str) -> None:
    vaults = [_vault(tmp_path, database) for _ in range(3)]
    found: list[list[bytes | None]] = []
    barrier = threading.Barrier(3)

    def client(vault: Vault) -> None:
        barrier.wait()
        for number in range(20):
            vault.ensure("t", [f"p{number}", f"p{19 - number}"])
        found.append([*(vault.key("t", f"p{number}", "money") for number in range(20)), vault.index_key("t")])

    threads = [threading.Thread(target=client, args=(vault,)) for vault in vaults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2]
    assert len({*found[0]} - {None}) == 21
    for vault in vaults:
        vault.close()


def test_a_key_destroyed_elsewhere_is_not_used_from_memory(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database, tenants=(TENANT,)) as h:
        h.do(party("p1"), party("p2"))
        other = _vault(tmp_path, database)
        before = other.ring(TENANT, "p1")
        assert other.ring(TENANT, "p1") is before
        h.do(erased("p1"))
        assert other.key(TENANT, "p1", "identity") is None
        assert other.key(TENANT, "p1", "money") is not None
        assert other.key(TENANT, "p2", "identity") is not None
        other.close()


def test_the_writer_need_not_ask_for_the_keys_it_has(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path, store=database, tenants=(TENANT,), lease_seconds=SHORT) as h:
        h.do(party("p1"))
        asked: list[int] = []
        rows = h.vault._rows
        genuine = rows.changes
        monkeypatch.setattr(type(rows), "changes", lambda _: asked.append(1) or genuine())
        assert h.journal.reader().at(TENANT, 0).body.name == "Wei"
        assert asked == []
        _cut_off(h)
        _until(lambda: not h.journal._store.leads(TENANT))  # type: ignore[attr-defined]
        assert h.journal.reader().at(TENANT, 0).body.name == "Wei"
        assert asked == [1]


def test_who_takes_over_knows_of_erasures_it_has_not_seen(tmp_path: Path, database: str) -> None:
    with house(tmp_path, store=database, tenants=("south",)) as standby:
        with house(tmp_path, store=database, tenants=(TENANT,)) as h:
            h.do(party("p1"))
            assert standby.vault.key(TENANT, "p1", "identity") is not None
            h.do(erased("p1"))
        standby.do(device("p1", "phone"))
        event = standby.journal.reader().at(TENANT, 2)
        assert (event.body.device_id, event.erased) == (None, {"conduct"})
