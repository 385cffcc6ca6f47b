"""Writing rows set-wise: COPY for what is only added, one round trip for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

# Up to here a group's events go as arrays, all in one statement; beyond, copying them costs less.
ARRAY_ROWS = 200


class _Table:
    """How rows are added to a table."""

    def __init__(self, name: str, names: str, kinds: str, replaces: str = "") -> None:
        self.kinds = kinds.split()
        self.copy = f"COPY {name}({names}) FROM STDIN (FORMAT BINARY)"
        self._name, self._names, self._replaces = name, names, replaces

    def insert(self, first: int) -> str:
        """The statement that adds arrays, which are its parameters from `first` on."""
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(self.kinds, first))
        return f"INSERT INTO {self._name}({self._names}) SELECT * FROM unnest({arrays}) {self._replaces}"


_COPIED = (
    _Table("event", q.EVENT_COLUMNS, "text int8 text text int8 text bytea bytea bytea bytea"),
    _Table("subject_event", "tenant, subject, known_seq", "text text int8"),
    _Table("idempotency", "tenant, key, body, person, answer", "text text text text bytea"),
)
_REPLACED = (
    _Table("lookup", "tenant, kind, key, value, person", "text text text text text", q.REPLACE_LOOKUP),
    _Table("cursor", "tenant, name, known_seq", "text text int8", q.REPLACE_CURSOR),
    _Table("tile", "tenant, level, position, hashes", "text int8 int8 bytea", q.REPLACE_TILE),
    _Table("head", "tenant, size, root", "text int8 bytea", q.REPLACE_HEAD),
    _Table("checkpoint", "tenant, size, note", "text int8 text", q.REPLACE_CHECKPOINT),
)


def _whole(tables: Sequence[_Table]) -> str:
    """One statement that adds to all these tables."""
    parts, first = [], 1
    for number, table in enumerate(tables):
        parts.append(f"t{number} AS ({table.insert(first)})")
        first += len(table.kinds)
    return f"WITH {', '.join(parts)} SELECT 1"


_GROUP = _whole(_COPIED + _REPLACED)
_REST = _whole(_REPLACED)


def write_rows(connection: Connection, batch: Batch) -> None:
    """Write the rows of a group, all but its projections' statements.

    Raises:
        psycopg.Error: one of them could not be written.
    """
    copied: tuple[Sequence[Any], ...] = (batch.events, batch.subjects, batch.answers)
    checkpoints = {(row.tenant, row.size): row for row in batch.checkpoints}
    replaced: tuple[Sequence[Any], ...] = (
        batch.lookups,
        batch.cursors,
        batch.tiles,
        batch.heads,
        [*checkpoints.values()],
    )
    arrays = [
        array for table, rows in zip(_REPLACED, replaced, strict=True) for array in columns(table.kinds, rows)
    ]
    if max(map(len, copied)) > ARRAY_ROWS:
        for table, rows in zip(_COPIED, copied, strict=True):
            if rows:
                _copy(connection, table, rows)
        connection.execute(_REST, arrays)
    else:
        added = [
            array for table, rows in zip(_COPIED, copied, strict=True) for array in columns(table.kinds, rows)
        ]
        connection.execute(_GROUP, added + arrays)
    for erasure in batch.erasures:
        connection.execute(postgres_sql(q.INSERT_ERASURE)[0], erasure)
        for purge in (q.PURGE_LOOKUPS, q.PURGE_ANSWERS):
            connection.execute(postgres_sql(purge)[0], erasure[:2])


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


def _copy(connection: Connection, table: _Table, rows: Sequence[Sequence[Any]]) -> None:
    with connection.cursor().copy(table.copy) as copy:
        copy.set_types(table.kinds)
        for row in rows:
            copy.write_row(row)
