"""Reading: any number of threads, beside the writer, from this process or another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from obligor.events import Parts
from obligor.journal import queries as q
from obligor.journal.backend import Backend
from obligor.journal.sealing import commitment_keys, decode_envelope, open_event, open_parts
from obligor.journal.store import EventRow, Rows
from obligor.journal.tree import WIDTH
from obligor.journal.vault import NO_KEYS, Vault
from obligor.kernel import Event, NotFound, Unavailable
from obligor.proof import StoredEntry, TileReader, Unsealed, consistency, inclusion

__all__ = ["Opened", "Reader", "open_reader"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What can be read of an event's body, as it was committed to: parts and salt keys by class."""

    event: Event
    parts: Parts
    salt_keys: dict[str, bytes]


class Reader:
    """Read-only connections to one journal; each call sees what was committed when it started."""

    def __init__(self, rows: Rows, vault: Vault | None) -> None:
        """See `open_reader` and `Journal.reader`. Without a vault, bodies stay shut."""
        self._rows = rows
        self._all = rows.all
        self._vault = vault

    def close(self) -> None:
        """Let go of the connections."""
        self._rows.close()

    # ---- events

    def tenants(self) -> list[str]:
        """All tenants with at least one event, in order."""
        return [row[0] for row in self._all(q.HEADS, ())]

    def size(self, tenant: str) -> int:
        """How many events the tenant's journal has."""
        rows = self._all(q.HEAD, (tenant,))
        return int(rows[0][1]) if rows else 0

    def event(self, tenant: str, event_id: str) -> Event:
        """An event by its id.

        Raises:
            NotFound: the tenant has none of this id.
        """
        return self._open(self._row(q.EVENT_BY_ID, (tenant, event_id), f"event {event_id}"))

    def at(self, tenant: str, known_seq: int) -> Event:
        """An event by its place.

        Raises:
            NotFound: the journal is shorter than that.
        """
        return self._open(self._place(tenant, known_seq))

    def events(
        self,
        tenant: str,
        *,
        stream: str | None = None,
        subject: str | None = None,
        types: Iterable[str] | None = None,
        after: int = -1,
        upto: int | None = None,
        limit: int | None = None,
    ) -> Iterator[Event]:
        """Events in order: of a stream, about a subject, of some types, all that is given holding at once.

        Only those with after < known_seq < upto: `upto` is a size, as in `known_upto`, and is the present
        one if not given. What is appended while the events are taken does not appear.
        """
        stop = self.size(tenant) if upto is None else upto
        wanted = sorted(types) if types is not None else None
        sql, values = q.select_events(tenant, stream, subject, wanted)
        for row in self._pages(sql, values, after, stop, limit):
            yield self._open(row)

    def find(self, tenant: str, kind: str, key: str) -> str | None:
        """The value of a lookup, or None."""
        rows = self._all(q.FIND, (tenant, kind, key))
        return rows[0][0] if rows else None

    def cursor(self, tenant: str, name: str) -> int:
        """The last `known_seq` a processor has dealt with; -1 before the first."""
        rows = self._all(q.CURSOR, (tenant, name))
        return int(rows[0][0]) if rows else -1

    def query(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """Rows of projections, by column name.

        Raises:
            WrongStatement: the statement is wrong, or wants to write.
        """
        return self._rows.named(sql, params)

    # ---- proof

    def entry(self, tenant: str, known_seq: int) -> StoredEntry:
        """What the log says of an event; it holds nothing personal that can be read without a key.

        Raises:
            NotFound: the journal is shorter than that.
        """
        return _entry(self._place(tenant, known_seq))

    def entries(
        self,
        tenant: str,
        start: int = 0,
        stop: int | None = None,
        *,
        misfiled: list[tuple[int, str]] | None = None,
    ) -> Iterator[StoredEntry]:
        """What the log says of events with start <= known_seq < stop, in order.

        Events whose columns contradict their own envelope, which is what the log commits to, are put into
        `misfiled`: which, and how. An envelope is read once its entry was taken, so that who takes it sees
        first whether it is the one committed to.
        """
        last = self.size(tenant) if stop is None else stop
        sql, values = q.select_events(tenant)
        for row in self._pages(sql, values, start - 1, last):
            yield _entry(row)
            if misfiled is not None and (how := _contradiction(row)):
                misfiled.append((row.known_seq, how))

    def unsealed(self, tenant: str, entry: StoredEntry) -> Unsealed | None:
        """A body's parts and salt keys, as the audit recomputes its commitment; None where a part was erased.

        Raises:
            Corrupted: the sealed bytes do not open.
        """
        envelope = decode_envelope(entry.envelope)
        ring = self._keys().ring(tenant, envelope.subjects[0]) if envelope.subjects else NO_KEYS
        stored = EventRow(
            tenant,
            entry.known_seq,
            envelope.id,
            envelope.stream,
            envelope.stream_version,
            envelope.type,
            entry.envelope,
            entry.sealed,
            entry.body_root,
            entry.leaf,
        )
        parts, erased = open_parts(stored, ring)
        return None if erased else (parts, commitment_keys(parts, ring, envelope.id))

    def misfiled(self, tenant: str) -> tuple[int, str] | None:
        """The first event whose columns contradict its own envelope, which is what the log commits to."""
        found: list[tuple[int, str]] = []
        for _ in self.entries(tenant, misfiled=found):
            if found:
                break
        return found[0] if found else None

    def checkpoints(self, tenant: str, *, last: int | None = None) -> list[str]:
        """The signed checkpoints that are kept, or the last ones, from the smallest size to the largest.

        The writer stores one with its next group or when it has nothing else to do: `Journal.checkpoint` may
        be ahead of these.
        """
        rows = self._all(q.CHECKPOINTS, (tenant, q.MOST if last is None else last))
        return [row[2] for row in reversed(rows)]

    def opened(self, tenant: str, event_id: str) -> Opened:
        """An event with what its commitment was made of, to open single fields of it.

        Raises:
            NotFound: the tenant has none of this id.
        """
        row = self._row(q.EVENT_BY_ID, (tenant, event_id), f"event {event_id}")
        event = self._open(row)
        ring = self._keys().ring(tenant, event.subjects[0]) if event.subjects else NO_KEYS
        parts, _ = open_parts(row, ring)
        return Opened(event, parts, commitment_keys(parts, ring, event.id))

    def read_tile(self, tenant: str) -> Callable[[int, int, int], bytes]:
        """Reads tiles by (level, index, width), as C2SP tlog-tiles has them: 32 bytes for each hash.

        A tile comes as far as it is filled, so there may be more than `width` hashes.
        """

        def read(level: int, index: int, _width: int) -> bytes:
            rows = self._all(q.TILE, (tenant, level, index))
            if rows or level:
                return bytes(rows[0][0]) if rows else b""
            start = WIDTH * index
            return b"".join(row[0] for row in self._all(q.LEAVES, (tenant, start, start + WIDTH)))

        return read

    def inclusion(self, tenant: str, known_seq: int, size: int) -> list[bytes]:
        """The proof that an event is in the tree of a size, from the leaf's sibling up (RFC 6962, 2.1.1)."""
        return inclusion(known_seq, size, TileReader(self.read_tile(tenant)))

    def consistency(self, tenant: str, old: int, new: int) -> list[bytes]:
        """The proof that the tree of size `new` extends that of size `old` (RFC 6962, 2.1.2)."""
        return consistency(old, new, TileReader(self.read_tile(tenant)))

    # ---- rows

    def _pages(
        self, sql: str, values: tuple[str, ...], after: int, stop: int, limit: int | None = None
    ) -> Iterator[EventRow]:
        left = limit
        while left is None or left > 0:
            page = q.PAGE if left is None else min(left, q.PAGE)
            rows = [EventRow(*row) for row in self._all(sql, (*values, after, stop, page))]
            yield from rows
            if len(rows) < page:
                return
            after = rows[-1].known_seq
            left = None if left is None else left - page

    def _place(self, tenant: str, known_seq: int) -> EventRow:
        return self._row(q.EVENTS, (tenant, known_seq, known_seq + 1, 1), f"event at {known_seq}")

    def _row(self, sql: str, values: tuple[Any, ...], what: str) -> EventRow:
        rows = self._all(sql, values)
        if not rows:
            raise NotFound(f"there is no {what}")
        return EventRow(*rows[0])

    def _open(self, row: EventRow) -> Event:
        return open_event(row, self._keys())

    def _keys(self) -> Vault:
        if self._vault is None:
            raise Unavailable("this reader was opened without keys: bodies of events stay shut")
        return self._vault


def open_reader(backend: Backend, vault: Vault | None = None) -> Reader:
    """Read a journal, beside the process that writes it or alone.

    Without a vault (see `Vault.open_read_only`), entries, checkpoints, proofs and projections can be read,
    and bodies stay shut.

    Raises:
        NotFound: there is no journal.
        Conflict: it was written by another release.
    """
    return Reader(backend.rows(), vault)


def _entry(row: EventRow) -> StoredEntry:
    return StoredEntry(row.known_seq, row.envelope, row.body_root, row.sealed, row.leaf)


class _Filed(msgspec.Struct, frozen=True, gc=False):
    """What an envelope says of the columns that it stands beside."""

    known_seq: int
    id: str
    stream: str
    stream_version: int
    type: str


_read_filed = msgspec.json.Decoder(_Filed).decode


def _contradiction(row: EventRow) -> str | None:
    """How a row's columns contradict its envelope."""
    try:
        filed = _read_filed(row.envelope)
    except msgspec.MsgspecError:
        return f"the envelope of entry {row.known_seq} is none"
    columns = (row.known_seq, row.id, row.stream, row.stream_version, row.type)
    told = (filed.known_seq, filed.id, filed.stream, filed.stream_version, filed.type)
    if columns == told:
        return None
    for name, column, said in zip(_Filed.__struct_fields__, columns, told, strict=True):
        if column != said:
            return f"column {name} of entry {row.known_seq} is not its envelope's"
    return None
