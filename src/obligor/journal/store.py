"""What the journal asks of a store. SQLite is one; whatever has transactions can be another.

The fold of a group is the same over every store: it reads committed rows through `Store` and hands back one
`Batch` of rows, which is written set-wise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from obligor.journal.types import Statement
from obligor.kernel import ObligorError, Unavailable

__all__ = [
    "AnswerRow",
    "Batch",
    "CheckpointRow",
    "CursorRow",
    "ErasureRow",
    "EventRow",
    "Head",
    "IdTaken",
    "LookupRow",
    "Retry",
    "RoleLost",
    "Rows",
    "Snapshot",
    "Store",
    "StoreFailed",
    "TileRow",
    "WrongStatement",
]


class StoreFailed(Unavailable):
    """The store could not read or write: no space, an I/O error, a lock. Nothing was half done."""


class Retry(StoreFailed):
    """Concurrent transactions were in each other's way: the same again may succeed. Nothing was half done."""


class IdTaken(StoreFailed):
    """An event has the id of another; see `taken`. The transaction has to be rolled back."""


class RoleLost(Unavailable):
    """Another process has become the writer; this one may write nothing any more."""


class WrongStatement(ObligorError):
    """A statement of a projection or a query is not one the store accepts: not the store's fault."""


class EventRow(NamedTuple):
    """One event as it is kept. The leaf commits to envelope, body root and the digest of the sealed bytes."""

    tenant: str
    known_seq: int
    id: str
    stream: str
    stream_version: int
    type: str
    envelope: bytes
    sealed: bytes
    body_root: bytes
    leaf: bytes


class LookupRow(NamedTuple):
    """One way to find something; `person` where it is personal."""

    tenant: str
    kind: str
    key: str
    value: str
    person: str | None


class AnswerRow(NamedTuple):
    """The answer under an idempotency key, sealed where there is a person, None once it was erased.

    `key` and `body` are keyed hashes: senders put what they like into a key.
    """

    tenant: str
    key: str
    body: str
    person: str | None
    answer: bytes | None


class CursorRow(NamedTuple):
    """How far a processor has come."""

    tenant: str
    name: str
    known_seq: int


class TileRow(NamedTuple):
    """Hashes of complete subtrees of 256^level leaves, from 256 * position on, one after the other.

    On level 0 only tiles of 256 are kept: the hashes of the others are the events' own.
    """

    tenant: str
    level: int
    position: int
    hashes: bytes


class Head(NamedTuple):
    """How far a tenant's log has come, and the root over it."""

    tenant: str
    size: int
    root: bytes


class CheckpointRow(NamedTuple):
    """A signed statement of a size and its root."""

    tenant: str
    size: int
    note: str


class ErasureRow(NamedTuple):
    """A person whose keys are to be destroyed; the row goes when that is done."""

    tenant: str
    person: str
    known_seq: int
    classes: str


@dataclass(slots=True)
class Batch:
    """Rows that are written together: all that a group writes, or a piece of it."""

    events: list[EventRow] = field(default_factory=list)
    subjects: list[tuple[str, str, int]] = field(default_factory=list)
    lookups: list[LookupRow] = field(default_factory=list)
    answers: list[AnswerRow] = field(default_factory=list)
    cursors: list[CursorRow] = field(default_factory=list)
    tiles: list[TileRow] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    checkpoints: list[CheckpointRow] = field(default_factory=list)
    erasures: list[ErasureRow] = field(default_factory=list)
    statements: list[list[Statement]] = field(default_factory=list)


class Snapshot(Protocol):
    """A store as it was at one moment, however many statements read it. One thread uses it."""

    def all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of one of our own statements."""
        ...


class Rows(Protocol):
    """The readers' side of a store, from any thread. Every method may raise StoreFailed."""

    def all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of one of our own statements, as of one moment."""
        ...

    def named(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of any statement that reads, by column name.

        Raises:
            WrongStatement: it is wrong, or wants to write.
        """
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Several statements over one moment. It keeps the store from tidying up: leave it soon."""
        ...

    def close(self) -> None:
        """Let go of everything.

        Afterwards every method raises Unavailable.
        """
        ...


class Store(Protocol):
    """The writer's side of a store. From `begin` to `commit` or `rollback` nobody else writes.

    Every method may raise StoreFailed.
    """

    @property
    def alive(self) -> bool:
        """Whether it may still be written: False once another process has become the writer of a tenant."""
        ...

    def take(self, tenants: Iterable[str]) -> None:
        """Become the writer of these tenants, where it is not yet; their logs may have grown elsewhere.

        Raises:
            Unavailable: another process is the writer of one of them.
        """
        ...

    def leads(self, tenant: str) -> bool:
        """Whether at this moment no other process can be the tenant's writer; from any thread."""
        ...

    def expect(self, keys: Mapping[str, Sequence[str]]) -> None:
        """By tenant, the idempotency keys whose `answers` the next transaction will ask for."""
        ...

    def begin(self, tenants: Iterable[str] | None = None) -> None:
        """Start a transaction that writes the logs of these tenants, which were taken.

        None is for what all tenants share: nobody else writes anything until it ends.

        Raises:
            RoleLost: another process has become their writer.
        """
        ...

    def commit(self) -> None:
        """On return everything since `begin` is durable; when it raises, that may be so or not."""
        ...

    def rollback(self) -> None:
        """Forget everything since `begin`, if anything."""
        ...

    def write(self, batches: Iterable[Batch]) -> None:
        """Write rows, in order; erasures take out the person's lookups and stored answers.

        A batch is asked for while others are written: whoever makes it does not use the store, and until
        this returns none of them is there.

        Raises:
            IdTaken: an event's id is taken.
        """
        ...

    def head(self, tenant: str) -> Head | None:
        """The tenant's head, or None before its first event."""
        ...

    def heads(self) -> Sequence[Head]:
        """The heads of all tenants."""
        ...

    def events(self, tenant: str, start: int, stop: int) -> Iterator[EventRow]:
        """Events with start <= known_seq < stop, in order."""
        ...

    def stream(self, tenant: str, stream: str, before: int | None = None) -> Iterator[EventRow]:
        """A stream's events in order; only those with known_seq < before, if given."""
        ...

    def stream_version(self, tenant: str, stream: str) -> int:
        """How many events a stream has."""
        ...

    def taken(self, tenant: str, ids: Iterable[str]) -> list[str]:
        """Those of these ids that events have already."""
        ...

    def find(self, tenant: str, kind: str, key: str) -> str | None:
        """The value under (kind, key)."""
        ...

    def find_many(self, tenant: str, kind: str, keys: Iterable[str]) -> list[tuple[str, str]]:
        """The (key, value) of those of a kind that there are."""
        ...

    def answers(self, tenant: str, keys: Iterable[str]) -> list[AnswerRow]:
        """The answers there are under these idempotency keys."""
        ...

    def cursor(self, tenant: str, name: str) -> int | None:
        """A processor's cursor."""
        ...

    def tile(self, tenant: str, level: int, position: int) -> bytes | None:
        """The hashes of a tile."""
        ...

    def leaves(self, tenant: str, start: int, stop: int) -> list[bytes]:
        """Leaf hashes with start <= known_seq < stop, in order."""
        ...

    def last_checkpoint(self, tenant: str) -> CheckpointRow | None:
        """The checkpoint over most entries."""
        ...

    def pending_erasures(self) -> Sequence[ErasureRow]:
        """Erasures that were written but not finished."""
        ...

    def tables_of(self, schema: str) -> list[str]:
        """The tables that DDL would make.

        Raises:
            WrongStatement: it is no DDL.
        """
        ...

    def projections(self) -> dict[str, str]:
        """The projections there are, each with the digest of its schema."""
        ...

    def make_projection(self, name: str, digest: str, schema: str) -> None:
        """Make a projection's tables."""
        ...

    def drop_projection(self, name: str) -> None:
        """Take a projection's tables away, if there are any."""
        ...

    def clear_lookups(self) -> None:
        """Delete all lookups and the index of subjects."""
        ...

    def run(self, statements: Iterable[Statement]) -> None:
        """A projection's statements, in order.

        Raises:
            WrongStatement: the store does not accept one.
        """
        ...

    def purge(self) -> bool:
        """Leave no trace of deleted rows in any file; False when a reader is still in the way."""
        ...

    def erasure_done(self, erasure: ErasureRow) -> None:
        """Take the erasure off the list of pending ones, durably."""
        ...

    def maintain(self) -> None:
        """What is due between groups: it never loses anything and may do nothing."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
