"""Unary tests with a meaning: sets of integers, of categories, and whether null is in.

Numbers are scaled integers, so an open end is a closed one beside it and sets of numbers are unions of closed
ranges: complements, cuts and coverage are exact.

Null is matched by `-` and by `null` only. `not(…)` and `!=` speak of known values: they never match null, and
a table has to say what happens where a fact is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from obligor.strategy.problems import Flaw
from obligor.strategy.syntax import Ast, Item, Unary
from obligor.strategy.types import INT64, Kind, Type, Value, date_value, format_scaled, scaled, show_date

__all__ = ["Cell", "Constant", "Range", "matches", "resolve", "resolve_literal", "show_range"]

Range = tuple[int, int]
_MOST = (-INT64, INT64)


class Constant(NamedTuple):
    """A parameter: a value with its type."""

    type: Type
    value: Value


class Cell(msgspec.Struct, frozen=True):
    """What a cell matches: ranges of numbers, days or booleans (sorted, apart), or values of a category."""

    null: bool
    ranges: tuple[Range, ...] = ()
    values: tuple[str, ...] = ()
    anything: bool = False


def matches(cell: Cell, value: Value) -> bool:
    """Whether a typed value passes a cell's tests."""
    if value is None:
        return cell.null
    if isinstance(value, str):
        return value in cell.values
    return any(lo <= value <= hi for lo, hi in cell.ranges)


def resolve(tests: Unary, kind: Type, constants: Mapping[str, Constant]) -> Cell:
    """The meaning of unary tests on values of a type.

    Raises:
        Flaw: a value of another type, an unknown category or parameter, an empty range, or a test for null
            where null cannot be.
    """
    null = any(item.op in {"any", "null"} for item in tests.items)
    if not kind.nullable and any(item.op == "null" for item in tests.items):
        raise Flaw("type", "tests for null, but this is never null")
    if any(item.op == "any" for item in tests.items):
        if kind.kind is Kind.CATEGORY:
            return Cell(kind.nullable, values=kind.values, anything=True)
        return Cell(kind.nullable, ranges=(_MOST,), anything=True)
    known = [item for item in tests.items if item.op != "null"]
    if kind.kind is Kind.CATEGORY:
        chosen = _categories(known, kind, constants)
        if tests.negated:
            chosen = {value for value in kind.values if value not in chosen}
        return Cell(null and not tests.negated, values=tuple(v for v in kind.values if v in chosen))
    ranges = _union(piece for item in known for piece in _ranges(item, kind, constants))
    if tests.negated:
        return Cell(null=False, ranges=_complement(ranges))
    return Cell(null, ranges)


def resolve_literal(tree: Ast, kind: Type, constants: Mapping[str, Constant]) -> Value:
    """The value of a literal or parameter where a value of a type is expected.

    Raises:
        Flaw: it is of another type, or an unknown category or parameter.
    """
    if tree.op == "null":
        if kind.nullable:
            return None
        raise Flaw("type", f"null where a {kind} is expected")
    if tree.op == "name" and kind.kind is not Kind.CATEGORY:
        return _parameter(tree.text, kind, constants)
    text = tree.text
    if kind.kind is Kind.CATEGORY and tree.op in {"name", "string"}:
        if text not in kind.values:
            listed = ", ".join(kind.values)
            raise Flaw(
                "unknown-category", f"{text!r} is none of the categories that may be here: {listed}", text
            )
        return text
    if kind.kind is Kind.NUMBER and tree.op == "number":
        return scaled(text, kind.scale)
    if kind.kind is Kind.DATE and tree.op in {"date", "string"}:
        return date_value(text)
    if kind.kind is Kind.BOOLEAN and tree.op == "boolean":
        return tree.text == "true"
    raise Flaw("type", f"{text!r} is a {_NAMES[tree.op]}, a {kind} is expected", text)


_NAMES = {"name": "word", "string": "text", "number": "number", "date": "date", "boolean": "boolean"}


def _parameter(name: str, kind: Type, constants: Mapping[str, Constant]) -> Value:
    if name not in constants:
        raise Flaw("unknown-name", f"there is no parameter {name!r}, and no {kind} reads so", name)
    found = constants[name]
    if found.type.kind is not kind.kind:
        raise Flaw("type", f"parameter {name} is a {found.type}, a {kind} is expected", name)
    if kind.kind is not Kind.NUMBER:
        return found.value
    return scaled(format_scaled(int(found.value or 0), found.type.scale), kind.scale)


def _categories(items: list[Item], kind: Type, constants: Mapping[str, Constant]) -> set[str]:
    chosen: set[str] = set()
    for item in items:
        if item.op not in {"=", "!="}:
            raise Flaw("type", "categories have no order: list those that match")
        value = str(resolve_literal(item.ends[0], kind, constants))
        chosen |= {value} if item.op == "=" else set(kind.values) - {value}
    return chosen


def _ranges(item: Item, kind: Type, constants: Mapping[str, Constant]) -> list[Range]:
    low, high = (int(resolve_literal(end, kind.known(), constants) or 0) for end in (item.ends * 2)[:2])
    if kind.kind is Kind.BOOLEAN:
        if item.op not in {"=", "!="}:
            raise Flaw("type", "booleans have no order: write true or false")
        return [(low, low)] if item.op == "=" else [(1 - low, 1 - low)]
    if item.op == "range":
        lo, hi = low + (not item.low_closed), high - (not item.high_closed)
        if lo > hi:
            raise Flaw("type", "the range is empty: its lower end comes first")
        return [(lo, hi)]
    least, most = _MOST
    return {
        "=": [(low, low)],
        "!=": [(least, low - 1), (low + 1, most)],
        "<": [(least, low - 1)],
        "<=": [(least, low)],
        ">": [(low + 1, most)],
        ">=": [(low, most)],
    }[item.op]


def _union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for lo, hi in sorted(ranges):
        if merged and lo <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return tuple(merged)


def _complement(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    least, most = _MOST
    left: list[Range] = []
    for lo, hi in ranges:
        if least < lo:
            left.append((least, lo - 1))
        least = hi + 1
    if least <= most:
        left.append((least, most))
    return tuple(left)


def show_range(lo: int, hi: int, kind: Type) -> str:
    """A range of a type's values as a unary test: "[600..639]", "true", "2026-11-23"."""
    if kind.kind is Kind.BOOLEAN:
        return "true or false" if lo != hi else str(bool(lo)).lower()

    def show(value: int) -> str:
        return show_date(value) if kind.kind is Kind.DATE else format_scaled(value, kind.scale)

    return show(lo) if lo == hi else f"[{show(lo)}..{show(hi)}]"
