"""Everything that can be asked of a lender's books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Protocol

import msgspec

from obligor.app import views
from obligor.app.call import Means
from obligor.app.queries import alerts, decisions, finding, loans, overview, portfolio, proof, rules
from obligor.app.queries.common import Books
from obligor.app.service_protocol import Found
from obligor.funds import Classes, Position
from obligor.journal import Reader

__all__ = ["Books", "Queries", "proof"]

FundsOf = Callable[[str], Position | None]


class Log(Protocol):
    """What questions need of a journal, whoever writes it."""

    def reader(self) -> Reader:
        """What is committed."""
        ...

    def checkpoint(self, tenant: str) -> str:
        """The last signed checkpoint."""
        ...


class Queries:
    """Answers questions over a journal's readers; any thread may ask."""

    def __init__(self, means: Means, log: Log, vkey: str, classes: Classes, funds_of: FundsOf) -> None:
        self._asked, self._log, self._classes = means, log, classes
        self._traced = funds_of
        self.vkey = vkey

    def books(self, tenant: str) -> Books:
        """A tenant's books."""
        return Books(self._log.reader(), self._asked, tenant)

    def context(self, tenant: str) -> views.Context:
        """What every page says of itself."""
        return overview.context(self.books(tenant))

    def summary(self, tenant: str) -> views.Summary:
        """Totals over the whole journal."""
        return overview.summary(self.books(tenant), self.behind())

    def overview(self, tenant: str, on: date | None = None, days: int = 30) -> views.Overview:
        """The days that end with `on`, or with the latest day."""
        return overview.overview(
            self.books(tenant), self._classes, on, days, behind=self.behind(), vkey=self.vkey
        )

    def behind(self) -> int:
        """Committed events that a processor has not seen yet."""
        return 0

    def decisions(
        self, tenant: str, filters: views.DecisionFilters, after: str | None = None
    ) -> views.Decisions:
        """A page of decisions, after a cursor."""
        return decisions.listing(self.books(tenant), filters, after)

    def decision(self, tenant: str, decision_id: str) -> views.Decision:
        """One decision."""
        return decisions.decided(self.books(tenant), decision_id)

    def application(self, tenant: str, application_id: str) -> views.Application:
        """One application."""
        return decisions.application(self.books(tenant), application_id)

    def loans(self, tenant: str, filters: views.LoanFilters, after: str | None = None) -> views.Loans:
        """A page of loans, after a cursor."""
        return loans.listing(self.books(tenant), filters, after)

    def loan(self, tenant: str, loan_id: str, on: date | None = None) -> views.Loan:
        """One loan at the end of a day."""
        return loans.loan(self.books(tenant), loan_id, on, self._funds)

    def book(self, tenant: str, as_of: date | None = None) -> views.Book:
        """The book as a whole at the end of a day."""
        return portfolio.book(self.books(tenant), as_of)

    def features(self, tenant: str) -> views.Features:
        """The features that are computed here."""
        return rules.features(self.books(tenant))

    def feature(self, tenant: str, name: str) -> views.FeatureView:
        """One feature."""
        return rules.feature(self.books(tenant), name)

    def strategies(self, tenant: str) -> views.Strategies:
        """Every version of a strategy that was published."""
        return rules.strategies(self.books(tenant))

    def strategy(self, tenant: str, sha256: str) -> views.StrategyView:
        """One version of a strategy, by its digest."""
        return rules.strategy(self.books(tenant), sha256)

    def alerts(self, tenant: str, filters: views.AlertFilters, after: str | None = None) -> views.Alerts:
        """A page of alerts, after a cursor."""
        return alerts.listing(self.books(tenant), self._classes, filters, after)

    def alert(self, tenant: str, alert_id: str) -> views.Alert:
        """One alert."""
        return alerts.alert(self.books(tenant), self._classes, alert_id)

    def find(self, tenant: str, text: str) -> Found | None:
        """What an id stands for."""
        return finding.find(self.books(tenant), text)

    def event(self, tenant: str, event_id: str) -> views.EventView:
        """One entry of the journal."""
        return proof.event(self.books(tenant), event_id)

    def receipt(self, tenant: str, event_id: str, disclose: tuple[str, ...] = ()) -> bytes:
        """The receipt of an event, with some fields opened."""
        return proof.receipt(self.books(tenant), event_id, self._log.checkpoint(tenant), self.vkey, disclose)

    def checkpoint(self, tenant: str) -> str:
        """The last signed checkpoint."""
        return self._log.checkpoint(tenant)

    def audit(self, tenant: str) -> views.Audited:
        """Recompute the tenant's whole log."""
        return proof.as_view(proof.audited(self._log.reader(), tenant, self.vkey))

    def replay(self, tenant: str) -> views.Replayed:
        """Make every recorded decision of the tenant again."""
        return views.Replayed(**msgspec.structs.asdict(proof.replayed(self.books(tenant))))

    def _funds(self, loan_id: str) -> views.Funds | None:
        found = self._traced(loan_id)
        if found is None:
            return None
        return views.Funds(
            disbursed_minor=found.disbursed_minor,
            sunk_minor=found.sunk_minor,
            held_minor=found.held_minor,
            exit_minor=found.exit_minor,
            places=tuple(self._place(place) for place in found.places),
        )

    def _place(self, place: Any) -> views.Place:
        label = self._classes.label(place.counterparty_class)
        return views.Place(
            kind=place.kind,
            name=place.name,
            amount_minor=place.amount_minor,
            counterparty_class=place.counterparty_class,
            label_en=label.en,
            label_zh=label.zh,
            prohibited=label.prohibited,
        )
