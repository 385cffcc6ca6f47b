"""The tables of a journal in PostgreSQL: made when there are none, and known by their format."""

from __future__ import annotations

from collections.abc import Callable

from obligor.journal.dialect import postgres_ddl
from obligor.journal.postgres import SCHEMA_NAME, Connection, storage
from obligor.journal.postgres_lease import LEASE_SCHEMA
from obligor.journal.postgres_shadow import SHADOW_NAME
from obligor.journal.schema import FORMAT_LOCK, SCHEMA, VERSION
from obligor.kernel import Conflict, NotFound

__all__ = ["adopt", "check_format", "found_format"]


def found_format(connection: Connection) -> int:
    """The format of the tables; 0 where there are none."""
    row = connection.execute("SELECT to_regclass($1)", (f"{SCHEMA_NAME}.alembic_version",)).fetchone()
    if row is None or row[0] is None:
        return 0
    version = connection.execute(f"SELECT version_num FROM {SCHEMA_NAME}.alembic_version").fetchone()
    return int(version[0]) if version else 0


def check_format(connection: Connection) -> None:
    """See that a store that is only read is of the format we know.

    Raises:
        NotFound: there is none.
        Conflict: it was written by another release.
    """
    found = found_format(connection)
    if found == 0:
        raise NotFound("there is no journal in this database")
    if found != VERSION:
        raise Conflict(f"the store has format {found}, this release reads {VERSION}")


def adopt(connection: Connection, upgrade: Callable[[], None]) -> None:
    """Make the tables in a new database, or bring older ones to our format; one process at a time.

    Raises:
        Conflict: it was written by a newer release.
        StoreFailed: nothing was changed.
    """
    with storage():
        if found_format(connection) == VERSION:
            return
        connection.execute(f"SELECT pg_advisory_lock({FORMAT_LOCK})")
        try:
            found = found_format(connection)
            if found == 0:
                _make(connection)
            elif found < VERSION:
                upgrade()
            elif found > VERSION:
                raise Conflict(f"the store has format {found}, this release reads and writes {VERSION}")
        finally:
            if not connection.closed:
                connection.execute(f"SELECT pg_advisory_unlock({FORMAT_LOCK})")


def _make(connection: Connection) -> None:
    statements = [
        "BEGIN",
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA_NAME}",
        f"CREATE SCHEMA IF NOT EXISTS {SHADOW_NAME}",
        postgres_ddl(SCHEMA).rstrip().rstrip(";"),
        postgres_ddl(LEASE_SCHEMA).rstrip().rstrip(";"),
        "COMMIT",
    ]
    try:
        connection.execute("; ".join(statements), prepare=False)
    except BaseException:
        if not connection.closed:
            connection.execute("ROLLBACK")
        raise
