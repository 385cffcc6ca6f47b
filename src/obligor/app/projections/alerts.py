"""Alerts and cases as rows, for queues."""

from __future__ import annotations

from collections.abc import Iterable

from obligor.events import (
    AlertCleared,
    AlertRaised,
    CaseAssigned,
    CaseClosed,
    CaseOpened,
    PersonErased,
)
from obligor.journal import Projecting, Projection
from obligor.kernel import Event

__all__ = ["projection"]

Statement = tuple[str, tuple[object, ...]]

SCHEMA = """
CREATE TABLE p_alert (
  tenant TEXT NOT NULL, alert_id TEXT NOT NULL, event_id TEXT NOT NULL, known_seq INTEGER NOT NULL,
  at TEXT NOT NULL, kind TEXT NOT NULL, severity TEXT NOT NULL, urgency INTEGER NOT NULL,
  person_id TEXT NOT NULL, loan_id TEXT, monitor TEXT NOT NULL, amount_minor INTEGER, currency TEXT,
  days_past_due INTEGER, counterparty_class TEXT, disposition TEXT, cleared_event TEXT,
  PRIMARY KEY (tenant, alert_id)
) WITHOUT ROWID;
CREATE INDEX p_alert_by_order ON p_alert (tenant, urgency, known_seq);
CREATE INDEX p_alert_of_loan ON p_alert (tenant, loan_id);
CREATE INDEX p_alert_of_person ON p_alert (tenant, person_id);
CREATE TABLE p_alert_case (
  tenant TEXT NOT NULL, case_id TEXT NOT NULL, known_seq INTEGER NOT NULL, kind TEXT NOT NULL,
  queue TEXT NOT NULL, person_id TEXT NOT NULL, about TEXT NOT NULL, due_at TEXT NOT NULL,
  officer TEXT, outcome TEXT,
  PRIMARY KEY (tenant, case_id)
) WITHOUT ROWID;
"""

URGENCY = {"serious": 0, "warn": 1, "info": 2}
RAISED = f"INSERT INTO p_alert VALUES ({', '.join('?' * 17)})"
CLEARED = "UPDATE p_alert SET disposition = ?, cleared_event = ? WHERE tenant = ? AND alert_id = ?"
ERASED = (
    "UPDATE p_alert SET days_past_due = NULL, counterparty_class = NULL WHERE tenant = ? AND person_id = ?"
)
OPENED = "INSERT INTO p_alert_case VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)"
ASSIGNED = "UPDATE p_alert_case SET officer = ? WHERE tenant = ? AND case_id = ?"
CLOSED = "UPDATE p_alert_case SET officer = ?, outcome = ? WHERE tenant = ? AND case_id = ?"

_TYPES = frozenset(
    body.TYPE
    for body in (
        AlertRaised,
        AlertCleared,
        CaseOpened,
        CaseAssigned,
        CaseClosed,
        PersonErased,
    )
)


def projection() -> Projection:
    """The tables `p_alert` and `p_alert_case`."""

    def project(event: Event, states: Projecting) -> Iterable[Statement]:  # noqa: ARG001
        tenant = event.tenant
        match event.body:
            case AlertRaised() as body:
                yield RAISED, _row(event, body)
            case AlertCleared() as body:
                yield CLEARED, (body.disposition, event.id, tenant, body.alert_id)
            case CaseOpened() as body:
                row = (body.kind, body.queue, body.person_id, body.about, body.due_at.isoformat())
                yield OPENED, (tenant, body.case_id, event.known_seq, *row)
            case CaseAssigned() as body:
                yield ASSIGNED, (body.officer, tenant, body.case_id)
            case CaseClosed() as body:
                yield CLOSED, (body.officer, body.outcome, tenant, body.case_id)
            case PersonErased() as body if "conduct" in body.classes:
                yield ERASED, (tenant, body.person_id)
            case _:
                return

    return Projection(name="alert", schema=SCHEMA, project=project, types=_TYPES)


def _row(event: Event, body: AlertRaised) -> tuple[object, ...]:
    facts = body.evidence.get("facts") or {}
    return (
        event.tenant,
        body.alert_id,
        event.id,
        event.known_seq,
        event.at.isoformat(),
        body.kind,
        body.severity,
        URGENCY.get(body.severity, 1),
        body.person_id,
        body.loan_id,
        body.monitor,
        body.amount_minor,
        body.currency,
        facts.get("days_past_due"),
        body.evidence.get("counterparty_class"),
        None,
        None,
    )
