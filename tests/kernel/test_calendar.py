"""Months that end, days on which nobody works, and periods that have no length."""

from datetime import date

import pytest

from obligor.kernel import (
    DAY_COUNTS,
    InvalidInput,
    add_months,
    business_day,
    day_fraction,
    days_between,
    is_business_day,
)

NEW_YEAR = frozenset({date(2026, 1, 1), date(2026, 1, 2)})


def test_a_series_that_counts_from_its_first_date_keeps_the_months_end() -> None:
    first = date(2025, 12, 31)
    dates = [add_months(first, n) for n in range(5)]
    assert [d.day for d in dates] == [31, 31, 28, 31, 30]
    assert dates[1].year == 2026


def test_an_anchor_is_found_again_after_a_short_month() -> None:
    d = date(2026, 1, 31)
    seen = []
    for _ in range(3):
        d = add_months(d, 1, anchor_day=31)
        seen.append(d)
    assert seen == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]
    assert add_months(date(2026, 2, 28), 1) == date(2026, 3, 28), "without its anchor the month's end is lost"


@pytest.mark.parametrize(
    ("d", "n", "later"),
    [
        (date(2024, 1, 30), 1, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -13, date(2024, 12, 15)),
        (date(2026, 5, 5), 0, date(2026, 5, 5)),
    ],
)
def test_months_are_added_and_taken(d: date, n: int, later: date) -> None:
    assert add_months(d, n) == later


@pytest.mark.parametrize(("n", "anchor"), [(1, 0), (1, 32), (12 * 200, None), (-12 * 2026, None)])
def test_a_month_that_cannot_be_is_refused(n: int, anchor: int | None) -> None:
    with pytest.raises(InvalidInput):
        add_months(date(2026, 1, 31), n, anchor)


def test_weekends_and_holidays_are_no_business_days() -> None:
    assert is_business_day(date(2026, 1, 5))
    assert not is_business_day(date(2026, 1, 3))
    assert not is_business_day(date(2026, 1, 1), NEW_YEAR)


@pytest.mark.parametrize(
    ("d", "rule", "moved"),
    [
        (date(2026, 1, 1), "following", date(2026, 1, 5)),
        (date(2026, 1, 1), "preceding", date(2025, 12, 31)),
        (date(2026, 1, 1), "modified_following", date(2026, 1, 5)),
        (date(2026, 1, 1), "unadjusted", date(2026, 1, 1)),
        (date(2026, 1, 31), "following", date(2026, 2, 2)),
        (date(2026, 1, 31), "modified_following", date(2026, 1, 30)),
        (date(2026, 5, 31), "modified_following", date(2026, 5, 29)),
        (date(2026, 1, 7), "following", date(2026, 1, 7)),
        (date(2026, 1, 7), "modified_following", date(2026, 1, 7)),
    ],
)
def test_business_day_rules_move_a_date(d: date, rule: str, moved: date) -> None:
    assert business_day(d, rule, NEW_YEAR) == moved


def test_unknown_rules_and_conventions_are_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput) as refusal:
        business_day(date(2026, 1, 1), "nearest")
    assert "modified_following" in refusal.value.violations[0].accepted
    with pytest.raises(InvalidInput) as refusal:
        day_fraction(date(2026, 1, 1), date(2026, 2, 1), "30/365")
    assert "30E/360" in refusal.value.violations[0].accepted


@pytest.mark.parametrize("convention", DAY_COUNTS)
def test_a_period_without_days_is_nothing_and_one_that_runs_back_is_refused(convention: str) -> None:
    numerator, denominator = day_fraction(date(2026, 2, 28), date(2026, 2, 28), convention)
    assert numerator == 0
    assert denominator > 0
    with pytest.raises(InvalidInput):
        day_fraction(date(2026, 2, 28), date(2026, 2, 27), convention)


def test_days_between_dates_have_a_sign() -> None:
    assert days_between(date(2024, 2, 28), date(2024, 3, 1)) == 2
    assert days_between(date(2024, 3, 1), date(2024, 2, 28)) == -2
