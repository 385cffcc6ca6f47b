"""What watches the journal and adds to it: the tracer of loan money, and the day's close.

A processor sees committed events in their order, keeps its cursor in the transaction of what it writes, and
gives that ids derived from the cause: however often it runs over an event, it says the same thing once. What
the journal could not take is tried again before anything later is looked at.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import msgspec

from obligor.app import stages
from obligor.app.batches import Gathered, Part, body_of, certified, watched
from obligor.app.call import Call, Means
from obligor.app.proposal import Proposal
from obligor.decision import Decision, decide_batch
from obligor.events import AlertRaised, BatchDecided, ClassChanged, DayClosed
from obligor.funds import Classes, Hit, Position, Tracer
from obligor.journal import Accepted, Answer, Command, Journal, View
from obligor.kernel import Event, InvariantBroken, Refusal, Unavailable, derived_id
from obligor.loans import Loan
from obligor.strategy import Strategy

__all__ = ["CloseMonitor", "FundsMonitor", "Processor", "Watch"]

LOANS_AT_ONCE = 250
CATCH_UP_SECONDS = 5.0
AGAIN_SECONDS = 1.0
log = logging.getLogger("obligor")


class Processor(Protocol):
    """Something that reads the journal from its cursor on."""

    name: str

    def start(self) -> None:
        """Rebuild the memory up to the cursor without writing, then catch up."""

    def see(self, events: Sequence[Event]) -> None:
        """Take committed events, in order; again from where it stopped, when it raised."""


class Watch:
    """A processor at work: it catches up on a thread of its own, and then sees what is committed since.

    The server need not wait for it: what it reads lies before the place where its subscription begins.
    """

    def __init__(self, processor: Processor, journal: Journal) -> None:
        self._processor, self._journal = processor, journal
        self._caught_up = threading.Event()
        self._moved = time.monotonic()
        self._subscriber = journal.subscribe(self._see, name=processor.name)
        threading.Thread(target=self._start, name=f"start-{processor.name}", daemon=True).start()

    @property
    def name(self) -> str:
        """The processor's name."""
        return self._processor.name

    def behind(self) -> int:
        """Committed events that it has not seen; at least one while it is catching up."""
        return self._subscriber.lag() + (not self._caught_up.is_set())

    def age(self) -> float:
        """Seconds since it last moved, when there is something that it has not seen; else 0.0."""
        return time.monotonic() - self._moved if self.behind() else 0.0

    def _start(self) -> None:
        while self._journal.alive and not self._caught_up.is_set():
            try:
                self._processor.start()
            except Exception as error:  # noqa: BLE001  said, and seen as `behind` for as long as it lasts
                told = {"processor": self._processor.name, "error": type(error).__name__}
                log.error("a processor could not catch up", extra=told)  # noqa: TRY400  nothing personal
                self._caught_up.wait(AGAIN_SECONDS)
            else:
                self._caught_up.set()

    def _see(self, events: list[Event]) -> None:
        if not self._caught_up.wait(CATCH_UP_SECONDS):
            raise Unavailable(f"the processor {self._processor.name} has not caught up")
        self._processor.see(events)
        self._moved = time.monotonic()


def _call(means: Means, tenant: str, name: str, now: datetime, at: datetime) -> Call:
    source = f"processor/{name}"
    return Call(means=means, tenant=tenant, actor=source, received_at=now, at=at, source=source)


class FundsMonitor:
    """Follows loan money from account to account and raises an alert when it reaches a prohibited class."""

    name = "funds"
    version = "1"

    def __init__(
        self,
        means: Means,
        tenant: str,
        journal: Journal,
        now: Callable[[], datetime],
        classes: Classes,
    ) -> None:
        self._means, self._tenant, self._journal, self._now = means, tenant, journal, now
        self._lock = threading.Lock()
        self._seen = -1
        self._owed: Command | None = None
        self.tracer = Tracer(classes)

    def start(self) -> None:
        """Rebuild up to the cursor, then catch up."""
        reader = self._journal.reader()
        cursor = reader.cursor(self._tenant, self.name)
        for event in reader.events(self._tenant, types=Tracer.TYPES):
            self._take(event, write=event.known_seq > cursor)

    def see(self, events: Sequence[Event]) -> None:
        """Take committed events, in order."""
        for event in events:
            if event.tenant == self._tenant and event.type in Tracer.TYPES:
                self._take(event, write=True)

    def funds_of(self, loan_id: str) -> Position | None:
        """Where a loan's money is now; None for a loan that was not paid into an account that we see."""
        with self._lock:
            return self.tracer.position(loan_id)

    def _take(self, event: Event, *, write: bool) -> None:
        self._settle()
        if event.known_seq <= self._seen:
            return
        self._seen = event.known_seq
        with self._lock:
            hits = self.tracer.consume(event)
        if write and any(hit.first for hit in hits):
            self._owed = Command(
                tenant=self._tenant,
                run=lambda view: self._raise(view, event, hits),
                cursor=(self.name, event.known_seq),
            )
            self._settle()

    def _settle(self) -> None:
        """Have the alerts of the last event written, if they are not; the tracer takes it in only once."""
        if self._owed is not None:
            _await(self._journal.submit(self._owed), self.name)
            self._owed = None

    def _raise(self, view: View, event: Event, hits: Sequence[Hit]) -> Accepted:
        p = Proposal(view, _call(self._means, self._tenant, self.name, self._now(), event.at))
        for ordinal, hit in enumerate(hit for hit in hits if hit.first):
            key = f"fund_use|{hit.loan_id}|{hit.counterparty_class}|{hit.counterparty}"
            key = p.call.tag("alert", key)
            loan: Loan | None = p.state(f"loan/{hit.loan_id}")
            if loan is None or view.find("alert", key):
                continue
            alert_id = derived_id(self.name, self.version, event.id, ordinal)
            body = AlertRaised(
                alert_id=alert_id,
                kind="fund_use",
                severity="serious",
                dedupe_key=key,
                person_id=loan.person_id,
                loan_id=hit.loan_id,
                amount_minor=hit.amount_minor,
                currency=loan.currency,
                monitor=self.name,
                monitor_version=self.version,
                events=hit.event_ids,
                evidence=msgspec.to_builtins(hit.evidence),
            )
            p.add(
                f"alert/{alert_id}",
                body,
                (loan.person_id,),
                cause=event.id,
                event_id=derived_id(self.name, self.version, event.id, ordinal, "event"),
            )
        return Accepted(drafts=tuple(p.drafts))


class CloseMonitor:
    """At a day's close, asks of every open loan how it is to be classed and whether somebody should look."""

    name = "close"
    version = "1"

    def __init__(self, means: Means, tenant: str, journal: Journal, now: Callable[[], datetime]) -> None:
        self._means, self._tenant, self._journal, self._now = means, tenant, journal, now
        self._seen = -1

    def start(self) -> None:
        """Rebuild up to the cursor, then catch up."""
        reader = self._journal.reader()
        after = reader.cursor(self._tenant, self.name)
        self.see(list(reader.events(self._tenant, types=(DayClosed.TYPE,), after=after)))

    def see(self, events: Sequence[Event]) -> None:
        """Take committed events, in order."""
        for event in events:
            new = event.tenant == self._tenant and event.known_seq > self._seen
            if new and isinstance(event.body, DayClosed):
                self._close(event, event.body.day)
                self._seen = event.known_seq

    def _close(self, event: Event, day: date) -> None:
        """Look at the loans that were open when the day was closed, and class all of them at once.

        They are looked at some at a time; the last command writes the batch and moves the cursor.
        """
        listed = self._said(self._list) or {"loans": [], "known": 0, "classify": None}
        strategy = self._strategy(listed["classify"])
        gathered = Gathered(day, listed["known"], strategy) if strategy else None
        for some in _some(listed["loans"]):
            part = self._said(self._look(event, day, some, strategy))
            if gathered:
                gathered.add(part)
        record = self._class(event, gathered) if gathered and gathered.cases else None

        def finish(view: View) -> Accepted:
            p = self._proposal(view, event)
            batch_id = self._id(event, "batch", day.isoformat())
            # It is there when the answer to this very command was lost.
            if record and all(each.id != batch_id for each in view.events(event.stream)):
                p.add(event.stream, record, cause=event.id, event_id=batch_id)
            return Accepted(drafts=tuple(p.drafts))

        done = Command(tenant=self._tenant, run=finish, cursor=(self.name, event.known_seq))
        self._journal.submit(done).result()

    def _said(self, run: Callable[[View], Accepted]) -> Any:
        """What a command answers; None where it failed for what it is."""
        return _await(self._journal.submit(Command(tenant=self._tenant, run=run)), self.name)

    def _proposal(self, view: View, event: Event) -> Proposal:
        return Proposal(view, _call(self._means, self._tenant, self.name, self._now(), event.at))

    def _strategy(self, sha256: str | None) -> Strategy | None:
        return None if sha256 is None else self._means.artifacts.strategy(sha256)

    @staticmethod
    def _list(view: View) -> Accepted:
        book = view.memory("book")
        told = {"loans": book.open, "known": view.size, "classify": book.strategies.get("classify")}
        return Accepted(answer=lambda _: told)

    def _look(
        self, event: Event, day: date, some: Sequence[str], strategy: Strategy | None
    ) -> Callable[[View], Accepted]:
        """Raise alerts about some loans, and answer with what is to be known for their classes."""

        def run(view: View) -> Accepted:
            p = self._proposal(view, event)
            part = Part(view.size, () if strategy is None else tuple(strategy.inputs))
            for loan_id in some:
                loan: Loan | None = view.state(f"loan/{loan_id}")
                if loan is not None and watched(loan, day):
                    facts = stages.loan_facts(p, loan, day)
                    part.add(loan, facts)
                    self._alert(p, event, loan, facts)
            return Accepted(drafts=tuple(p.drafts), answer=lambda _: part.told)

        return run

    def _id(self, event: Event, what: str, about: str) -> str:
        return derived_id(self.name, self.version, event.id, what, about)

    def _class(self, event: Event, gathered: Gathered) -> BatchDecided | None:
        """Class the loans and write those that are classed otherwise; the record of it all."""
        try:
            certified(gathered.strategy)
            batch = decide_batch(gathered.spine(), gathered.strategy)
        except (Refusal, InvariantBroken) as error:
            told = {"processor": self.name, "error": type(error).__name__}
            log.error("the loans could not be classed", extra=told)  # noqa: TRY400  nothing personal
            return None
        changed = gathered.changed(batch)
        for some in _some(changed):
            self._said(self._change(event, some))
        return body_of(
            gathered,
            batch,
            batch_id=self._id(event, "batch", event.body.day.isoformat()),
            part_rows=LOANS_AT_ONCE,
            changed=len(changed),
            catalogue=self._means.catalogue.sha256,
        )

    def _change(self, event: Event, some: Sequence[ClassChanged]) -> Callable[[View], Accepted]:
        def run(view: View) -> Accepted:
            p = self._proposal(view, event)
            for body in some:
                stream = f"loan/{body.loan_id}"
                loan: Loan | None = view.state(stream)
                now = loan.classification if loan else None
                # Nothing is said twice: not after an interruption, and not of a loan that has ended since.
                if loan is None or loan.status != "open" or (now and now.on == body.on):
                    continue
                told = {"cause": event.id, "event_id": self._id(event, "class", body.loan_id)}
                p.add(stream, body, (loan.person_id,), **told)
            return Accepted(drafts=tuple(p.drafts))

        return run

    def _alert(self, p: Proposal, event: Event, loan: Loan, facts: dict[str, Any]) -> None:
        decision, strategy = stages.monitor(p, facts)
        if decision.outcome != "alert":
            return
        kind, severity = str(decision.outputs["kind"]), str(decision.outputs["severity"])
        day: date = event.body.day
        late = facts["days_past_due"]
        # Arrears are told once for the due date that was missed, a warning about a current loan once a month.
        since = (day - timedelta(days=late)).isoformat() if late else f"{day:%Y-%m}"
        key = f"{kind}|{loan.loan_id}|{severity}|{since}"
        alert_id = self._id(event, "alert", loan.loan_id)
        if p.view.find("alert", key) or p.state(f"alert/{alert_id}") is not None:
            return
        body = AlertRaised(
            alert_id=alert_id,
            kind=kind,
            severity=severity,
            dedupe_key=key,
            person_id=loan.person_id,
            loan_id=loan.loan_id,
            amount_minor=facts["arrears_minor"],
            currency=loan.currency,
            monitor=f"{strategy.name} {strategy.version}",
            monitor_version=strategy.sha256,
            events=(event.id,),
            evidence=_evidence(decision, facts),
        )
        p.add(
            f"alert/{alert_id}",
            body,
            (loan.person_id,),
            cause=event.id,
            event_id=self._id(event, "raised", loan.loan_id),
        )


def _evidence(decision: Decision, facts: dict[str, Any]) -> dict[str, Any]:
    return {"facts": dict(facts), "reasons": list(decision.reasons), "outputs": decision.outputs}


def _some(items: Sequence[Any]) -> Iterator[Any]:
    return (items[begin : begin + LOANS_AT_ONCE] for begin in range(0, len(items), LOANS_AT_ONCE))


def _await(future: Future[Answer], name: str) -> Any:
    """Wait for what a processor's command answers.

    One that fails for what it is would always fail: it is said, and left, and the answer is None.

    Raises:
        Unavailable: the journal cannot take it now; it has to be tried again.
    """
    error = future.exception()
    if isinstance(error, Unavailable):
        raise error
    if error is not None:
        kind = type(error).__name__
        log.error("a command of the processor failed", extra={"processor": name, "error": kind})
        return None
    return future.result().value
