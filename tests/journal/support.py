"""A small lender to test the journal with: persons, fees on loans, a balance, a table of names."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import itertools
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from obligor.events import CapSet, DeviceSeen, FeeCharged, PartyRegistered, PersonErased
from obligor.journal import (
    Accepted,
    Backend,
    Command,
    FileKeys,
    Fold,
    Idempotency,
    Journal,
    Lookup,
    Memory,
    PostgresVault,
    Projection,
    Registry,
    States,
    Vault,
    View,
    backend_of,
)
from obligor.kernel import Conflict, Draft, Event, derived_id
from obligor.proof import Signer

TENANT = "north"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
# What belongs to the backend and not to the journal.
SETTINGS = ("synchronous", "vfs", "lease_seconds", "holder")
SIGNER = Signer("bank.example", bytes(range(32)))


class SteadyClock:
    """Every look at it is a millisecond later."""

    def __init__(self, start: datetime = START) -> None:
        self._ticks = itertools.count()
        self._start = start

    def now(self) -> datetime:
        return self._start + timedelta(milliseconds=next(self._ticks))


class SeededEntropy:
    """Bytes that anybody can guess."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def bytes(self, n: int) -> builtins.bytes:
        return self._random.randbytes(n)


# ---- what follows from the events


@dataclass(frozen=True)
class Balance:
    """The fees of a loan, as a fold."""

    fees: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()

    def apply(self, event: Event) -> Balance:
        body = event.body
        return replace(self, fees=(*self.fees, body.amount_minor), kinds=(*self.kinds, body.kind))


@dataclass(frozen=True)
class Person:
    """A person as known, as a fold."""

    name: str | None = None
    devices: tuple[str | None, ...] = ()

    def apply(self, event: Event) -> Person:
        body = event.body
        if isinstance(body, PartyRegistered):
            return replace(self, name=body.name)
        if isinstance(body, DeviceSeen):
            return replace(self, devices=(*self.devices, body.device_id))
        return self


@dataclass
class Totals:
    """Fees by loan and devices by person over all events, as a memory."""

    fees: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)

    def apply(self, event: Event) -> None:
        body = event.body
        if isinstance(body, FeeCharged):
            self.fees[body.loan_id] = self.fees.get(body.loan_id, 0) + body.amount_minor
        if isinstance(body, DeviceSeen):
            self.devices[body.person_id] = self.devices.get(body.person_id, 0) + 1

    def forget(self, person: str) -> None:
        self.devices.pop(person, None)


UPSERT_LOAN = (
    "INSERT INTO p_loan VALUES (?, ?, ?, ?) ON CONFLICT (tenant, loan) "
    "DO UPDATE SET fees_minor = excluded.fees_minor, fees = excluded.fees"
)
UPSERT_PERSON = (
    "INSERT INTO p_person VALUES (?, ?, ?, ?) ON CONFLICT (tenant, person) "
    "DO UPDATE SET name = excluded.name, phone = excluded.phone"
)
UPSERT_DEVICE = (
    "INSERT INTO p_person_device VALUES (?, ?, ?, ?) ON CONFLICT (tenant, person, device) "
    "DO UPDATE SET seen = excluded.seen"
)


def project_loan(event: Event, states: States) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if isinstance(event.body, FeeCharged):
        balance = states.state(event.stream)
        row = (event.tenant, event.body.loan_id, sum(balance.fees), len(balance.fees))
        yield UPSERT_LOAN, row


def project_person(event: Event, states: States) -> Iterator[tuple[str, tuple[Any, ...]]]:
    body = event.body
    if isinstance(body, PartyRegistered):
        row = (event.tenant, body.person_id, body.name, body.phone)
        yield UPSERT_PERSON, row
    if isinstance(body, DeviceSeen) and body.device_id is not None:
        seen = states.memory("totals").devices[body.person_id]
        row = (event.tenant, body.person_id, body.device_id, seen)
        yield UPSERT_DEVICE, row
    if isinstance(body, PersonErased):
        key = (event.tenant, body.person_id)
        yield "UPDATE p_person SET name = NULL, phone = NULL WHERE tenant = ? AND person = ?", key
        yield "DELETE FROM p_person_device WHERE tenant = ? AND person = ?", key


PROJECTIONS = (
    Projection(
        "loan",
        "CREATE TABLE p_loan(tenant TEXT, loan TEXT, fees_minor INTEGER, fees INTEGER, "
        "PRIMARY KEY (tenant, loan))",
        project_loan,
    ),
    Projection(
        "person",
        "CREATE TABLE p_person(tenant TEXT, person TEXT, name TEXT, phone TEXT, "
        "PRIMARY KEY (tenant, person));"
        "CREATE TABLE p_person_device(tenant TEXT, person TEXT, device TEXT, seen INTEGER, "
        "PRIMARY KEY (tenant, person, device))",
        project_person,
    ),
)


def registry(index_key: bytes, **changes: Any) -> Registry:
    def lookups(event: Event) -> Iterable[Lookup]:
        body = event.body
        if isinstance(body, PartyRegistered) and body.national_id is not None:
            yield Lookup("national_id", blind(index_key, body.national_id), body.person_id, body.person_id)
        if event.source_ref is not None:
            yield Lookup("source_ref", event.source_ref, event.id)

    made = Registry(
        folds={
            "loan": Fold(Balance, lambda state, event: state.apply(event)),
            "person": Fold(Person, lambda state, event: state.apply(event)),
        },
        lookups=lookups,
        memories={"totals": Memory(lambda _tenant: Totals(), Totals.apply, Totals.forget)},
        projections=PROJECTIONS,
    )
    return replace(made, **changes)


def blind(index_key: bytes, value: str) -> str:
    return hmac.digest(index_key, f"national_id|{value}".encode(), "sha256").hex()


# ---- commands

# A process that a test starts writes into the same journal: its ids must be others.
_PROCESS = str(os.getpid())
_numbers = itertools.count()


def draft(stream: str, body: Any, *, subjects: tuple[str, ...] = (), **more: Any) -> Draft:
    identity = more.pop("id", None) or derived_id("test", _PROCESS, next(_numbers))
    made = {"id": identity, "at": START, "source": "test", "actor": "tester", **more}
    return Draft(stream=stream, body=body, subjects=subjects, **made)


def fee(loan: str, amount: int, *, kind: str = "late", person: str = "p1", **more: Any) -> Draft:
    body = FeeCharged(
        loan_id=loan, amount_minor=amount, currency="CNY", kind=kind, charged_on=date(2026, 3, 1)
    )
    return draft(f"loan/{loan}", body, subjects=(person,), **more)


def party(person: str, *, name: str = "Wei", **more: Any) -> Draft:
    body = PartyRegistered(person_id=person, kind="person", name=name, **more)
    return draft(f"person/{person}", body, subjects=(person,))


def device(person: str, device_id: str) -> Draft:
    return draft(f"person/{person}", DeviceSeen(person_id=person, device_id=device_id), subjects=(person,))


def erased(person: str, *classes: str) -> Draft:
    body = PersonErased(person_id=person, classes=classes or ("identity", "conduct"), ground="asked")
    return draft(f"person/{person}", body, subjects=(person,))


def cap(name: str, limit: int) -> Draft:
    return draft(f"cap/{name}", CapSet(cap=name, limit_minor=limit, currency="CNY"))


def said(events: Any) -> Any:
    """The usual answer: which events, and where."""
    return [{"event_id": event.id, "known_seq": event.known_seq} for event in events]


def command(
    *drafts: Draft, tenant: str = TENANT, key: str | None = None, body: str = "body", **more: Any
) -> Command:
    answer = more.pop("answer", said)
    sealed = more.pop("accepted_for", None)
    return Command(
        tenant,
        lambda _view: Accepted(drafts, answer, sealed),
        idempotency=once(key, body) if key else None,
        **more,
    )


def once(key: str, body: str = "body") -> Idempotency:
    return Idempotency(key, hashlib.sha256(body.encode()).hexdigest())


def running(run: Callable[[View], Accepted], **more: Any) -> Command:
    return Command(more.pop("tenant", TENANT), run, **more)


def refusing(why: str = "no") -> Command:
    def run(_view: View) -> Accepted:
        raise Conflict(why)

    return running(run)


# ---- opening


@dataclass
class House:
    """A journal with its vault, in a directory or, all but the key file, in a database."""

    directory: Path
    journal: Journal
    vault: Vault

    def do(self, *drafts: Draft, **more: Any) -> Any:
        return self.journal.submit(command(*drafts, **more)).result(30)


def backend_at(directory: Path, store: str | None, **settings: Any) -> Backend:
    """The store of a house: in its directory, or in the database at a URL."""
    return backend_of(store or directory, **settings)


def vault_at(directory: Path, store: str | None) -> Path | PostgresVault:
    return PostgresVault(store) if store else directory / "vault.db"


@contextmanager
def house(directory: Path, *, store: str | None = None, **more: Any) -> Iterator[House]:
    keys = FileKeys(directory / "kek")
    entropy = more.pop("entropy", None) or SeededEntropy(hash(str(directory)) & 0xFFFF)
    vault = Vault.open(vault_at(directory, store), keys, entropy=entropy)
    try:
        changes = more.pop("registry", {})
        made = registry(vault.index_key(TENANT), **changes)
        settings = {name: more.pop(name) for name in SETTINGS if name in more}
        journal = Journal.open(
            backend_at(directory, store, **settings),
            made,
            vault,
            more.pop("signer", SIGNER),
            more.pop("clock", SteadyClock()),
            entropy,
            **more,
        )
        try:
            yield House(directory, journal, vault)
        finally:
            journal.close()
    finally:
        vault.close()
