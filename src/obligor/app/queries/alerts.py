"""Questions about alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from obligor.app.queries import loans
from obligor.app.queries.common import PAGE, Books, Where, after_of, cursor_of, event_row, moment
from obligor.app.views import Alert, AlertFilters, AlertRow, Alerts, Choices, Clearing, Hop, KindSum
from obligor.events import AlertCleared, AlertRaised
from obligor.funds import Classes
from obligor.kernel import Event, NotFound

__all__ = ["alert", "listing", "open_count"]

EVENTS_MOST = 30
SELECT = (
    "SELECT a.*, p_loan.amount_minor AS of_minor FROM p_alert AS a LEFT JOIN p_loan"
    " ON p_loan.tenant = a.tenant AND p_loan.loan_id = a.loan_id"
)


def open_count(books: Books) -> int:
    """How many alerts are open."""
    row = books.one("SELECT COUNT(*) AS count FROM p_alert WHERE tenant = ? AND disposition IS NULL")
    return int(row["count"]) if row else 0


def listing(books: Books, classes: Classes, filters: AlertFilters, after: str | None) -> Alerts:
    """Alerts, the serious first and of these the newest."""
    where = Where(books.tenant, "a.")
    where.add("a.kind = ?", filters.kind)
    where.add("a.severity = ?", filters.severity)
    where.add("a.person_id = ?", filters.person)
    where.add("a.loan_id = ?", filters.loan)
    if filters.state is not None:
        where.always(f"a.disposition IS {'NULL' if filters.state == 'open' else 'NOT NULL'}")
    total = books.reader.query(f"SELECT COUNT(*) AS count FROM p_alert AS a WHERE {where.sql}", where.values)
    page = where.copy()
    if after:
        page.add("a.urgency * 9007199254740992 - a.known_seq > ?", after_of(after, int))
    rows = books.reader.query(
        f"{SELECT} WHERE {page.sql} ORDER BY a.urgency * 9007199254740992 - a.known_seq LIMIT {PAGE + 1}",
        page.values,
    )
    shown = rows[:PAGE]
    kinds = books.rows(
        "SELECT kind, COUNT(*) FILTER (WHERE disposition IS NULL) AS open,"
        " COUNT(*) FILTER (WHERE disposition IS NOT NULL) AS cleared FROM p_alert"
        " WHERE tenant = ? GROUP BY kind ORDER BY kind"
    )
    return Alerts(
        filters=filters,
        rows=tuple(_row(row, classes) for row in shown),
        total=total[0]["count"],
        open=open_count(books),
        next=cursor_of(shown[-1]["urgency"] * 2**53 - shown[-1]["known_seq"]) if len(rows) > PAGE else None,
        kinds=tuple(KindSum(kind=k["kind"], open=k["open"], cleared=k["cleared"]) for k in kinds),
        choices=Choices(kinds=tuple(k["kind"] for k in kinds)),
    )


def alert(books: Books, classes: Classes, alert_id: str) -> Alert:
    """One alert with what the monitor saw.

    Raises:
        NotFound: there is none of this id.
    """
    found = books.reader.query(f"{SELECT} WHERE a.tenant = ? AND a.alert_id = ?", (books.tenant, alert_id))
    if not found:
        raise NotFound(f"there is no alert {alert_id!r}")
    line = _row(found[0], classes)
    events = books.stream(f"alert/{alert_id}")
    raised = next(event for event in events if isinstance(event.body, AlertRaised))
    body: AlertRaised = raised.body
    evidence = dict(body.evidence)
    hops = tuple(_hop(hop, classes) for hop in evidence.pop("hops", ()))
    loan = loans.row_of(books, body.loan_id) if body.loan_id else None
    application = books.application(loan.application_id)[0] if loan else None
    related = _related(books, body, events)
    return Alert(
        **{name: getattr(line, name) for name in AlertRow.__struct_fields__},
        monitor_version=body.monitor_version,
        dedupe_key=body.dedupe_key,
        evidence=evidence,
        hops=hops,
        events=tuple(event_row(event) for event in related),
        loan=loan,
        purpose=application.purpose if application else None,
        cleared=_cleared(events),
        erased=tuple(sorted(raised.erased)),
    )


def _related(books: Books, body: AlertRaised, events: list[Event]) -> list[Event]:
    """The alert's own events and those it rests on, newest first."""
    rests_on = [books.event(event_id) for event_id in body.events[-EVENTS_MOST:]]
    return sorted((*events, *rests_on), key=lambda event: -event.known_seq)


def _cleared(events: list[Event]) -> Clearing | None:
    for event in reversed(events):
        if isinstance(event.body, AlertCleared):
            return Clearing(
                event_id=event.id,
                known_seq=event.known_seq,
                at=event.at,
                disposition=event.body.disposition,
                officer=event.body.officer,
                note=event.body.note,
            )
    return None


def _hop(hop: dict[str, Any], classes: Classes) -> Hop:
    label = classes.label(hop.get("counterparty_class"))
    return Hop(
        at=datetime.fromisoformat(hop["at"]),
        source=hop["source"],
        target=hop["target"],
        amount_minor=hop["amount_minor"],
        moved_minor=hop.get("moved_minor"),
        event_id=hop.get("event_id"),
        target_class=hop.get("counterparty_class"),
        label_en=label.en,
        label_zh=label.zh,
        prohibited=label.prohibited,
    )


def _row(row: dict[str, Any], classes: Classes) -> AlertRow:
    label = classes.label(row["counterparty_class"])
    return AlertRow(
        alert_id=row["alert_id"],
        event_id=row["event_id"],
        known_seq=row["known_seq"],
        at=moment(row["at"]),
        kind=row["kind"],
        severity=row["severity"],
        person_id=row["person_id"],
        monitor=row["monitor"],
        loan_id=row["loan_id"],
        amount_minor=row["amount_minor"],
        of_minor=row["of_minor"],
        currency=row["currency"],
        days_past_due=row["days_past_due"],
        counterparty_class=row["counterparty_class"],
        class_en=label.en,
        class_zh=label.zh,
        disposition=row["disposition"],
    )
