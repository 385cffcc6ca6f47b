"""From an application to the money: stream `application/<id>`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from obligor.events.classes import CONDUCT, IDENTITY, MONEY
from obligor.kernel import Body, Fact

__all__ = [
    "ApplicationDecided",
    "ApplicationOverridden",
    "ApplicationReceived",
    "ContractSigned",
    "DrawdownDecided",
    "DrawdownRequested",
    "HeadroomCommitted",
    "HeadroomReleased",
    "HeadroomReserved",
    "OfferAccepted",
    "OfferExpired",
    "OfferMade",
]


class ApplicationReceived(Body, frozen=True, kw_only=True):
    """A person asked for money. `fields` are what they declared, by fact name."""

    TYPE: ClassVar[str] = "application.received"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]
    person_id: Annotated[str, MONEY]
    product: Annotated[str, MONEY]
    channel: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    term_months: Annotated[int, MONEY]
    purpose: Annotated[str | None, CONDUCT] = None
    fields: Annotated[dict[str, Fact], CONDUCT] = {}
    device_id: Annotated[str | None, CONDUCT] = None
    reference: Annotated[str | None, IDENTITY] = None


class _Decided(Body, frozen=True, kw_only=True):
    """What a decision was made of and what came out.

    `reads` holds the version of each stream that was read; `known_upto` is how long the journal was.
    `facts` are by value; `trace` is the strategy's own; `inputs_sha256` is over facts, strategy and model.
    """

    decision_id: Annotated[str, MONEY]
    application_id: Annotated[str, MONEY]
    stage: Annotated[str, MONEY]
    outcome: Annotated[str, MONEY]
    strategy: Annotated[str, MONEY]
    strategy_sha256: Annotated[str, MONEY]
    model_sha256: Annotated[str | None, MONEY]
    catalogue_sha256: Annotated[str | None, MONEY]
    inputs_sha256: Annotated[str, MONEY]
    reads: Annotated[dict[str, int], MONEY]
    known_upto: Annotated[int, MONEY]
    outputs: Annotated[dict[str, Fact], CONDUCT] = {}
    score: Annotated[int | None, CONDUCT] = None
    pd_ppm: Annotated[int | None, CONDUCT] = None
    reasons: Annotated[tuple[str, ...], CONDUCT] = ()
    facts: Annotated[dict[str, Fact], CONDUCT] = {}
    trace: Annotated[list[Any], CONDUCT] = []


class ApplicationDecided(_Decided, frozen=True, kw_only=True):
    """The `prelend` strategy's answer: approve, refer or decline, with the terms that were found.

    The terms are None where the outcome is not to approve or refer.
    """

    TYPE: ClassVar[str] = "application.decided"
    SCHEMA: ClassVar[int] = 1
    person_id: Annotated[str, MONEY]
    product: Annotated[str, MONEY]
    channel: Annotated[str, MONEY]
    currency: Annotated[str, MONEY]
    asked_minor: Annotated[int, MONEY]
    limit_minor: Annotated[int | None, MONEY]
    rate_bp: Annotated[int | None, MONEY]
    term_months: Annotated[int | None, MONEY]


class ApplicationOverridden(Body, frozen=True, kw_only=True):
    """A person decided otherwise than the strategy; the decision itself stays as it was."""

    TYPE: ClassVar[str] = "application.overridden"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]
    decision_id: Annotated[str, MONEY]
    outcome: Annotated[str, MONEY]
    officer: Annotated[str, MONEY]
    authority: Annotated[str, MONEY]
    reason_code: Annotated[str, MONEY]
    limit_minor: Annotated[int | None, MONEY]
    rate_bp: Annotated[int | None, MONEY]
    term_months: Annotated[int | None, MONEY]
    expires_at: Annotated[datetime, MONEY]
    conditions: Annotated[str | None, CONDUCT] = None


class OfferMade(Body, frozen=True, kw_only=True):
    """Terms were offered; they hold until `expires_at`."""

    TYPE: ClassVar[str] = "offer.made"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    rate_bp: Annotated[int, MONEY]
    term_months: Annotated[int, MONEY]
    expires_at: Annotated[datetime, MONEY]


class OfferAccepted(Body, frozen=True, kw_only=True):
    """The person took the offer."""

    TYPE: ClassVar[str] = "offer.accepted"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]


class OfferExpired(Body, frozen=True, kw_only=True):
    """The offer was not taken in time."""

    TYPE: ClassVar[str] = "offer.expired"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]


class ContractSigned(Body, frozen=True, kw_only=True):
    """The contract was signed. `document_sha256` is the digest of what was signed."""

    TYPE: ClassVar[str] = "contract.signed"
    SCHEMA: ClassVar[int] = 1
    application_id: Annotated[str, MONEY]
    contract_id: Annotated[str, MONEY]
    document_sha256: Annotated[str, MONEY]


class DrawdownRequested(Body, frozen=True, kw_only=True):
    """Money was asked for under a contract."""

    TYPE: ClassVar[str] = "drawdown.requested"
    SCHEMA: ClassVar[int] = 1
    drawdown_id: Annotated[str, MONEY]
    application_id: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    partner: Annotated[str | None, MONEY]
    purpose: Annotated[str | None, CONDUCT] = None
    payee: Annotated[str | None, IDENTITY] = None


class DrawdownDecided(_Decided, frozen=True, kw_only=True):
    """The `drawdown` strategy's answer: release, hold or refuse. `loan_id` is set when released."""

    TYPE: ClassVar[str] = "drawdown.decided"
    SCHEMA: ClassVar[int] = 1
    drawdown_id: Annotated[str, MONEY]
    person_id: Annotated[str, MONEY]
    loan_id: Annotated[str | None, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    payment_mode: Annotated[str | None, MONEY]


class HeadroomReserved(Body, frozen=True, kw_only=True):
    """Room under every one of these caps was set aside until `expires_at`."""

    TYPE: ClassVar[str] = "headroom.reserved"
    SCHEMA: ClassVar[int] = 1
    reservation_id: Annotated[str, MONEY]
    application_id: Annotated[str, MONEY]
    caps: Annotated[tuple[str, ...], MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    expires_at: Annotated[datetime, MONEY]


class HeadroomCommitted(Body, frozen=True, kw_only=True):
    """Part or all of a reservation became a loan's exposure, under these caps (the partner's among them)."""

    TYPE: ClassVar[str] = "headroom.committed"
    SCHEMA: ClassVar[int] = 1
    reservation_id: Annotated[str, MONEY]
    application_id: Annotated[str, MONEY]
    loan_id: Annotated[str, MONEY]
    caps: Annotated[tuple[str, ...], MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]


class HeadroomReleased(Body, frozen=True, kw_only=True):
    """What was left of a reservation was given back: it expired, or the offer fell through."""

    TYPE: ClassVar[str] = "headroom.released"
    SCHEMA: ClassVar[int] = 1
    reservation_id: Annotated[str, MONEY]
    application_id: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    why: Annotated[str, MONEY]
