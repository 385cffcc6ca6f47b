"""A pool of read-only connections to one SQLite file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from obligor.journal.schema import FILE, VERSION
from obligor.journal.sqlite import FAILURES, OUR_FAULT, check_version, close, connect, failing, storage
from obligor.journal.store import Snapshot, WrongStatement
from obligor.kernel import Unavailable

__all__ = ["SqliteRows"]

CONNECTIONS_KEPT = 8


class SqliteRows:
    """Implements `Rows`. Connections are opened as they are needed, and some of them kept."""

    def __init__(self, directory: Path, *, vfs: str | None = None) -> None:
        """Open a journal's file to read.

        Raises:
            NotFound: there is none in the directory.
            Conflict: it was written by another release.
        """
        self._path = directory / FILE
        self._vfs = vfs
        self._free: deque[apsw.Connection] = deque()
        self._closed = False
        try:
            with self._connection() as connection:
                check_version(connection, VERSION)
        except BaseException:
            self.close()
            raise

    def all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of one of our own statements."""
        with storage(), self._connection() as connection:
            return connection.execute(sql, values).fetchall()

    def named(self, sql: str, values: Sequence[Any] | Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of any statement that reads, by column name.

        Raises:
            WrongStatement: it is wrong, or wants to write.
        """
        found: list[dict[str, Any]] = []
        try:
            with self._connection() as connection:
                cursor = connection.execute(sql, values)
                for row in cursor:
                    names = [column[0] for column in cursor.get_description()]
                    found.append(dict(zip(names, row, strict=True)))
        except OUR_FAULT as error:
            raise WrongStatement(f"{type(error).__name__}: {error}") from error
        except FAILURES as error:
            raise failing(error) from error
        return found

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One read transaction."""
        with self._connection() as connection:
            try:
                with storage():
                    connection.execute("BEGIN")
                    # A transaction sees what is committed when it first reads.
                    connection.pragma("schema_version")
                yield _Moment(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close what is not in use; what is, is closed when it is given back."""
        self._closed = True
        while self._free:
            close(self._free.pop())

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        if self._closed:
            raise Unavailable("the journal is closed")
        try:
            connection = self._free.pop()
        except IndexError:
            connection = connect(self._path, read_only=True, vfs=self._vfs)
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _give_back(self, connection: apsw.Connection) -> None:
        if self._closed or len(self._free) >= CONNECTIONS_KEPT:
            close(connection)
        else:
            self._free.append(connection)


class _Moment:
    """Implements `Snapshot` over a connection that is in a read transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with storage():
            return self._connection.execute(sql, values).fetchall()
