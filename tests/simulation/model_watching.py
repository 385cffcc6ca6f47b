"""What processors and erasures must have left behind, however often they were interrupted."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

from obligor import events as e
from obligor.app.call import tag
from obligor.funds import Tracer
from obligor.kernel import Event
from tests.simulation.final import Final
from tests.simulation.ground import JOURNAL, SECRET, TENANT, ground
from tests.simulation.violation import expect

__all__ = ["check_watching"]

TIERS = ((360, "loss"), (270, "doubtful"), (90, "substandard"), (0, "special_mention"), (-1, "normal"))


def check_watching(final: Final) -> None:
    """Each alert once, none missing, classes as of the last close, and nothing left of who was erased."""
    alerts = Counter(event.body.dedupe_key for event in final.of(e.AlertRaised))
    expect(all(count == 1 for count in alerts.values()), "an alert was raised twice")
    written = Counter((event.cause, event.stream, event.type) for event in final.of(e.ClassChanged))
    expect(all(count == 1 for count in written.values()), "a close said the same thing of a loan twice")
    _check_funds(final)
    _check_close(final)
    _check_erased(final)


def _check_funds(final: Final) -> None:
    """Loan money at a prohibited counterparty has its alert: those that one pass over the journal finds."""
    if any("conduct" in event.body.classes for event in final.of(e.PersonErased)):
        return  # what was erased cannot be traced again
    tracer = Tracer(ground().classes)
    key = final.vault.index_key(TENANT)
    due = {
        tag(key, "alert", f"fund_use|{hit.loan_id}|{hit.counterparty_class}|{hit.counterparty}")
        for event in final.events
        for hit in tracer.consume(event)
        if hit.first
    }
    raised = {event.body.dedupe_key for event in final.of(e.AlertRaised) if event.body.kind == "fund_use"}
    missing, more = len(due - raised), len(raised - due)
    expect(raised == due, f"{missing} alerts of loan money are missing, {more} too many")


def _check_close(final: Final) -> None:
    """Loans that nothing happened to since the last close are classed and watched as of it."""
    closes = list(final.of(e.DayClosed))
    if not closes:
        return
    close = closes[-1]
    lives: dict[str, list[Event]] = defaultdict(list)
    for event in final.events:
        if event.stream.startswith("loan/"):
            lives[event.stream.removeprefix("loan/")].append(event)
    for loan, life in lives.items():
        events = [event for event in life if not isinstance(event.body, e.ClassChanged)]
        simple = all(isinstance(event.body, e.LoanDisbursed | e.RepaymentReceived) for event in events)
        opened = events[0].body.disbursed_on <= close.body.day
        if not simple or not opened or events[-1].known_seq > close.known_seq:
            continue
        late = _days_late(events, close)
        tier = next(name for over, name in TIERS if late > over)
        classes = [event.body.five_tier for event in life if isinstance(event.body, e.ClassChanged)]
        found = classes[-1] if classes else "normal"
        expect(found == tier, f"loan {loan} is {late} days late on {close.body.day} and classed {found}")
        if late >= 3:
            since = (close.body.day - timedelta(days=late)).isoformat()
            raised = (event.body for event in final.of(e.AlertRaised) if event.body.loan_id == loan)
            enough = any(
                alert.dedupe_key.endswith(since) and (late < 8 or alert.severity != "info")
                for alert in raised
            )
            expect(enough, f"loan {loan} is {late} days late on {close.body.day} and nobody was told")


def _days_late(events: list[Event], close: Event) -> int:
    day = close.body.day
    paid = sum(
        event.body.allocation.principal_minor + event.body.allocation.interest_minor
        for event in events[1:]
        if event.body.value_on <= day
    )
    owed = 0
    for line in events[0].body.schedule:
        owed += line.principal_minor + line.interest_minor
        if owed > paid:
            return max(0, (day - line.due_on).days)
    return 0


def _check_erased(final: Final) -> None:
    """Keys are gone, so are look-ups, and no name stands anywhere in the file as it is."""
    for event in final.of(e.PersonErased):
        person = event.body.person_id
        for kind in event.body.classes:
            expect(final.vault.key(TENANT, person, kind) is None, f"the {kind} key of {person} still exists")
        found = final.rows("SELECT count(*) AS n FROM lookup WHERE tenant = ? AND person = ?", TENANT, person)
        expect(found[0]["n"] == 0, f"{person} can still be found")
    pending = final.rows("SELECT count(*) AS n FROM erasure")
    expect(pending[0]["n"] == 0, "an erasure is not finished")
    for name in (JOURNAL, JOURNAL + "-wal"):
        path = final.directory / name
        expect(not path.exists() or SECRET.encode() not in path.read_bytes(), f"a name can be read in {name}")
