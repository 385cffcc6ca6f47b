"""Where the vault's keys are kept, wrapped: one protocol, and its implementation in a SQLite file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import apsw

from obligor.journal.directories import make_directory
from obligor.journal.sqlite import (
    BUSY_MS,
    DirectoryLock,
    adopt,
    check_version,
    close,
    connect,
    fetch,
    truncate_wal,
)
from obligor.kernel import Corrupted, Unavailable

__all__ = ["SCHEMA", "VERSION", "KeyRows", "SqliteKeyRows", "VaultPlace"]

VERSION = 1
WAL_PAGES = 500
# How long to wait for readers to leave the write-ahead log, when it is to be emptied.
PURGE_MS = 250
SCHEMA = """
CREATE TABLE person_key(
  tenant TEXT NOT NULL, person TEXT NOT NULL, class TEXT NOT NULL,
  wrapped BLOB,  -- NULL once destroyed
  PRIMARY KEY (tenant, person, class)
) STRICT, WITHOUT ROWID;
CREATE TABLE tenant_key(
  tenant TEXT NOT NULL, purpose TEXT NOT NULL, wrapped BLOB NOT NULL,
  PRIMARY KEY (tenant, purpose)
) STRICT, WITHOUT ROWID;
"""
# Written for both stores. A row that is there stays as it is: a destroyed key is not made again.
SELECT_PERSON = "SELECT class, wrapped FROM person_key WHERE tenant = ? AND person = ?"
SELECT_TENANT = "SELECT wrapped FROM tenant_key WHERE tenant = ? AND purpose = ?"
INSERT_PERSON = "INSERT INTO person_key VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
INSERT_TENANT = "INSERT INTO tenant_key VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
DESTROY = (
    "INSERT INTO person_key VALUES (?, ?, ?, NULL) "
    "ON CONFLICT (tenant, person, class) DO UPDATE SET wrapped = NULL"
)

# Everything, as it is copied.
PAGE_OF_PERSONS = (
    "SELECT tenant, person, class, wrapped FROM person_key WHERE (tenant, person, class) > (?, ?, ?) "
    "ORDER BY tenant, person, class LIMIT ?"
)
SELECT_TENANTS = "SELECT tenant, purpose, wrapped FROM tenant_key ORDER BY tenant, purpose"

PersonRow = tuple[str, str, str, bytes | None]

_TEXT, _BYTES, _WRAPPED = (str,), (bytes,), (bytes, type(None))


class KeyRows(Protocol):
    """The rows of a vault; one thread uses them at a time. Every method may raise StoreFailed.

    What writes raises Unavailable where `read_only`.
    """

    @property
    def read_only(self) -> bool:
        """Whether keys can be made and destroyed here."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may destroy keys meanwhile."""
        ...

    def changes(self) -> int:
        """Another number whenever another process may have destroyed a key since it was last asked for."""
        ...

    def person(self, tenant: str, person: str) -> list[tuple[str, bytes | None]]:
        """A person's wrapped keys by class; None for one that was destroyed."""
        ...

    def add(self, rows: list[PersonRow]) -> bool:
        """Add (tenant, person, class, wrapped key), durably; False where some were there already and stay."""
        ...

    def tenant_key(self, tenant: str, purpose: str) -> bytes | None:
        """A tenant's wrapped key for a purpose."""
        ...

    def add_tenant_key(self, tenant: str, purpose: str, wrapped: bytes) -> None:
        """Add one, durably, unless there is one."""
        ...

    def destroy(self, tenant: str, person: str, classes: Iterable[str]) -> None:
        """Destroy a person's keys of these classes, durably: nobody is given one of them any more."""
        ...

    def purge(self) -> bool:
        """Leave no trace of destroyed keys in any file; False when a reader is still in the way."""
        ...

    def persons(self, after: tuple[str, str, str], limit: int) -> list[PersonRow]:
        """The first rows after (tenant, person, class), in order; None for a key that was destroyed."""
        ...

    def tenant_keys(self) -> list[tuple[str, str, bytes]]:
        """Every tenant's keys: (tenant, purpose, wrapped)."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class VaultPlace(Protocol):
    """Where a vault can be opened."""

    def open(self) -> KeyRows:
        """To write, made if there is none.

        Raises:
            Unavailable: another process has it open to write and shares it with nobody.
            Conflict: it was written by another release.
        """
        ...

    def open_read_only(self) -> KeyRows:
        """To read, beside processes that write.

        Raises:
            NotFound: there is none.
            Conflict: it was written by another release.
        """
        ...


class SqliteKeyRows:
    """Implements `KeyRows` in a file. `lock` is None where it is read only."""

    def __init__(self, connection: apsw.Connection, lock: DirectoryLock | None) -> None:
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, synchronous: str = "FULL", vfs: str | None = None) -> SqliteKeyRows:
        """Open a file to write, make it if there is none.

        Raises:
            Unavailable: another process has it open to write.
            Conflict: it was written by another release.
        """
        make_directory(path.parent)
        lock = DirectoryLock(path.with_name(path.name + ".lock"))
        try:
            connection = connect(path, synchronous=synchronous, wal_pages=WAL_PAGES, vfs=vfs)
            adopt(connection, SCHEMA, VERSION)
        except BaseException:
            lock.release()
            raise
        return cls(connection, lock)

    @classmethod
    def open_read_only(cls, path: Path, *, vfs: str | None = None) -> SqliteKeyRows:
        """Open a file to read, beside a process that writes it.

        Raises:
            NotFound: there is none.
            Conflict: it was written by another release.
        """
        connection = connect(path, read_only=True, vfs=vfs)
        check_version(connection, VERSION)
        return cls(connection, None)

    @property
    def read_only(self) -> bool:
        """Without the lock."""
        return self._lock is None

    @property
    def shared(self) -> bool:
        """Only whoever has the lock destroys keys."""
        return self._lock is None

    @fetch
    def changes(self) -> int:
        """SQLite counts the commits of others."""
        return int(self._connection.pragma("data_version"))

    @fetch
    def person(self, tenant: str, person: str) -> list[tuple[str, bytes | None]]:
        """One statement."""
        return [(row[0], row[1]) for row in self._all(SELECT_PERSON, (tenant, person), _TEXT, _WRAPPED)]

    @fetch
    def add(self, rows: list[PersonRow]) -> bool:
        """In one transaction."""
        self._check()
        before = self._connection.total_changes()
        with self._connection:
            self._connection.executemany(INSERT_PERSON, rows).fetchall()
        return self._connection.total_changes() - before == len(rows)

    @fetch
    def tenant_key(self, tenant: str, purpose: str) -> bytes | None:
        """One statement."""
        rows = self._all(SELECT_TENANT, (tenant, purpose), _BYTES)
        return rows[0][0] if rows else None

    @fetch
    def add_tenant_key(self, tenant: str, purpose: str, wrapped: bytes) -> None:
        """In a transaction."""
        self._check()
        with self._connection:
            self._connection.execute(INSERT_TENANT, (tenant, purpose, wrapped)).fetchall()

    @fetch
    def destroy(self, tenant: str, person: str, classes: Iterable[str]) -> None:
        """In a transaction. `secure_delete` overwrites the rows."""
        self._check()
        with self._connection:
            rows = [(tenant, person, kind) for kind in classes]
            self._connection.executemany(DESTROY, rows).fetchall()

    @fetch
    def purge(self) -> bool:
        """What is left of destroyed keys is in the write-ahead log, which is emptied."""
        self._check()
        self._connection.set_busy_timeout(PURGE_MS)
        try:
            return truncate_wal(self._connection)
        finally:
            self._connection.set_busy_timeout(BUSY_MS)

    @fetch
    def persons(self, after: tuple[str, str, str], limit: int) -> list[PersonRow]:
        """One statement."""
        rows = self._all(PAGE_OF_PERSONS, (*after, limit), _TEXT, _TEXT, _TEXT, _WRAPPED)
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    @fetch
    def tenant_keys(self) -> list[tuple[str, str, bytes]]:
        """One statement."""
        rows = self._all(SELECT_TENANTS, (), _TEXT, _TEXT, _BYTES)
        return [(row[0], row[1], row[2]) for row in rows]

    def close(self) -> None:
        """The lock goes last."""
        close(self._connection)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _all(self, sql: str, values: tuple[Any, ...], *kinds: tuple[type, ...]) -> list[tuple[Any, ...]]:
        """The rows of a statement that reads, whose columns are of these kinds.

        Raises:
            Corrupted: one is of another: SQLite says of a record what its damaged header says.
        """
        rows: list[tuple[Any, ...]] = self._connection.execute(sql, values).fetchall()
        for row in rows:
            if not all(map(isinstance, row, kinds)):
                raise Corrupted("the vault holds a row that nobody has written")
        return rows

    def _check(self) -> None:
        if self._lock is None:
            raise Unavailable("the vault is open to read only")
