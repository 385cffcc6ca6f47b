"""`python -m obligor.journal.migrations PLACE`: brings a store, by its URL or directory, to this format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, create_engine, make_url
from sqlalchemy.pool import NullPool

from obligor.journal.schema import FILE, GROUPS_LOCK

__all__ = ["main"]

# The first format was written by a release that kept its number in the file alone.
UNNAMED = "CREATE TABLE alembic_version(version_num TEXT NOT NULL PRIMARY KEY)"


def main(place: str) -> None:
    """Run all migrations that the store lacks, in one transaction."""
    remote = place.startswith(("postgresql://", "postgres://"))
    url: URL
    if remote:
        url = make_url(place).set(drivername="postgresql+psycopg")
        options: dict[str, Any] = {"options": "-c search_path=obligor"}
    else:
        url = URL.create("sqlite", database=str(Path(place) / FILE))
        options = {"timeout": 5}
    # Transactions are begun by us: the driver's own way would commit each CREATE TABLE alone.
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN" if remote else "BEGIN IMMEDIATE")
        try:
            if remote:
                _dismiss_writers(connection)
            else:
                _name_format(connection)
            command.upgrade(_config(connection), "head")
            if not remote:
                _note_format(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _dismiss_writers(connection: Connection) -> None:
    """Let no group be under way, and whoever still writes in the old format find that it lost its role."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({GROUPS_LOCK})")
    connection.exec_driver_sql("UPDATE fence SET token = token + 1")
    connection.exec_driver_sql("UPDATE lease SET ends_at = clock_timestamp()")


def _name_format(connection: Connection) -> None:
    """Give a file that has only a number the name that Alembic goes by."""
    number = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if number == 1:
        connection.exec_driver_sql(UNNAMED)
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0001')")


def _note_format(connection: Connection) -> None:
    """Keep the number, by which the file is known before anything else is read of it."""
    name = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA user_version = {int(name)}")


if __name__ == "__main__":
    main(sys.argv[1])
