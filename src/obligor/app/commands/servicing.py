"""A loan's life after the money went out."""

from __future__ import annotations

from typing import Any

from obligor import loans
from obligor.app import stages, wire
from obligor.app.proposal import Proposal
from obligor.events import Allocation, RepaymentReceived
from obligor.kernel import Conflict, InvalidInput, NotFound
from obligor.loans import Loan

__all__ = ["charge", "recover", "repay", "reverse", "write_off"]


def repay(p: Proposal, body: wire.RepaymentReceived) -> dict[str, Any]:
    """Take a payment and close the loan if nothing is left."""
    loan = _loan(p, body.loan_id)
    given = body.allocation
    allocation = None
    if given:
        allocation = Allocation(
            fee_minor=given.fee_minor,
            interest_minor=given.interest_minor,
            principal_minor=given.principal_minor,
        )
    value_on = body.value_on or stages.local_day(p)
    received = loans.repay(
        loan,
        amount_minor=body.amount_minor,
        currency=body.currency,
        value_on=value_on,
        allocation=allocation,
    )
    _add(p, loan, received)
    if closed := loans.close_if_paid(p.state(f"loan/{loan.loan_id}"), value_on):
        _add(p, loan, closed)
    return {"loan_id": loan.loan_id, "allocation": received.allocation}


def reverse(p: Proposal, body: wire.RepaymentReversed) -> dict[str, Any]:
    """Undo a payment that turned out not to have come."""
    loan = _loan(p, body.loan_id)
    event_id = body.event_id
    if event_id is None:
        if body.source_ref is None:
            raise InvalidInput.field("body.event_id", None, "the event_id or the source_ref of the repayment")
        found = p.view.find("source_ref", f"{p.call.source}|{p.call.tag('source_ref', body.source_ref)}")
        event_id = found.partition(" ")[0] if found else None
    stream = p.view.events(f"loan/{loan.loan_id}")
    original = next((event for event in stream if event.id == event_id), None)
    if original is None or not isinstance(original.body, RepaymentReceived):
        raise NotFound("no repayment of that name is known on this loan")
    if p.view.find("replaced", original.id):
        raise Conflict("this repayment is reversed already")
    reversed_body = loans.reverse(loan, original.body, why=body.why, event_id=original.id)
    event = p.add(f"loan/{loan.loan_id}", reversed_body, (loan.person_id,), replaces=original.id)
    return {"loan_id": loan.loan_id, "reversed": event.replaces}


def charge(p: Proposal, body: wire.FeeCharged) -> dict[str, Any]:
    """Charge a fee that the product has."""
    loan = _loan(p, body.loan_id)
    charged = loans.charge_fee(
        loan,
        amount_minor=body.amount_minor,
        currency=body.currency,
        kind=body.kind,
        charged_on=body.charged_on or stages.local_day(p),
    )
    _add(p, loan, charged)
    return {"loan_id": loan.loan_id}


def write_off(p: Proposal, body: wire.LoanWrittenOff) -> dict[str, Any]:
    """Take a loan off the book; the claim lives on."""
    loan = _loan(p, body.loan_id)
    written = loans.write_off(loan, body.written_off_on or stages.local_day(p), why=body.why)
    _add(p, loan, written)
    return {"loan_id": loan.loan_id, "principal_minor": written.principal_minor}


def recover(p: Proposal, body: wire.RecoveryReceived) -> dict[str, Any]:
    """Take money on a claim that was written off."""
    loan = _loan(p, body.loan_id)
    recovered = loans.recover(
        loan,
        amount_minor=body.amount_minor,
        cost_minor=body.cost_minor,
        currency=body.currency,
        value_on=body.value_on or stages.local_day(p),
    )
    _add(p, loan, recovered)
    return {"loan_id": loan.loan_id}


def _loan(p: Proposal, loan_id: str) -> Loan:
    """A loan's state; one that was released but not paid out yet is a conflict, not an unknown loan."""
    loan: Loan | None = p.state(f"loan/{loan_id}")
    if loan is None:
        if p.view.find("loan", loan_id):
            raise Conflict("this loan is not disbursed yet")
        raise NotFound(f"there is no loan {loan_id!r}")
    return loan


def _add(p: Proposal, loan: Loan, body: Any) -> None:
    p.add(f"loan/{loan.loan_id}", body, (loan.person_id,))
