"""A journal as it is copied: out of any store as of one moment, and into an empty one, whole or not at all.

What follows from the events is not copied: tiles grow again with the tree, projections, lookups and the index
of subjects are made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from obligor.events import FieldClass
from obligor.journal import queries as q
from obligor.journal.projections import Projector
from obligor.journal.sealing import decode_envelope
from obligor.journal.store import (
    AnswerRow,
    Batch,
    CheckpointRow,
    CursorRow,
    ErasureRow,
    EventRow,
    Head,
    Snapshot,
    Store,
)
from obligor.journal.tree import WIDTH, LogTree
from obligor.journal.types import Registry
from obligor.journal.vault import Vault
from obligor.kernel import Conflict, Corrupted
from obligor.proof import StoredEntry

__all__ = ["Filling", "Source", "keys_wanted", "subjects_of", "tree_at"]

PAGE = 500
BATCH = 500

_UNPACK = msgspec.msgpack.Decoder(dict[str, bytes]).decode

_ANSWERS = (
    "SELECT tenant, key, body, person, answer FROM idempotency WHERE tenant = ? AND key > ? "
    "ORDER BY key LIMIT ?"
)
_CURSORS = "SELECT tenant, name, known_seq FROM cursor ORDER BY tenant, name"
_CHECKPOINTS = (
    "SELECT tenant, size, note FROM checkpoint WHERE tenant = ? AND size > ? AND size <= ? "
    "ORDER BY size LIMIT ?"
)
_ANSWERED = "SELECT DISTINCT tenant FROM idempotency ORDER BY tenant"


class Source:
    """What a copy takes out of a store: its rows, or a snapshot of them."""

    def __init__(self, rows: Snapshot) -> None:
        self._all = rows.all

    def heads(self) -> list[Head]:
        """How far every tenant's log has come, by tenant."""
        return [Head(row[0], int(row[1]), bytes(row[2])) for row in self._all(q.HEADS, ())]

    def signed(self, tenant: str) -> int:
        """How many entries the last stored checkpoint is over."""
        rows = self._all(q.LAST_CHECKPOINT, (tenant,))
        return int(rows[0][1]) if rows else 0

    def events(self, tenant: str, start: int, stop: int) -> Iterator[EventRow]:
        """Events with start <= known_seq < stop, in order; what was committed once stays as it is."""
        while start < stop:
            page = [EventRow(*row) for row in self._all(q.EVENTS, (tenant, start, stop, PAGE))]
            yield from page
            if len(page) < PAGE:
                return
            start = page[-1].known_seq + 1

    def checkpoints(self, tenant: str, after: int, upto: int) -> Iterator[CheckpointRow]:
        """Checkpoints with after < size <= upto, in order."""
        while True:
            page = [CheckpointRow(*row) for row in self._all(_CHECKPOINTS, (tenant, after, upto, PAGE))]
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].size

    def answers(self) -> Iterator[AnswerRow]:
        """The answers under idempotency keys, by tenant and key."""
        for (tenant,) in self._all(_ANSWERED, ()):
            after = ""
            while True:
                page = [AnswerRow(*row) for row in self._all(_ANSWERS, (tenant, after, PAGE))]
                yield from page
                if len(page) < PAGE:
                    break
                after = page[-1].key

    def cursors(self) -> list[CursorRow]:
        """How far every processor has come."""
        return [CursorRow(*row) for row in self._all(_CURSORS, ())]

    def erasures(self) -> list[ErasureRow]:
        """Erasures that are written and not finished."""
        return [ErasureRow(*row) for row in self._all(q.PENDING_ERASURES, ())]


def tree_at(rows: Snapshot, tenant: str, size: int) -> LogTree:
    """The tenant's tree as it was at a size, from the stored hashes.

    Raises:
        InvariantBroken: some of them are not there.
    """

    def read(level: int, position: int, width: int) -> bytes:
        if level == 0:
            start = WIDTH * position
            return b"".join(bytes(row[0]) for row in rows.all(q.LEAVES, (tenant, start, start + width)))
        found = rows.all(q.TILE, (tenant, level, position))
        return bytes(found[0][0])[: 32 * width] if found else b""

    return LogTree.load(tenant, size, read)


def subjects_of(row: EventRow) -> tuple[str, ...]:
    """Whom an event is about; the first is the one whose keys seal it."""
    return decode_envelope(row.envelope).subjects


def keys_wanted(row: EventRow) -> list[tuple[str, str]]:
    """The keys that an event is sealed with: the person, and each class that has something sealed."""
    sealed = _UNPACK(row.sealed)
    kinds = [name for name, data in sealed.items() if data and name != FieldClass.OPEN.value]
    return [(subjects_of(row)[0], kind) for kind in kinds] if kinds else []


class _Batches:
    """The rows that change beside the log, as they go into a store a batch at a time."""

    def __init__(self, write: Callable[[Iterable[Batch]], None]) -> None:
        self._write = write
        self._batch = Batch()
        self._rows = 0

    def add(self, row: CheckpointRow | AnswerRow | CursorRow | ErasureRow) -> None:
        """Take one row."""
        _PLACES[type(row)](self._batch).append(row)
        self._rows += 1
        if self._rows >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        if self._rows:
            self._write([self._batch])
            self._batch, self._rows = Batch(), 0


_PLACES: dict[type, Callable[[Batch], list[Any]]] = {
    CheckpointRow: lambda batch: batch.checkpoints,
    AnswerRow: lambda batch: batch.answers,
    CursorRow: lambda batch: batch.cursors,
    ErasureRow: lambda batch: batch.erasures,
}


class Filling:
    """Fills an empty store in one transaction: until `commit` it holds nothing, and then everything."""

    def __init__(self, store: Store, tenants: Iterable[str]) -> None:
        """Begin.

        Raises:
            Conflict: the store holds a journal already.
        """
        self._store = store
        store.take(list(tenants))
        store.begin()
        if store.heads():
            store.rollback()
            raise Conflict("there is a journal already; what is restored goes into an empty place")
        self._batches = _Batches(store.write)

    def entries(self, tenant: str, rows: Iterable[EventRow]) -> Iterator[StoredEntry]:
        """Write events as they are taken, and pass on what an audit wants to see of each.

        When they are all taken, the head is written over them.

        Raises:
            Corrupted: an event is not in its place.
        """
        tree, batch = LogTree(tenant), Batch()
        for row in rows:
            if (row.tenant, row.known_seq) != (tenant, tree.size):
                raise Corrupted(f"entry {row.known_seq} of {row.tenant} comes where {tree.size} should")
            tree.append(row.leaf)
            batch.events.append(row)
            if len(batch.events) == BATCH:
                # A tile that grew several times is taken once, as a store wants it.
                batch.tiles = tree.take_tiles()
                self._store.write([batch])
                batch = Batch()
            yield StoredEntry(row.known_seq, row.envelope, row.body_root, row.sealed, row.leaf)
        batch.tiles = tree.take_tiles()
        if tree.size:
            batch.heads = [Head(tenant, tree.size, tree.root())]
        self._store.write([batch])

    def add(self, row: CheckpointRow | AnswerRow | CursorRow | ErasureRow) -> None:
        """Write a row of the tables that change."""
        self._batches.add(row)

    def follow(self, vault: Vault, registry: Registry, seen: Callable[[int, int], None]) -> None:
        """Make what follows from the events: projections, lookups, the index of subjects. Opens every event.

        `seen` is called with how many events of a tenant have been dealt with, and how many there are.

        Raises:
            Corrupted: an event does not open: the vault lacks its key, or it is not what was sealed.
        """
        self._batches.flush()
        Projector(self._store, vault, registry).fill(seen)

    def commit(self) -> None:
        """Let it all be there, durably."""
        self._batches.flush()
        self._store.commit()
