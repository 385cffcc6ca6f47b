"""What the web needs of the system: one service, whoever implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import date
from typing import Any, Protocol

import msgspec

from obligor.app.views import (
    Alert,
    AlertFilters,
    Alerts,
    Application,
    Audited,
    Book,
    Context,
    Decision,
    DecisionFilters,
    Decisions,
    EventView,
    Features,
    FeatureView,
    Loan,
    LoanFilters,
    Loans,
    Overview,
    Registered,
    Replayed,
    Strategies,
    StrategyView,
    Summary,
)

__all__ = ["EVENT_SCOPES", "SCOPES", "Check", "Found", "Idempotency", "Principal", "Reply", "Service"]

SCOPES = ("applications:write", "drawdowns:write", "events:write", "read", "erase", "admin")

# Events that need a scope of their own beside `events:write`. Lines are checked by the service.
EVENT_SCOPES: Mapping[str, str] = {"cap.set": "admin", "day.closed": "admin", "person.erased": "erase"}

# An idempotency key with the SHA-256 (hex) of the body that came with it.
Idempotency = tuple[str, str]


class Principal(msgspec.Struct, frozen=True):
    """Who sends a request: an API key or a person at the console, with what they may do.

    `quota` is how many requests of a kind they may send in a minute; None is what everybody may.
    """

    tenant: str
    name: str
    scopes: frozenset[str]
    quota: int | None = None


class Reply(msgspec.Struct, frozen=True):
    """The answer to a write: an HTTP status and the JSON that was stored for the idempotency key."""

    status: int
    body: bytes


class Check(msgspec.Struct, frozen=True):
    """One thing that has to hold before requests are taken. `detail` says how it stands."""

    name: str
    ok: bool
    detail: str


class Found(msgspec.Struct, frozen=True):
    """What an id is of: `kind` is decision, application, loan, alert, event or person; the id is whole."""

    kind: str
    id: str


class Service(Protocol):
    """The system, seen from the web.

    `authenticate`, `redeem_ticket`, `still_valid` and the submits are called on the event loop and must not
    block. The others are called from threads, several at once. Each may raise a Refusal: an unknown id is
    NotFound, what a person's erasure took is Gone, a checkpoint that is not signed yet is Unavailable.
    `vkey` is the log's verifier key (C2SP signed note).
    """

    vkey: str

    def authenticate(self, token: str) -> Principal | None:
        """Whose API key this is."""

    def redeem_ticket(self, ticket: str) -> Principal | None:
        """Whose one-time sign-in ticket this is; it works once."""

    def still_valid(self, principal: Principal) -> bool:
        """Whether a principal that signed in earlier may go on: False once its key was revoked."""

    def submit(
        self, principal: Principal, kind: str, payload: dict[str, Any], idempotency: Idempotency | None
    ) -> Future[Reply]:
        """Take an `application`, a `drawdown` or an `event`: JSON that `obligor.app.wire` has yet to type."""

    def submit_lines(
        self, principal: Principal, lines: Sequence[bytes], first_line: int = 1
    ) -> Future[list[bytes]]:
        """Take events, one JSON object a line; each gets one JSON object back, lines numbered on.

        A line whose type needs a scope that the principal lacks is refused like any other bad line.
        """

    def context(self, tenant: str) -> Context:
        """What every page says of itself."""

    def overview(self, tenant: str, on: date | None = None, days: int = 30) -> Overview:
        """The `days` days that end with `on`, or with the latest day that anything happened."""

    def decisions(self, tenant: str, filters: DecisionFilters, after: str | None = None) -> Decisions:
        """A page of decisions, after a cursor; a cursor that is not ours is InvalidInput."""

    def decision(self, tenant: str, decision_id: str) -> Decision:
        """One decision."""

    def application(self, tenant: str, application_id: str) -> Application:
        """One application."""

    def loans(self, tenant: str, filters: LoanFilters, after: str | None = None) -> Loans:
        """A page of loans, after a cursor."""

    def loan(self, tenant: str, loan_id: str, on: date | None = None) -> Loan:
        """One loan at the end of a day; None is the latest day that the journal knows."""

    def book(self, tenant: str, as_of: date | None = None) -> Book:
        """The book as a whole at the end of a day; None is the latest day that the journal knows."""

    def features(self, tenant: str) -> Features:
        """The features that are computed here."""

    def feature(self, tenant: str, name: str) -> FeatureView:
        """One feature, by its name."""

    def strategies(self, tenant: str) -> Strategies:
        """Every version of a strategy that was published."""

    def strategy(self, tenant: str, sha256: str) -> StrategyView:
        """One version of a strategy, by its digest."""

    def alerts(self, tenant: str, filters: AlertFilters, after: str | None = None) -> Alerts:
        """A page of alerts, after a cursor."""

    def alert(self, tenant: str, alert_id: str) -> Alert:
        """One alert."""

    def event(self, tenant: str, event_id: str) -> EventView:
        """One entry of the journal."""

    def find(self, tenant: str, text: str) -> Found | None:
        """What an id stands for: a whole one, or one as `kernel.short` shows it where only one has it."""

    def summary(self, tenant: str) -> Summary:
        """Totals over the whole journal."""

    def audit(self, tenant: str) -> Audited:
        """Recompute the tenant's whole log."""

    def replay(self, tenant: str) -> Replayed:
        """Make every recorded decision again."""

    def register_model(self, tenant: str, data: bytes) -> Registered:
        """Take a trained model's table, as `app.wire.ModelRequest` writes it, to score from now on."""

    def receipt(self, tenant: str, event_id: str, disclose: tuple[str, ...] = ()) -> bytes:
        """The receipt file of an event, to be verified offline, with the fields to `disclose` opened."""

    def checkpoint(self, tenant: str) -> str:
        """The last signed checkpoint, a C2SP signed note."""

    def readiness(self) -> list[Check]:
        """Whether kernels are warm, the writer lives, the disk has room, keys can be had."""

    def metrics(self) -> bytes:
        """Prometheus text."""
