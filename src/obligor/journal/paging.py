"""What both stores do alike: events read page by page, equal statements taken together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from obligor.journal import queries as q
from obligor.journal.store import EventRow
from obligor.journal.types import Statement

__all__ = ["events", "runs", "stream"]

# One of our statements over events, with its values.
Read = Callable[[str, tuple[Any, ...]], list[EventRow]]


def events(read: Read, tenant: str, start: int, stop: int) -> Iterator[EventRow]:
    """Events with start <= known_seq < stop, in order: no statement stays open, and memory is bounded."""
    while start < stop:
        page = read(q.EVENTS, (tenant, start, stop, q.PAGE))
        yield from page
        if len(page) < q.PAGE:
            return
        start = page[-1].known_seq + 1


def stream(read: Read, tenant: str, name: str, before: int | None) -> Iterator[EventRow]:
    """A stream's events in order; only those with known_seq < before, if given."""
    version = 0
    while True:
        page = read(q.STREAM, (tenant, name, version, q.PAGE))
        for row in page:
            if before is not None and row.known_seq >= before:
                return
            yield row
        if len(page) < q.PAGE:
            return
        version = page[-1].stream_version


def runs(statements: Iterable[Statement]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Equal statements that follow each other, together."""
    current: str | None = None
    rows: list[tuple[Any, ...]] = []
    for sql, values in statements:
        if sql != current:
            if current is not None:
                yield current, rows
            current, rows = sql, []
        rows.append(values)
    if current is not None:
        yield current, rows
