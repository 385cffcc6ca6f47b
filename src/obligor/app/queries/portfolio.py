"""The book as a whole: the way from application to loan, vintages, score bands."""

from __future__ import annotations

from datetime import date, timedelta

from obligor import portfolio
from obligor.app.queries.common import Books
from obligor.app.views import Book, Funnel, ScoreBand, VintageRow
from obligor.portfolio import LateCount, MonthCount, ScoreCount

__all__ = ["OBSERVED_MONTHS", "book"]

# How long a loan is watched before it is called bad or not, in months on book.
OBSERVED_MONTHS = 12
BAD_DAYS = 90
OUTCOMES = ("approve", "refer", "decline")


def book(books: Books, as_of: date | None) -> Book:
    """The book at the end of a day, or of the day that the books have reached."""
    day = as_of or books.today()
    observed_to = _observed_to(day)
    return Book(
        as_of=day,
        funnel=_funnel(books, day),
        vintages=_vintages(books, day),
        bands=_bands(books, day, observed_to),
        observed_to=observed_to,
    )


def _observed_to(day: date) -> date:
    """The last day of the latest month whose loans have been on book for the months they are watched."""
    over = (day + timedelta(days=1)).day == 1
    number = 12 * day.year + day.month - 1 + over - OBSERVED_MONTHS
    return date(number // 12, number % 12 + 1, 1) - timedelta(days=1)


def _funnel(books: Books, day: date) -> Funnel:
    until = day.isoformat()
    received = books.rows(
        "SELECT COUNT(*) AS count, COALESCE(SUM(amount_minor), 0) AS asked FROM p_decision_application"
        " WHERE tenant = ? AND day <= ?",
        until,
    )[0]
    found = books.rows(
        "SELECT outcome, COUNT(DISTINCT application_id) AS count FROM p_decision"
        " WHERE tenant = ? AND stage = 'prelend' AND day <= ? GROUP BY outcome",
        until,
    )
    outcomes = {row["outcome"]: row["count"] for row in found}
    decided = books.rows(
        "SELECT COUNT(DISTINCT application_id) AS count FROM p_decision"
        " WHERE tenant = ? AND stage = 'prelend' AND day <= ?",
        until,
    )[0]
    signed = books.rows("SELECT COUNT(*) AS count FROM p_book_contract WHERE tenant = ? AND day <= ?", until)[
        0
    ]
    lent = books.rows(
        "SELECT COUNT(DISTINCT application_id) AS drawn, COUNT(*) AS loans,"
        " COALESCE(SUM(amount_minor), 0) AS disbursed FROM p_loan WHERE tenant = ? AND disbursed_on <= ?",
        until,
    )[0]
    approved, referred, declined = (outcomes.get(name, 0) for name in OUTCOMES)
    return Funnel(
        applications=received["count"],
        asked_minor=received["asked"],
        decided=decided["count"],
        approved=approved,
        referred=referred,
        declined=declined,
        contracts=signed["count"],
        drawn=lent["drawn"],
        loans=lent["loans"],
        disbursed_minor=lent["disbursed"],
    )


def _vintages(books: Books, day: date) -> tuple[VintageRow, ...]:
    until = day.isoformat()
    months = books.rows(
        "SELECT substr(disbursed_on, 1, 7) AS month, COUNT(*) AS loans, SUM(amount_minor) AS amount"
        " FROM p_loan WHERE tenant = ? AND disbursed_on <= ? GROUP BY month",
        until,
    )
    late = books.rows(
        "SELECT substr(l.disbursed_on, 1, 7) AS month, b.over_days, b.month_on_book, COUNT(*) AS loans,"
        " SUM(l.amount_minor) AS amount FROM p_book_late AS b JOIN p_loan AS l"
        " ON l.tenant = b.tenant AND l.loan_id = b.loan_id"
        " WHERE b.tenant = ? AND b.first_on <= ? AND l.disbursed_on <= ?"
        " GROUP BY month, b.over_days, b.month_on_book",
        until,
        until,
    )
    found = portfolio.vintages(
        (MonthCount(row["month"], row["loans"], int(row["amount"])) for row in months),
        (
            LateCount(row["month"], row["over_days"], row["month_on_book"], row["loans"], int(row["amount"]))
            for row in late
        ),
        day,
    )
    return tuple(
        VintageRow(
            month=one.month,
            loans=one.loans,
            disbursed_minor=one.amount_minor,
            late_30=one.late[30],
            late_90=one.late[90],
        )
        for one in found
    )


def _bands(books: Books, day: date, observed_to: date) -> tuple[ScoreBand, ...]:
    rows = books.reader.query(
        "SELECT d.score AS score, d.outcome AS outcome, COUNT(DISTINCT d.decision_id) AS decided,"
        " COUNT(l.loan_id) AS observed, COUNT(b.loan_id) AS bad"
        " FROM p_decision AS d LEFT JOIN p_loan AS l ON l.tenant = d.tenant"
        " AND l.application_id = d.application_id AND l.disbursed_on <= :observed_to"
        " LEFT JOIN p_book_late AS b ON b.tenant = l.tenant AND b.loan_id = l.loan_id"
        " AND b.over_days = :bad_days AND b.month_on_book <= :months"
        " WHERE d.tenant = :tenant AND d.stage = 'prelend' AND d.day <= :day AND d.score IS NOT NULL"
        " GROUP BY d.score, d.outcome",
        {
            "tenant": books.tenant,
            "day": day.isoformat(),
            "observed_to": observed_to.isoformat(),
            "bad_days": BAD_DAYS,
            "months": OBSERVED_MONTHS,
        },
    )
    counts = (
        ScoreCount(row["score"], row["outcome"], row["decided"], row["observed"], row["bad"]) for row in rows
    )
    return tuple(
        ScoreBand(
            low=one.low,
            high=one.high,
            decided=one.decided,
            approved=one.approved,
            referred=one.referred,
            declined=one.declined,
            observed=one.observed,
            bad=one.bad,
        )
        for one in portfolio.score_bands(counts)
    )
