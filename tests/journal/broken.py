"""Stores that cannot be written or read for a while: SQLite itself says so, or the server does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from tests.journal.places import SCHEMAS
from tests.journal.support import House

__all__ = ["no_space", "out_of_reach"]

TABLES = {"journal.db": "event", "vault.db": "person_key"}


@contextmanager
def no_space(h: House, store: str | None, file: str = "journal.db") -> Iterator[None]:
    """No page can be added to the file; a server says that its disk is full."""
    if store is None:
        connection = _connection(h, file)
        before = connection.pragma("max_page_count")
        connection.pragma("max_page_count", connection.pragma("page_count"))
        try:
            yield
        finally:
            connection.pragma("max_page_count", before)
        return
    table = f"{SCHEMAS[file]}.{TABLES[file]}"
    with _remote(store) as remote:
        remote.execute(
            "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        remote.execute(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION public.full()")
        try:
            yield
        finally:
            remote.execute(f"DROP TRIGGER full_disk ON {table}")
            remote.execute("DROP FUNCTION public.full")


@contextmanager
def out_of_reach(h: House, store: str | None, file: str = "journal.db") -> Iterator[None]:
    """Nothing can be read or written."""
    if store is None:
        connection = _connection(h, file)
        connection.authorizer = lambda *_: apsw.SQLITE_DENY
        try:
            yield
        finally:
            connection.authorizer = None
        return
    table = f"{SCHEMAS[file]}.{TABLES[file]}"
    with _remote(store) as remote:
        remote.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        try:
            yield
        finally:
            remote.execute(f"ALTER TABLE {SCHEMAS[file]}.elsewhere RENAME TO {TABLES[file]}")


def _connection(h: House, file: str) -> apsw.Connection:
    return h.journal._store._connection if file == "journal.db" else h.vault._rows._connection  # type: ignore[attr-defined]


def _remote(store: str) -> Any:
    import psycopg

    return psycopg.connect(store, autocommit=True)
