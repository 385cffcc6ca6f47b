"""The vault's rows in a PostgreSQL database, which several processes may have open to write.

Its own schema, so that it can be dumped and kept apart from the journal: its backups have a term of their
own. Better still is a database of its own, whose write-ahead log and replicas then have that term too; see
`postgres_purge` for what stays of a destroyed key and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import psycopg

from obligor.journal.dialect import postgres_ddl, postgres_sql
from obligor.journal.key_rows import (
    DESTROY,
    INSERT_PERSON,
    INSERT_TENANT,
    PAGE_OF_PERSONS,
    SCHEMA,
    SELECT_PERSON,
    SELECT_TENANT,
    SELECT_TENANTS,
    VERSION,
    PersonRow,
)
from obligor.journal.postgres import Connection, connect, fetch, storage
from obligor.journal.postgres_purge import vacuum
from obligor.kernel import Conflict, NotFound, Unavailable

__all__ = ["VAULT_SCHEMA_NAME", "PostgresKeyRows"]

T = TypeVar("T")

VAULT_SCHEMA_NAME = "obligor_vault"
# Held by whoever makes the tables.
LOCK = 0x0B11_60_03
# `destroyed` rises whenever a key is destroyed: who has keys in memory looks at it before it uses one.
_STATE = f"""
CREATE TABLE state(
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, destroyed INTEGER NOT NULL
);
INSERT INTO state VALUES (1, {VERSION}, 0);
"""
_CHANGES = "SELECT destroyed FROM state"
_COUNT = "UPDATE state SET destroyed = destroyed + 1"


class PostgresKeyRows:
    """Implements `KeyRows`."""

    def __init__(self, url: str, *, read_only: bool) -> None:
        """Reach a vault; make its tables, unless it is only read.

        Raises:
            NotFound: it is only read, and there is none.
            Conflict: it was written by another release.
            StoreFailed: the database is out of reach.
        """
        self._url = url
        self._read_only = read_only
        self._connection: Connection | None = None
        self._adopt()

    @property
    def read_only(self) -> bool:
        """Whether it was opened to read."""
        return self._read_only

    @property
    def shared(self) -> bool:
        """Always."""
        return True

    @fetch
    def changes(self) -> int:
        """A row that every erasure moves on."""
        return int(self._all(_CHANGES)[0][0])

    @fetch
    def person(self, tenant: str, person: str) -> list[tuple[str, bytes | None]]:
        """One statement."""
        return [(row[0], row[1]) for row in self._all(SELECT_PERSON, (tenant, person))]

    @fetch
    def add(self, rows: list[PersonRow]) -> bool:
        """In one transaction."""
        return self._many(INSERT_PERSON, rows) == len(rows)

    @fetch
    def tenant_key(self, tenant: str, purpose: str) -> bytes | None:
        """One statement."""
        rows = self._all(SELECT_TENANT, (tenant, purpose))
        return rows[0][0] if rows else None

    @fetch
    def add_tenant_key(self, tenant: str, purpose: str, wrapped: bytes) -> None:
        """One statement."""
        self._many(INSERT_TENANT, [(tenant, purpose, wrapped)])

    @fetch
    def destroy(self, tenant: str, person: str, classes: Iterable[str]) -> None:
        """In a transaction, in which other processes are told."""
        self._many(DESTROY, [(tenant, person, kind) for kind in classes], _COUNT)

    @fetch
    def purge(self) -> bool:
        """The old rows leave the table, once nobody can see them any more."""
        return vacuum(self._connected(), ["person_key"])

    @fetch
    def persons(self, after: tuple[str, str, str], limit: int) -> list[PersonRow]:
        """One statement."""
        return [(row[0], row[1], row[2], row[3]) for row in self._all(PAGE_OF_PERSONS, (*after, limit))]

    @fetch
    def tenant_keys(self) -> list[tuple[str, str, bytes]]:
        """One statement."""
        return [(row[0], row[1], row[2]) for row in self._all(SELECT_TENANTS)]

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()

    # ---- within

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(
                self._url, read_only=self._read_only, search_path=VAULT_SCHEMA_NAME, name="obligor vault"
            )
        return self._connection

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement that reads; again on a new connection, if the old one broke meanwhile."""

        def run(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = connection.cursor(binary=True)
            cursor.execute(postgres_sql(sql)[0], values)
            return cursor.fetchall()

        return self._twice(run)

    def _many(self, sql: str, rows: Sequence[Sequence[Any]], then: str | None = None) -> int:
        """How many rows a transaction has written. It may be run twice: the second time changes nothing."""
        if self._read_only:
            raise Unavailable("the vault is open to read only")

        def run(connection: Connection) -> int:
            try:
                with connection.pipeline():
                    cursor = connection.cursor()
                    connection.execute("BEGIN")
                    cursor.executemany(postgres_sql(sql)[0], rows)
                    if then is not None:
                        connection.execute(then)
                    connection.execute("COMMIT")
            except BaseException:
                if not connection.closed:
                    connection.execute("ROLLBACK")
                raise
            return cursor.rowcount

        return self._twice(run)

    def _twice(self, run: Callable[[Connection], T]) -> T:
        """Again on a new connection, if the old one had broken."""
        try:
            return run(self._connected())
        except psycopg.OperationalError:
            if self._connection is not None and not self._connection.closed:
                raise
        return run(self._connected())

    def _adopt(self) -> None:
        with storage():
            connection = self._connected()
            if not self._read_only and not _there(connection):
                connection.execute(f"SELECT pg_advisory_lock({LOCK})")
                try:
                    if not _there(connection):
                        _make(connection)
                finally:
                    if not connection.closed:
                        connection.execute(f"SELECT pg_advisory_unlock({LOCK})")
            if not _there(connection):
                self.close()
                raise NotFound("there is no vault in this database")
            found = connection.execute("SELECT format FROM state").fetchone()
        if found != (VERSION,):
            self.close()
            raise Conflict(f"the vault has format {found and found[0]}, this release knows {VERSION}")


def _there(connection: Connection) -> bool:
    row = connection.execute("SELECT to_regclass($1)", (f"{VAULT_SCHEMA_NAME}.state",)).fetchone()
    return row is not None and row[0] is not None


def _make(connection: Connection) -> None:
    parts = (f"CREATE SCHEMA IF NOT EXISTS {VAULT_SCHEMA_NAME}", SCHEMA, _STATE)
    statements = [postgres_ddl(part).strip().rstrip(";") for part in parts]
    try:
        connection.execute("; ".join(["BEGIN", *statements, "COMMIT"]), prepare=False)
    except BaseException:
        if not connection.closed:
            connection.execute("ROLLBACK")
        raise
