"""Counts and amounts by day, and what is active now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from obligor.app.projections.gathering import EACH, Gathering, last, total
from obligor.events import (
    ApplicationDecided,
    ApplicationReceived,
    DayClosed,
    DrawdownDecided,
    HeadroomReserved,
    LoanDisbursed,
    ModelActivated,
    OfferMade,
    RepaymentReceived,
    RepaymentReversed,
    StrategyActivated,
)
from obligor.journal import Projecting, Projection
from obligor.kernel import Event

__all__ = ["MEASURES", "day_of", "projection"]

Statement = tuple[str, tuple[object, ...]]

# What is counted for each day; each measure has a count and an amount.
MEASURES = ("application", "approve", "refer", "decline", "drawn", "held", "due", "repaid")

SCHEMA = """
CREATE TABLE p_day (
  tenant TEXT NOT NULL, day TEXT NOT NULL, measure TEXT NOT NULL,
  count INTEGER NOT NULL, amount_minor INTEGER NOT NULL,
  PRIMARY KEY (tenant, day, measure)
) WITHOUT ROWID;
CREATE TABLE p_day_active (
  tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, label TEXT NOT NULL,
  PRIMARY KEY (tenant, kind, name)
) WITHOUT ROWID;
CREATE TABLE p_day_expiring (
  tenant TEXT NOT NULL, application_id TEXT NOT NULL, expires_us INTEGER NOT NULL,
  PRIMARY KEY (tenant, application_id, expires_us)
) WITHOUT ROWID;
"""

ADD = (
    "INSERT INTO p_day VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, day, measure)"
    " DO UPDATE SET count = p_day.count + excluded.count,"
    " amount_minor = p_day.amount_minor + excluded.amount_minor"
)
ACTIVE = (
    "INSERT INTO p_day_active VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, kind, name)"
    " DO UPDATE SET value = excluded.value, label = excluded.label"
)
EXPIRES = "INSERT INTO p_day_expiring VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
EXPIRED = "DELETE FROM p_day_expiring WHERE tenant = ? AND expires_us <= ?"

_GATHER = Gathering(
    {ADD: total("day", slice(0, 3), slice(3, 5)), ACTIVE: last("active", slice(0, 3)), EXPIRES: EACH}
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_zones: dict[str, ZoneInfo] = {}


def _local(at: datetime, zone: str) -> datetime:
    found = _zones.get(zone) or _zones.setdefault(zone, ZoneInfo(zone))
    return at.astimezone(found)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def day_of(event: Event, zone: str) -> str:
    """The day of an event in a zone, as `2026-11-25`."""
    return _local(event.at, zone).date().isoformat()


_TYPES = frozenset(
    body.TYPE
    for body in (
        ApplicationReceived,
        ApplicationDecided,
        DrawdownDecided,
        LoanDisbursed,
        RepaymentReceived,
        RepaymentReversed,
        OfferMade,
        HeadroomReserved,
        DayClosed,
        StrategyActivated,
        ModelActivated,
    )
)


def projection(zone: str) -> Projection:
    """The tables `p_day`, `p_day_active` and `p_day_expiring`."""

    def project(event: Event, states: Projecting) -> Iterable[Statement]:  # noqa: ARG001
        tenant = event.tenant
        for day, measure, count, amount in _counts(event, zone):
            yield ADD, (tenant, day, measure, count, amount)
        match event.body:
            case OfferMade() | HeadroomReserved() as body:
                yield EXPIRES, (tenant, body.application_id, _micros(body.expires_at))
            case DayClosed() as body:
                yield ACTIVE, (tenant, "day", "closed", body.day.isoformat(), "")
                yield EXPIRED, (tenant, _micros(event.at))
            case StrategyActivated() as body:
                yield ACTIVE, (tenant, "strategy", body.stage, body.sha256, body.name)
            case ModelActivated() as body:
                yield ACTIVE, (tenant, "model", body.name, body.sha256, body.name)
            case _:
                return

    return Projection(name="day", schema=SCHEMA, project=project, gather=_GATHER, types=_TYPES)


def _counts(event: Event, zone: str) -> Iterable[tuple[str, str, int, int]]:
    match event.body:
        case ApplicationReceived() as body:
            yield day_of(event, zone), "application", 1, body.amount_minor
        case ApplicationDecided() as body:
            yield day_of(event, zone), body.outcome, 1, body.limit_minor or 0
        case DrawdownDecided() as body if body.outcome != "release":
            yield day_of(event, zone), "held", 1, body.amount_minor
        case LoanDisbursed() as body:
            yield body.disbursed_on.isoformat(), "drawn", 1, body.amount_minor
            due: Mapping[str, int] = {
                line.due_on.isoformat(): line.principal_minor + line.interest_minor for line in body.schedule
            }
            for day, amount in due.items():
                yield day, "due", 1, amount
        case RepaymentReceived() as body:
            yield body.value_on.isoformat(), "repaid", 1, body.amount_minor
        case RepaymentReversed() as body:
            yield body.value_on.isoformat(), "repaid", -1, -body.amount_minor
        case _:
            return
