"""Requests for money under a contract, and the money going out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from obligor import loans
from obligor.app import stages, wire
from obligor.app.commands.applications import release
from obligor.app.proposal import Proposal
from obligor.app.states import Application, Reservation, Terms
from obligor.events import DrawdownRequested, HeadroomCommitted, HeadroomReserved, PartnerShare
from obligor.kernel import Conflict, Fact, InvalidInput, NotFound

__all__ = ["disburse", "request"]


def request(p: Proposal, asked: wire.DrawdownRequest) -> dict[str, Any]:
    """Decide a drawdown; a release commits headroom, the partner's cap included, in the same go."""
    application = p.application(asked.application_id)
    if asked.currency != application.currency:
        raise InvalidInput.field("currency", asked.currency, f"{application.currency}, the application's")
    if application.terms is None:
        raise Conflict("this application is not decided yet")
    names = _caps(p, application, asked.partner)
    room = _room(p, application, names)
    drawdown_id, loan_id = p.call.new_id(), p.call.new_id()
    stream, subjects = f"application/{asked.application_id}", (application.person_id,)
    requested = DrawdownRequested(
        drawdown_id=drawdown_id,
        application_id=asked.application_id,
        amount_minor=asked.amount_minor,
        currency=asked.currency,
        partner=asked.partner,
        purpose=asked.purpose,
        payee=asked.payee,
    )
    p.add(stream, requested, subjects)
    facts: dict[str, Fact] = {
        "amount_minor": asked.amount_minor,
        "headroom_minor": room,
        "purpose": asked.purpose or application.purpose,
        "payee_known": asked.payee is not None,
    }
    result = stages.drawdown(p, application, drawdown_id, loan_id, facts)
    body = result.body
    decided = p.add(stream, body, subjects)
    if body.outcome == "release":
        _commit(p, application, loan_id, names, amount_minor=asked.amount_minor, cause=decided.id)
    return {
        "drawdown_id": drawdown_id,
        "decision_id": body.decision_id,
        "decision_event_id": decided.id,
        "outcome": body.outcome,
        "payment_mode": body.payment_mode,
        "loan_id": body.loan_id,
        "reasons": result.reasons,
    }


def disburse(p: Proposal, body: wire.LoanDisbursed) -> dict[str, Any]:
    """The money went out: the loan begins, on the terms that were contracted."""
    if p.state(f"loan/{body.loan_id}") is not None:
        raise Conflict("this loan is disbursed already")
    application_id = p.view.find("loan", body.loan_id)
    if application_id is None:
        raise NotFound(f"no drawdown was released as loan {body.loan_id!r}")
    application = p.application(application_id)
    drawdown = application.loan(body.loan_id)
    terms = application.terms
    if drawdown is None or terms is None:
        raise NotFound(f"no drawdown was released as loan {body.loan_id!r}")
    if body.account_id and p.need("account", body.account_id).currency != application.currency:
        raise InvalidInput.field("body.account_id", body.account_id, f"an account in {application.currency}")
    rate_bp, term_months = _terms(body, application, terms)
    disbursed = loans.disburse(
        loans.product(application.product),
        loan_id=body.loan_id,
        application_id=application_id,
        person_id=application.person_id,
        amount_minor=drawdown.amount_minor,
        currency=application.currency,
        rate_bp=rate_bp,
        term_months=term_months,
        disbursed_on=body.disbursed_on or stages.local_day(p),
        caps=drawdown.caps,
        shares=tuple(PartnerShare(partner=s.partner, share_bp=s.share_bp) for s in body.shares),
        account_id=body.account_id,
    )
    p.add(f"loan/{body.loan_id}", disbursed, (application.person_id,))
    return {"loan_id": body.loan_id, "schedule": disbursed.schedule}


def _terms(body: wire.LoanDisbursed, application: Application, terms: Terms) -> tuple[int, int]:
    """The contracted rate and term; a loan of the lender's own history says its own."""
    if body.historical_terms:
        return body.historical_terms.rate_bp, body.historical_terms.term_months
    offer = application.offer
    rate_bp = offer.rate_bp if offer else terms.rate_bp
    return rate_bp or 0, (offer.term_months if offer else terms.term_months) or application.term_months


def _caps(p: Proposal, application: Application, partner: str | None) -> tuple[str, ...]:
    caps = p.view.memory("caps")
    return tuple(caps.applies(product=application.product, partner=partner, person=application.person_id))


def _room(p: Proposal, application: Application, names: tuple[str, ...]) -> int | None:
    """What may still be drawn under the caps, counting what this application has set aside for itself."""
    held = _standing(p, application)
    room: int | None
    room, _ = p.view.memory("caps").headroom(
        names,
        currency=application.currency,
        held_under=held.caps if held else (),
        held_minor=held.left_minor if held else 0,
    )
    return room


def _standing(p: Proposal, application: Application) -> Reservation | None:
    """What is set aside for the application and has not ended."""
    held = application.reservation
    return held if held and held.left_minor and p.call.at < held.expires_at else None


def _commit(
    p: Proposal,
    application: Application,
    loan_id: str,
    names: tuple[str, ...],
    *,
    amount_minor: int,
    cause: str,
) -> None:
    """Turn headroom into the loan's exposure; what was set aside and does not suffice is set aside anew."""
    stream, subjects = f"application/{application.application_id}", (application.person_id,)
    held = _standing(p, application)
    if held is None or held.left_minor < amount_minor:
        release(p, application, "drawn in full")
        reserved = HeadroomReserved(
            reservation_id=p.call.new_id(),
            application_id=application.application_id,
            caps=names,
            amount_minor=amount_minor,
            currency=application.currency,
            expires_at=p.call.at + timedelta(days=1),
        )
        p.add(stream, reserved, subjects, cause=cause)
        reservation_id = reserved.reservation_id
    else:
        reservation_id = held.reservation_id
    committed = HeadroomCommitted(
        reservation_id=reservation_id,
        application_id=application.application_id,
        loan_id=loan_id,
        caps=names,
        amount_minor=amount_minor,
        currency=application.currency,
    )
    p.add(stream, committed, subjects, cause=cause)
