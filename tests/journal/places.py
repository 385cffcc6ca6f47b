"""The rows and files of a house's stores from outside, read and tampered with alike whatever the store is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw

__all__ = ["execute", "rows_of", "tamper", "words_in_files"]

SCHEMAS = {"journal.db": "obligor", "vault.db": "obligor_vault"}


def execute(
    directory: Path, store: str | None, sql: str, values: tuple[Any, ...] = (), *, file: str = "journal.db"
) -> tuple[list[tuple[Any, ...]], int]:
    """Run a statement with `?` in a file, or in the schema that stands for it: rows, and how many changed."""
    if store is None:
        connection = apsw.Connection(str(directory / file))
        try:
            before = connection.total_changes()
            rows = connection.execute(sql, values).fetchall()
            return rows, connection.total_changes() - before
        finally:
            connection.close()
    import psycopg

    with psycopg.connect(store, autocommit=True, options=f"-c search_path={SCHEMAS[file]}") as remote:
        cursor = remote.execute(sql.replace("?", "%s"), values)
        return (cursor.fetchall() if cursor.description else []), cursor.rowcount


def rows_of(directory: Path, store: str | None, sql: str, **more: Any) -> list[Any]:
    """The rows of a statement."""
    return execute(directory, store, sql, **more)[0]


def tamper(directory: Path, store: str | None, sql: str, values: tuple[Any, ...] = (), **more: Any) -> None:
    """Change something behind the journal's back."""
    assert execute(directory, store, sql, values, **more)[1] > 0, "the tampering changed nothing"


def words_in_files(directory: Path, store: str | None, *texts: bytes, log: bool = False) -> set[str]:
    """Names of the store's files that hold one of the texts; of a server's, its tables', or its log's.

    They are read in another process: to open and close a database file in this one would release SQLite's
    locks.
    """
    if store is not None:
        import psycopg

        with psycopg.connect(store, autocommit=True) as remote:
            remote.execute("CHECKPOINT")
            row = remote.execute(
                "SELECT current_setting('data_directory'), oid FROM pg_database "
                "WHERE datname = current_database()"
            ).fetchone()
        assert row is not None
        directory = Path(row[0]) / ("pg_wal" if log else f"base/{row[1]}")
        assert any(directory.iterdir())
    script = (
        "import sys, pathlib\n"
        "wanted = [bytes.fromhex(text) for text in sys.argv[2:]]\n"
        "for path in pathlib.Path(sys.argv[1]).rglob('*'):\n"
        "    data = path.read_bytes() if path.is_file() else b''\n"
        "    if any(text in data for text in wanted): print(path.name)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, str(directory), *(text.hex() for text in texts)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(found.stdout.split())
