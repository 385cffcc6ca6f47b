"""What the book is counted from: contracts, loans that fell behind, strategies that were published."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from obligor.app.projections.days import day_of
from obligor.app.projections.gathering import EACH, Gathering, last
from obligor.events import (
    ClassChanged,
    ContractSigned,
    LoanWrittenOff,
    RepaymentReceived,
    StrategyActivated,
    StrategyPublished,
)
from obligor.journal import Projecting, Projection
from obligor.kernel import Event
from obligor.loans import Loan

__all__ = ["OVER_DAYS", "projection"]

Statement = tuple[str, tuple[object, ...]]

# Days past due that a vintage is told of.
OVER_DAYS = (30, 90)

SCHEMA = """
CREATE TABLE p_book_contract (
  tenant TEXT NOT NULL, application_id TEXT NOT NULL, contract_id TEXT NOT NULL, day TEXT NOT NULL,
  PRIMARY KEY (tenant, application_id)
) WITHOUT ROWID;
CREATE TABLE p_book_late (
  tenant TEXT NOT NULL, loan_id TEXT NOT NULL, over_days INTEGER NOT NULL, first_on TEXT NOT NULL,
  month_on_book INTEGER NOT NULL,
  PRIMARY KEY (tenant, loan_id, over_days)
) WITHOUT ROWID;
CREATE TABLE p_book_strategy (
  tenant TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, stage TEXT NOT NULL,
  published_on TEXT NOT NULL, event_id TEXT NOT NULL, activated_on TEXT,
  PRIMARY KEY (tenant, sha256)
) WITHOUT ROWID;
"""

SIGNED = "INSERT INTO p_book_contract VALUES (?, ?, ?, ?) ON CONFLICT (tenant, application_id) DO NOTHING"
LATE = "INSERT INTO p_book_late VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, loan_id, over_days) DO NOTHING"
PUBLISHED = (
    "INSERT INTO p_book_strategy VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (tenant, sha256) DO NOTHING"
)
ACTIVATED = "UPDATE p_book_strategy SET activated_on = ? WHERE tenant = ? AND sha256 = ?"

# A version is published before it is activated; the rest are rows of their own, of which the first stays.
_GATHER = Gathering({SIGNED: EACH, LATE: EACH, PUBLISHED: EACH, ACTIVATED: last("activated", slice(1, 3))})

_TYPES = frozenset(
    body.TYPE
    for body in (
        ClassChanged,
        ContractSigned,
        LoanWrittenOff,
        RepaymentReceived,
        StrategyActivated,
        StrategyPublished,
    )
)


def projection(zone: str) -> Projection:
    """The tables `p_book_contract`, `p_book_late` and `p_book_strategy`; days are those of the zone.

    `first_on` is the first day on which a loan was more than `over_days` past due, as far as a close, a
    payment or a loss has shown it; `month_on_book` counts calendar months since the month of disbursement.
    """

    def project(event: Event, states: Projecting) -> Iterable[Statement]:
        match event.body:
            case RepaymentReceived() as body:
                yield from _late(event, states.before, body.value_on - timedelta(days=1))
            case ClassChanged() as body:
                yield from _late(event, states.before, body.on, body.days_past_due)
            case LoanWrittenOff() as body:
                yield from _late(event, states.before, body.written_off_on - timedelta(days=1))
            case ContractSigned() as body:
                yield SIGNED, (event.tenant, body.application_id, body.contract_id, day_of(event, zone))
            case StrategyPublished() as body:
                on = day_of(event, zone)
                yield (
                    PUBLISHED,
                    (event.tenant, body.sha256, body.name, body.version, body.stage, on, event.id),
                )
            case StrategyActivated() as body:
                yield ACTIVATED, (day_of(event, zone), event.tenant, body.sha256)
            case _:
                return

    return Projection(name="book", schema=SCHEMA, project=project, gather=_GATHER, types=_TYPES)


def _late(event: Event, loan: Loan, on: date, told: int | None = None) -> Iterable[Statement]:
    """What a loan's days past due at the end of a day say of the day on which it passed a number of them."""
    days_past_due = loan.days_past_due(on) if told is None else told
    since = loan.disbursed_on
    for over in OVER_DAYS:
        if days_past_due > over:
            first = on - timedelta(days=days_past_due - over - 1)
            months = 12 * (first.year - since.year) + first.month - since.month
            yield LATE, (event.tenant, loan.loan_id, over, first.isoformat(), months)
