"""Columns as PostgreSQL's binary arrays: many rows in one statement, and sooner made than psycopg's lists.

The format is that of `array_send`: dimensions, whether there are nulls, the type of the elements, their
number and the first index; then for each its length and its bytes, or -1 for a null.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

__all__ = ["Texts", "columns", "register"]

_HEADER = struct.Struct("!iiIii").pack
_LENGTH = struct.Struct("!i").pack
_INTEGER = struct.Struct("!iq").pack
_FLOAT = struct.Struct("!id").pack
_NULL = _LENGTH(-1)


class _Array:
    """An array as it is sent."""

    __slots__ = ("data",)

    element = 0
    array = 0

    def __init__(self, parts: list[bytes], count: int, nulls: bool) -> None:
        self.data = _HEADER(1, nulls, self.element, count, 1) + b"".join(parts)


class Texts(_Array):
    """text[]."""

    __slots__ = ()
    element, array = 25, 1009

    def __init__(self, values: Sequence[str | None]) -> None:
        parts: list[bytes] = []
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                data = value.encode()
                parts += (_LENGTH(len(data)), data)
        super().__init__(parts, len(values), None in values)


class Bytes(_Array):
    """bytea[]."""

    __slots__ = ()
    element, array = 17, 1001

    def __init__(self, values: Sequence[bytes | None]) -> None:
        parts: list[bytes] = []
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                parts += (_LENGTH(len(value)), value)
        super().__init__(parts, len(values), None in values)


class Integers(_Array):
    """bigint[]."""

    __slots__ = ()
    element, array = 20, 1016

    def __init__(self, values: Sequence[int | None]) -> None:
        nulls = None in values
        if nulls:
            parts = [_NULL if value is None else _INTEGER(8, value) for value in values]
        else:
            parts = [_INTEGER(8, value) for value in values]
        super().__init__(parts, len(values), nulls)


class Floats(_Array):
    """double precision[]."""

    __slots__ = ()
    element, array = 701, 1022

    def __init__(self, values: Sequence[float | None]) -> None:
        parts = [_NULL if value is None else _FLOAT(8, value) for value in values]
        super().__init__(parts, len(values), None in values)


ARRAYS: dict[str, type[Texts | Bytes | Integers | Floats]] = {
    "text": Texts,
    "bytea": Bytes,
    "int8": Integers,
    "float8": Floats,
}


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        return obj.data  # type: ignore[no-any-return]


def register(connection: Connection[Any]) -> None:
    """Let a connection send these arrays."""
    for kind in ARRAYS.values():
        dumper = type(f"{kind.__name__}Dumper", (_ArrayDumper,), {"oid": kind.array})
        connection.adapters.register_dumper(kind, dumper)


def columns(kinds: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Texts | Bytes | Integers | Floats]:
    """The columns of rows, each as an array of its kind."""
    values: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return [ARRAYS[kind](each) for kind, each in zip(kinds, values, strict=True)]
