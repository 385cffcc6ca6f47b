"""Types of facts and formulas: integers of a scale with bounds, booleans, categories, dates, each nullable.

Every number is an integer together with a scale: 0.125 of scale 3 is 125. A date is an integer too, the days
since 1970-01-01 (Arrow's date32). Bounds are inclusive and kept by interval arithmetic, so that nothing can
overflow 64 bits and no divisor can be zero.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from obligor.kernel import MAX_INTEGER
from obligor.strategy.problems import Flaw

__all__ = [
    "EPOCH",
    "INT64",
    "MAX_SCALE",
    "Kind",
    "Type",
    "Value",
    "boolean",
    "category",
    "check_whole",
    "date_value",
    "format_scaled",
    "number",
    "number_text",
    "scaled",
    "show_date",
]

# A fact as strategies compute with it: numbers scaled, dates as days, categories as text.
Value = int | bool | str | None

EPOCH = date(1970, 1, 1)
INT64 = 2**63 - 1
MAX_SCALE = 12
_NUMBER = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]{1,18}))?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Kind(StrEnum):
    """The kinds of values. NULL is only the type of the literal, before it meets another type."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    DATE = "date"
    NULL = "null"


class Type(msgspec.Struct, frozen=True):
    """A kind with what is known of its values.

    `lo` and `hi` bound numbers (in units of the scale), dates (in days) and booleans (0 and 1: a boolean with
    equal bounds is known). `values` are the categories, in the order of their declaration.
    """

    kind: Kind
    scale: int = 0
    lo: int = 0
    hi: int = 0
    values: tuple[str, ...] = ()
    nullable: bool = False

    def known(self) -> Type:
        """The same type without null."""
        return msgspec.structs.replace(self, nullable=False) if self.nullable else self

    def within(self, lo: int, hi: int) -> Type:
        """The same type, its bounds drawn in; where nothing would be left, as it was."""
        lo, hi = max(lo, self.lo), min(hi, self.hi)
        return msgspec.structs.replace(self, lo=lo, hi=hi) if lo <= hi else self

    def __str__(self) -> str:
        name = f"number of scale {self.scale}" if self.kind is Kind.NUMBER and self.scale else self.kind.value
        return f"nullable {name}" if self.nullable else name


def number(lo: int, hi: int, scale: int = 0) -> Type:
    """A number between two bounds, both in units of the scale."""
    return Type(Kind.NUMBER, scale, lo, hi)


def boolean(lo: int = 0, hi: int = 1) -> Type:
    """A boolean; equal bounds say that it is always true (1) or always false (0)."""
    return Type(Kind.BOOLEAN, 0, lo, hi)


def category(*values: str) -> Type:
    """One of these values."""
    return Type(Kind.CATEGORY, values=values)


def scaled(text: str, scale: int) -> int:
    """Decimal text as an integer of this scale.

    Raises:
        Flaw: no plain decimal, or more places than the scale has.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Flaw("type", f"{text!r} is no number: write plain decimals such as 600 or 0.45")
    places = (match[3] or "").rstrip("0")
    if len(places) > scale:
        raise Flaw("type", f"{text} has {len(places)} decimal places where {scale} are kept", text)
    value = int(match[2] + places.ljust(scale, "0"))
    if value > INT64:
        raise Flaw("overflow", f"{text} is beyond 64 bits at scale {scale}", text)
    return -value if match[1] else value


def number_text(text: str) -> tuple[int, int]:
    """Decimal text as (integer, scale), with the places that it has.

    Raises:
        Flaw: no plain decimal, or too many places.
    """
    places = len(text.partition(".")[2])
    if places > MAX_SCALE:
        raise Flaw("type", f"{text} has more than {MAX_SCALE} decimal places", text)
    return scaled(text, places), places


def format_scaled(value: int, scale: int) -> str:
    """The decimal text of a scaled integer: 125 of scale 3 is "0.125"."""
    if not scale:
        return str(value)
    whole, part = divmod(abs(value), 10**scale)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{scale}}"


def date_value(text: str) -> int:
    """ISO 8601 text of a date as days since 1970-01-01.

    Raises:
        Flaw: no such date.
    """
    if _DATE.fullmatch(text):
        try:
            return (date.fromisoformat(text) - EPOCH).days
        except ValueError:
            pass
    raise Flaw("type", f"{text!r} is no date: write it like 2026-11-23", text)


def show_date(days: int) -> str:
    """Days since 1970-01-01 as ISO 8601 text."""
    return (EPOCH + timedelta(days=days)).isoformat()


def check_whole(value: Type, what: str) -> None:
    """See that a result can be written down: its numbers lie within the canonical profile.

    Raises:
        Flaw: the bounds reach beyond 2^53, or there are more than `MAX_SCALE` decimal places.
    """
    if value.scale > MAX_SCALE:
        raise Flaw(
            "scale",
            f"{what} has {value.scale} decimal places: give the formula a scale of at most {MAX_SCALE}",
        )
    if value.kind is Kind.NUMBER and max(-value.lo, value.hi) > MAX_INTEGER:
        reach = format_scaled(value.hi if value.hi > -value.lo else value.lo, value.scale)
        raise Flaw("overflow", f"{what} may reach {reach}: a result holds at most 2^53 units of its scale")
