"""Writing rows set-wise: COPY for what is only added, one round trip for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from obligor.journal import queries as q
from obligor.journal.dialect import postgres_sql
from obligor.journal.postgres import Connection
from obligor.journal.store import Batch
from obligor.journal.types import Statement

__all__ = ["runs", "write_rows", "write_statements"]

# Fewer rows than this are inserted with everything else, in one round trip; more are copied.
COPIED_ROWS = 24
_JSON = msgspec.json.Encoder().encode
_COPIED = (
    ("event", q.EVENT_COLUMNS, "text int8 text text int8 text bytea bytea bytea bytea"),
    ("subject_event", "tenant, subject, known_seq", "text text int8"),
    ("idempotency", "tenant, key, body, person, answer", "text text text text bytea"),
)
_INSERTS = {"event": q.INSERT_EVENT, "subject_event": q.INSERT_SUBJECT, "idempotency": q.INSERT_ANSWER}


def write_rows(connection: Connection, batch: Batch) -> None:
    """Write the rows of a group, all but its projections' statements.

    Raises:
        psycopg.Error: one of them could not be written.
    """
    added: dict[str, Sequence[Any]] = {
        "event": batch.events,
        "subject_event": batch.subjects,
        "idempotency": batch.answers,
    }
    few: list[tuple[str, Sequence[Any]]] = []
    for table, columns, types in _COPIED:
        rows = added[table]
        if len(rows) > COPIED_ROWS:
            _copy(connection, f"COPY {table}({columns}) FROM STDIN (FORMAT BINARY)", types.split(), rows)
        elif rows:
            few.append((_INSERTS[table], rows))
    if len(batch.lookups) > COPIED_ROWS:
        few.append((q.PG_UPSERT_LOOKUPS, [(_JSON(batch.lookups).decode(),)]))
    elif batch.lookups:
        few.append((q.UPSERT_LOOKUP, batch.lookups))
    few += [
        (q.UPSERT_CURSOR, batch.cursors),
        (q.UPSERT_TILE, batch.tiles),
        (q.UPSERT_HEAD, batch.heads),
        (q.UPSERT_CHECKPOINT, batch.checkpoints),
        (q.INSERT_ERASURE, batch.erasures),
        (q.PURGE_LOOKUPS, [each[:2] for each in batch.erasures]),
        (q.PURGE_ANSWERS, [each[:2] for each in batch.erasures]),
    ]
    _pipeline(connection, few)


def write_statements(connection: Connection, statements: Iterable[Statement]) -> None:
    """Run a projection's statements in order.

    Raises:
        psycopg.Error: one of them is wrong, or could not be run.
    """
    # Whoever makes the statements may read meanwhile: they are made before anything is sent.
    _pipeline(connection, list(runs(statements)))


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


def _pipeline(connection: Connection, work: Iterable[tuple[str, Sequence[Any]]]) -> None:
    with connection.pipeline():
        cursor = connection.cursor()
        for sql, rows in work:
            translated = postgres_sql(sql)[0]
            if len(rows) > 1:
                cursor.executemany(translated, rows)
            elif rows:
                cursor.execute(translated, rows[0])


def _copy(connection: Connection, sql: str, types: list[str], rows: Sequence[Sequence[Any]]) -> None:
    with connection.cursor().copy(sql) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
