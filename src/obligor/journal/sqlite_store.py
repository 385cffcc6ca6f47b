"""The journal's tables in one SQLite file, as its only writer sees them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from obligor.journal import paging
from obligor.journal import queries as q
from obligor.journal.migrations import upgrade
from obligor.journal.schema import FILE, SCHEMA, VERSION
from obligor.journal.sqlite import (
    BUSY_MS,
    FAILURES,
    OUR_FAULT,
    DirectoryLock,
    adopt,
    close,
    connect,
    failing,
    fetch,
    found_version,
    tables_of,
    truncate_wal,
)
from obligor.journal.store import (
    AnswerRow,
    Batch,
    CheckpointRow,
    ErasureRow,
    EventRow,
    Head,
    IdTaken,
    StoreFailed,
    WrongStatement,
)
from obligor.journal.types import Statement

__all__ = ["SqliteStore"]

# The write-ahead log is moved into the database when it has grown by this many pages.
CHECKPOINT_PAGES = 2_000
# How long commands may have to wait for readers to leave the write-ahead log, when it is to be emptied.
PURGE_MS = 250


class SqliteStore:
    """Implements `Store`. One thread uses it at a time."""

    def __init__(self, connection: apsw.Connection, lock: DirectoryLock) -> None:
        """See `open`."""
        self._connection = connection
        self._lock = lock
        self._execute = connection.execute
        self._wal_pages = 0
        self._moved_pages = 0
        connection.set_wal_hook(self._note_wal)

    @classmethod
    def open(
        cls, directory: Path, lock: DirectoryLock, *, synchronous: str = "FULL", vfs: str | None = None
    ) -> SqliteStore:
        """Open the file, make it if there is none, bring it to our format if it is older.

        The lock is let go of when the store is closed.

        Raises:
            Conflict: it was written by a newer release.
            StoreFailed: it could not be opened.
        """
        path = directory / FILE
        connection = connect(path, synchronous=synchronous, vfs=vfs)
        try:
            if 0 < found_version(connection) < VERSION:
                close(connection)
                upgrade(directory)
                connection = connect(path, synchronous=synchronous, vfs=vfs)
            adopt(connection, SCHEMA, VERSION)
        except BaseException:
            close(connection)
            raise
        return cls(connection, lock)

    # ---- the role: the directory's lock is that of all tenants

    @property
    def alive(self) -> bool:
        """As long as the lock is held."""
        return True

    def take(self, tenants: Iterable[str]) -> None:
        """Whoever has the lock has the role."""

    def leads(self, tenant: str) -> bool:  # noqa: ARG002
        """Nobody else writes here."""
        return True

    # ---- transactions

    def expect(self, keys: Mapping[str, Sequence[str]]) -> None:
        """Nothing is far away here."""

    @fetch
    def begin(self, tenants: Iterable[str] | None = None) -> None:  # noqa: ARG002  the file has one lock
        """Takes the write lock at once, so that what is read stays true until the end."""
        self._execute("BEGIN IMMEDIATE")

    @fetch
    def commit(self) -> None:
        """One sync of the write-ahead log, under `synchronous=FULL`."""
        self._execute("COMMIT")

    @fetch
    def rollback(self) -> None:
        """SQLite has often rolled back by itself when it failed."""
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    @fetch
    def write(self, batches: Iterable[Batch]) -> None:
        """Write each batch's rows when it is made.

        Raises:
            IdTaken: an event's id is taken.
            WrongStatement: one of a projection's.
            StoreFailed: anything else.
        """
        for batch in batches:
            self._write(batch)

    def _write(self, batch: Batch) -> None:
        many = self._connection.executemany
        try:
            many(q.INSERT_EVENT, batch.events)
        except apsw.ConstraintError as error:
            if "event.id" in str(error):
                raise IdTaken(str(error)) from error
            raise
        for sql, rows in (
            (q.INSERT_SUBJECT, batch.subjects),
            (q.UPSERT_LOOKUP, batch.lookups),
            (q.INSERT_ANSWER, batch.answers),
            (q.UPSERT_CURSOR, batch.cursors),
            (q.UPSERT_TILE, batch.tiles),
            (q.UPSERT_HEAD, batch.heads),
            (q.UPSERT_CHECKPOINT, batch.checkpoints),
        ):
            if rows:
                many(sql, rows)
        for statements in batch.statements:
            self.run(statements)
        for erasure in batch.erasures:
            self._execute(q.INSERT_ERASURE, erasure)
            self._execute(q.PURGE_LOOKUPS, erasure[:2])
            self._execute(q.PURGE_ANSWERS, erasure[:2])

    def run(self, statements: Iterable[Statement]) -> None:
        """A projection's statements in order, equal ones that follow each other together.

        Raises:
            WrongStatement: SQLite does not accept one.
        """
        try:
            for sql, rows in paging.runs(statements):
                self._connection.executemany(sql, rows).fetchall()
        except OUR_FAULT as error:
            raise WrongStatement(f"a projection's statement fails: {error}") from error
        except apsw.Error as error:
            raise failing(error) from error

    # ---- what is committed, and what this transaction has written

    @fetch
    def head(self, tenant: str) -> Head | None:
        """The tenant's head."""
        row = self._execute(q.HEAD, (tenant,)).fetchone()
        return Head(*row) if row else None

    @fetch
    def heads(self) -> Sequence[Head]:
        """All heads."""
        return [Head(*row) for row in self._execute(q.HEADS)]

    def events(self, tenant: str, start: int, stop: int) -> Iterator[EventRow]:
        """Read in pages, so that no statement stays open."""
        return paging.events(self._rows, tenant, start, stop)

    def stream(self, tenant: str, stream: str, before: int | None = None) -> Iterator[EventRow]:
        """Read in pages, so that no statement stays open."""
        return paging.stream(self._rows, tenant, stream, before)

    @fetch
    def stream_version(self, tenant: str, stream: str) -> int:
        """The last version, 0 if there is none."""
        return int(self._value(q.STREAM_VERSION, (tenant, stream)) or 0)

    @fetch
    def taken(self, tenant: str, ids: Iterable[str]) -> list[str]:
        """One statement for all."""
        return [row[0] for row in self._execute(q.TAKEN, (json.dumps([*ids]), tenant))]

    @fetch
    def find(self, tenant: str, kind: str, key: str) -> str | None:
        """The value of a lookup."""
        value: str | None = self._value(q.FIND, (tenant, kind, key))
        return value

    @fetch
    def find_many(self, tenant: str, kind: str, keys: Iterable[str]) -> list[tuple[str, str]]:
        """One statement for all."""
        return list(self._execute(q.FIND_MANY, (json.dumps([*keys]), tenant, kind)))

    @fetch
    def answers(self, tenant: str, keys: Iterable[str]) -> list[AnswerRow]:
        """One statement for all."""
        return [AnswerRow(*row) for row in self._execute(q.ANSWERS, (json.dumps([*keys]), tenant))]

    @fetch
    def cursor(self, tenant: str, name: str) -> int | None:
        """A processor's cursor."""
        value: int | None = self._value(q.CURSOR, (tenant, name))
        return value

    @fetch
    def tile(self, tenant: str, level: int, position: int) -> bytes | None:
        """The hashes of a tile."""
        value: bytes | None = self._value(q.TILE, (tenant, level, position))
        return value

    @fetch
    def leaves(self, tenant: str, start: int, stop: int) -> list[bytes]:
        """Leaf hashes in order."""
        return [row[0] for row in self._execute(q.LEAVES, (tenant, start, stop))]

    @fetch
    def last_checkpoint(self, tenant: str) -> CheckpointRow | None:
        """The checkpoint over most entries."""
        row = self._execute(q.LAST_CHECKPOINT, (tenant,)).fetchone()
        return CheckpointRow(*row) if row else None

    @fetch
    def pending_erasures(self) -> Sequence[ErasureRow]:
        """In the order they came."""
        return [ErasureRow(*row) for row in self._execute(q.PENDING_ERASURES)]

    # ---- projections

    def tables_of(self, schema: str) -> list[str]:
        """Tried out in a database in memory.

        Raises:
            WrongStatement: it is no DDL.
        """
        return tables_of(schema)

    @fetch
    def projections(self) -> dict[str, str]:
        """Names and digests of schemas."""
        return {str(name): str(digest) for name, digest in self._execute(q.PROJECTIONS)}

    @fetch
    def make_projection(self, name: str, digest: str, schema: str) -> None:
        """Make its tables, and note which."""
        self._execute(schema).fetchall()
        self._execute(q.INSERT_PROJECTION, (name, digest, " ".join(self.tables_of(schema))))

    @fetch
    def drop_projection(self, name: str) -> None:
        """Take the tables away that were noted when it was made."""
        for table in str(self._value(q.PROJECTION_TABLES, (name,)) or "").split():
            self._execute(f'DROP TABLE IF EXISTS "{table}"').fetchall()
        self._execute(q.DELETE_PROJECTION, (name,))

    @fetch
    def clear_lookups(self) -> None:
        """Delete all lookups and the index of subjects."""
        self._execute("DELETE FROM lookup")
        self._execute("DELETE FROM subject_event")

    # ---- between groups

    @fetch
    def purge(self) -> bool:
        """`secure_delete` has overwritten the rows; what is left of them is in the write-ahead log."""
        self._connection.set_busy_timeout(PURGE_MS)
        try:
            return truncate_wal(self._connection)
        finally:
            self._connection.set_busy_timeout(BUSY_MS)

    @fetch
    def erasure_done(self, erasure: ErasureRow) -> None:
        """In a transaction of its own."""
        with self._connection:
            self._execute(q.ERASURE_DONE, (erasure.tenant, erasure.known_seq))

    @fetch
    def maintain(self) -> None:
        """Moves the write-ahead log into the database when it has grown, without waiting for readers."""
        if self._wal_pages < self._moved_pages:
            self._moved_pages = 0
        if self._wal_pages - self._moved_pages >= CHECKPOINT_PAGES:
            self._moved_pages = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[1]

    def close(self) -> None:
        """Leaves the write-ahead log empty where no reader is in the way."""
        try:
            self.purge()
        except StoreFailed:
            pass
        finally:
            close(self._connection)
            self._lock.release()

    def _note_wal(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[EventRow]:
        try:
            return [EventRow(*row) for row in self._execute(sql, values)]
        except FAILURES as error:
            raise failing(error) from error

    def _value(self, sql: str, values: tuple[Any, ...]) -> Any:
        row = self._execute(sql, values).fetchone()
        return row[0] if row else None
