"""From an application to a signed contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from obligor.app import stages, wire
from obligor.app.commands.parties import identify
from obligor.app.proposal import Proposal
from obligor.app.states import Application, Reservation, Terms
from obligor.events import (
    ApplicationOverridden,
    ApplicationReceived,
    CaseOpened,
    ConsentGranted,
    ContractSigned,
    DeviceSeen,
    HeadroomReleased,
    HeadroomReserved,
    OfferAccepted,
    OfferMade,
    SourceAnswered,
    SourceFailed,
)
from obligor.kernel import Conflict, InvalidInput, InvariantBroken, NotFound
from obligor.loans import product

__all__ = ["accept", "answered", "apply", "failed", "offer", "override", "sign"]


def apply(p: Proposal, request: wire.ApplicationRequest, keys: Mapping[str, str]) -> dict[str, Any]:
    """Take an application and decide it, or say which sources the strategy needs first.

    `keys` are those by which the person may be found.
    """
    _known_product(request)
    person_id = identify(p, request.person, keys)
    subjects = (person_id,)
    for purpose in request.consents:
        p.add(f"person/{person_id}", ConsentGranted(person_id=person_id, purpose=purpose), subjects)
    if request.device_id:
        p.add(f"person/{person_id}", DeviceSeen(person_id=person_id, device_id=request.device_id), subjects)
    application_id = p.fresh("application")
    received = ApplicationReceived(
        application_id=application_id,
        person_id=person_id,
        product=request.product,
        channel=request.channel,
        amount_minor=request.amount_minor,
        currency=request.currency,
        term_months=request.term_months,
        purpose=request.purpose,
        fields=request.fields,
        device_id=request.device_id,
        reference=request.reference,
    )
    p.add(f"application/{application_id}", received, subjects)
    return {"application_id": application_id, "person_id": person_id} | _decide(p, application_id)


def answered(p: Proposal, body: wire.SourceAnswered) -> dict[str, Any]:
    """A source's facts for an application; decides it when nothing more is needed."""
    application = _undecided(p, body.application_id)
    if body.name in application.answered:
        raise Conflict(f"{body.name} has answered for this application already")
    told = SourceAnswered(application_id=body.application_id, name=body.name, facts=body.facts)
    p.add(f"application/{body.application_id}", told, (application.person_id,))
    return {"application_id": body.application_id} | _decide(p, body.application_id)


def failed(p: Proposal, body: wire.SourceFailed) -> dict[str, Any]:
    """A source that cannot answer: its facts are missing, and the strategy says what that means."""
    application = _undecided(p, body.application_id)
    told = SourceFailed(application_id=body.application_id, name=body.name, why=body.why)
    p.add(f"application/{body.application_id}", told, (application.person_id,))
    return {"application_id": body.application_id} | _decide(p, body.application_id)


def override(p: Proposal, body: wire.ApplicationOverridden) -> dict[str, Any]:
    """A person's outcome beside the strategy's; approval sets headroom aside, decline gives it back."""
    application = p.application(body.application_id)
    if application.decision_id is None or application.decided is None:
        raise Conflict("this application is not decided yet; an override needs a decision to differ from")
    if application.contract_id:
        raise Conflict("the contract is signed; an override comes too late")
    at = p.call.at
    terms = _terms_of(body, application.decided) if body.outcome == "approve" else None
    settings = p.call.means.settings
    overridden = ApplicationOverridden(
        application_id=body.application_id,
        decision_id=application.decision_id,
        outcome=body.outcome,
        officer=body.officer,
        authority=body.authority,
        reason_code=body.reason_code,
        limit_minor=terms.limit_minor if terms else None,
        rate_bp=terms.rate_bp if terms else None,
        term_months=terms.term_months if terms else None,
        expires_at=body.expires_at or at + timedelta(days=settings.override_days),
        conditions=body.conditions,
    )
    held = application.reservation
    release(p, application, "overridden")
    event = p.add(f"application/{body.application_id}", overridden, (application.person_id,))
    if terms and terms.limit_minor:
        _reserve(p, application, terms.limit_minor, event.id, held, refuse=True)
    return {"application_id": body.application_id, "decision_id": application.decision_id}


def offer(p: Proposal, body: wire.OfferMade) -> dict[str, Any]:
    """Offer what was decided, or less of it."""
    application = p.application(body.application_id)
    terms = _approved(application)
    if application.contract_id:
        raise Conflict("the contract is signed already")
    amount = body.amount_minor or min(application.amount_minor, terms.limit_minor or 0)
    if not 0 < amount <= (terms.limit_minor or 0):
        raise InvalidInput.field("body.amount_minor", amount, f"from 1 to {terms.limit_minor}")
    expires_at = body.expires_at or p.call.at + timedelta(days=p.call.means.settings.offer_days)
    if terms.expires_at:
        expires_at = min(expires_at, terms.expires_at)
    if expires_at <= p.call.at:
        raise InvalidInput.field("body.expires_at", expires_at, "a time after the offer is made")
    made = OfferMade(
        application_id=body.application_id,
        amount_minor=amount,
        currency=application.currency,
        rate_bp=terms.rate_bp or 0,
        term_months=terms.term_months or application.term_months,
        expires_at=expires_at,
    )
    p.add(f"application/{body.application_id}", made, (application.person_id,))
    return {
        "application_id": body.application_id,
        "amount_minor": amount,
        "rate_bp": made.rate_bp,
        "term_months": made.term_months,
        "expires_at": expires_at.astimezone(UTC),
    }


def accept(p: Proposal, body: wire.OfferAccepted) -> dict[str, Any]:
    """The person takes an offer that still stands."""
    application = p.application(body.application_id)
    if application.offer is None:
        raise Conflict("there is no offer to accept; make one first")
    if application.offer.accepted:
        raise Conflict("the offer is accepted already")
    if application.offer.expired or p.call.at > application.offer.expires_at:
        raise Conflict(f"the offer expired at {application.offer.expires_at.isoformat()}; make a new one")
    accepted = OfferAccepted(application_id=body.application_id)
    p.add(f"application/{body.application_id}", accepted, (application.person_id,))
    return {"application_id": body.application_id}


def sign(p: Proposal, body: wire.ContractSigned) -> dict[str, Any]:
    """The contract is signed on an accepted offer."""
    application = p.application(body.application_id)
    if application.offer is None or not application.offer.accepted:
        raise Conflict("no accepted offer stands; a contract is signed on one")
    if application.contract_id:
        raise Conflict("the contract is signed already")
    signed = ContractSigned(
        application_id=body.application_id,
        contract_id=body.contract_id,
        document_sha256=body.document_sha256,
    )
    p.add(f"application/{body.application_id}", signed, (application.person_id,))
    return {"application_id": body.application_id, "contract_id": body.contract_id}


def release(p: Proposal, application: Application, why: str) -> None:
    """Give back what is left of the headroom that an application holds."""
    held = application.reservation
    if held is None or held.left_minor == 0:
        return
    released = HeadroomReleased(
        reservation_id=held.reservation_id,
        application_id=application.application_id,
        amount_minor=held.left_minor,
        currency=application.currency,
        why=why,
    )
    p.add(f"application/{application.application_id}", released, (application.person_id,))


def _known_product(request: wire.ApplicationRequest) -> None:
    try:
        wanted = product(request.product)
    except NotFound:
        raise InvalidInput.field("product", request.product, "a product of packs/products") from None
    if wanted.currency not in (None, request.currency):
        raise InvalidInput.field("currency", request.currency, f"{wanted.currency}, the product's currency")


def _undecided(p: Proposal, application_id: str) -> Application:
    application = p.application(application_id)
    if application.decision_id:
        raise Conflict("this application is decided already; what a source says now changes nothing")
    return application


def _approved(application: Application) -> Terms:
    terms = application.terms
    if terms is None:
        raise Conflict("this application is not decided yet")
    if terms.outcome != "approve":
        raise Conflict(f"this application's outcome is {terms.outcome}; only what is approved is offered")
    return terms


def _terms_of(body: wire.ApplicationOverridden, decided: Terms) -> Terms:
    """The terms of an approving override: what the officer gave, and the strategy's for the rest."""
    wanted = {
        "limit_minor": body.limit_minor or decided.limit_minor,
        "rate_bp": decided.rate_bp if body.rate_bp is None else body.rate_bp,
        "term_months": body.term_months or decided.term_months,
    }
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        raise InvalidInput.field(
            f"body.{missing[0]}", None, "a value: the strategy found no terms that an approval could take"
        )
    return Terms("approve", wanted["limit_minor"], wanted["rate_bp"], wanted["term_months"])


def _decide(p: Proposal, application_id: str) -> dict[str, Any]:
    """Decide what can be decided.

    An approval reserves headroom and a referral opens a case in the same go.
    """
    application = p.application(application_id)
    result = stages.prelend(p, application)
    if isinstance(result, stages.Needs):
        p.status = 202
        return {"status": "needs", "needs": list(result.sources)}
    body = result.body
    event = p.add(f"application/{application_id}", body, (application.person_id,))
    if body.outcome == "approve" and body.limit_minor:
        _reserve(p, application, body.limit_minor, event.id, refuse=False)
    case = {"case_id": _open_case(p, application, event.id)} if body.outcome == "refer" else {}
    return {
        "status": "decided",
        "decision_id": body.decision_id,
        "decision_event_id": event.id,
        "outcome": body.outcome,
        "limit_minor": body.limit_minor,
        "rate_bp": body.rate_bp,
        "term_months": body.term_months,
        "score": body.score,
        "pd_ppm": body.pd_ppm,
        "reasons": result.reasons,
        **case,
    }


def _reserve(
    p: Proposal,
    application: Application,
    amount_minor: int,
    cause: str,
    freed: Reservation | None = None,
    *,
    refuse: bool,
) -> None:
    """Set headroom aside under every cap that applies.

    A decision has looked at the headroom before; an officer may not have, and is refused. `freed` is what
    the same command gives back.
    """
    caps = p.view.memory("caps")
    names = caps.applies(product=application.product, person=application.person_id)
    room, binding = caps.headroom(
        names,
        currency=application.currency,
        held_under=freed.caps if freed else (),
        held_minor=freed.left_minor if freed else 0,
    )
    if room is not None and amount_minor > room:
        accepted = f"at most {room}, what {binding} leaves"
        if refuse:
            raise InvalidInput.field("body.limit_minor", amount_minor, accepted)
        raise InvariantBroken(f"a decision approved {amount_minor} under {binding}: {accepted}")
    reserved = HeadroomReserved(
        reservation_id=p.call.new_id(),
        application_id=application.application_id,
        caps=tuple(names),
        amount_minor=amount_minor,
        currency=application.currency,
        expires_at=p.call.at + timedelta(days=p.call.means.settings.reservation_days),
    )
    p.add(f"application/{application.application_id}", reserved, (application.person_id,), cause=cause)


def _open_case(p: Proposal, application: Application, cause: str) -> str:
    """Open a case for an officer; returns its id, which whoever asked is told."""
    case_id = p.fresh("case")
    opened = CaseOpened(
        case_id=case_id,
        kind="referral",
        queue="underwriting",
        person_id=application.person_id,
        about=f"application/{application.application_id}",
        due_at=p.call.at + timedelta(hours=p.call.means.settings.case_hours),
    )
    p.add(f"case/{case_id}", opened, (application.person_id,), cause=cause)
    return case_id
