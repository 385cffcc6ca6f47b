"""A loan: what its events add up to.

The state is a value; an event makes a new one and copies no schedule.
"""

from __future__ import annotations

from datetime import date

import msgspec

from obligor.events import Allocation, Instalment, LoanDisbursed, LoanWrittenOff, PartnerShare
from obligor.loans import interest, overdue
from obligor.loans.interest import Outstanding
from obligor.loans.overdue import InstalmentStanding

__all__ = ["Charge", "Classification", "Loan", "Payment", "Recovery", "Terms"]


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What was agreed, with running sums of the schedule: `owed_minor[k]` is due by instalment k in all."""

    disbursed: LoanDisbursed
    due_on: tuple[date, ...]
    owed_minor: tuple[int, ...]
    principal_owed_minor: tuple[int, ...]
    interest_owed_minor: tuple[int, ...]


class Payment(msgspec.Struct, frozen=True, gc=False):
    """A repayment that stands: the event that told of it, its value date, and where it went.

    That is where the event said, unless its excess has since taken the place of a payment that was reversed.
    """

    event_id: str
    value_on: date
    allocation: Allocation

    @property
    def amount_minor(self) -> int:
        """What was paid."""
        part = self.allocation
        return part.fee_minor + part.interest_minor + part.principal_minor + part.excess_minor


class Charge(msgspec.Struct, frozen=True, gc=False):
    """A fee, due on the day it was charged."""

    on: date
    amount_minor: int
    kind: str


class Recovery(msgspec.Struct, frozen=True, gc=False):
    """Money that came in on a written-off claim, and what its collection cost."""

    value_on: date
    amount_minor: int
    cost_minor: int


class Classification(msgspec.Struct, frozen=True, gc=False):
    """The loan's last class, since when it holds, and whether it counts as non-performing."""

    on: date
    five_tier: str
    ifrs9_stage: int
    non_performing: bool


class Loan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of a loan after some of its events.

    Fold the events that were known on a day (`known_seq` below some number) and the answers are as known
    then; fold all of them and they are as restated. Methods that take a date count what has a value date up
    to and including it: they speak of the end of that day. Amounts are in minor units of the loan's
    currency.
    """

    terms: Terms
    booked_on: date
    on_schedule: int = 0
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

    def paid_by(self, on: date) -> Allocation:
        """What payments with a value date up to a day were applied to, in all."""
        payments = self.payments
        if not payments or payments[-1].value_on <= on:
            return Allocation(
                fee_minor=self.fee_paid_minor,
                interest_minor=self.interest_paid_minor,
                principal_minor=self.principal_paid_minor,
                excess_minor=self.excess_minor,
            )
        fee = interest_paid = principal = excess = 0
        for payment in payments:
            if payment.value_on > on:
                break
            part = payment.allocation
            fee += part.fee_minor
            interest_paid += part.interest_minor
            principal += part.principal_minor
            excess += part.excess_minor
        return Allocation(
            fee_minor=fee, interest_minor=interest_paid, principal_minor=principal, excess_minor=excess
        )

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
