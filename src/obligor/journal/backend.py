"""Where a journal lives: a directory with SQLite, or a database that speaks PostgreSQL's protocol."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from obligor.journal.directories import make_directory, sync_directory
from obligor.journal.key_rows import KeyRows
from obligor.journal.migrations import upgrade
from obligor.journal.sqlite import DirectoryLock
from obligor.journal.sqlite_rows import SqliteRows
from obligor.journal.sqlite_store import SqliteStore
from obligor.journal.store import Rows, Store
from obligor.kernel import Unavailable

__all__ = ["Backend", "PostgresBackend", "PostgresVault", "SqliteBackend", "backend_of", "needs_psycopg"]

LOCK_FILE = "journal.lock"


class Backend(Protocol):
    """Opens a journal's two sides."""

    def writer(self) -> Store:
        """Its writer's side, brought to this release's format; whatever makes it the only one is held until
        it is closed.

        Raises:
            Unavailable: another process writes here.
            Conflict: it was written by a newer release.
            StoreFailed: it cannot be reached.
        """
        ...

    def rows(self) -> Rows:
        """Its readers' side, beside a writer or alone.

        Raises:
            NotFound: there is no journal.
            Conflict: it was written by another release.
            StoreFailed: it cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class SqliteBackend:
    """One SQLite file in a directory that one process writes."""

    directory: Path
    synchronous: str = "FULL"
    vfs: str | None = None

    def writer(self) -> Store:
        """The file, made if there is none, under the directory's lock."""
        make_directory(self.directory)
        lock = DirectoryLock(self.directory / LOCK_FILE)
        try:
            store = SqliteStore.open(self.directory, lock, synchronous=self.synchronous, vfs=self.vfs)
            sync_directory(self.directory)
        except BaseException:
            lock.release()
            raise
        return store

    def rows(self) -> Rows:
        """Read-only connections to the file."""
        return SqliteRows(self.directory, vfs=self.vfs)


@dataclass(frozen=True, slots=True)
class PostgresBackend:
    """The schema `obligor` of a PostgreSQL database, which processes on several machines may share.

    Any of them may take the role of a tenant's writer, by a lease of `lease_seconds` that is renewed as long
    as it lives. `holder` names the process; two may not have the same.
    """

    url: str
    lease_seconds: float = 5.0
    holder: str = field(default_factory=lambda: secrets.token_hex(8))

    def writer(self) -> Store:
        """The tables, made if there are none. Which tenants it writes is decided by `Store.take`."""
        with needs_psycopg():
            from obligor.journal.postgres import connect
            from obligor.journal.postgres_format import adopt
            from obligor.journal.postgres_lease import Leases, named
            from obligor.journal.postgres_store import PostgresStore

            write = partial(connect, self.url, name=named(self.holder))
            renew = partial(connect, self.url, name=f"obligor lease {self.holder}")
            connection = write()
            try:
                adopt(connection, partial(upgrade, self.url))
            except BaseException:
                connection.close()
                raise
            return PostgresStore(write, Leases(renew, self.holder, self.lease_seconds), connection)

    def rows(self) -> Rows:
        """Read-only connections to the database."""
        with needs_psycopg():
            from obligor.journal.postgres_rows import PostgresRows

            return PostgresRows(self.url)

    def taken(self, rows: Rows, tenant: str) -> bool:
        """Whether a lease of another holder says now that it writes the tenant: a glance for who waits."""
        held = "SELECT 1 FROM lease WHERE tenant = ? AND holder <> ? AND ends_at > clock_timestamp()"
        return bool(rows.all(held, (tenant, self.holder)))


@dataclass(frozen=True, slots=True)
class PostgresVault:
    """The schema `obligor_vault` of a PostgreSQL database: that of the journal, or one of its own.

    It implements `VaultPlace`.
    """

    url: str

    def open(self) -> KeyRows:
        """To write, the tables made if there are none; any number of processes may."""
        return self._rows(read_only=False)

    def open_read_only(self) -> KeyRows:
        """To read."""
        return self._rows(read_only=True)

    def _rows(self, *, read_only: bool) -> KeyRows:
        with needs_psycopg():
            from obligor.journal.postgres_vault import PostgresKeyRows

            return PostgresKeyRows(self.url, read_only=read_only)


def backend_of(place: str | Path, **options: Any) -> Backend:
    """The backend of a URL, `postgresql://…`, or of a directory. The options are the backend's own."""
    if isinstance(place, str) and place.startswith(("postgresql://", "postgres://")):
        return PostgresBackend(place, **options)
    return SqliteBackend(Path(place), **options)


@contextmanager
def needs_psycopg() -> Iterator[None]:
    """Says what to install where psycopg is missing: it is an extra.

    Raises:
        Unavailable: it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] != "psycopg":
            raise
        raise Unavailable("PostgreSQL needs psycopg: install obligor[postgres]") from error
