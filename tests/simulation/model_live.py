"""What a process remembers against what is stored: nothing it holds may have run ahead or fallen behind."""

from __future__ import annotations

from typing import Any

from obligor.app.memories import Book
from obligor.app.projections import load_caps
from obligor.features import History
from obligor.journal.view import fold_stream
from tests.simulation.ground import TENANT
from tests.simulation.process import Process
from tests.simulation.violation import expect

__all__ = ["check_live", "check_rebuilt"]


def check_live(process: Process) -> None:
    """Memories and folded streams are those that a new process would load."""
    reader, cache = process.journal.reader(), process.committer._cache
    caps = cache.memories.get((TENANT, "caps"))
    if caps is not None:
        expect(list(caps.rows()) == list(load_caps(reader, TENANT).rows()), "the caps in memory are others")
    book = cache.memories.get((TENANT, "book"))
    if book is not None:
        expect(_said(book) == _said(Book.load(reader, TENANT)), "the book in memory is another")
    sql = "SELECT stream, max(stream_version) AS version FROM event WHERE tenant = ? GROUP BY stream"
    versions = {row["stream"]: row["version"] for row in reader.query(sql, (TENANT,))}
    for (_, stream), slot in cache.slots.items():
        expect(slot.version == versions.get(stream, 0), f"{stream} is remembered as of another version")
    histories = cache.memories.get((TENANT, "histories"))
    for person, history in histories._kept.items() if histories is not None else ():
        read = History.from_events(reader.events(TENANT, subject=person), person)
        expect(history.records() == read.records(), f"the history of {person} in memory is another")
    for each in process.watched:
        behind = process.journal.size(TENANT) - each.subscriber._next[TENANT]
        expect(behind == 0, f"the processor {each.processor.name} was not told of {behind} events")


def check_rebuilt(process: Process) -> None:
    """Streams folded again, projections and look-ups filled anew: they are those that were there."""
    reader, registry = process.journal.reader(), process.committer._registry
    for (_, stream), slot in process.committer._cache.slots.items():
        if slot.state is not None:
            again = fold_stream(registry, stream, reader.events(TENANT, stream=stream))
            expect(slot == again, f"{stream} is another when it is folded again")
    before = _tables(process)
    process.journal._projector.rebuild()
    after = _tables(process)
    for name, rows in before.items():
        expect(after[name] == rows, f"{name} is another when it is built again")


def _said(book: Book) -> Any:
    expiring = sorted(set(book._expiring))
    return list(book.open), book.strategies, book.models, book.last_day, book._loans, expiring


def _tables(process: Process) -> dict[str, list[Any]]:
    reader = process.journal.reader()
    names = reader.query(
        "SELECT name FROM sqlite_schema WHERE type = 'table'"
        " AND (name LIKE 'p\\_%' ESCAPE '\\' OR name IN ('lookup', 'subject_event'))"
    )
    return {row["name"]: sorted(map(repr, reader.query(f"SELECT * FROM {row['name']}"))) for row in names}
