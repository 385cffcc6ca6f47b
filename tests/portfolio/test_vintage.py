"""Vintages count every loan that was disbursed, and every one that ever fell behind."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obligor.kernel import InvalidInput
from obligor.portfolio import LateCount, MonthCount, Vintage, full_months, month_number, vintages

JANUARY = MonthCount("2026-01", 10, 100_000)
FEBRUARY = MonthCount("2026-02", 4, 60_000)


def test_loans_that_fell_behind_stay_counted_out_of_all_that_were_disbursed() -> None:
    late = [
        LateCount("2026-01", 30, 2, 1, 10_000),
        LateCount("2026-01", 30, 3, 2, 25_000),
        LateCount("2026-01", 90, 4, 1, 10_000),
    ]
    newer, older = vintages([JANUARY, FEBRUARY], late, date(2026, 5, 31))
    assert older == Vintage(
        "2026-01", 10, 100_000,
        {30: (0, 0, 1, 3, 3), 90: (0, 0, 0, 0, 1)},
        {30: (0, 0, 10_000, 35_000, 35_000), 90: (0, 0, 0, 0, 10_000)},
    )  # fmt: skip
    assert newer.late == {30: (0, 0, 0, 0), 90: (0, 0, 0, 0)}


def test_a_month_that_has_not_ended_is_not_told_yet() -> None:
    late = [LateCount("2026-01", 30, 2, 1, 10_000)]
    assert vintages([JANUARY], late, date(2026, 3, 30))[0].late[30] == (0, 0)
    assert vintages([JANUARY], late, date(2026, 3, 31))[0].late[30] == (0, 0, 1)
    assert vintages([JANUARY], [], date(2026, 1, 30))[0].late[30] == ()


@pytest.mark.parametrize(
    ("month", "day", "full"),
    [
        ("2026-01", date(2026, 1, 31), 1),
        ("2026-01", date(2026, 1, 30), 0),
        ("2025-12", date(2026, 2, 27), 2),
        ("2024-01", date(2024, 2, 29), 2),
        ("2024-01", date(2024, 2, 28), 1),
        ("2026-05", date(2026, 1, 31), 0),
    ],
)
def test_full_months_are_those_that_have_ended(month: str, day: date, full: int) -> None:
    assert full_months(month, day) == full


@pytest.mark.parametrize("month", ["", "2026", "2026-00", "2026-13", "26-01", "2026-1", "2026/01", "²026-01"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(InvalidInput, match="month"):
        month_number(month)


@pytest.mark.parametrize(
    "late",
    [
        [LateCount("2025-12", 30, 1, 1, 1)],
        [LateCount("2026-01", 60, 1, 1, 1)],
        [LateCount("2026-01", 30, -1, 1, 1)],
        [LateCount("2026-01", 30, 1, 1, 1), LateCount("2026-01", 30, 1, 1, 1)],
    ],
)
def test_counts_that_belong_to_no_loans_are_refused(late: list[LateCount]) -> None:
    with pytest.raises(InvalidInput):
        vintages([JANUARY], late, date(2026, 6, 30))


LOANS = st.lists(
    st.tuples(
        st.integers(0, 500),
        st.integers(1, 10_000),
        st.none() | st.integers(31, 400),
        st.none() | st.integers(60, 400),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40)
@given(LOANS, st.integers(0, 700))
def test_vintages_are_those_that_duckdb_counts(
    loans: list[tuple[int, int, int | None, int | None]], day: int
) -> None:
    """A second implementation over the single loans: each cell by a query of its own dates."""
    start, as_of = date(2025, 1, 10), date(2025, 1, 10) + timedelta(days=day)
    rows = [
        (n, start + timedelta(days=at), amount, over, start + timedelta(days=at + after))
        for n, (at, amount, *afters) in enumerate(loans)
        for over, after in zip((30, 90), afters, strict=True)
        if after is not None
    ]
    lent = [(n, start + timedelta(days=at), amount) for n, (at, amount, _, _) in enumerate(loans)]
    months: dict[str, list[int]] = {}
    for _, on, amount in lent:
        found = months.setdefault(f"{on:%Y-%m}", [0, 0])
        found[0] += 1
        found[1] += amount
    late: dict[tuple[str, int, int], list[int]] = {}
    for _, on, amount, over, first in rows:
        number = 12 * (first.year - on.year) + first.month - on.month
        cell = late.setdefault((f"{on:%Y-%m}", over, number), [0, 0])
        cell[0] += 1
        cell[1] += amount
    counted = vintages(
        [MonthCount(month, *sums) for month, sums in months.items()],
        [LateCount(*key, *sums) for key, sums in late.items()],
        as_of,
    )
    with duckdb.connect() as db:
        db.execute("CREATE TABLE lent (loan INT, lent_on DATE, amount INT)")
        db.execute("CREATE TABLE late (loan INT, over_days INT, first_on DATE)")
        db.executemany("INSERT INTO lent VALUES (?, ?, ?)", lent)
        if rows:
            db.executemany(
                "INSERT INTO late VALUES (?, ?, ?)", [(n, over, first) for n, _, _, over, first in rows]
            )
        cells = db.execute(
            "SELECT strftime(lent_on, '%Y-%m') AS month, days, step,"
            " COUNT(*) FILTER (WHERE first_on <= month_end) AS loans,"
            " COALESCE(SUM(amount) FILTER (WHERE first_on <= month_end), 0) AS amount"
            " FROM (SELECT *, last_day(date_trunc('month', lent_on) + to_months(step::INT)) AS month_end"
            "       FROM lent, range(0, 30) AS r(step), (VALUES (30), (90)) AS d(days)"
            "       WHERE last_day(date_trunc('month', lent_on) + to_months(step::INT)) <= ?) AS cells"
            " LEFT JOIN late ON late.loan = cells.loan AND late.over_days = cells.days"
            " GROUP BY ALL ORDER BY ALL",
            [as_of],
        ).fetchall()
    told = [
        (one.month, days, step, one.late[days][step], one.late_minor[days][step])
        for one in counted
        for days in (30, 90)
        for step in range(min(30, len(one.late[days])))
    ]
    assert sorted(told) == sorted(cells)
    assert sum(one.loans for one in counted) == len(loans)
