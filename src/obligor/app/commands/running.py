"""What a lender sets and closes: caps, days, strategies, models."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from obligor.app import wire
from obligor.app.commands.applications import release
from obligor.app.proposal import Proposal
from obligor.events import (
    DayClosed,
    ModelActivated,
    ModelRegistered,
    OfferExpired,
    StrategyActivated,
    StrategyPublished,
)
from obligor.kernel import Conflict
from obligor.scoring import PointsModel
from obligor.strategy import Strategy

__all__ = ["activate_model", "activate_strategy", "close_day", "end_of", "set_cap"]


def set_cap(p: Proposal, body: wire.CapSet) -> dict[str, Any]:
    """Set a limit; one below what is in use leaves no room until it fits again."""
    cap = p.view.memory("caps").set_cap(body.cap, body.limit_minor, body.currency)
    p.add(f"cap/{body.cap}", cap)
    return {"cap": body.cap}


def end_of(day: date, zone: str) -> datetime:
    """The first moment after a day in a zone, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)


def close_day(p: Proposal, body: wire.DayClosed) -> dict[str, Any]:
    """A day is over: it may not be closed twice, nor before an earlier one that was closed."""
    book = p.view.memory("book")
    if book.last_day and body.day <= book.last_day:
        raise Conflict(f"{book.last_day} is closed; the next day to close comes after it")
    zone = p.call.means.settings.zone
    end = end_of(body.day, zone)
    event = p.add(f"day/{body.day.isoformat()}", DayClosed(day=body.day, zone=zone), at=end)
    expired = 0
    for application_id in book.expiring(end):
        application = p.application(application_id)
        offer = application.offer
        if offer and not offer.accepted and not offer.expired and offer.expires_at <= end:
            gone = OfferExpired(application_id=application_id)
            p.add(f"application/{application_id}", gone, (application.person_id,), at=end, cause=event.id)
        held = application.reservation
        if held and held.left_minor and held.expires_at <= end:
            release(p, application, "expired")
            expired += 1
    return {"day": body.day, "released": expired}


def activate_strategy(p: Proposal, compiled: Strategy) -> dict[str, Any]:
    """Publish a compiled strategy whose files are kept, and let it decide its stage."""
    stream = f"strategy/{compiled.name}"
    published = StrategyPublished(
        name=compiled.name, version=compiled.version, stage=compiled.stage, sha256=compiled.sha256
    )
    p.add(stream, published)
    p.add(stream, StrategyActivated(name=compiled.name, stage=compiled.stage, sha256=compiled.sha256))
    return {"strategy": compiled.name, "sha256": compiled.sha256}


def activate_model(p: Proposal, model: PointsModel, version: str, known_on: date | None) -> dict[str, Any]:
    """Register a model whose table is kept, and let it score applications."""
    stream = "model/application"
    registered = ModelRegistered(
        name="application",
        version=version,
        sha256=model.sha256,
        trained_on=model.artifact.training.note,
        known_on=known_on,
    )
    p.add(stream, registered)
    p.add(stream, ModelActivated(name="application", sha256=model.sha256))
    return {"model": "application", "sha256": model.sha256}
