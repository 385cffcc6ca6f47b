"""A loan: what its events add up to.

The state is a value; an event makes a new one and copies no schedule.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from itertools import accumulate
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import replace

from obligor.events import (
    Allocation,
    ClassChanged,
    FeeCharged,
    Instalment,
    LoanClosed,
    LoanDisbursed,
    LoanWrittenOff,
    PartnerShare,
    RecoveryReceived,
    RepaymentReceived,
    RepaymentReversed,
)
from obligor.kernel import Event, InvariantBroken
from obligor.loans import interest, overdue
from obligor.loans.interest import Outstanding
from obligor.loans.overdue import InstalmentStanding

__all__ = ["Charge", "Classification", "Loan", "Payment", "Recovery", "Terms", "apply"]


class Terms(msgspec.Struct, frozen=True):
    """What was agreed, with running sums of the schedule: `owed_minor[k]` is due by instalment k in all."""

    disbursed: LoanDisbursed
    due_on: tuple[date, ...]
    owed_minor: tuple[int, ...]
    principal_owed_minor: tuple[int, ...]
    interest_owed_minor: tuple[int, ...]


class Payment(msgspec.Struct, frozen=True):
    """A repayment that stands: the event that told of it, its value date, and where it went."""

    event_id: str
    value_on: date
    allocation: Allocation


class Charge(msgspec.Struct, frozen=True):
    """A fee, due on the day it was charged."""

    on: date
    amount_minor: int
    kind: str


class Recovery(msgspec.Struct, frozen=True):
    """Money that came in on a written-off claim, and what its collection cost."""

    value_on: date
    amount_minor: int
    cost_minor: int


class Classification(msgspec.Struct, frozen=True):
    """The loan's last class, since when it holds, and whether it counts as non-performing."""

    on: date
    five_tier: str
    ifrs9_stage: int
    non_performing: bool


class Loan(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a loan after some of its events.

    Fold the events that were known on a day (`known_seq` below some number) and the answers are as known
    then; fold all of them and they are as restated. Methods that take a date count what has a value date up
    to and including it: they speak of the end of that day. Amounts are in minor units of the loan's
    currency.
    """

    terms: Terms
    booked_on: date
    payments: tuple[Payment, ...] = ()
    charges: tuple[Charge, ...] = ()
    recoveries: tuple[Recovery, ...] = ()
    principal_paid_minor: int = 0
    interest_paid_minor: int = 0
    fee_paid_minor: int = 0
    fee_charged_minor: int = 0
    excess_minor: int = 0
    loss: LoanWrittenOff | None = None
    classification: Classification | None = None
    closed_on: date | None = None
    closed_why: str | None = None

    @property
    def loan_id(self) -> str:
        """The loan's id."""
        return self.terms.disbursed.loan_id

    @property
    def application_id(self) -> str:
        """The application it came from."""
        return self.terms.disbursed.application_id

    @property
    def person_id(self) -> str:
        """The borrower."""
        return self.terms.disbursed.person_id

    @property
    def product(self) -> str:
        """The product's name."""
        return self.terms.disbursed.product

    @property
    def amount_minor(self) -> int:
        """What was lent."""
        return self.terms.disbursed.amount_minor

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.terms.disbursed.currency

    @property
    def rate_bp(self) -> int:
        """The nominal rate in basis points a year."""
        return self.terms.disbursed.rate_bp

    @property
    def disbursed_on(self) -> date:
        """The day the money went out."""
        return self.terms.disbursed.disbursed_on

    @property
    def schedule(self) -> tuple[Instalment, ...]:
        """What is due when."""
        return self.terms.disbursed.schedule

    @property
    def shares(self) -> tuple[PartnerShare, ...]:
        """The lenders of a joint loan; empty where it is all ours."""
        return self.terms.disbursed.shares

    @property
    def caps(self) -> tuple[str, ...]:
        """The caps that the loan counts under."""
        return self.terms.disbursed.caps

    @property
    def written_off(self) -> bool:
        """Whether the claim is off the book."""
        return self.loss is not None

    @property
    def status(self) -> str:
        """`open`, `written_off` or `closed`."""
        if self.closed_on is not None:
            return "closed"
        return "open" if self.loss is None else "written_off"

    @property
    def principal_left_minor(self) -> int:
        """Principal that no payment known has repaid, on the book or written off."""
        return self.amount_minor - self.principal_paid_minor

    @property
    def fee_left_minor(self) -> int:
        """Fees charged and not paid."""
        return self.fee_charged_minor - self.fee_paid_minor

    @property
    def repaid_minor(self) -> int:
        """All that was paid and applied; excess is not in it."""
        return self.principal_paid_minor + self.interest_paid_minor + self.fee_paid_minor

    @property
    def written_off_minor(self) -> int:
        """The claim at its write-off: principal, interest and fees; 0 where it was not written off."""
        loss = self.loss
        return 0 if loss is None else loss.principal_minor + loss.interest_minor + loss.fee_minor

    @property
    def recovered_minor(self) -> int:
        """What came in on the written-off claim, costs of collection not taken off."""
        return sum(recovery.amount_minor for recovery in self.recoveries)

    def paid_by(self, on: date) -> tuple[int, int, int]:
        """Principal, interest and fees paid by payments with a value date up to a day."""
        payments = self.payments
        if not payments or payments[-1].value_on <= on:
            return self.principal_paid_minor, self.interest_paid_minor, self.fee_paid_minor
        principal = interest_paid = fee = 0
        for payment in payments:
            if payment.value_on > on:
                break
            part = payment.allocation
            principal += part.principal_minor
            interest_paid += part.interest_minor
            fee += part.fee_minor
        return principal, interest_paid, fee

    def days_past_due(self, on: date, *, fees: bool = False) -> int:
        """See `obligor.loans.overdue.days_past_due`."""
        return overdue.days_past_due(self, on, fees=fees)

    def worst_days_past_due(self, first: date, last: date) -> int:
        """See `obligor.loans.overdue.worst_days_past_due`."""
        return overdue.worst_days_past_due(self, first, last)

    def arrears_minor(self, on: date) -> int:
        """See `obligor.loans.overdue.arrears_minor`."""
        return overdue.arrears_minor(self, on)

    def first_payment_missed(self, on: date) -> bool:
        """See `obligor.loans.overdue.first_payment_missed`."""
        return overdue.first_payment_missed(self, on)

    def current_until(self, on: date) -> date | None:
        """See `obligor.loans.overdue.current_until`."""
        return overdue.current_until(self, on)

    def instalments(self, on: date) -> tuple[InstalmentStanding, ...]:
        """See `obligor.loans.overdue.instalments`."""
        return overdue.instalments(self, on)

    def outstanding(self, on: date) -> Outstanding:
        """See `obligor.loans.interest.outstanding`."""
        return interest.outstanding(self, on)


def apply(loan: Loan | None, event: Event) -> Loan:
    """The fold: the state after one more event of the stream `loan/<id>`.

    Raises:
        InvariantBroken: an event that no command could have let through: not disbursed yet or already, of a
            type that is none of a loan's, a reversal of a payment that does not stand, or a schedule whose
            principal is not the amount lent.
    """
    body = event.body
    if loan is None:
        if type(body) is not LoanDisbursed:
            raise InvariantBroken(f"{event.stream} begins with {event.type}, not with loan.disbursed")
        return _disbursed(body)
    step = _STEPS.get(type(body))
    if step is None:
        raise InvariantBroken(f"{event.stream} cannot take {event.type}")
    return step(loan, event, body)


def _disbursed(body: LoanDisbursed) -> Loan:
    principal = tuple(accumulate(instalment.principal_minor for instalment in body.schedule))
    due_interest = tuple(accumulate(instalment.interest_minor for instalment in body.schedule))
    if not principal or principal[-1] != body.amount_minor:
        raise InvariantBroken(f"the schedule of loan {body.loan_id} does not sum to the amount lent")
    terms = Terms(
        disbursed=body,
        due_on=tuple(instalment.due_on for instalment in body.schedule),
        owed_minor=tuple(a + b for a, b in zip(principal, due_interest, strict=True)),
        principal_owed_minor=principal,
        interest_owed_minor=due_interest,
    )
    return Loan(terms=terms, booked_on=body.disbursed_on)


_VALUE_ON = attrgetter("value_on")


def _repaid(loan: Loan, event: Event, body: RepaymentReceived) -> Loan:
    part = body.allocation
    payment = Payment(event.id, body.value_on, part)
    payments = loan.payments
    if not payments or payments[-1].value_on <= body.value_on:
        payments = (*payments, payment)
    else:
        place = bisect_right(payments, body.value_on, key=_VALUE_ON)
        payments = (*payments[:place], payment, *payments[place:])
    return replace(
        loan,
        payments=payments,
        booked_on=max(loan.booked_on, body.value_on),
        principal_paid_minor=loan.principal_paid_minor + part.principal_minor,
        interest_paid_minor=loan.interest_paid_minor + part.interest_minor,
        fee_paid_minor=loan.fee_paid_minor + part.fee_minor,
        excess_minor=loan.excess_minor + part.excess_minor,
    )


def _reversed(loan: Loan, event: Event, body: RepaymentReversed) -> Loan:
    """The payment never came: it is gone from every date. What it repaid of a lost claim is lost too."""
    place = next((i for i, p in enumerate(loan.payments) if p.event_id == event.replaces), None)
    if place is None or loan.payments[place].allocation != body.allocation:
        raise InvariantBroken(f"{event.stream}: event {event.id} reverses no payment that stands")
    part = body.allocation
    loss = loan.loss
    if loss is not None:
        loss = replace(
            loss,
            principal_minor=loss.principal_minor + part.principal_minor,
            interest_minor=loss.interest_minor + part.interest_minor,
            fee_minor=loss.fee_minor + part.fee_minor,
        )
    return replace(
        loan,
        payments=loan.payments[:place] + loan.payments[place + 1 :],
        principal_paid_minor=loan.principal_paid_minor - part.principal_minor,
        interest_paid_minor=loan.interest_paid_minor - part.interest_minor,
        fee_paid_minor=loan.fee_paid_minor - part.fee_minor,
        excess_minor=loan.excess_minor - part.excess_minor,
        loss=loss,
        closed_on=None,
        closed_why=None,
    )


def _charged(loan: Loan, _: Event, body: FeeCharged) -> Loan:
    charge = Charge(body.charged_on, body.amount_minor, body.kind)
    place = bisect_right(loan.charges, charge.on, key=attrgetter("on"))
    return replace(
        loan,
        charges=(*loan.charges[:place], charge, *loan.charges[place:]),
        booked_on=max(loan.booked_on, body.charged_on),
        fee_charged_minor=loan.fee_charged_minor + body.amount_minor,
    )


def _written_off(loan: Loan, _: Event, body: LoanWrittenOff) -> Loan:
    return replace(loan, loss=body, booked_on=max(loan.booked_on, body.written_off_on))


def _recovered(loan: Loan, _: Event, body: RecoveryReceived) -> Loan:
    recovery = Recovery(body.value_on, body.amount_minor, body.cost_minor)
    place = bisect_right(loan.recoveries, recovery.value_on, key=_VALUE_ON)
    return replace(
        loan,
        recoveries=(*loan.recoveries[:place], recovery, *loan.recoveries[place:]),
        booked_on=max(loan.booked_on, body.value_on),
    )


def _closed(loan: Loan, _: Event, body: LoanClosed) -> Loan:
    return replace(
        loan, closed_on=body.closed_on, closed_why=body.why, booked_on=max(loan.booked_on, body.closed_on)
    )


def _classed(loan: Loan, _: Event, body: ClassChanged) -> Loan:
    found = Classification(body.on, body.five_tier, body.ifrs9_stage, body.non_performing)
    return replace(loan, classification=found, booked_on=max(loan.booked_on, body.on))


_STEPS: dict[type, Callable[[Loan, Event, Any], Loan]] = {
    RepaymentReceived: _repaid,
    RepaymentReversed: _reversed,
    FeeCharged: _charged,
    LoanWrittenOff: _written_off,
    RecoveryReceived: _recovered,
    LoanClosed: _closed,
    ClassChanged: _classed,
}
