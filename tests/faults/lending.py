"""Commands by number, the same in whichever process and however often, and what must be true after them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from obligor.journal import (
    Answer,
    Backend,
    Command,
    FileKeys,
    Journal,
    PostgresBackend,
    PostgresVault,
    SqliteBackend,
    Vault,
)
from obligor.journal.key_rows import SqliteKeyRows
from obligor.journal.sqlite_store import SqliteStore
from obligor.kernel import Gone
from obligor.proof import Checkpoint, audit, open_note
from tests.journal.support import (
    PROJECTIONS,
    SIGNER,
    TENANT,
    House,
    SeededEntropy,
    SteadyClock,
    cap,
    command,
    device,
    draft,
    erased,
    fee,
    party,
    registry,
)

TENANTS = (TENANT, "south")
LEASE_SECONDS = 0.4
# The module of a vault in a file.
VAULT_ROWS = sys.modules[SqliteKeyRows.__module__]


class Attempt(NamedTuple):
    """A command with its idempotency key, the person whose key seals its answer, and the one it erases."""

    number: int
    command: Command
    sealed_for: str | None
    erases: str | None


def attempts(seed: int, count: int, *, cursor: bool = True) -> list[Attempt]:
    """Persons registered, their devices, fees and erasures, in two tenants; each attempt is one event.

    With a cursor, who tries again after later ones were accepted is refused.
    """
    luck = random.Random(seed)
    known: dict[str, list[str]] = {tenant: [] for tenant in TENANTS}
    return [_attempt(number, luck.choice(TENANTS), known, cursor, luck) for number in range(count)]


def _attempt(
    number: int, tenant: str, known: dict[str, list[str]], cursor: bool, luck: random.Random
) -> Attempt:
    persons = known[tenant]
    kind = luck.choices(("party", "device", "fee", "cap", "erase"), (28, 15, 37, 10, 10))[0]
    gone = None
    if kind == "party" or not persons:
        persons.append(f"person-{number}")
        event = party(persons[-1], name=f"Wei {number}", national_id=f"id-{number}")
    elif kind == "erase":
        gone = persons.pop(luck.randrange(len(persons)))
        event = erased(gone)
    elif kind == "device":
        event = device(luck.choice(persons), f"phone-{number}")
    elif kind == "cap":
        event = cap(f"cap-{number}", number)
    else:
        payer = luck.choice([*persons, "somebody"])
        event = fee(f"loan-{luck.randrange(4)}", number + 1, person=payer, kind="x" * luck.randrange(900))
    sealed_for = event.subjects[0] if event.subjects and gone is None and luck.random() < 0.3 else None
    named = draft(
        event.stream, event.body, subjects=event.subjects, source_ref=str(number), id=f"event-{number}"
    )
    moved = ("client", number) if cursor else None
    made = command(named, tenant=tenant, key=f"key-{number}", cursor=moved, seal_answer_for=sealed_for)
    return Attempt(number, made, sealed_for, gone)


class KnownKeys(FileKeys):
    """Keys in a file, and how each was wrapped: who looks for one in a file must know its bytes."""

    def __init__(self, path: Path, entropy: SeededEntropy) -> None:
        super().__init__(path, entropy)
        self.wrapped: dict[tuple[str, ...], bytes] = {}

    def wrap(self, tenant: str, key: bytes, context: bytes) -> bytes:
        """As ever; known by tenant, person and class."""
        made = super().wrap(tenant, key, context)
        self.wrapped[tuple(context.decode().split("\0"))] = made
        return made


@contextmanager
def lender(
    directory: Path,
    *,
    vfs: str | None = None,
    synchronous: str = "FULL",
    vault_synchronous: str = "FULL",
    keys: KnownKeys | None = None,
    store: str | None = None,
) -> Iterator[House]:
    """A journal and a vault with a directory each, as the server has them, or in the database at a URL.

    They are filled with the same bytes each time.
    """
    entropy = SeededEntropy(7)
    keys = keys or keys_of(directory, entropy)
    if store is None:
        at: Path | PostgresVault = directory / "vault" / "vault.sqlite"
        backend: Backend = SqliteBackend(directory / "journal", synchronous=synchronous, vfs=vfs)
    else:
        at = PostgresVault(store)
        backend = PostgresBackend(store, lease_seconds=LEASE_SECONDS, holder="lender")
    vault = Vault.open(at, keys, entropy, synchronous=vault_synchronous, vfs=vfs)
    try:
        made = registry(vault.index_key(TENANT))
        with Journal.open(backend, made, vault, SIGNER, SteadyClock(), entropy) as journal:
            yield House(directory, journal, vault)
    finally:
        vault.close()


def keys_of(directory: Path, entropy: SeededEntropy | None = None) -> KnownKeys:
    """The keys of a lender, in a directory beside its own."""
    return KnownKeys(directory.with_name("keys") / "kek", entropy or SeededEntropy(7))


@dataclass(frozen=True)
class Promise:
    """What somebody was told: an answer, and the checkpoint that covered it; `when` is the teller's own."""

    attempt: Attempt
    answer: bytes
    note: str
    when: int = 0


def check(h: House, tried: Sequence[Attempt], promises: Sequence[Promise], *, ordered: bool = True) -> None:
    """See that every promise is kept, that nothing is there twice, and that all of it fits together.

    `ordered` where attempts were made one after the other: then those that are there are the first ones.
    """
    found = {tenant: list(h.journal.reader().events(tenant)) for tenant in TENANTS}
    for tenant, events in found.items():
        assert [event.known_seq for event in events] == list(range(len(events)))
        assert len({event.source_ref for event in events}) == len(events), "an event is there twice"
        _check_log(h, tenant, [each.note for each in promises if each.attempt.command.tenant == tenant])
    there = {int(event.source_ref) for events in found.values() for event in events}
    if ordered:
        assert there == set(range(len(there))), "something was left out"
        for tenant, events in found.items():
            numbers = [int(event.source_ref) for event in events]
            assert numbers == sorted(numbers), "an event is out of order"
            assert h.journal.reader().cursor(tenant, "client") == max(numbers, default=-1)
    for promise in promises:
        (said,) = Answer(promise.answer).value
        events = found[promise.attempt.command.tenant]
        assert said["known_seq"] < len(events), "an acknowledged event is lost"
        assert events[said["known_seq"]].id == said["event_id"], "an acknowledged event is not where it was"
        signed = Checkpoint.parse(open_note(promise.note, [SIGNER.verifier]).text)
        assert signed.size > said["known_seq"], "an acknowledgement without a checkpoint that covers it"
    _check_erased(h, [promise.attempt for promise in promises])
    _check_again(h, tried, there, {promise.attempt.number: promise.answer for promise in promises})
    _check_projections(h)


def _check_log(h: House, tenant: str, promised: Sequence[str]) -> None:
    """The log adds up, every body opens, and each checkpoint that anybody was given holds of it."""
    reader = h.journal.reader()
    report = audit(
        reader.entries(tenant),
        {*reader.checkpoints(tenant), h.journal.checkpoint(tenant), *promised},
        SIGNER.verifier,
        tiles=reader.read_tile(tenant),
        unseal=lambda entry: reader.unsealed(tenant, entry),
    )
    assert report.ok, report.why
    assert report.unsigned == 0, "the last entries are not signed"
    assert reader.misfiled(tenant) is None


def _check_erased(h: House, done: Sequence[Attempt]) -> None:
    """Of those who were erased, no key is left, nothing finds them, and nothing is left to be done."""
    gone = {(attempt.command.tenant, attempt.erases) for attempt in done if attempt.erases is not None}
    for tenant, person in gone:
        assert h.vault.key(tenant, person, "identity") is None
        assert h.vault.key(tenant, person, "conduct") is None
    rows = h.journal.reader().query(
        "SELECT tenant, person FROM erasure UNION SELECT tenant, person FROM lookup"
    )
    assert not gone & {(row["tenant"], row["person"]) for row in rows}


def _check_again(h: House, tried: Sequence[Attempt], there: set[int], answered: dict[int, bytes]) -> None:
    """Everybody asks again with the same keys: equal answers, and in the end every event once."""
    outcomes = h.journal.submit_many([attempt.command for attempt in tried]).result(60)
    gone = {(attempt.command.tenant, attempt.erases) for attempt in tried}
    for attempt, outcome in zip(tried, outcomes, strict=True):
        if isinstance(outcome, Gone):
            assert attempt.number in there
            assert (attempt.command.tenant, attempt.sealed_for) in gone
            continue
        assert isinstance(outcome, Answer), outcome
        assert outcome.replayed == (attempt.number in there)
        if attempt.number in answered:
            assert outcome.data == answered[attempt.number], "another answer than the first"
    refs = [event.source_ref for tenant in TENANTS for event in h.journal.reader().events(tenant)]
    assert sorted(refs, key=int) == [str(attempt.number) for attempt in tried]
    _check_erased(h, tried)


def _check_projections(h: House) -> None:
    live = projections(h)
    h.journal.rebuild()
    assert projections(h) == live
    if isinstance(h.journal._store, SqliteStore):
        assert h.journal._writer.call(lambda: _integrity(h)).result(30) == ["ok", "ok"]


def projections(h: House) -> list[Any]:
    """All that follows from the events and can be made again."""
    tables = ["p_loan", "p_person", "p_person_device", "lookup", "subject_event"]
    assert len(tables) > len(PROJECTIONS)
    return [sorted(map(repr, h.journal.reader().query(f"SELECT * FROM {table}"))) for table in tables]


def _integrity(h: House) -> list[str]:
    stores = (h.journal._store._connection, h.vault._rows._connection)
    return [connection.pragma("integrity_check") for connection in stores]
