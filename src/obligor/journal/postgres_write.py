"""Writing rows set-wise: a batch is one statement over arrays, sent while the next batch is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from obligor.journal import paging
from obligor.journal import queries as q
from obligor.journal.dialect import postgres_sql
from obligor.journal.postgres import Connection
from obligor.journal.postgres_arrays import columns
from obligor.journal.postgres_runs import Runs
from obligor.journal.store import Batch
from obligor.journal.types import Statement

__all__ = ["write_rows", "write_statements"]


class _Table:
    """How rows are added to a table, or take the place of those with their key."""

    def __init__(self, name: str, names: str, kinds: str, replaces: str = "") -> None:
        self.kinds = kinds.split()
        self._name, self._names, self._replaces = name, names, replaces

    def insert(self, first: int) -> str:
        """The statement that adds arrays, which are its parameters from `first` on."""
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(self.kinds, first))
        return f"INSERT INTO {self._name}({self._names}) SELECT * FROM unnest({arrays}) {self._replaces}"


_EVENT = _Table("event", q.EVENT_COLUMNS, "text int8 text text int8 text bytea bytea bytea bytea")
_SUBJECT = _Table("subject_event", "tenant, subject, known_seq", "text text int8")
_ANSWER = _Table("idempotency", "tenant, key, body, person, answer", "text text text text bytea")
_LOOKUP = _Table("lookup", "tenant, kind, key, value, person", "text text text text text", q.REPLACE_LOOKUP)
_CURSOR = _Table("cursor", "tenant, name, known_seq", "text text int8", q.REPLACE_CURSOR)
_TILE = _Table("tile", "tenant, level, position, hashes", "text int8 int8 bytea", q.REPLACE_TILE)
_HEAD = _Table("head", "tenant, size, root", "text int8 bytea", q.REPLACE_HEAD)
_CHECKPOINT = _Table("checkpoint", "tenant, size, note", "text int8 text", q.REPLACE_CHECKPOINT)


@lru_cache(maxsize=64)
def _whole(tables: tuple[_Table, ...]) -> str:
    """One statement that adds to all these tables."""
    parts, first = [], 1
    for number, table in enumerate(tables):
        parts.append(f"t{number} AS ({table.insert(first)})")
        first += len(table.kinds)
    return f"WITH {', '.join(parts)} SELECT 1"


def write_rows(connection: Connection, batches: Iterable[Batch]) -> None:
    """Write the rows of batches, all but their projections' statements.

    The server writes one batch while the next is made: nothing is waited for until the last is sent.

    Raises:
        psycopg.Error: one of them could not be written.
    """
    with connection.pipeline():
        for batch in batches:
            rows = _rows(batch)
            if rows:
                arrays = [array for table, each in rows for array in columns(table.kinds, each)]
                connection.execute(_whole(tuple(table for table, _ in rows)), arrays)
            for erasure in batch.erasures:
                connection.execute(postgres_sql(q.INSERT_ERASURE)[0], erasure)
                for purge in (q.PURGE_LOOKUPS, q.PURGE_ANSWERS):
                    connection.execute(postgres_sql(purge)[0], erasure[:2])


def _rows(batch: Batch) -> list[tuple[_Table, Sequence[Sequence[Any]]]]:
    """The tables that a batch has rows for, with these."""
    checkpoints = {(row.tenant, row.size): row for row in batch.checkpoints}
    found: tuple[tuple[_Table, Sequence[Sequence[Any]]], ...] = (
        (_EVENT, batch.events),
        (_SUBJECT, batch.subjects),
        (_ANSWER, batch.answers),
        (_LOOKUP, batch.lookups),
        (_CURSOR, batch.cursors),
        (_TILE, batch.tiles),
        (_HEAD, batch.heads),
        (_CHECKPOINT, [*checkpoints.values()]),
    )
    return [(table, rows) for table, rows in found if rows]


def write_statements(connection: Connection, runs: Runs, statements: Iterable[Statement]) -> None:
    """Run a projection's statements in order: equal ones that follow each other in one round trip.

    Raises:
        psycopg.Error: one of them is wrong, or could not be run.
    """
    # Whoever makes the statements may read meanwhile: they are made before anything is sent.
    found = [*paging.runs(statements)]
    work = [runs.whole(sql, rows) or (postgres_sql(sql)[0], rows) for sql, rows in found]
    if not work:
        return
    with connection.pipeline():
        cursor = connection.cursor()
        for sql, rows in work:
            if len(rows) > 1:
                cursor.executemany(sql, rows)
            else:
                cursor.execute(sql, rows[0])
