"""Days between dates as the market counts them, months that end, and days on which nobody works."""

from __future__ import annotations

import calendar as _gregorian
from collections.abc import Callable, Collection
from datetime import date, timedelta

from obligor.kernel.errors import InvalidInput

__all__ = [
    "BUSINESS_DAY_RULES",
    "DAY_COUNTS",
    "add_months",
    "business_day",
    "day_fraction",
    "days_between",
    "is_business_day",
]

Fraction = tuple[int, int]
_DAY = timedelta(days=1)
_LATEST = 2200


def days_between(start: date, end: date) -> int:
    """Calendar days from start to end; negative if end is earlier."""
    return end.toordinal() - start.toordinal()


def day_fraction(start: date, end: date, convention: str) -> Fraction:
    """The part of a year from start (included) to end (left out), as numerator and denominator.

    The conventions are those of the 2006 ISDA Definitions, section 4.16: `30/360` (f, bond basis),
    `30E/360` (g, Eurobond basis), `ACT/360` (e), `ACT/365` (d, fixed), `ACT/ACT` (b, ISDA: days in leap
    years by 366, others by 365, over the common denominator 133590).

    Raises:
        InvalidInput: an unknown convention, or an end before the start.
    """
    count = _COUNTS.get(convention)
    if count is None:
        raise InvalidInput.field("convention", convention, "one of " + ", ".join(DAY_COUNTS))
    if end < start:
        raise InvalidInput.field("end", end, f"a date from {start} on")
    return count(start, end)


def _thirty(start: date, end: date, first: int, last: int) -> Fraction:
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first, 360


def _thirty_360(start: date, end: date) -> Fraction:
    first = min(start.day, 30)
    return _thirty(start, end, first, 30 if end.day == 31 and first == 30 else end.day)


def _thirty_e_360(start: date, end: date) -> Fraction:
    return _thirty(start, end, min(start.day, 30), min(end.day, 30))


def _actual_360(start: date, end: date) -> Fraction:
    return days_between(start, end), 360


def _actual_365(start: date, end: date) -> Fraction:
    return days_between(start, end), 365


def _actual_actual(start: date, end: date) -> Fraction:
    leap = common = 0
    for year in range(start.year, end.year + 1):
        first = max(start, date(year, 1, 1))
        days = days_between(first, min(end, date(year + 1, 1, 1)))
        if _gregorian.isleap(year):
            leap += days
        else:
            common += days
    return leap * 365 + common * 366, 365 * 366


_COUNTS: dict[str, Callable[[date, date], Fraction]] = {
    "30/360": _thirty_360,
    "30E/360": _thirty_e_360,
    "ACT/360": _actual_360,
    "ACT/365": _actual_365,
    "ACT/ACT": _actual_actual,
}
DAY_COUNTS = tuple(_COUNTS)


def add_months(d: date, n: int, anchor_day: int | None = None) -> date:
    """The date n months later (earlier if negative), on the anchor's day or the month's last.

    The anchor is the day of the month that is wanted, `d.day` if not given: a series that counts from its
    first date, or carries its anchor along, goes 31 January, 28 February, 31 March.

    Raises:
        InvalidInput: an anchor that is no day of a month, or a result before year 1 or past 2200.
    """
    day = d.day if anchor_day is None else anchor_day
    if not 1 <= day <= 31:
        raise InvalidInput.field("anchor_day", day, "a day from 1 to 31")
    year, month = divmod(12 * d.year + d.month - 1 + n, 12)
    if not 1 <= year <= _LATEST:
        raise InvalidInput.field("months", n, f"a number that leads to a year up to {_LATEST}")
    return date(year, month + 1, min(day, _gregorian.monthrange(year, month + 1)[1]))


def is_business_day(d: date, holidays: Collection[date] = frozenset()) -> bool:
    """Whether a day is neither a Saturday, a Sunday nor a holiday."""
    return d.weekday() < 5 and d not in holidays


def _following(d: date, holidays: Collection[date]) -> date:
    while not is_business_day(d, holidays):
        d += _DAY
    return d


def _preceding(d: date, holidays: Collection[date]) -> date:
    while not is_business_day(d, holidays):
        d -= _DAY
    return d


def _modified_following(d: date, holidays: Collection[date]) -> date:
    later = _following(d, holidays)
    return later if later.month == d.month else _preceding(d, holidays)


def _unadjusted(d: date, _: Collection[date]) -> date:
    return d


_RULES: dict[str, Callable[[date, Collection[date]], date]] = {
    "following": _following,
    "modified_following": _modified_following,
    "preceding": _preceding,
    "unadjusted": _unadjusted,
}
BUSINESS_DAY_RULES = tuple(_RULES)


def business_day(d: date, rule: str, holidays: Collection[date] = frozenset()) -> date:
    """A date moved off weekends and holidays (2006 ISDA Definitions, section 4.12).

    Raises:
        InvalidInput: an unknown rule.
    """
    move = _RULES.get(rule)
    if move is None:
        raise InvalidInput.field("rule", rule, "one of " + ", ".join(BUSINESS_DAY_RULES))
    return move(d, holidays)
