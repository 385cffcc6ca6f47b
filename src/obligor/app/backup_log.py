"""A tenant's log in an archive: its entries in segments of a fixed size, each named by its range."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from obligor.app.backup_files import Damaged, FileOf, RowsFile, read_rows
from obligor.app.backup_manifest import MANIFEST, Log, Segment
from obligor.journal import CheckpointRow, EventRow, Head, Snapshot, Source, decode_envelope, tree_at
from obligor.kernel import Conflict, Corrupted, InvalidInput, InvariantBroken
from obligor.proof import StoredEntry

__all__ = [
    "SAY_EVERY",
    "SEGMENT",
    "LogWriter",
    "Seen",
    "archived_checkpoints",
    "archived_entries",
    "segment_of",
]

SEGMENT = 4096
DIGITS = 12
SAY_EVERY = 500
COLUMNS = {"entry": ("envelope", "sealed", "body_root", "leaf"), "checkpoint": ("size", "note")}
FILED = ("tenant", "known_seq", "id", "stream", "stream_version", "type")

# Called with how many entries have been dealt with, and how many there are.
Seen = Callable[[int, int], None]


class LogWriter:
    """Brings a tenant's log in an archive up to a head.

    What is read is checked on the way: every entry against its leaf and its own envelope, the tree against
    the root that the archive has and the one the head has. Only what the archive lacks is read and written,
    from its last full segment on.
    """

    def __init__(self, destination: Path, rows: Snapshot, head: Head, before: Log | None) -> None:
        """Take what is there.

        Raises:
            Conflict: the archive holds more entries than the journal. Damaged: a segment is missing.
            Corrupted: the journal's own hashes are not all there.
        """
        tenant = head.tenant
        if not tenant.isascii() or not tenant.replace("-", "").isalnum():
            raise InvalidInput.field("tenant", tenant, "a name of letters, digits and hyphens")
        if before is not None and before.size > head.size:
            raise _other(tenant, f"{before.size} entries, the journal {head.size}")
        self._destination, self._head, self._before = destination, head, before
        self._source = Source(rows)
        self._kept = [each for each in before.segments if each.stop <= before.closed] if before else []
        for segment in self._kept:
            _see_present(destination, segment)
        try:
            self._tree = tree_at(rows, tenant, self._kept[-1].stop if self._kept else 0)
        except InvariantBroken as error:
            raise Corrupted(f"{error}; run `obligor audit`") from None

    def write(self, signed: int, seen: Seen) -> Log:
        """Write what is lacking. The last stored checkpoint is over `signed` entries.

        Raises:
            Conflict: the archive holds other entries.
            Corrupted: an entry of the store is damaged.
        """
        head = self._head
        firsts = range(self._tree.size, head.size, SEGMENT)
        new = [self._segment(first, min(first + SEGMENT, head.size), seen) for first in firsts]
        self._compare()
        if (self._tree.size, self._tree.root()) != (head.size, head.root):
            raise Corrupted(f"the entries of {head.tenant} do not add up to its head; run `obligor audit`")
        seen(head.size, head.size)
        closed = min(signed, head.size) // SEGMENT * SEGMENT
        return Log(head.tenant, head.size, head.root.hex(), closed, (*self._kept, *new))

    def _segment(self, first: int, stop: int, seen: Seen) -> Segment:
        with self._rows_file(first, stop, "entry") as out:
            for row in self._source.events(self._head.tenant, first, stop):
                self._compare()
                _check(row, self._tree.size)
                self._tree.append(row.leaf)
                out.add("entry", row.envelope, row.sealed, row.body_root, row.leaf)
                if self._tree.size % SAY_EVERY == 0:
                    seen(self._tree.size, self._head.size)
            entries = out.done(self._name(first, stop, "entries"))
        with self._rows_file(first, stop, "checkpoint") as out:
            for checkpoint in self._source.checkpoints(self._head.tenant, first, stop):
                out.add("checkpoint", checkpoint.size, checkpoint.note)
            checkpoints = out.done(self._name(first, stop, "checkpoints"))
        return Segment(first, stop, entries, checkpoints)

    def _rows_file(self, first: int, stop: int, kind: str) -> RowsFile:
        held = {"holds": kind, "tenant": self._head.tenant, "first": first, "stop": stop}
        return RowsFile(self._destination, held, {kind: COLUMNS[kind]})

    def _name(self, first: int, stop: int, what: str) -> str:
        # A tail's checkpoints may still grow: a digest keeps the file that an older manifest names.
        return f"log/{self._head.tenant}/{first:0{DIGITS}}-{stop:0{DIGITS}}-{{}}.{what}"

    def _compare(self) -> None:
        """See that the journal's entries are those of the archive, as far as that goes."""
        before = self._before
        if before is not None and self._tree.size == before.size and self._tree.root().hex() != before.root:
            raise _other(self._head.tenant, f"{before.size} entries that are not those of the journal")


def _other(tenant: str, has: str) -> Conflict:
    return Conflict(
        f"the archive has, of {tenant}, {has}: another journal was backed up there; choose another place"
    )


def _see_present(destination: Path, segment: Segment) -> None:
    for file in (segment.entries, segment.checkpoints):
        try:
            found = (destination / file.name).stat().st_size
        except OSError:
            found = None
        if found != file.bytes:
            raise Damaged(
                file.name, "the archive lacks it, or a part; keep the archive and begin another one"
            )


def _check(row: EventRow, place: int) -> None:
    """See that a stored entry is sound: it would not do to keep a damaged one as the good one."""
    envelope = decode_envelope(row.envelope)
    if any(getattr(envelope, name) != getattr(row, name) for name in FILED) or row.known_seq != place:
        raise Corrupted(
            f"entry {place} of {row.tenant} is not filed as its envelope says; run `obligor audit`"
        )
    if _stored(row).computed_leaf() != row.leaf:
        raise Corrupted(
            f"entry {place} of {row.tenant} is not what its leaf was made of; run `obligor audit`"
        )


def _stored(row: EventRow) -> StoredEntry:
    return StoredEntry(row.known_seq, row.envelope, row.body_root, row.sealed, row.leaf)


# ---- out of an archive


def archived_entries(source: Path, log: Log) -> Iterator[EventRow]:
    """A log's entries in order, filed by what their envelopes say.

    Raises:
        Damaged: a segment is missing or not what the manifest says.
    """
    _see_whole(log)
    for segment in log.segments:
        place = segment.first
        for values in _typed(source, segment.entries, "entry"):
            envelope, sealed, body_root, leaf = values
            try:
                found = decode_envelope(envelope)
            except Corrupted:
                raise Damaged(segment.entries.name, f"the envelope of entry {place} cannot be read") from None
            if found.tenant != log.tenant:
                raise Damaged(segment.entries.name, f"entry {place} is of {found.tenant}")
            yield EventRow(
                log.tenant,
                place,
                found.id,
                found.stream,
                found.stream_version,
                found.type,
                envelope,
                sealed,
                body_root,
                leaf,
            )
            place += 1
        if place != segment.stop:
            raise Damaged(segment.entries.name, f"it ends before entry {place}, not {segment.stop}")


def archived_checkpoints(source: Path, log: Log) -> Iterator[CheckpointRow]:
    """A log's stored checkpoints in order.

    Raises:
        Damaged: a file of them is missing or not what the manifest says.
    """
    for segment in log.segments:
        for size, note in _typed(source, segment.checkpoints, "checkpoint"):
            yield CheckpointRow(log.tenant, size, note)


def segment_of(log: Log, place: int) -> str | None:
    """The file that holds an entry."""
    return next((each.entries.name for each in log.segments if each.first <= place < each.stop), None)


def _typed(source: Path, file: FileOf, kind: str) -> Iterator[Sequence[Any]]:
    for found, *values in read_rows(source, file):
        if found != kind or len(values) != len(COLUMNS[kind]):
            raise Damaged(file.name, f"a row of kind {found!r} with {len(values)} columns")
        yield values


def _see_whole(log: Log) -> None:
    places = [0, *(place for each in log.segments for place in (each.first, each.stop)), log.size]
    if any(stop != first for stop, first in list(pairwise(places))[::2]):
        raise Damaged(MANIFEST, f"its segments of {log.tenant} do not follow each other")
