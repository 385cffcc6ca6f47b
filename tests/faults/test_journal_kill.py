"""kill -9 of a real process, again and again: nothing acknowledged is lost or doubled, answers stay.

What this does not test is the disk: the page cache outlives a process. That a commit waits for its sync is
tested in tests/journal/test_sqlite.py, and what a power cut does in test_power_cuts.py.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from obligor.journal import Command
from obligor.journal.sqlite_store import SqliteStore
from obligor.proof import audit
from tests.faults.children import Nursery
from tests.journal.support import SIGNER, TENANT, House, command, draft, erased, fee, house, party

CLIENTS = 32
FEES_A_LOAN = 40
# Whose lease a killed process leaves behind takes it up again under the same name, without waiting.
HOLDER = {"holder": "killed"}


def attempt(client: int, number: int) -> Command:
    """The same for the same numbers, in whichever process."""
    key = f"{client}-{number}"
    person = f"person-{client}-{number // 10}"
    # Not everybody does the same at the same time, and erasures are rare: each ends a group.
    if number % 200 == client + 1:
        event = erased(person)
    elif number % 10 == 0:
        event = party(person, name=f"canary-{key}-canary")
    else:
        loan = f"loan-{client}-{number // FEES_A_LOAN}"
        event = fee(loan, number + 1, person=person if number % 3 else "everybody")
    renamed = draft(event.stream, event.body, subjects=event.subjects, source_ref=key, id=f"event-{key}")
    return command(renamed, key=key, cursor=(f"client-{client}", number))


@contextmanager
def opened(directory: Path, store: str | None) -> Iterator[House]:
    """The house in which children live and die."""
    with house(directory, store=store, **(HOLDER if store else {})) as h:
        yield h


def child(place: str, store: str) -> None:
    """Clients that write until they are killed, each telling the parent of every answer it has seen."""
    directory = Path(place)
    acknowledged = os.open(directory / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with opened(directory, store or None) as h:

        def client(number: int) -> None:
            at = h.journal.reader().cursor(TENANT, f"client-{number}") + 1
            while True:
                answer = h.journal.submit(attempt(number, at)).result()
                line = f"{number} {at} {hashlib.sha256(answer.data).hexdigest()}\n"
                os.write(acknowledged, line.encode())
                at += 1

        threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        threads[0].join()


def hasty_child(place: str, store: str) -> None:
    """The same over a store that commits every eighth group, and has acknowledged the others by then."""
    genuine, groups = SqliteStore.begin, itertools.count(1)

    def begin(self: SqliteStore, tenants: Iterable[str] | None = None) -> None:
        if self._connection.in_transaction:
            if next(groups) % 8:
                return
            self._connection.execute("COMMIT")
        genuine(self, tenants)

    SqliteStore.begin = begin
    SqliteStore.commit = lambda _self: None
    child(place, store)


def _one_life(
    children: Nursery,
    directory: Path,
    store: str | None,
    longest: float,
    luck: random.Random,
    who: str = "child",
) -> None:
    path = directory / "acknowledged"
    before = path.stat().st_size if path.exists() else 0
    life = children.run(f"tests.faults.test_journal_kill:{who}", directory, store or "")
    for _ in range(3000):
        if path.exists() and path.stat().st_size > before:
            break
        time.sleep(0.01)
    time.sleep(luck.random() * longest)
    life.kill()
    assert life.wait() == -signal.SIGKILL, f"it did not live to be killed: {children.said()}"


def read_acknowledged(directory: Path) -> dict[tuple[int, int], str]:
    """The digest of each answer that somebody has seen, by client and number."""
    found: dict[tuple[int, int], str] = {}
    for line in (directory / "acknowledged").read_text().splitlines():
        client, number, digest = line.split()
        assert (int(client), int(number)) not in found, "acknowledged twice"
        found[int(client), int(number)] = digest
    return found


def check_everything(h: House, acknowledged: dict[tuple[int, int], str], luck: random.Random) -> int:
    """Nothing acknowledged is lost, nothing is there twice or out of order, answers are what they were.

    Returns how many persons were erased, of whom no key is left.
    """
    reader = h.journal.reader()
    size = reader.size(TENANT)
    numbers: dict[int, list[int]] = defaultdict(list)
    gone = []
    for place, event in enumerate(reader.events(TENANT)):
        assert event.known_seq == place
        client, number = event.source_ref.split("-")
        numbers[int(client)].append(int(number))
        if event.type == "person.erased":
            gone.append(event.body.person_id)
    for client, found in numbers.items():
        assert found == list(range(len(found))), f"an event of client {client} is missing, doubled or moved"
    missing = [key for key in acknowledged if key[1] >= len(numbers[key[0]])]
    assert missing == []
    report = audit(
        reader.entries(TENANT),
        {*reader.checkpoints(TENANT), h.journal.checkpoint(TENANT)},
        SIGNER.verifier,
        tiles=reader.read_tile(TENANT),
        unseal=lambda entry: reader.unsealed(TENANT, entry),
    )
    assert report.ok, report.why
    assert (report.entries, report.unsigned) == (size, 0)
    assert all(h.vault.key(TENANT, person, "identity") is None for person in gone)

    asked = luck.sample(sorted(acknowledged), min(500, len(acknowledged)))
    again = [
        h.journal.submit(Command(same.tenant, same.run, same.idempotency))
        for same in (attempt(*key) for key in asked)
    ]
    for key, answer in zip(asked, again, strict=True):
        assert answer.result(60).replayed
        assert hashlib.sha256(answer.result().data).hexdigest() == acknowledged[key]
    assert reader.size(TENANT) == size
    return len(gone)


@pytest.mark.parametrize(
    ("cycles", "longest", "fewest"),
    [
        (10, 0.15, 60),
        pytest.param(1_000, 0.8, 100_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
    ids=["some", "thousand"],
)
def test_nothing_acknowledged_is_lost_or_doubled(
    tmp_path: Path, children: Nursery, store: str | None, cycles: int, longest: float, fewest: int
) -> None:
    luck = random.Random(7)
    while cycles > 0 or len(read_acknowledged(tmp_path)) < fewest:
        for _ in range(max(cycles, 10)):
            _one_life(children, tmp_path, store, 2 * longest if store else longest, luck)
        cycles = 0
    assert children.said() == ""
    acknowledged = read_acknowledged(tmp_path)
    with opened(tmp_path, store) as h:
        assert check_everything(h, acknowledged, luck) > 0


def test_an_acknowledgement_before_the_commit_is_found(tmp_path: Path, children: Nursery) -> None:
    luck = random.Random(7)
    found = 0
    for number in range(4):
        directory = tmp_path / str(number)
        directory.mkdir()
        _one_life(children, directory, None, 0.2, luck, "hasty_child")
        try:
            with opened(directory, None) as h:
                check_everything(h, read_acknowledged(directory), luck)
        except AssertionError:
            found += 1
    assert found > 0
