"""Alerts: the queue, and one alert with its evidence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import field

from obligor.app.views.book import LoanRow
from obligor.app.views.common import Choices, EventRow, View

__all__ = ["Alert", "AlertFilters", "AlertRow", "Alerts", "Clearing", "Hop", "KindSum"]


class AlertFilters(View, frozen=True, kw_only=True):
    """Every field narrows; `state` is open or cleared."""

    kind: str | None = None
    severity: str | None = None
    state: str | None = None
    person: str | None = None
    loan: str | None = None


class AlertRow(View, frozen=True, kw_only=True):
    """An alert in a line: `amount_minor` is what it is about, `of_minor` the loan's amount.

    `severity` is info, warn or serious. For fund use, `class_*` names the class that money reached.
    `disposition` is None while the alert is open.
    """

    alert_id: str
    event_id: str
    known_seq: int
    at: datetime
    kind: str
    severity: str
    person_id: str
    monitor: str
    loan_id: str | None = None
    amount_minor: int | None = None
    of_minor: int | None = None
    currency: str | None = None
    days_past_due: int | None = None
    counterparty_class: str | None = None
    class_en: str = ""
    class_zh: str = ""
    disposition: str | None = None


class KindSum(View, frozen=True, kw_only=True):
    """How many alerts of a kind there are, open and cleared."""

    kind: str
    open: int
    cleared: int


class Alerts(View, frozen=True, kw_only=True):
    """Alerts, serious and newest first, at most 50; `total` counts the whole filter, `open` all open ones."""

    filters: AlertFilters
    rows: tuple[AlertRow, ...]
    total: int
    open: int
    next: str | None = None
    kinds: tuple[KindSum, ...] = ()
    choices: Choices = Choices()


class Hop(View, frozen=True, kw_only=True):
    """Loan money moving once: `amount_minor` of the `moved_minor` was loan money, first in first out.

    The names are ids of accounts that we see, or the sender's pseudonym of one that we do not; the first hop
    comes from the loan itself. `event_id` is the transfer's or the disbursement's entry.
    """

    at: datetime
    source: str
    target: str
    amount_minor: int
    moved_minor: int | None = None
    event_id: str | None = None
    target_class: str | None = None
    label_en: str = ""
    label_zh: str = ""
    prohibited: bool = False


class Clearing(View, frozen=True, kw_only=True):
    """How a person closed an alert."""

    event_id: str
    known_seq: int
    at: datetime
    disposition: str
    officer: str
    note: str | None = None


class Alert(AlertRow, frozen=True, kw_only=True):
    """An alert with what the monitor saw. `evidence` are its values by name, hops apart."""

    monitor_version: str = ""
    dedupe_key: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    hops: tuple[Hop, ...] = ()
    events: tuple[EventRow, ...] = ()
    loan: LoanRow | None = None
    purpose: str | None = None
    cleared: Clearing | None = None
    erased: tuple[str, ...] = ()
