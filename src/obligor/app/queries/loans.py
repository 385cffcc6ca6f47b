"""Questions about loans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import groupby, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from obligor.app.proposal import fold
from obligor.app.queries.common import PAGE, Books, after_of, cursor_of, event_row
from obligor.app.views import (
    Choices,
    DpdPoint,
    Funds,
    InstalmentRow,
    Loan,
    LoanFilters,
    LoanRow,
    Loans,
    LoanSum,
    PostingGroup,
    PostingRow,
    Share,
)
from obligor.kernel import Event
from obligor.loans import Loan as LoanState

__all__ = ["STATE", "FundsOf", "day_values", "listing", "loan", "row_of"]

FundsOf = Callable[[str], Funds | None]
EVENTS_MOST = 200
POSTINGS_MOST = 60
# The state of a loan on a day, from its row. Due is strictly before the day it is past.
DPD = "CASE WHEN oldest_due_day < :ordinal THEN :ordinal - oldest_due_day ELSE 0 END"
STATE = (
    "CASE status WHEN 'closed' THEN 'closed' WHEN 'written_off' THEN 'written_off' ELSE"
    f" CASE WHEN {DPD} = 0 THEN 'current' WHEN {DPD} <= 30 THEN '1-30' WHEN {DPD} <= 60 THEN '31-60'"
    f" WHEN {DPD} <= 90 THEN '61-90' ELSE '90+' END END"
)
ARREARS = (
    f"CASE WHEN {DPD} > 0 THEN COALESCE((SELECT MAX(owed_minor) - paid_minor FROM p_loan_due AS due"
    " WHERE due.tenant = p_loan.tenant AND due.loan_id = p_loan.loan_id AND due.due_on <= :day"
    " AND owed_minor > paid_minor), 0) ELSE 0 END"
)
LATE = (
    "EXISTS (SELECT 1 FROM p_book_late AS late WHERE late.tenant = p_loan.tenant"
    " AND late.loan_id = p_loan.loan_id AND late.over_days = :over {by})"
)
SCORED = (
    "EXISTS (SELECT 1 FROM p_decision AS first WHERE first.tenant = p_loan.tenant"
    " AND first.application_id = p_loan.application_id AND first.stage = 'prelend' AND first.score {bound})"
)
STATES = ("current", "1-30", "31-60", "61-90", "90+", "written_off", "closed")


def listing(books: Books, filters: LoanFilters, after: str | None) -> Loans:
    """Loans, latest disbursed first, with sums over the whole filter."""
    day = books.today()
    conditions, values = _conditions(books.tenant, filters, day)
    base = (
        f"SELECT *, {STATE} AS state, {DPD} AS days_past_due, {ARREARS} AS arrears_minor FROM p_loan"
        f" WHERE {conditions}"
    )
    sums = books.reader.query(
        "SELECT state, COUNT(*) AS count, SUM(amount_minor) AS disbursed,"
        " SUM(principal_minor) AS outstanding,"
        f" SUM(arrears_minor) AS arrears FROM ({base}) AS found GROUP BY state",
        values,
    )
    page = base
    if after:
        on, name = after_of(after, tuple[str, str])
        page += " AND (disbursed_on, loan_id) < (:after_on, :after_name)"
        values = values | {"after_on": on, "after_name": name}
    rows = books.reader.query(f"{page} ORDER BY disbursed_on DESC, loan_id DESC LIMIT {PAGE + 1}", values)
    more = len(rows) > PAGE
    shown = rows[:PAGE]
    by_state = {row["state"]: row for row in sums}
    return Loans(
        filters=filters,
        rows=tuple(_row(row) for row in shown),
        total=sum(row["count"] for row in sums),
        next=cursor_of((shown[-1]["disbursed_on"], shown[-1]["loan_id"])) if more else None,
        states=tuple(
            LoanSum(
                state=state,
                count=by_state[state]["count"],
                disbursed_minor=by_state[state]["disbursed"] or 0,
                outstanding_minor=by_state[state]["outstanding"] or 0,
                arrears_minor=by_state[state]["arrears"] or 0,
            )
            for state in STATES
            if state in by_state
        ),
        choices=Choices(
            products=_distinct(books, "product"),
            partners=_distinct(books, "partner"),
        ),
    )


def row_of(books: Books, loan_id: str) -> LoanRow | None:
    """A loan's line, or None."""
    values = {"tenant": books.tenant, **day_values(books.today()), "loan": loan_id}
    found = books.reader.query(
        f"SELECT *, {STATE} AS state, {DPD} AS days_past_due, {ARREARS} AS arrears_minor FROM p_loan"
        " WHERE tenant = :tenant AND loan_id = :loan",
        values,
    )
    return _row(found[0]) if found else None


def loan(books: Books, loan_id: str, on: date | None, funds_of: FundsOf) -> Loan:
    """One loan at the end of a day, by the events known now."""
    events = books.stream(f"loan/{loan_id}")
    day = on or books.today()
    state: LoanState = fold(events)
    owed = state.outstanding(day)
    classed = state.classification
    body = state.terms.disbursed
    status = state.status
    days_past_due = state.days_past_due(day)
    postings, count = _postings(books, loan_id)
    application, _ = books.application(state.application_id)
    drawdown = application.loan(loan_id)
    return Loan(
        loan_id=loan_id,
        application_id=state.application_id,
        person_id=state.person_id,
        product=state.product,
        currency=state.currency,
        disbursed_on=state.disbursed_on,
        amount_minor=state.amount_minor,
        outstanding_minor=owed.principal_minor,
        arrears_minor=state.arrears_minor(day),
        days_past_due=days_past_due,
        state=_state(status, days_past_due),
        five_tier=classed.five_tier if classed else "normal",
        ifrs9_stage=classed.ifrs9_stage if classed else 1,
        on=day,
        status=status,
        rate_bp=state.rate_bp,
        term_months=body.term_months,
        day_count=body.day_count,
        instalment_minor=state.schedule[0].principal_minor + state.schedule[0].interest_minor,
        principal_minor=owed.principal_minor,
        interest_minor=owed.interest_minor,
        fee_minor=owed.fee_minor,
        repaid_minor=state.repaid_minor,
        recovered_minor=state.recovered_minor,
        written_off_minor=state.written_off_minor,
        dpd_known=_as_known(books, events, day, days_past_due),
        non_performing=classed.non_performing if classed else False,
        class_since=classed.on if classed else None,
        decision_id=application.decision_id,
        purpose=application.purpose,
        payment_mode=_payment_mode(books, loan_id) if drawdown else None,
        shares=tuple(Share(partner=s.partner, share_bp=s.share_bp) for s in state.shares),
        schedule=_schedule(state, day),
        path=_path(state, day),
        postings=postings,
        postings_count=count,
        events=tuple(event_row(event) for event in reversed(events[-EVENTS_MOST:])),
        events_count=len(events),
        funds=funds_of(loan_id),
        alerts=tuple(
            row["alert_id"]
            for row in books.rows(
                "SELECT alert_id FROM p_alert WHERE tenant = ? AND loan_id = ? ORDER BY known_seq DESC",
                loan_id,
            )
        ),
        erased=tuple(sorted({name for event in events for name in event.erased})),
    )


def _conditions(tenant: str, filters: LoanFilters, day: date) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"tenant": tenant, **day_values(day)}
    parts = ["tenant = :tenant"]
    mob = filters.mob
    # Late by a month on book, and no word how late: late enough to count at all.
    over = filters.over or (None if mob is None else 30)
    for name, condition, value in (
        ("product", "product = :product", filters.product),
        ("partner", "partner = :partner", filters.partner),
        ("month", "substr(disbursed_on, 1, 7) = :month", filters.month),
        ("day_from", "disbursed_on >= :day_from", filters.day_from and filters.day_from.isoformat()),
        ("day_to", "disbursed_on <= :day_to", filters.day_to and filters.day_to.isoformat()),
        ("person", "person_id = :person", filters.person),
        ("state", f"{STATE} = :state", filters.state),
        ("over", LATE.format(by="AND late.month_on_book <= :mob" if mob is not None else ""), over),
        ("score_from", SCORED.format(bound=">= :score_from"), filters.score_from),
        ("score_to", SCORED.format(bound="<= :score_to"), filters.score_to),
    ):
        if value is not None:
            parts.append(condition)
            values[name] = value
    if mob is not None:
        values["mob"] = mob
    return " AND ".join(parts), values


def day_values(day: date) -> dict[str, Any]:
    """What DPD, STATE and ARREARS have to know of the day they look from."""
    return {"day": day.isoformat(), "ordinal": day.toordinal()}


def _row(row: dict[str, Any]) -> LoanRow:
    return LoanRow(
        loan_id=row["loan_id"],
        application_id=row["application_id"],
        person_id=row["person_id"],
        product=row["product"],
        currency=row["currency"],
        disbursed_on=date.fromisoformat(row["disbursed_on"]),
        amount_minor=row["amount_minor"],
        outstanding_minor=row["principal_minor"],
        arrears_minor=row["arrears_minor"],
        days_past_due=row["days_past_due"],
        state=row["state"],
        five_tier=row["five_tier"],
        ifrs9_stage=row["ifrs9_stage"],
    )


def _state(status: str, days_past_due: int) -> str:
    if status != "open":
        return status
    for most, name in ((0, "current"), (30, "1-30"), (60, "31-60"), (90, "61-90")):
        if days_past_due <= most:
            return name
    return "90+"


def _distinct(books: Books, column: str) -> tuple[str, ...]:
    rows = books.rows(
        f"SELECT DISTINCT {column} AS value FROM p_loan WHERE tenant = ? AND {column} IS NOT NULL ORDER BY 1"
    )
    return tuple(row["value"] for row in rows)


def _as_known(books: Books, events: list[Event], day: date, restated: int) -> int | None:
    """Days past due by what had been recorded when the day ended, where that is another number."""
    zone = ZoneInfo(books.means.settings.zone)
    # In the order in which they were learned: nothing was known before what came before it.
    known = list(takewhile(lambda event: event.at.astimezone(zone).date() <= day, events))
    if len(known) in (0, len(events)):
        return None
    then: int = fold(known).days_past_due(day)
    return then if then != restated else None


def _schedule(state: LoanState, day: date) -> tuple[InstalmentRow, ...]:
    return tuple(InstalmentRow(**msgspec.structs.asdict(standing)) for standing in state.instalments(day))


def _path(state: LoanState, day: date) -> tuple[DpdPoint, ...]:
    """Days past due and principal at every day on which either can turn: due dates, payments, the end."""
    days = {state.disbursed_on, day}
    for line in state.schedule:
        days |= {line.due_on, date.fromordinal(line.due_on.toordinal() + 1)}
    days |= {payment.value_on for payment in state.payments}
    points: list[DpdPoint] = []
    for on in sorted(d for d in days if state.disbursed_on <= d <= day):
        principal = state.outstanding(on).principal_minor
        points.append(DpdPoint(on=on, days_past_due=state.days_past_due(on), principal_minor=principal))
    return tuple(points)


def _postings(books: Books, loan_id: str) -> tuple[tuple[PostingGroup, ...], int]:
    rows = books.rows(
        "SELECT * FROM p_loan_posting WHERE tenant = ? AND loan_id = ? ORDER BY known_seq DESC, line", loan_id
    )
    groups = [
        PostingGroup(
            event_id=lines[0]["event_id"],
            known_seq=known_seq,
            type=lines[0]["type"],
            on=date.fromisoformat(lines[0]["posted_on"]),
            lines=tuple(
                PostingRow(
                    account=line["account"], amount_minor=line["amount_minor"], partner=line["partner"]
                )
                for line in lines
            ),
        )
        for known_seq, found in groupby(rows, key=lambda row: int(row["known_seq"]))
        if (lines := list(found))
    ]
    return tuple(groups[:POSTINGS_MOST]), len(groups)


def _payment_mode(books: Books, loan_id: str) -> str | None:
    row = books.one("SELECT event_id FROM p_decision WHERE tenant = ? AND loan_id = ?", loan_id)
    return books.event(row["event_id"]).body.payment_mode if row else None
