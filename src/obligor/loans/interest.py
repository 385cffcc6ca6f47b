"""What interest a loan has earned by a day, and what is outstanding then."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from obligor.kernel import day_fraction, round_half_even
from obligor.loans.schedule import BP, THIRTY, period_fraction

if TYPE_CHECKING:
    from obligor.loans.account import Loan

__all__ = ["Outstanding", "earned", "outstanding", "owing"]


class Outstanding(msgspec.Struct, frozen=True):
    """What is owed at the end of a day, in minor units; what was written off is no longer in it.

    `interest_due_minor` has fallen due and is unpaid, `interest_accrued_minor` belongs to the running period.
    """

    principal_minor: int = 0
    interest_due_minor: int = 0
    interest_accrued_minor: int = 0
    fee_minor: int = 0

    @property
    def interest_minor(self) -> int:
        """Interest due and accrued."""
        return self.interest_due_minor + self.interest_accrued_minor

    @property
    def total_minor(self) -> int:
        """What would pay the loan in full on that day."""
        return self.principal_minor + self.interest_minor + self.fee_minor


_NOTHING = Outstanding()
_NEVER = (date.max, 0)


def outstanding(loan: Loan, on: date) -> Outstanding:
    """What is owed at the end of a day, counting what has a value date up to it.

    Once the last of the principal is repaid no interest is owed: what the schedule still held is never
    earned.
    """
    loss = loan.loss
    gone = (loan.closed_on is not None and on >= loan.closed_on) or (
        loss is not None and on >= loss.written_off_on
    )
    if gone or on < loan.disbursed_on:
        return _NOTHING
    paid = loan.paid_by(on)
    charged = sum(charge.amount_minor for charge in loan.charges if charge.on <= on)
    return _left(loan, on, (paid.principal_minor, paid.interest_minor), max(0, charged - paid.fee_minor))


def owing(loan: Loan, on: date) -> Outstanding:
    """What a payment with this value date can be applied to: every payment and fee known is counted."""
    paid = (loan.principal_paid_minor, loan.interest_paid_minor)
    return _left(loan, on, paid, loan.fee_left_minor)


def _left(loan: Loan, on: date, paid: tuple[int, int], fee_minor: int) -> Outstanding:
    principal_paid, interest_paid = paid
    principal = loan.amount_minor - principal_paid
    if principal <= 0:
        return Outstanding(fee_minor=fee_minor)
    due, running = earned(loan, on)
    unpaid_due = max(0, due - interest_paid)
    unpaid = max(0, due + running - interest_paid)
    return Outstanding(principal, unpaid_due, unpaid - unpaid_due, fee_minor)


def earned(loan: Loan, on: date) -> tuple[int, int]:
    """Interest that has fallen due by the end of a day since disbursement, and that of the running period.

    On `scheduled` terms the first is the schedule's, and the running period accrues by the day count on the
    outstanding principal, at most on the scheduled one and at most the period's interest. On `daily` terms
    both accrue on the balance as it was from day to day by value date, rounded half-even at each due date, so
    that payments on the day earn exactly the schedule's interest; after the last due date all of it is due.
    """
    if loan.terms.disbursed.interest == "daily":
        return _daily(loan, on)
    return _scheduled(loan, on)


def _scheduled(loan: Loan, on: date) -> tuple[int, int]:
    terms = loan.terms
    count = bisect_right(terms.due_on, on)
    due = terms.interest_owed_minor[count - 1] if count else 0
    start = terms.due_on[count - 1] if count else loan.disbursed_on
    if count == len(terms.due_on) or on <= start:
        return due, 0
    scheduled = loan.amount_minor - (terms.principal_owed_minor[count - 1] if count else 0)
    balance = min(scheduled, loan.amount_minor - loan.paid_by(on).principal_minor)
    numerator, denominator = day_fraction(start, on, terms.disbursed.day_count)
    running = round_half_even(balance * loan.rate_bp * numerator, BP * denominator)
    return due, min(running, terms.interest_owed_minor[count] - due)


def _daily(loan: Loan, on: date) -> tuple[int, int]:
    terms = loan.terms
    known = min(loan.on_schedule, bisect_right(terms.due_on, on))
    due = terms.interest_owed_minor[known - 1] if known else 0
    balance = loan.amount_minor - (terms.principal_owed_minor[known - 1] if known else 0)
    start = terms.due_on[known - 1] if known else loan.disbursed_on
    running = 0
    steps = ((payment.value_on, payment.allocation.principal_minor) for payment in loan.payments[known:])
    change, repaid = next(steps, _NEVER)
    for end in (*terms.due_on[known:], date.max):
        while change <= start:
            balance -= repaid
            change, repaid = next(steps, _NEVER)
        stop = min(end, on)
        if stop <= start or balance <= 0:
            break
        weighted = counted = 0
        while change < stop:
            numerator = _part(loan, start, change, end)[0]
            weighted += balance * (numerator - counted)
            counted = numerator
            balance -= repaid
            change, repaid = next(steps, _NEVER)
        numerator, denominator = _part(loan, start, stop, end)
        weighted += balance * (numerator - counted)
        amount = round_half_even(weighted * loan.rate_bp, BP * denominator)
        if end in {stop, date.max}:
            due += amount
        else:
            running = amount
        start = end
    return due, running


def _part(loan: Loan, start: date, at: date, end: date) -> tuple[int, int]:
    """The year fraction from a period's start to a day in it; a whole month is a regular one."""
    body = loan.terms.disbursed
    monthly = len(body.schedule) == body.term_months and end != date.max
    if not monthly:
        return day_fraction(start, at, body.day_count)
    if at == end:
        return period_fraction(start, end, body.day_count)
    numerator, denominator = day_fraction(start, at, body.day_count)
    # A due date that was moved to a business day stretches the days but not the month's interest.
    return (min(numerator, 30), denominator) if body.day_count in THIRTY else (numerator, denominator)
