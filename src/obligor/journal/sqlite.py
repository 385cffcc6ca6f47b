"""Connections to SQLite through APSW: every setting is read back, so that none is silently not in force."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import apsw

from obligor.journal.queries import TABLES
from obligor.journal.store import StoreFailed, WrongStatement
from obligor.kernel import Conflict, InvariantBroken, NotFound, Unavailable

__all__ = [
    "BUSY_MS",
    "FAILURES",
    "OUR_FAULT",
    "DirectoryLock",
    "adopt",
    "check_version",
    "close",
    "connect",
    "failing",
    "fetch",
    "found_version",
    "storage",
    "tables_of",
    "truncate_wal",
]

P = ParamSpec("P")
R = TypeVar("R")

SYNCHRONOUS = {"OFF": 0, "NORMAL": 1, "FULL": 2, "EXTRA": 3}
PAGE_BYTES = 8192
CACHE_KIB = 65_536
READER_CACHE_KIB = 8_192
WAL_KEPT_BYTES = 64 << 20
BUSY_MS = 5_000
READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


# What goes wrong with a statement, and not with the store.
OUR_FAULT = (
    apsw.BindingsError,
    apsw.ConstraintError,
    apsw.IncompleteExecutionError,
    apsw.MismatchError,
    apsw.RangeError,
    apsw.ReadOnlyError,
    apsw.SQLError,
)

# What the store is blamed for. Text whose bytes have changed may be no text any more.
FAILURES = (apsw.Error, OSError, UnicodeDecodeError)


@contextmanager
def storage() -> Iterator[None]:
    """Turns what APSW raises into StoreFailed."""
    try:
        yield
    except FAILURES as error:
        raise failing(error) from error


def failing(error: Exception) -> StoreFailed:
    """What the journal calls an error of SQLite or the file system."""
    return StoreFailed(f"{type(error).__name__}: {error}")


def fetch(method: Callable[P, R]) -> Callable[P, R]:
    """Turns what APSW raises in a method into StoreFailed."""

    @wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except FAILURES as error:
            raise failing(error) from error

    return guarded


def connect(
    path: Path,
    *,
    read_only: bool = False,
    synchronous: str = "FULL",
    wal_pages: int = 0,
    vfs: str | None = None,
) -> apsw.Connection:
    """A connection with our settings in force.

    A writer's commit is durable when it returns (WAL, `synchronous=FULL`), deleted rows are overwritten
    (`secure_delete`), and nothing goes to temporary files. A commit moves the write-ahead log into the
    database when it has `wal_pages`; with 0, that happens only when we say so.

    Raises:
        NotFound: it is to be read only, and there is no such file.
        InvariantBroken: a setting is not in force.
        StoreFailed: it could not be opened.
    """
    with storage():
        if read_only:
            connection = _open_to_read(path, vfs)
        else:
            if not path.exists():
                # SQLite gives its other files the mode of this one. Once it is open, nobody else may open and
                # close it in this process: that would release SQLite's locks.
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = apsw.Connection(str(path), flags=READ_WRITE, vfs=vfs)
        try:
            _configure(connection, None if read_only else synchronous, wal_pages)
        except BaseException:
            close(connection)
            raise
    return connection


def _open_to_read(path: Path, vfs: str | None) -> apsw.Connection:
    """Beside a writer, or alone; on a medium that cannot be written, what is there is all there is."""
    if not path.exists():
        raise NotFound(f"there is no {path.name} in {path.parent}")
    connection = apsw.Connection(path.resolve().as_uri(), flags=READ_ONLY, vfs=vfs)
    try:
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("schema_version")
    except apsw.CantOpenError:
        close(connection)
        if path.with_name(path.name + "-wal").exists():
            raise
        connection = apsw.Connection(path.resolve().as_uri() + "?immutable=1", flags=READ_ONLY, vfs=vfs)
    except apsw.Error:
        close(connection)
        raise
    return connection


def _configure(connection: apsw.Connection, synchronous: str | None, wal_pages: int) -> None:
    connection.set_busy_timeout(BUSY_MS)
    wanted: dict[str, Any] = {
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "temp_store": 2,
        "mmap_size": 0,
    }
    if synchronous is None:
        wanted |= {"query_only": 1, "cache_size": -READER_CACHE_KIB}
    else:
        connection.pragma("page_size", PAGE_BYTES)
        wanted |= {
            "cache_size": -CACHE_KIB,
            "journal_mode": "wal",
            "synchronous": SYNCHRONOUS[synchronous],
            "secure_delete": 1,
            "wal_autocheckpoint": wal_pages,
            "journal_size_limit": WAL_KEPT_BYTES,
        }
    for name, value in wanted.items():
        connection.pragma(name, value)
        found = connection.pragma(name)
        if found != value:
            raise InvariantBroken(f"SQLite has {name}={found!r} where {value!r} was set")
    if synchronous is not None:
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)


def adopt(connection: apsw.Connection, schema: str, version: int) -> None:
    """Make the tables in a new file, or see that an old one is of the version we know.

    The connection is closed if it cannot be.

    Raises:
        Conflict: it was written by another release.
    """
    try:
        with storage(), connection:
            found = connection.pragma("user_version")
            if found == 0:
                connection.execute(schema).fetchall()
                connection.pragma("user_version", version)
            elif found != version:
                raise Conflict(f"the store has format {found}, this release reads and writes {version}")
    except BaseException:
        close(connection)
        raise


def found_version(connection: apsw.Connection) -> int:
    """The format of a file; 0 of a new one."""
    with storage():
        return int(connection.pragma("user_version"))


def check_version(connection: apsw.Connection, version: int) -> None:
    """See that a file that is only read is of the version we know.

    Raises:
        Conflict: it was written by another release.
    """
    found = found_version(connection)
    if found != version:
        raise Conflict(f"the store has format {found}, this release reads {version}")


def close(connection: apsw.Connection) -> None:
    """Let go of a connection: what SQLite cannot tidy up on a broken disk is left to the next open."""
    with suppress(apsw.Error):
        connection.close()


def truncate_wal(connection: apsw.Connection) -> bool:
    """Move the write-ahead log into the database and cut it to nothing; False if a reader still needs it.

    SQLite does not sync the cut: without that, a power cut could bring back what was deleted.
    """
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
    if busy:
        return False
    with storage():
        descriptor = os.open(connection.filename_wal, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return True


def tables_of(schema: str) -> list[str]:
    """The tables that DDL makes, tried out in memory.

    Raises:
        WrongStatement: it is no DDL.
    """
    scratch = apsw.Connection(":memory:")
    try:
        scratch.execute(schema).fetchall()
        return [str(row[0]) for row in scratch.execute(TABLES)]
    except apsw.Error as error:
        raise WrongStatement(str(error)) from error
    finally:
        scratch.close()


class DirectoryLock:
    """Held by the one process that writes a directory; the system lets go of it when the process ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            Unavailable: somebody else holds it.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise Unavailable(f"{path.parent} is being written by another process") from None

    def release(self) -> None:
        """Let go."""
        os.close(self._file)
