"""A pool of read-only connections to a journal in PostgreSQL."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from obligor.journal.dialect import bind, postgres_sql
from obligor.journal.postgres import OUR_FAULT, Connection, connect, failing, storage
from obligor.journal.postgres_format import check_format
from obligor.journal.store import Snapshot, WrongStatement
from obligor.kernel import Unavailable

__all__ = ["PostgresRows"]

T = TypeVar("T")

CONNECTIONS_KEPT = 8


class PostgresRows:
    """Implements `Rows`. Connections are opened as they are needed, and some of them kept."""

    def __init__(self, url: str) -> None:
        """Reach a journal to read it.

        Raises:
            NotFound: there is none in the database.
            Conflict: it was written by another release.
            StoreFailed: the database is out of reach.
        """
        self._url = url
        self._free: deque[Connection] = deque()
        self._closed = False
        with storage():
            self._run(check_format)

    def all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of one of our own statements."""
        with storage():
            return self._run(lambda connection: _rows(connection, sql, values))

    def named(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of any statement that reads, by column name.

        Raises:
            WrongStatement: it is wrong, or wants to write.
        """
        translated, ordered = bind(sql, values)

        def read(connection: Connection) -> list[dict[str, Any]]:
            cursor = connection.cursor(binary=True)
            cursor.execute(translated, ordered)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor] if names else []

        try:
            return self._run(read)
        except (*OUR_FAULT, errors.ReadOnlySqlTransaction) as error:
            raise WrongStatement(f"{type(error).__name__}: {error.diag.message_primary}") from error
        except psycopg.Error as error:
            raise failing(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One read transaction, whose first statement fixes what it sees."""
        connection = connect(self._url, read_only=True)
        try:
            with storage():
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                connection.execute("SELECT 1")
            yield _Moment(connection)
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is not in use; what is, is closed when it is given back."""
        self._closed = True
        while self._free:
            self._free.pop().close()

    def _run(self, work: Callable[[Connection], T]) -> T:
        """Do something on a connection; on another, where one that was kept turns out to be broken."""
        while True:
            if self._closed:
                raise Unavailable("the journal is closed")
            try:
                connection, kept = self._free.pop(), True
            except IndexError:
                connection, kept = connect(self._url, read_only=True), False
            try:
                return work(connection)
            except psycopg.OperationalError:
                if not (kept and connection.closed):
                    raise
            finally:
                self._give_back(connection)

    def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.closed or len(self._free) >= CONNECTIONS_KEPT:
            connection.close()
        else:
            self._free.append(connection)


class _Moment:
    """Implements `Snapshot` over a connection that is in a read transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with storage():
            return _rows(self._connection, sql, values)


def _rows(connection: Connection, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    cursor = connection.cursor(binary=True)
    cursor.execute(postgres_sql(sql)[0], values)
    return cursor.fetchall()
