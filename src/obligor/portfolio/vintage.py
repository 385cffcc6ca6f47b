"""Vintages: the loans of a month of disbursement, and how many of them fell behind as the months went by.

Months on book are calendar months: a loan is 0 months on book at the end of the month it was disbursed in. A
cell counts the loans that were ever so many days past due by the end of a month on book, out of all loans of
the vintage: those that were repaid or lost since stay in the denominator, and a loan that recovered stays in
the numerator.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from itertools import accumulate

import msgspec

from obligor.kernel import InvalidInput

__all__ = ["LateCount", "MonthCount", "Vintage", "full_months", "month_number", "vintages"]


class MonthCount(msgspec.Struct, frozen=True):
    """Loans disbursed in a month ("2026-01")."""

    month: str
    loans: int
    amount_minor: int


class LateCount(msgspec.Struct, frozen=True):
    """Loans of a month that were more than `over_days` past due for the first time in a month on book."""

    month: str
    over_days: int
    month_on_book: int
    loans: int
    amount_minor: int


class Vintage(msgspec.Struct, frozen=True):
    """A month's loans. `late` and `late_minor` have, by days, a number for each full month on book from 0:
    how many loans were ever more than so many days past due by its end, and the amount they were disbursed
    with.
    """

    month: str
    loans: int
    amount_minor: int
    late: dict[int, tuple[int, ...]]
    late_minor: dict[int, tuple[int, ...]]


def month_number(month: str) -> int:
    """A month ("2026-01") as a number; those that follow each other differ by one.

    Raises:
        InvalidInput: it is no month.
    """
    year, dash, rest = month.partition("-")
    if not (
        dash and len(year) == 4 and len(rest) == 2 and (year + rest).isdecimal() and 1 <= int(rest) <= 12
    ):
        raise InvalidInput.field("month", month, "a month such as 2026-01")
    return 12 * int(year) + int(rest) - 1


def full_months(month: str, as_of: date) -> int:
    """How many months on book of a vintage have ended by the end of a day, that of disbursement counted."""
    over = as_of.day == monthrange(as_of.year, as_of.month)[1]
    return max(0, 12 * as_of.year + as_of.month - 1 + over - month_number(month))


def vintages(
    months: Iterable[MonthCount], late: Iterable[LateCount], as_of: date, over_days: Iterable[int] = (30, 90)
) -> tuple[Vintage, ...]:
    """Vintages as of the end of a day, latest first; one whose month has not ended has no numbers yet.

    Raises:
        InvalidInput: loans fell behind that were not disbursed, or before they were, or twice.
    """
    kinds = tuple(over_days)
    sizes = {one.month: one for one in months}
    cells: dict[tuple[str, int, int], LateCount] = {}
    for one in late:
        if one.month not in sizes or one.over_days not in kinds or one.month_on_book < 0:
            raise InvalidInput.field("late", f"{one.month}, {one.over_days} days", "loans of a month given")
        key = (one.month, one.over_days, one.month_on_book)
        if key in cells:
            raise InvalidInput.field(
                "late", f"{one.month}, {one.over_days} days", "one count a month on book"
            )
        cells[key] = one
    found = []
    for month in sorted(sizes, reverse=True):
        size, full = sizes[month], full_months(month, as_of)
        none = LateCount(month, 0, 0, 0, 0)
        rows = {days: [cells.get((month, days, on), none) for on in range(full)] for days in kinds}
        found.append(
            Vintage(
                month,
                size.loans,
                size.amount_minor,
                {days: tuple(accumulate(one.loans for one in row)) for days, row in rows.items()},
                {days: tuple(accumulate(one.amount_minor for one in row)) for days, row in rows.items()},
            )
        )
    return tuple(found)
