"""Tables that follow from the events: for lists, sums and pages. Deleted, they come back the same."""

from __future__ import annotations

from collections.abc import Sequence

from obligor.app.projections import alerts, book, caps, days, decisions, loans
from obligor.app.projections.caps import load_caps
from obligor.journal import Projection

__all__ = ["all_of", "load_caps"]


def all_of(zone: str) -> Sequence[Projection]:
    """Every projection; days are those of the zone."""
    return (
        decisions.projection(zone),
        loans.projection(),
        caps.projection(),
        alerts.projection(),
        days.projection(zone),
        book.projection(zone),
    )
