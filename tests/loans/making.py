"""Loans and events for tests: a life is a list of events, folded as it grows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from obligor.events import Instalment, LoanDisbursed, PartnerShare
from obligor.kernel import Body, Event
from obligor.loans import Loan, Product, apply, disburse, product

AT = datetime(2024, 1, 1, tzinfo=UTC)


def event(
    body: Body, seq: int, stream: str = "loan/l-1", replaces: str | None = None, at: datetime = AT
) -> Event:
    return Event(
        id=f"event-{seq}",
        tenant="t",
        stream=stream,
        stream_version=seq + 1,
        subjects=("p-1",),
        type=body.TYPE,
        schema=body.SCHEMA,
        at=at,
        recorded_at=at,
        known_seq=seq,
        source="test",
        source_ref=None,
        actor="test",
        cause=None,
        replaces=replaces,
        body=body,
    )


def money_out(
    terms: Product | str = "instalment",
    amount_minor: int = 1_200_000,
    *,
    rate_bp: int = 1200,
    term_months: int = 12,
    on: date = date(2024, 1, 15),
    **more: Any,
) -> LoanDisbursed:
    found = product(terms) if isinstance(terms, str) else terms
    return disburse(
        found,
        loan_id="l-1",
        application_id="a-1",
        person_id="p-1",
        amount_minor=amount_minor,
        currency=found.currency or "CNY",
        rate_bp=rate_bp,
        term_months=term_months,
        disbursed_on=on,
        **more,
    )


def by_hand(
    lines: list[tuple[date, int, int]], on: date, *, rate_bp: int = 0, currency: str = "EUR", **more: Any
) -> LoanDisbursed:
    """A disbursement under a schedule of (due date, principal, interest)."""
    return LoanDisbursed(
        loan_id="l-1",
        application_id="a-1",
        person_id="p-1",
        product="instalment",
        amount_minor=sum(principal for _, principal, _ in lines),
        currency=currency,
        rate_bp=rate_bp,
        term_months=len(lines),
        day_count="30/360",
        disbursed_on=on,
        schedule=tuple(
            Instalment(number=number, due_on=due, principal_minor=principal, interest_minor=interest)
            for number, (due, principal, interest) in enumerate(lines, start=1)
        ),
        caps=(),
        **more,
    )


JOINT = (
    PartnerShare(partner="ours", share_bp=3000),
    PartnerShare(partner="bank-a", share_bp=3333),
    PartnerShare(partner="bank-b", share_bp=3667),
)


class Life:
    """A loan and everything that happened to it."""

    def __init__(self, begin: LoanDisbursed) -> None:
        self.events: list[Event] = []
        self.loan: Loan = None  # type: ignore[assignment]
        self.add(begin)

    def add(self, body: Body | None, replaces: str | None = None) -> Event:
        assert body is not None
        found = event(body, len(self.events), replaces=replaces)
        self.loan = apply(self.loan, found)
        self.events.append(found)
        return found
