"""What may be sent to the system: the bodies of its writing requests, as their senders write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from obligor.kernel import (
    MAX_INTEGER,
    AmountMinor,
    AwareTime,
    Currency,
    Ident,
    NonNegativeMinor,
    Text,
    ready,
)
from obligor.limits import DIMENSIONS

__all__ = [
    "EVENT_BODIES",
    "ApplicationRequest",
    "DrawdownRequest",
    "EventRequest",
    "ModelRequest",
    "PersonRef",
    "WireBody",
]

Months = Annotated[int, Meta(ge=1, le=600)]
RateBp = Annotated[int, Meta(ge=0, le=100_000)]
Outcome = Literal["approve", "decline"]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z", description="64 hexadecimal digits in lower case")]
Whole = Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Fields = Annotated[dict[Ident, Whole | bool | str | None], Meta(max_length=400)]
CapName = Annotated[
    str,
    Meta(
        pattern=rf"\A(?:{'|'.join(DIMENSIONS)})/(?:[A-Za-z0-9._:/-]{{1,128}}|\*)\Z",
        description="a dimension, a slash and a value or *, such as product/instalment or obligor/*; "
        f"dimensions are {', '.join(DIMENSIONS)}",
    ),
]


class WireBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of a request; unknown fields are refused."""


class PersonRef(WireBody, frozen=True, kw_only=True):
    """Who it is about: a known reference or national id finds the same person again."""

    reference: Text | None = None
    national_id: Text | None = None
    name: Text | None = None
    phone: Text | None = None
    email: Text | None = None
    address: Text | None = None
    born_on: date | None = None
    kind: Literal["person", "firm"] = "person"


class ApplicationRequest(WireBody, frozen=True, kw_only=True):
    """`POST /v1/applications`."""

    person: PersonRef
    product: Ident
    channel: Ident
    amount_minor: AmountMinor
    currency: Currency
    term_months: Months
    purpose: Ident | None = None
    fields: Fields = {}
    device_id: Ident | None = None
    reference: Text | None = None
    consents: Annotated[tuple[Ident, ...], Meta(max_length=20)] = ()
    at: AwareTime | None = None


class DrawdownRequest(WireBody, frozen=True, kw_only=True):
    """`POST /v1/drawdowns`."""

    application_id: Ident
    amount_minor: AmountMinor
    currency: Currency
    partner: Ident | None = None
    purpose: Ident | None = None
    payee: Text | None = None
    account_id: Ident | None = None
    at: AwareTime | None = None


class EventRequest(WireBody, frozen=True, kw_only=True):
    """`POST /v1/events`: one thing that happened, named by its sender so that it is never taken twice."""

    type: Ident
    source: Ident
    source_ref: Text
    body: dict[str, Any]
    at: AwareTime | None = None


class ModelRequest(WireBody, frozen=True, kw_only=True):
    """`POST /v1/models`: a points table as the trainer wrote it; it scores from now on."""

    name: Literal["application"] = "application"
    version: Ident
    model: dict[str, Any]
    known_on: date | None = None


class SourceAnswered(WireBody, frozen=True, kw_only=True):
    application_id: Ident
    name: Ident
    facts: Fields


class SourceFailed(WireBody, frozen=True, kw_only=True):
    application_id: Ident
    name: Ident
    why: Text | None = None


class ApplicationOverridden(WireBody, frozen=True, kw_only=True):
    application_id: Ident
    outcome: Outcome
    officer: Ident
    authority: Ident
    reason_code: Ident
    limit_minor: AmountMinor | None = None
    rate_bp: RateBp | None = None
    term_months: Months | None = None
    conditions: Text | None = None
    expires_at: AwareTime | None = None


class OfferMade(WireBody, frozen=True, kw_only=True):
    application_id: Ident
    amount_minor: AmountMinor | None = None
    expires_at: AwareTime | None = None


class OfferAccepted(WireBody, frozen=True, kw_only=True):
    application_id: Ident


class ContractSigned(WireBody, frozen=True, kw_only=True):
    application_id: Ident
    contract_id: Ident
    document_sha256: Sha256


class Share(WireBody, frozen=True, kw_only=True):
    partner: Ident
    share_bp: Annotated[int, Meta(ge=0, le=10_000)]


class HistoricalTerms(WireBody, frozen=True, kw_only=True):
    """The terms that a loan of a lender's own history really had, where they are not the ones decided."""

    rate_bp: RateBp
    term_months: Months


class LoanDisbursed(WireBody, frozen=True, kw_only=True):
    loan_id: Ident
    account_id: Ident | None = None
    disbursed_on: date | None = None
    shares: Annotated[tuple[Share, ...], Meta(max_length=20)] = ()
    historical_terms: HistoricalTerms | None = None


class AllocationGiven(WireBody, frozen=True, kw_only=True):
    """Where a payment went, when the sender's books have already said so; the parts sum to the payment."""

    fee_minor: NonNegativeMinor = 0
    interest_minor: NonNegativeMinor = 0
    principal_minor: NonNegativeMinor = 0


class RepaymentReceived(WireBody, frozen=True, kw_only=True):
    loan_id: Ident
    amount_minor: AmountMinor
    currency: Currency
    value_on: date | None = None
    allocation: AllocationGiven | None = None


class RepaymentReversed(WireBody, frozen=True, kw_only=True):
    loan_id: Ident
    event_id: Ident | None = None
    source_ref: Text | None = None
    why: Text | None = None


class FeeCharged(WireBody, frozen=True, kw_only=True):
    loan_id: Ident
    amount_minor: AmountMinor
    currency: Currency
    kind: Ident
    charged_on: date | None = None


class LoanWrittenOff(WireBody, frozen=True, kw_only=True):
    loan_id: Ident
    written_off_on: date | None = None
    why: Text | None = None


class RecoveryReceived(WireBody, frozen=True, kw_only=True):
    loan_id: Ident
    amount_minor: AmountMinor
    currency: Currency
    cost_minor: NonNegativeMinor = 0
    value_on: date | None = None


class AccountOpened(WireBody, frozen=True, kw_only=True):
    account_id: Ident
    person_id: Ident
    currency: Currency
    number: Text | None = None
    opening_minor: NonNegativeMinor = 0


class TransferPosted(WireBody, frozen=True, kw_only=True):
    account_id: Ident
    transfer_id: Ident
    direction: Literal["in", "out"]
    amount_minor: AmountMinor
    currency: Currency
    counterparty: Ident
    counterparty_class: Ident | None = None
    memo: Text | None = None


class TransferReversed(WireBody, frozen=True, kw_only=True):
    account_id: Ident
    transfer_id: Ident


class DeviceSeen(WireBody, frozen=True, kw_only=True):
    person_id: Ident
    device_id: Ident
    platform: Ident | None = None
    country: Ident | None = None


class ConsentGranted(WireBody, frozen=True, kw_only=True):
    person_id: Ident
    purpose: Ident
    text_version: Ident | None = None


class ConsentWithdrawn(WireBody, frozen=True, kw_only=True):
    person_id: Ident
    purpose: Ident


class CapSet(WireBody, frozen=True, kw_only=True):
    cap: CapName
    limit_minor: NonNegativeMinor
    currency: Currency


class DayClosed(WireBody, frozen=True, kw_only=True):
    day: date


class AlertCleared(WireBody, frozen=True, kw_only=True):
    alert_id: Ident
    disposition: Literal["not_suspicious", "insufficient_evidence", "referred", "confirmed"]
    officer: Ident
    note: Text | None = None


class CaseAssigned(WireBody, frozen=True, kw_only=True):
    case_id: Ident
    officer: Ident


class CaseClosed(WireBody, frozen=True, kw_only=True):
    case_id: Ident
    outcome: Ident
    officer: Ident
    note: Text | None = None


class PersonErased(WireBody, frozen=True, kw_only=True):
    person_id: Ident
    classes: Annotated[tuple[Literal["identity", "conduct"], ...], Meta(min_length=1, max_length=2)]
    ground: Ident


# What `POST /v1/events` takes, by type.
EVENT_BODIES: Mapping[str, type[WireBody]] = {
    "account.opened": AccountOpened,
    "alert.cleared": AlertCleared,
    "application.overridden": ApplicationOverridden,
    "cap.set": CapSet,
    "case.assigned": CaseAssigned,
    "case.closed": CaseClosed,
    "consent.granted": ConsentGranted,
    "consent.withdrawn": ConsentWithdrawn,
    "contract.signed": ContractSigned,
    "day.closed": DayClosed,
    "device.seen": DeviceSeen,
    "fee.charged": FeeCharged,
    "loan.disbursed": LoanDisbursed,
    "loan.written_off": LoanWrittenOff,
    "offer.accepted": OfferAccepted,
    "offer.made": OfferMade,
    "person.erased": PersonErased,
    "recovery.received": RecoveryReceived,
    "repayment.received": RepaymentReceived,
    "repayment.reversed": RepaymentReversed,
    "source.answered": SourceAnswered,
    "source.failed": SourceFailed,
    "transfer.posted": TransferPosted,
    "transfer.reversed": TransferReversed,
}

ready(PersonRef, ApplicationRequest, DrawdownRequest, EventRequest, ModelRequest, *EVENT_BODIES.values())
