"""What the streams of an application, a person, an account, an alert and a case add up to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from obligor.events import (
    AccountOpened,
    AlertCleared,
    AlertRaised,
    ApplicationDecided,
    ApplicationOverridden,
    ApplicationReceived,
    CaseAssigned,
    CaseClosed,
    CaseOpened,
    ConsentGranted,
    ConsentWithdrawn,
    ContractSigned,
    DrawdownDecided,
    HeadroomCommitted,
    HeadroomReleased,
    HeadroomReserved,
    OfferAccepted,
    OfferExpired,
    OfferMade,
    PartyRegistered,
    PersonErased,
    SourceAnswered,
    SourceFailed,
)
from obligor.kernel import Event, Fact

__all__ = [
    "Account",
    "Alert",
    "Application",
    "Case",
    "Offer",
    "Person",
    "Reservation",
    "Terms",
    "account",
    "alert",
    "application",
    "case",
    "person",
]


class Terms(msgspec.Struct, frozen=True, gc=False):
    """An outcome with its terms, and who found it: the strategy's decision or an officer's override."""

    outcome: str
    limit_minor: int | None
    rate_bp: int | None
    term_months: int | None
    expires_at: datetime | None = None


class Offer(msgspec.Struct, frozen=True, gc=False):
    """Terms that a person may accept until a moment."""

    amount_minor: int
    rate_bp: int
    term_months: int
    expires_at: datetime
    accepted: bool = False
    expired: bool = False


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """Headroom that is held for an application."""

    reservation_id: str
    caps: tuple[str, ...]
    left_minor: int
    expires_at: datetime


class Drawdown(msgspec.Struct, frozen=True, gc=False):
    """A request for money under a contract, as decided."""

    drawdown_id: str
    outcome: str
    loan_id: str | None
    amount_minor: int
    caps: tuple[str, ...] = ()
    partner: str | None = None


class Application(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An application with everything that became of it up to the money."""

    application_id: str
    person_id: str
    product: str
    channel: str
    amount_minor: int
    currency: str
    term_months: int
    purpose: str | None
    fields: Mapping[str, Fact]
    device_id: str | None
    received_at: datetime
    answered: Mapping[str, Mapping[str, Fact]] = {}
    failed: frozenset[str] = frozenset()
    decision_id: str | None = None
    decided: Terms | None = None
    overridden: Terms | None = None
    offer: Offer | None = None
    contract_id: str | None = None
    reservation: Reservation | None = None
    drawdowns: Mapping[str, Drawdown] = {}

    @property
    def terms(self) -> Terms | None:
        """What holds now: the override where there is one, else the decision."""
        return self.overridden or self.decided

    @property
    def drawn_minor(self) -> int:
        """What was released so far."""
        return sum(d.amount_minor for d in self.drawdowns.values() if d.outcome == "release")

    def loan(self, loan_id: str) -> Drawdown | None:
        """The drawdown that was to become this loan."""
        return next((d for d in self.drawdowns.values() if d.loan_id == loan_id), None)


def _received(event: Event, body: ApplicationReceived) -> Application:
    return Application(
        application_id=body.application_id,
        person_id=body.person_id,
        product=body.product,
        channel=body.channel,
        amount_minor=body.amount_minor,
        currency=body.currency,
        term_months=body.term_months,
        purpose=body.purpose,
        fields=body.fields,
        device_id=body.device_id,
        received_at=event.at,
    )


def application(state: Application | None, event: Event) -> Application:  # noqa: C901, PLR0912
    """The fold of `application/<id>`."""
    body = event.body
    if state is None:
        return _received(event, body)
    match body:
        case SourceAnswered():
            return replace(state, answered={**state.answered, body.name: body.facts})
        case SourceFailed():
            return replace(state, failed=state.failed | {body.name})
        case ApplicationDecided():
            terms = Terms(body.outcome, body.limit_minor, body.rate_bp, body.term_months)
            return replace(state, decision_id=body.decision_id, decided=terms)
        case ApplicationOverridden():
            terms = Terms(body.outcome, body.limit_minor, body.rate_bp, body.term_months, body.expires_at)
            return replace(state, overridden=terms)
        case OfferMade():
            offer = Offer(body.amount_minor, body.rate_bp, body.term_months, body.expires_at)
            return replace(state, offer=offer)
        case OfferAccepted() if state.offer:
            return replace(state, offer=replace(state.offer, accepted=True))
        case OfferExpired() if state.offer:
            return replace(state, offer=replace(state.offer, expired=True))
        case ContractSigned():
            return replace(state, contract_id=body.contract_id)
        case HeadroomReserved():
            held = Reservation(body.reservation_id, body.caps, body.amount_minor, body.expires_at)
            return replace(state, reservation=held)
        case HeadroomCommitted() if state.reservation:
            left = state.reservation.left_minor - body.amount_minor
            drawdown = state.loan(body.loan_id)
            drawdowns = dict(state.drawdowns)
            if drawdown:
                drawdowns[drawdown.drawdown_id] = replace(drawdown, caps=body.caps)
            held = replace(state.reservation, left_minor=left)
            return replace(state, reservation=held, drawdowns=drawdowns)
        case HeadroomReleased():
            return replace(state, reservation=None)
        case DrawdownDecided():
            made = Drawdown(body.drawdown_id, body.outcome, body.loan_id, body.amount_minor)
            return replace(state, drawdowns={**state.drawdowns, body.drawdown_id: made})
        case _:
            return state


class Person(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person as the lender knows them; the identity itself stays sealed in the events."""

    person_id: str
    kind: str
    consents: frozenset[str] = frozenset()
    erased: frozenset[str] = frozenset()


def person(state: Person | None, event: Event) -> Person:
    """The fold of `person/<id>`."""
    body = event.body
    if state is None:
        return Person(person_id=body.person_id, kind=getattr(body, "kind", "person"))
    match body:
        case ConsentGranted() if body.purpose:
            return replace(state, consents=state.consents | {body.purpose})
        case ConsentWithdrawn() if body.purpose:
            return replace(state, consents=state.consents - {body.purpose})
        case PersonErased():
            return replace(state, erased=state.erased | set(body.classes))
        case PartyRegistered() | _:
            return state


class Account(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An account whose movements the lender sees."""

    account_id: str
    person_id: str
    currency: str


def account(state: Account | None, event: Event) -> Account:
    """The fold of `account/<id>`. Transfers leave it as it is: they are found by look-up, not kept here."""
    match event.body:
        case AccountOpened() as body:
            return Account(account_id=body.account_id, person_id=body.person_id, currency=body.currency)
        case _ if state:
            return state
        case _:
            raise TypeError(f"an account cannot begin with {event.type}")


class Alert(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert, open until a person disposes of it."""

    alert_id: str
    kind: str
    person_id: str
    loan_id: str | None
    disposition: str | None = None


def alert(state: Alert | None, event: Event) -> Alert:
    """The fold of `alert/<id>`."""
    match event.body:
        case AlertRaised() as body:
            return Alert(
                alert_id=body.alert_id, kind=body.kind, person_id=body.person_id, loan_id=body.loan_id
            )
        case AlertCleared() as body if state:
            return replace(state, disposition=body.disposition)
        case _:
            raise TypeError(f"an alert cannot take {event.type}")


class Case(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Work on something, open until it is closed."""

    case_id: str
    kind: str
    queue: str
    person_id: str
    about: str
    officer: str | None = None
    outcome: str | None = None


def case(state: Case | None, event: Event) -> Case:
    """The fold of `case/<id>`."""
    match event.body:
        case CaseOpened() as body:
            return Case(
                case_id=body.case_id,
                kind=body.kind,
                queue=body.queue,
                person_id=body.person_id,
                about=body.about,
            )
        case CaseAssigned() as body if state:
            return replace(state, officer=body.officer)
        case CaseClosed() as body if state:
            return replace(state, officer=body.officer, outcome=body.outcome)
        case _:
            raise TypeError(f"a case cannot take {event.type}")
