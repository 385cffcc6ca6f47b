"""Tables made anew beside the old ones: readers see those until the transaction commits.

Statements name tables without a schema. While a rebuild lasts, the schema of the new ones comes first for its
own connection, so that they are filled by the same statements; at the end they take the place of the old.
"""

from __future__ import annotations

from collections.abc import Iterable

from obligor.journal.dialect import postgres_ddl
from obligor.journal.postgres import SCHEMA_NAME, Connection

__all__ = ["SHADOW_NAME", "Shadow"]

SHADOW_NAME = f"{SCHEMA_NAME}_new"


class Shadow:
    """The tables that one transaction makes and takes away."""

    def __init__(self, connection: Connection) -> None:
        """The transaction is open, and nobody else writes until it ends."""
        self._connection = connection
        self._made: list[str] = []
        self._dropped: list[str] = []

    def make(self, schema: str, tables: Iterable[str]) -> None:
        """Run a projection's DDL, which makes these tables."""
        self._enter()
        self._connection.execute(postgres_ddl(schema), prepare=False)
        self._made += tables

    def drop(self, tables: Iterable[str]) -> None:
        """Take tables away at the end."""
        self._dropped += tables

    def renew(self, table: str) -> None:
        """Begin one of our own tables anew, empty."""
        self._enter()
        like = f"{SCHEMA_NAME}.{table} INCLUDING ALL"
        self._connection.execute(f"CREATE TABLE {SHADOW_NAME}.{table}(LIKE {like})", prepare=False)
        self._made.append(table)
        self._dropped.append(table)

    def reveal(self) -> None:
        """Put the new tables in the place of the old. From here to the commit, readers wait."""
        statements = [f'DROP TABLE IF EXISTS {SCHEMA_NAME}."{table}"' for table in self._dropped]
        statements += [
            f'ALTER TABLE {SHADOW_NAME}."{table}" SET SCHEMA {SCHEMA_NAME}' for table in self._made
        ]
        if statements:
            self._connection.execute("; ".join(statements), prepare=False)

    def _enter(self) -> None:
        self._connection.execute(f"SET LOCAL search_path = {SHADOW_NAME}, {SCHEMA_NAME}", prepare=False)
