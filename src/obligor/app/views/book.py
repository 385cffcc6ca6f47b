"""Loans, and applications on their way to become one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta

from obligor.app.views.common import Choices, EventRow, View
from obligor.app.views.decisions import DecisionRow, Offer, Override, Points, Reserved

__all__ = [
    "Application",
    "DpdPoint",
    "Funds",
    "InstalmentRow",
    "Loan",
    "LoanFilters",
    "LoanRow",
    "LoanSum",
    "Loans",
    "Place",
    "PostingGroup",
    "PostingRow",
    "Share",
]


class LoanFilters(View, frozen=True, kw_only=True):
    """Every field narrows. `state` is current, 1-30, 31-60, 61-90, 90+, written_off or closed.

    `month` is the month of disbursement, "2026-01"; the days bound the date of disbursement, both inclusive.
    `over` keeps loans that were ever more than 30 or 90 days past due, with `mob` those that were by the end
    of that month on book; `mob` alone means over 30. The scores bound that of the first decision, both
    inclusive.
    """

    state: str | None = None
    product: str | None = None
    partner: str | None = None
    month: str | None = None
    day_from: date | None = None
    day_to: date | None = None
    person: str | None = None
    over: Literal[30, 90] | None = None
    mob: Annotated[int, Meta(ge=0, le=1200)] | None = None
    score_from: Points | None = None
    score_to: Points | None = None


class LoanRow(View, frozen=True, kw_only=True):
    """A loan in a line, as of the latest day that the journal knows. `state` as in `LoanFilters`."""

    loan_id: str
    application_id: str
    person_id: str
    product: str
    currency: str
    disbursed_on: date
    amount_minor: int
    outstanding_minor: int
    arrears_minor: int
    days_past_due: int
    state: str
    five_tier: str | None = None
    ifrs9_stage: int | None = None


class LoanSum(View, frozen=True, kw_only=True):
    """Loans of one state."""

    state: str
    count: int
    disbursed_minor: int
    outstanding_minor: int
    arrears_minor: int


class Loans(View, frozen=True, kw_only=True):
    """Loans, latest disbursed first, at most 50; sums and `total` are over the whole filter."""

    filters: LoanFilters
    rows: tuple[LoanRow, ...]
    total: int
    next: str | None = None
    states: tuple[LoanSum, ...] = ()
    choices: Choices = Choices()


class Share(View, frozen=True, kw_only=True):
    """A lender's part of a joint loan."""

    partner: str
    share_bp: int


class InstalmentRow(View, frozen=True, kw_only=True):
    """A line of the schedule. `state` is paid, part (paid in part, not past due), past_due or not_due.

    `paid_on` is the value date of the payment that completed it, or of the last part. `days_late` counts from
    the due date to that day, or to the day of the page while it is open; None before it is due.
    """

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int
    paid_minor: int
    open_minor: int
    state: str
    paid_on: date | None = None
    days_late: int | None = None


class PostingRow(View, frozen=True, kw_only=True):
    """A line of a posting: positive is debit, negative is credit. `partner` is None for our own part."""

    account: str
    amount_minor: int
    partner: str | None = None


class PostingGroup(View, frozen=True, kw_only=True):
    """What one event posted; the lines sum to zero."""

    event_id: str
    known_seq: int
    type: str
    on: date
    lines: tuple[PostingRow, ...]


class DpdPoint(View, frozen=True, kw_only=True):
    """The end of a day on which something happened: days past due, and the outstanding principal.

    Between two points the principal stays, and days past due grow by one a day once anything is overdue.
    """

    on: date
    days_past_due: int
    principal_minor: int


class Place(View, frozen=True, kw_only=True):
    """Where loan money is. `kind` is sunk (reached a named counterparty), held (still in an account that we
    see) or exit (left our sight). `label_*` names the class of the counterparty.
    """

    kind: str
    name: str
    amount_minor: int
    counterparty_class: str | None = None
    label_en: str = ""
    label_zh: str = ""
    prohibited: bool = False


class Funds(View, frozen=True, kw_only=True):
    """The traced money of a loan, first in first out: disbursed = sunk + held + exit, to the minor unit."""

    disbursed_minor: int
    sunk_minor: int
    held_minor: int
    exit_minor: int
    places: tuple[Place, ...] = ()


class Loan(LoanRow, frozen=True, kw_only=True):
    """A loan as it stood at the end of the day `on`, by the events known now.

    `dpd_known` is what the days past due were by the events known on that day, where that differs. `status`
    is open, closed or written_off. `instalment_minor` is the regular one. Postings and events newest first.
    """

    on: date
    status: str
    rate_bp: int
    term_months: int
    day_count: str
    instalment_minor: int
    principal_minor: int
    interest_minor: int
    fee_minor: int
    repaid_minor: int
    recovered_minor: int = 0
    written_off_minor: int = 0
    dpd_known: int | None = None
    non_performing: bool | None = None
    class_since: date | None = None
    decision_id: str | None = None
    purpose: str | None = None
    payment_mode: str | None = None
    shares: tuple[Share, ...] = ()
    schedule: tuple[InstalmentRow, ...] = ()
    path: tuple[DpdPoint, ...] = ()
    postings: tuple[PostingGroup, ...] = ()
    postings_count: int = 0
    events: tuple[EventRow, ...] = ()
    events_count: int = 0
    funds: Funds | None = None
    alerts: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()


class Application(View, frozen=True, kw_only=True):
    """An application and what became of it. `status` is needs, decided, offered, accepted, signed or drawn.

    `needs` names the sources that are waited for. Decisions and events newest first.
    """

    application_id: str
    person_id: str
    status: str
    received_at: datetime
    product: str
    channel: str
    amount_minor: int
    currency: str
    term_months: int
    purpose: str | None = None
    needs: tuple[str, ...] = ()
    decisions: tuple[DecisionRow, ...] = ()
    override: Override | None = None
    offer: Offer | None = None
    contract_id: str | None = None
    reserved: Reserved | None = None
    drawn_minor: int = 0
    loans: tuple[LoanRow, ...] = ()
    events: tuple[EventRow, ...] = ()
    erased: tuple[str, ...] = ()
