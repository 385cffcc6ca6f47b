"""Days past due and arrears: functions of a loan and a date.

A due date is day 0, days are counted at the end of the day, payments count from their value date, and what
was paid covers the oldest instalments first, by amount: how a payment was split between interest and
principal does not matter, so a payment that was on time stays on time when another one is reversed or comes
in late with an earlier value date. Once the principal is repaid nothing falls due any more; once the last
due date is past, everything still outstanding is due. A write-off does not stop the count: the claim lives
on until it is closed or recovered. Fees are counted in arrears; in days past due only where asked.

The due date as day 0 and the oldest arrears first are market practice, and what the EBA's guidelines on the
definition of default (EBA/GL/2016/07) count from (recalled, not compared with their text).
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from obligor.events import Allocation

if TYPE_CHECKING:
    from obligor.loans.account import Loan

__all__ = [
    "InstalmentStanding",
    "arrears_minor",
    "current_until",
    "days_past_due",
    "first_payment_missed",
    "instalments",
    "oldest_unpaid",
    "worst_days_past_due",
]

_DAY = timedelta(days=1)
_VALUE_ON = attrgetter("value_on")


class InstalmentStanding(msgspec.Struct, frozen=True, kw_only=True):
    """An instalment at the end of a day. `state` is paid, part (some of it paid, not past due), past_due or
    not_due.

    `paid_on` is the value date of the payment that completed it, or of the last part of it. `days_late`
    counts from the due date to that day, or to the day asked about while it is open; None before it is due.
    """

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int
    paid_minor: int
    open_minor: int
    state: str
    paid_on: date | None
    days_late: int | None


def days_past_due(loan: Loan, on: date, *, fees: bool = False) -> int:
    """Calendar days since the oldest unpaid due date, at the end of a day; 0 where nothing is past due.

    With `fees`, a fee is an obligation as well, due on the day it was charged; payments cover fees by what
    was allocated to them, oldest first.
    """
    oldest = oldest_unpaid(loan, on)
    if fees:
        fee = _oldest_fee(loan, on)
        oldest = fee if oldest is None else oldest if fee is None else min(oldest, fee)
    return 0 if oldest is None else (on - oldest).days


def oldest_unpaid(loan: Loan, on: date) -> date | None:
    """The oldest due date up to a day whose instalment is not covered by then; None where all are."""
    if _over(loan, on):
        return None
    terms = loan.terms
    paid = loan.paid_by(on)
    if paid.principal_minor >= loan.amount_minor:
        return None
    place = bisect_right(terms.owed_minor, _cash(paid))
    due = terms.due_on[min(place, len(terms.due_on) - 1)]
    return due if due <= on else None


def worst_days_past_due(loan: Loan, first: date, last: date) -> int:
    """The highest days past due at the end of any day from first to last, both included.

    The count falls only where a payment is valued or the loan closes, so only the days before these matter.
    """
    days = {last}
    for valued in (loan.payments, loan.recoveries):
        begin = bisect_right(valued, first, key=_VALUE_ON)
        for place in range(begin, bisect_right(valued, last, key=_VALUE_ON)):
            days.add(valued[place].value_on - _DAY)
    if loan.closed_on is not None and first < loan.closed_on <= last:
        days.add(loan.closed_on - _DAY)
    return max(days_past_due(loan, day) for day in days)


def arrears_minor(loan: Loan, on: date) -> int:
    """What is due and unpaid at the end of a day: instalments and fees, or what is left of a lost claim.

    After the last due date that is the whole outstanding amount.
    """
    if _over(loan, on):
        return 0
    if loan.loss is not None and on >= loan.loss.written_off_on:
        return _claim_left(loan, on)
    terms = loan.terms
    paid = loan.paid_by(on)
    charged = sum(charge.amount_minor for charge in loan.charges if charge.on <= on)
    fees = max(0, charged - paid.fee_minor)
    if paid.principal_minor >= loan.amount_minor:
        return fees
    count = bisect_right(terms.due_on, on)
    if count == len(terms.due_on):
        owed = loan.outstanding(on)
        return max(0, owed.principal_minor + owed.interest_minor - paid.excess_minor) + fees
    return max(0, (terms.owed_minor[count - 1] if count else 0) - _cash(paid)) + fees


def first_payment_missed(loan: Loan, on: date) -> bool:
    """Whether the first instalment was not fully paid at the end of its due date, asked on a later day."""
    due = loan.terms.due_on[0]
    return on > due and oldest_unpaid(loan, due) is not None


def current_until(loan: Loan, on: date) -> date | None:
    """The due date through which a loan with nothing past due stays so if nothing more is paid.

    None where something is past due, or where nothing will fall due any more.
    """
    if _over(loan, on):
        return None
    terms = loan.terms
    paid = loan.paid_by(on)
    if paid.principal_minor >= loan.amount_minor:
        return None
    place = bisect_right(terms.owed_minor, _cash(paid))
    due = terms.due_on[min(place, len(terms.due_on) - 1)]
    return due if due >= on else None


class _Paid(msgspec.Struct):
    """Payments up to a day: running sums with their value dates, and when the principal was repaid."""

    marks: list[tuple[int, date]] = []
    principal_left_minor: int = 0
    repaid_on: date | None = None

    @property
    def total_minor(self) -> int:
        return self.marks[-1][0] if self.marks else 0


def _paid(loan: Loan, on: date) -> _Paid:
    paid = _Paid(principal_left_minor=loan.amount_minor)
    for payment in loan.payments:
        if payment.value_on > on:
            break
        part = payment.allocation
        if cash := _cash(part):
            paid.marks.append((paid.total_minor + cash, payment.value_on))
        paid.principal_left_minor -= part.principal_minor
        if paid.repaid_on is None and paid.principal_left_minor <= 0:
            paid.repaid_on = payment.value_on
    return paid


def instalments(loan: Loan, on: date) -> tuple[InstalmentStanding, ...]:
    """Every instalment as it stood at the end of a day, payments applied to the oldest first."""
    paid = _paid(loan, on)
    return tuple(_standing(loan, place, on, paid) for place in range(len(loan.schedule)))


def _standing(loan: Loan, place: int, on: date, paid: _Paid) -> InstalmentStanding:
    line = loan.schedule[place]
    owed = loan.terms.owed_minor[place]
    amount = line.principal_minor + line.interest_minor
    covered = min(max(paid.total_minor - owed + amount, 0), amount)
    if place == len(loan.schedule) - 1 and paid.repaid_on is None:
        covered = min(covered, amount - min(amount, paid.principal_left_minor))
    settled = covered == amount or paid.repaid_on is not None
    if not amount:
        paid_on: date | None = line.due_on
    elif covered == amount:
        paid_on = next(day for total, day in paid.marks if total >= owed)
    elif settled:
        paid_on = paid.repaid_on
    else:
        paid_on = paid.marks[-1][1] if covered else None
    if settled:
        state = "paid"
    elif line.due_on < on:
        state = "past_due"
    else:
        state = "part" if covered else "not_due"
    until = paid_on if settled and paid_on is not None else on
    return InstalmentStanding(
        number=line.number,
        due_on=line.due_on,
        principal_minor=line.principal_minor,
        interest_minor=line.interest_minor,
        paid_minor=covered,
        open_minor=0 if settled else amount - covered,
        state=state,
        paid_on=paid_on,
        days_late=max(0, (until - line.due_on).days) if on >= line.due_on else None,
    )


def _cash(paid: Allocation) -> int:
    """What covers instalments: all but fees. Excess is in it: a payment that turned out to be more than the
    loan needed may have an earlier value date than those that were known first.
    """
    return paid.interest_minor + paid.principal_minor + paid.excess_minor


def _over(loan: Loan, on: date) -> bool:
    if on < loan.disbursed_on or (loan.closed_on is not None and on >= loan.closed_on):
        return True
    return loan.loss is not None and on >= loan.loss.written_off_on and not _claim_left(loan, on)


def _claim_left(loan: Loan, on: date) -> int:
    recovered = sum(recovery.amount_minor for recovery in loan.recoveries if recovery.value_on <= on)
    return max(0, loan.written_off_minor - recovered)


def _oldest_fee(loan: Loan, on: date) -> date | None:
    if _over(loan, on):
        return None
    left = loan.paid_by(on).fee_minor
    for charge in loan.charges:
        if charge.on > on:
            return None
        left -= charge.amount_minor
        if left < 0:
            return charge.on
    return None
