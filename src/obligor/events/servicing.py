"""A loan's life: stream `loan/<id>`. Amounts are in minor units of the loan's currency."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

import msgspec

from obligor.events.classes import CONDUCT, MONEY
from obligor.kernel import Body

__all__ = [
    "Allocation",
    "ClassChanged",
    "FeeCharged",
    "Instalment",
    "LoanClosed",
    "LoanDisbursed",
    "LoanWrittenOff",
    "PartnerShare",
    "RecoveryReceived",
    "RepaymentReceived",
    "RepaymentReversed",
]


class Instalment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a schedule: due on a date, counted from 1."""

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int


class Allocation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a payment went. `excess_minor` is what the loan did not need: it is owed back."""

    fee_minor: int = 0
    interest_minor: int = 0
    principal_minor: int = 0
    excess_minor: int = 0


class PartnerShare(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A lender's part of a joint loan in basis points; all parts of a loan sum to 10,000."""

    partner: str
    share_bp: int


class LoanDisbursed(Body, frozen=True, kw_only=True):
    """Money went out, under this schedule. Empty `shares` say that it is all ours.

    `interest` says what is owed when a payment comes early or late: `scheduled`, what the schedule says, or
    `daily`, what accrues by the day count on the balance that is really outstanding.
    """

    TYPE: ClassVar[str] = "loan.disbursed"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    application_id: Annotated[str, MONEY]
    person_id: Annotated[str, MONEY]
    product: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    rate_bp: Annotated[int, MONEY]
    term_months: Annotated[int, MONEY]
    day_count: Annotated[str, MONEY]
    disbursed_on: Annotated[date, MONEY]
    schedule: Annotated[tuple[Instalment, ...], MONEY]
    caps: Annotated[tuple[str, ...], MONEY]
    shares: Annotated[tuple[PartnerShare, ...], MONEY] = ()
    interest: Annotated[str, MONEY] = "scheduled"
    account_id: Annotated[str | None, CONDUCT] = None


class RepaymentReceived(Body, frozen=True, kw_only=True):
    """A payment came in, value-dated, and was applied to the oldest arrears first."""

    TYPE: ClassVar[str] = "repayment.received"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    value_on: Annotated[date, MONEY]
    allocation: Annotated[Allocation, MONEY]


class RepaymentReversed(Body, frozen=True, kw_only=True):
    """A payment turned out not to have come; the envelope's `replaces` names its event."""

    TYPE: ClassVar[str] = "repayment.reversed"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    value_on: Annotated[date, MONEY]
    allocation: Annotated[Allocation, MONEY]
    why: Annotated[str | None, CONDUCT] = None


class FeeCharged(Body, frozen=True, kw_only=True):
    """A fee is due on the day it was charged."""

    TYPE: ClassVar[str] = "fee.charged"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    kind: Annotated[str, MONEY]
    charged_on: Annotated[date, MONEY]


class LoanWrittenOff(Body, frozen=True, kw_only=True):
    """No reasonable expectation of recovery (IFRS 9 5.4.4): off the book, the claim lives on."""

    TYPE: ClassVar[str] = "loan.written_off"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    principal_minor: Annotated[int, MONEY]
    interest_minor: Annotated[int, MONEY]
    fee_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    written_off_on: Annotated[date, MONEY]
    why: Annotated[str | None, CONDUCT] = None


class RecoveryReceived(Body, frozen=True, kw_only=True):
    """Money came in on a claim that was written off; `cost_minor` of it went to who collected it."""

    TYPE: ClassVar[str] = "recovery.received"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    amount_minor: Annotated[int, MONEY]
    cost_minor: Annotated[int, MONEY]
    currency: Annotated[str, MONEY]
    value_on: Annotated[date, MONEY]


class LoanClosed(Body, frozen=True, kw_only=True):
    """Nothing is owed any more, or nothing more is expected."""

    TYPE: ClassVar[str] = "loan.closed"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    closed_on: Annotated[date, MONEY]
    why: Annotated[str, MONEY]


class ClassChanged(Body, frozen=True, kw_only=True):
    """A loan's class or stage is another one than before, by the `classify` strategy."""

    TYPE: ClassVar[str] = "class.changed"
    SCHEMA: ClassVar[int] = 1
    loan_id: Annotated[str, MONEY]
    on: Annotated[date, MONEY]
    days_past_due: Annotated[int, MONEY]
    five_tier: Annotated[str, MONEY]
    ifrs9_stage: Annotated[int, MONEY]
    non_performing: Annotated[bool, MONEY]
    strategy: Annotated[str, MONEY]
    strategy_sha256: Annotated[str, MONEY]
