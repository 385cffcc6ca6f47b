"""Accounts and transfers that the lender sees, and what monitors and people make of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from obligor.events.classes import CONDUCT, IDENTITY, MONEY
from obligor.kernel import Body

__all__ = [
    "AccountOpened",
    "AlertCleared",
    "AlertRaised",
    "CaseAssigned",
    "CaseClosed",
    "CaseOpened",
    "TransferPosted",
    "TransferReversed",
]


class AccountOpened(Body, frozen=True, kw_only=True):
    """An account whose movements we see. `number` is the bank's. Stream `account/<id>`."""

    TYPE: ClassVar[str] = "account.opened"
    SCHEMA: ClassVar[int] = 1
    account_id: Annotated[str, MONEY]
    person_id: Annotated[str, MONEY]
    currency: Annotated[str, MONEY]
    number: Annotated[str | None, IDENTITY] = None
    opening_minor: Annotated[int, CONDUCT] = 0


class TransferPosted(Body, frozen=True, kw_only=True):
    """Money moved out of or into an account that we see. Stream `account/<id>`.

    `counterparty` names the other account: one of ours, or the sender's pseudonym for one that we do not see.
    `counterparty_class` is the sender's label of it, None where there is none. Amounts are positive;
    `direction` is `out` or `in`. A transfer between two accounts that we both see is posted once, as `out`.
    """

    TYPE: ClassVar[str] = "transfer.posted"
    SCHEMA: ClassVar[int] = 1
    account_id: Annotated[str, MONEY]
    transfer_id: Annotated[str, MONEY]
    direction: Annotated[str | None, CONDUCT] = None
    amount_minor: Annotated[int, CONDUCT] = 0
    currency: Annotated[str | None, CONDUCT] = None
    counterparty: Annotated[str | None, CONDUCT] = None
    counterparty_class: Annotated[str | None, CONDUCT] = None
    loan_id: Annotated[str | None, CONDUCT] = None
    memo: Annotated[str | None, CONDUCT] = None


class TransferReversed(Body, frozen=True, kw_only=True):
    """A transfer was taken back; the envelope's `replaces` names its event. Stream `account/<id>`."""

    TYPE: ClassVar[str] = "transfer.reversed"
    SCHEMA: ClassVar[int] = 1
    account_id: Annotated[str, MONEY]
    transfer_id: Annotated[str, MONEY]


class AlertRaised(Body, frozen=True, kw_only=True):
    """A monitor noticed something. An alert is no finding: that needs a person. Stream `alert/<id>`.

    `amount_minor` is what it is about at least; `evidence` holds what the monitor saw (hops, features, days).
    """

    TYPE: ClassVar[str] = "alert.raised"
    SCHEMA: ClassVar[int] = 1
    alert_id: Annotated[str, MONEY]
    kind: Annotated[str, MONEY]
    severity: Annotated[str, MONEY]
    dedupe_key: Annotated[str, MONEY]
    person_id: Annotated[str, MONEY]
    loan_id: Annotated[str | None, MONEY]
    amount_minor: Annotated[int | None, MONEY]
    currency: Annotated[str | None, MONEY]
    monitor: Annotated[str, MONEY]
    monitor_version: Annotated[str, MONEY]
    events: Annotated[tuple[str, ...], MONEY] = ()
    evidence: Annotated[dict[str, Any], CONDUCT] = {}


class AlertCleared(Body, frozen=True, kw_only=True):
    """A person closed an alert with a disposition. Stream `alert/<id>`."""

    TYPE: ClassVar[str] = "alert.cleared"
    SCHEMA: ClassVar[int] = 1
    alert_id: Annotated[str, MONEY]
    disposition: Annotated[str, MONEY]
    officer: Annotated[str, MONEY]
    note: Annotated[str | None, CONDUCT] = None


class CaseOpened(Body, frozen=True, kw_only=True):
    """Work on a referral, an alert or arrears. Stream `case/<id>`."""

    TYPE: ClassVar[str] = "case.opened"
    SCHEMA: ClassVar[int] = 1
    case_id: Annotated[str, MONEY]
    kind: Annotated[str, MONEY]
    queue: Annotated[str, MONEY]
    person_id: Annotated[str, MONEY]
    about: Annotated[str, MONEY]
    due_at: Annotated[datetime, MONEY]


class CaseAssigned(Body, frozen=True, kw_only=True):
    """A case is somebody's work now. Stream `case/<id>`."""

    TYPE: ClassVar[str] = "case.assigned"
    SCHEMA: ClassVar[int] = 1
    case_id: Annotated[str, MONEY]
    officer: Annotated[str, MONEY]


class CaseClosed(Body, frozen=True, kw_only=True):
    """The work on a case is done. Stream `case/<id>`."""

    TYPE: ClassVar[str] = "case.closed"
    SCHEMA: ClassVar[int] = 1
    case_id: Annotated[str, MONEY]
    outcome: Annotated[str, MONEY]
    officer: Annotated[str, MONEY]
    note: Annotated[str | None, CONDUCT] = None
