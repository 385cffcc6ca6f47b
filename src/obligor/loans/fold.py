"""The fold over a loan's events: one step per type, each in constant time but for late and reversed
payments.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from obligor.events import (
    Allocation,
    ClassChanged,
    FeeCharged,
    LoanClosed,
    LoanDisbursed,
    LoanWrittenOff,
    RecoveryReceived,
    RepaymentReceived,
    RepaymentReversed,
)
from obligor.kernel import Event, InvariantBroken
from obligor.loans.account import Charge, Classification, Loan, Payment, Recovery, Terms

__all__ = ["apply"]


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
    payments, on_schedule = loan.payments, loan.on_schedule
    if not payments or payments[-1].value_on <= body.value_on:
        if on_schedule == len(payments) < len(loan.schedule):
            line = loan.schedule[on_schedule]
            if line.due_on == body.value_on and line.principal_minor == part.principal_minor:
                on_schedule += 1
        payments = (*payments, payment)
    else:
        place = bisect_right(payments, body.value_on, key=_VALUE_ON)
        on_schedule = min(on_schedule, place)
        payments = (*payments[:place], payment, *payments[place:])
    return replace(
        loan,
        payments=payments,
        on_schedule=on_schedule,
        booked_on=max(loan.booked_on, body.value_on),
        principal_paid_minor=loan.principal_paid_minor + part.principal_minor,
        interest_paid_minor=loan.interest_paid_minor + part.interest_minor,
        fee_paid_minor=loan.fee_paid_minor + part.fee_minor,
        excess_minor=loan.excess_minor + part.excess_minor,
    )


def _reversed(loan: Loan, event: Event, body: RepaymentReversed) -> Loan:
    """The payment never came: it is gone from every date. What it repaid of a lost claim is lost too."""
    place = next((i for i, p in enumerate(loan.payments) if p.event_id == event.replaces), None)
    if place is None or loan.payments[place].amount_minor != body.amount_minor:
        raise InvariantBroken(f"{event.stream}: event {event.id} reverses no payment that stands")
    undone, was = body.allocation, loan.payments[place].allocation
    payments, on_schedule = _reapply(
        loan.payments[:place] + loan.payments[place + 1 :],
        Allocation(
            fee_minor=was.fee_minor - undone.fee_minor,
            interest_minor=was.interest_minor - undone.interest_minor,
            principal_minor=was.principal_minor - undone.principal_minor,
        ),
        undone.excess_minor - was.excess_minor,
        min(loan.on_schedule, place),
    )
    loss = loan.loss
    if loss is not None:
        loss = replace(
            loss,
            principal_minor=loss.principal_minor + undone.principal_minor,
            interest_minor=loss.interest_minor + undone.interest_minor,
            fee_minor=loss.fee_minor + undone.fee_minor,
        )
    return replace(
        loan,
        payments=payments,
        on_schedule=on_schedule,
        principal_paid_minor=loan.principal_paid_minor - undone.principal_minor,
        interest_paid_minor=loan.interest_paid_minor - undone.interest_minor,
        fee_paid_minor=loan.fee_paid_minor - undone.fee_minor,
        excess_minor=loan.excess_minor - undone.excess_minor,
        loss=loss,
        closed_on=None,
        closed_why=None,
    )


def _reapply(
    payments: tuple[Payment, ...], covered: Allocation, given_up_minor: int, on_schedule: int
) -> tuple[tuple[Payment, ...], int]:
    """Let the excess of other payments, oldest first, cover what a reversed payment had covered."""
    fee, interest_part, principal = covered.fee_minor, covered.interest_minor, covered.principal_minor
    if min(fee, interest_part, principal) < 0 or fee + interest_part + principal != given_up_minor:
        raise InvariantBroken("a reversal undoes more than its payment did")
    if not given_up_minor:
        return payments, on_schedule
    found = list(payments)
    for place, payment in enumerate(payments):
        part = payment.allocation
        left = min(part.excess_minor, fee + interest_part + principal)
        if not left:
            continue
        to_fee = min(left, fee)
        to_interest = min(left - to_fee, interest_part)
        to_principal = left - to_fee - to_interest
        fee, interest_part, principal = fee - to_fee, interest_part - to_interest, principal - to_principal
        allocation = Allocation(
            fee_minor=part.fee_minor + to_fee,
            interest_minor=part.interest_minor + to_interest,
            principal_minor=part.principal_minor + to_principal,
            excess_minor=part.excess_minor - left,
        )
        found[place] = replace(payment, allocation=allocation)
        on_schedule = min(on_schedule, place)
    if fee + interest_part + principal:
        raise InvariantBroken("a reversal gives up more excess than the loan holds")
    return tuple(found), on_schedule


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
