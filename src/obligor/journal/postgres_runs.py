"""One statement for many rows in a single round trip: the server runs it for each, one after the other.

A statement that comes with many rows becomes a function of the session (in `pg_temp`) whose parameters are
arrays. What each row finds and leaves is as if it had been sent alone; only the way there is shorter.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from psycopg import errors

from obligor.journal.dialect import postgres_sql
from obligor.journal.postgres import Connection
from obligor.journal.postgres_arrays import ARRAYS, columns

__all__ = ["Runs"]

# Fewer rows are sent one by one.
FEWEST_ROWS = 4
# The arrays there are for the types that parameters are found to have.
_KINDS = {"text": "text", "bigint": "int8", "bytea": "bytea", "double precision": "float8"}
_CHANGES = ("INSERT ", "UPDATE ", "DELETE ")
# What is raised by values that are not of their parameter's type.
_UNLIKE = (AttributeError, TypeError, ValueError, struct.error)

# A statement's call, and the kinds of its arrays.
_Made = tuple[str, list[str]]


class Runs:
    """The functions of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, _Made | None] = {}

    def forget(self) -> None:
        """A transaction was rolled back, and the functions it made went with it."""
        self._known.clear()

    def whole(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Sequence[Any]]] | None:
        """What runs a projection's statement for all rows: a statement with its one row. None if nothing can.

        The transaction is open.

        Raises:
            psycopg.Error: the server cannot be asked.
        """
        if len(rows) < FEWEST_ROWS or not rows[0] or not sql.startswith(_CHANGES):
            return None
        if sql not in self._known:
            self._known[sql] = self._make(sql)
        made = self._known[sql]
        if made is None:
            return None
        call, kinds = made
        try:
            return call, [columns(kinds, rows)]
        except _UNLIKE:
            return None

    def _make(self, sql: str) -> _Made | None:
        """Make a statement's function; None where the server does not let us, or knows none of its types."""
        execute = self._connection.execute
        execute("SAVEPOINT making", prepare=False)
        try:
            made = self._made(sql)
        except errors.ProgrammingError:
            execute("ROLLBACK TO making", prepare=False)
            made = None
        execute("RELEASE making", prepare=False)
        return made

    def _made(self, sql: str) -> _Made | None:
        execute = self._connection.execute
        execute(f"PREPARE asking AS {postgres_sql(sql)[0]}", prepare=False)
        asked = "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'asking'"
        (names,) = execute(asked, prepare=False).fetchone() or ((),)
        execute("DEALLOCATE asking", prepare=False)
        kinds = [_KINDS.get(name, "") for name in names]
        if not all(kind in ARRAYS for kind in kinds):
            return None
        name = f"pg_temp.run_{len(self._known)}"
        arrays = [f"{kind}[]" for kind in kinds]
        values = ", ".join(f"v{number}" for number in range(1, len(kinds) + 1))
        given = ", ".join(f"${number}" for number in range(1, len(kinds) + 1))
        execute(
            f"CREATE OR REPLACE FUNCTION {name}({', '.join(arrays)}) RETURNS void LANGUAGE plpgsql AS $body$ "
            f"DECLARE given_ record; BEGIN FOR given_ IN SELECT * FROM unnest({given}) AS of_({values}) "
            f"LOOP {postgres_sql(sql, 'given_.v')[0]}; END LOOP; END $body$",
            prepare=False,
        )
        typed = ", ".join(f"${number}::{array}" for number, array in enumerate(arrays, 1))
        return f"SELECT {name}({typed})", kinds
