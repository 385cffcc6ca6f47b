"""Applications and decisions as rows, for lists and sums."""

from __future__ import annotations

from collections.abc import Iterable

from obligor.app.projections.days import day_of
from obligor.app.projections.gathering import EACH, Gathering, last
from obligor.events import (
    ApplicationDecided,
    ApplicationOverridden,
    ApplicationReceived,
    DrawdownDecided,
    PersonErased,
)
from obligor.journal import Projecting, Projection
from obligor.kernel import Event

__all__ = ["projection"]

Statement = tuple[str, tuple[object, ...]]

SCHEMA = """
CREATE TABLE p_decision (
  tenant TEXT NOT NULL, decision_id TEXT NOT NULL, event_id TEXT NOT NULL, known_seq INTEGER NOT NULL,
  at TEXT NOT NULL, day TEXT NOT NULL, stage TEXT NOT NULL, outcome TEXT NOT NULL,
  application_id TEXT NOT NULL, person_id TEXT NOT NULL, currency TEXT NOT NULL, product TEXT, channel TEXT,
  asked_minor INTEGER, granted_minor INTEGER, rate_bp INTEGER, score INTEGER, pd_ppm INTEGER, reason TEXT,
  strategy TEXT NOT NULL, overridden TEXT, loan_id TEXT,
  PRIMARY KEY (tenant, decision_id)
) WITHOUT ROWID;
CREATE INDEX p_decision_by_order ON p_decision (tenant, known_seq);
CREATE INDEX p_decision_of_application ON p_decision (tenant, application_id);
CREATE INDEX p_decision_of_person ON p_decision (tenant, person_id);
CREATE TABLE p_decision_application (
  tenant TEXT NOT NULL, application_id TEXT NOT NULL, person_id TEXT NOT NULL, known_seq INTEGER NOT NULL,
  day TEXT NOT NULL, product TEXT NOT NULL, channel TEXT NOT NULL, amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL, decided INTEGER NOT NULL,
  PRIMARY KEY (tenant, application_id)
) WITHOUT ROWID;
"""

_COLUMNS = (
    "tenant, decision_id, event_id, known_seq, at, day, stage, outcome, application_id, person_id, currency,"
    " product, channel, asked_minor, granted_minor, rate_bp, score, pd_ppm, reason, strategy, overridden,"
    " loan_id"
)
INSERT = f"INSERT INTO p_decision ({_COLUMNS}) VALUES ({', '.join('?' * 22)})"
RECEIVED = "INSERT INTO p_decision_application VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
DECIDED = "UPDATE p_decision_application SET decided = 1 WHERE tenant = ? AND application_id = ?"
OVERRIDDEN = "UPDATE p_decision SET overridden = ? WHERE tenant = ? AND decision_id = ?"
ERASED = "UPDATE p_decision SET score = NULL, pd_ppm = NULL, reason = NULL WHERE tenant = ? AND person_id = ?"

# An application's row and a decision's are first; what an erasure takes out keeps its place.
_GATHER = Gathering({RECEIVED: EACH, INSERT: EACH, DECIDED: EACH, OVERRIDDEN: last("decision", slice(1, 3))})

_TYPES = frozenset(
    body.TYPE
    for body in (
        ApplicationReceived,
        ApplicationDecided,
        DrawdownDecided,
        ApplicationOverridden,
        PersonErased,
    )
)


def projection(zone: str) -> Projection:
    """The tables `p_decision` and `p_decision_application`; days are those of the zone."""

    def project(event: Event, states: Projecting) -> Iterable[Statement]:
        match event.body:
            case ApplicationReceived() as body:
                yield (
                    RECEIVED,
                    (
                        event.tenant,
                        body.application_id,
                        body.person_id,
                        event.known_seq,
                        day_of(event, zone),
                        body.product,
                        body.channel,
                        body.amount_minor,
                        body.currency,
                    ),
                )
            case ApplicationDecided() as body:
                terms = (body.product, body.channel, body.asked_minor, body.limit_minor, body.rate_bp)
                yield INSERT, _row(event, body, zone, terms, None)
                yield DECIDED, (event.tenant, body.application_id)
            case DrawdownDecided() as body:
                application = states.state(event.stream)
                granted = body.amount_minor if body.outcome == "release" else None
                terms = (application.product, application.channel, body.amount_minor, granted, None)
                yield INSERT, _row(event, body, zone, terms, body.loan_id)
            case ApplicationOverridden() as body:
                yield OVERRIDDEN, (body.outcome, event.tenant, body.decision_id)
            case PersonErased() as body if "conduct" in body.classes:
                yield ERASED, (event.tenant, body.person_id)
            case _:
                return

    return Projection(name="decision", schema=SCHEMA, project=project, gather=_GATHER, types=_TYPES)


def _row(
    event: Event,
    body: ApplicationDecided | DrawdownDecided,
    zone: str,
    terms: tuple[object, ...],
    loan_id: str | None,
) -> tuple[object, ...]:
    return (
        event.tenant,
        body.decision_id,
        event.id,
        event.known_seq,
        event.at.isoformat(),
        day_of(event, zone),
        body.stage,
        body.outcome,
        body.application_id,
        body.person_id,
        body.currency,
        *terms,
        body.score,
        body.pd_ppm,
        body.reasons[0] if body.reasons else None,
        body.strategy,
        None,
        loan_id,
    )
