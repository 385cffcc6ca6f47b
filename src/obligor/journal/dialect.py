"""From the SQL that both stores share to PostgreSQL's: placeholders, and the DDL of projections.

Statements are written for SQLite in a subset that PostgreSQL understands; only what cannot be written the
same way for both is changed here, outside strings, quoted names and comments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from obligor.journal.store import WrongStatement

__all__ = ["bind", "postgres_ddl", "postgres_sql"]

_TOKEN = re.compile(
    r"(?P<kept>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|::)"
    r"|(?P<mark>\?)"
    r"|:(?P<name>[A-Za-z_][A-Za-z_0-9]*)",
    re.DOTALL,
)
_WORDS = re.compile(
    r"(?P<kept>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/)"
    r"|(?P<options>\)\s*(?:(?:STRICT|WITHOUT\s+ROWID)\s*,?\s*)+(?=;|$))"
    r"|\b(?P<type>INTEGER|TEXT|BLOB|REAL)\b",
    re.DOTALL | re.IGNORECASE,
)
# Text is ordered by its bytes, as SQLite orders it.
_TYPES = {"INTEGER": "BIGINT", "TEXT": 'TEXT COLLATE "C"', "BLOB": "BYTEA", "REAL": "DOUBLE PRECISION"}


@lru_cache(maxsize=2_048)
def postgres_sql(sql: str, mark: str = "$") -> tuple[str, tuple[str, ...]]:
    """A statement with `$1`, `$2` … for its `?` or `:name`, and the names in the order of their numbers.

    Another `mark` stands before the numbers instead.

    Raises:
        WrongStatement: it mixes both kinds.
    """
    names: dict[str, int] = {}
    marks = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal marks
        if found["kept"]:
            return found[0]
        if found["mark"]:
            marks += 1
            return f"{mark}{marks}"
        return f"{mark}{names.setdefault(found['name'], len(names) + 1)}"

    translated = _TOKEN.sub(replace, sql)
    if marks and names:
        raise WrongStatement("a statement has its values by place or by name, not both")
    return translated, tuple(names)


def bind(sql: str, values: Sequence[Any] | Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    """A statement for PostgreSQL with its values in order.

    Raises:
        WrongStatement: a name has no value.
    """
    translated, names = postgres_sql(sql)
    if isinstance(values, Mapping):
        missing = [name for name in names if name not in values]
        if missing:
            raise WrongStatement(f"no value for {', '.join(missing)}")
        return translated, [values[name] for name in names]
    return translated, values


def postgres_ddl(schema: str) -> str:
    """DDL in PostgreSQL's types; STRICT and WITHOUT ROWID are SQLite's own and go."""

    def replace(found: re.Match[str]) -> str:
        if found["options"]:
            return ")"
        if found["type"]:
            return _TYPES[found["type"].upper()]
        return found[0]

    return _WORDS.sub(replace, schema)
