"""What the writer keeps in memory beside the streams: histories, the book at a glance, caps.

Each is a fold of events. It is loaded from the projections when the journal opens, follows every accepted
event, and is thrown away and loaded again when a group could not be committed.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from obligor.events import (
    DayClosed,
    HeadroomReserved,
    LoanClosed,
    LoanDisbursed,
    LoanWrittenOff,
    ModelActivated,
    OfferMade,
    PartyRegistered,
    RepaymentReversed,
    StrategyActivated,
)
from obligor.features import History, gives
from obligor.journal import Reader
from obligor.kernel import Event

__all__ = ["Book", "Histories"]

HISTORIES_MOST = 100_000
# More events than one group of commands has.
RECENT_MOST = 8_192


class Histories:
    """The packed histories of the persons asked for of late.

    Any other is read from the journal when needed.
    """

    def __init__(self, reader: Reader | None = None, tenant: str = "") -> None:
        self._kept: OrderedDict[str, History] = OrderedDict()
        self._recent: deque[Event] = deque(maxlen=RECENT_MOST)
        self._reader, self._tenant = reader, tenant

    def apply(self, event: Event) -> None:
        """Follow an accepted event; it may not be in the store yet."""
        if not _says_something(event):
            return
        self._recent.append(event)
        for person in event.subjects:
            if event.type == PartyRegistered.TYPE and event.stream_version == 1:
                self._keep(person, History(person))
            kept = self._kept.get(person)
            if kept is not None:  # an empty history is one too
                kept.add(event)

    def forget(self, person: str) -> None:
        """Drop what was kept of a person: what may still be read is read again when it is needed."""
        self._kept.pop(person, None)
        self._recent = deque((e for e in self._recent if person not in e.subjects), maxlen=RECENT_MOST)

    def of(self, person: str) -> History:
        """A person's history up to the last accepted event."""
        kept = self._kept.get(person)
        if kept is not None:
            self._kept.move_to_end(person)
            return kept
        history = History(person)
        if self._reader is not None:
            for event in self._reader.events(self._tenant, subject=person):
                history.add(event)
        for event in self._recent:
            if person in event.subjects:
                history.add(event)
        self._keep(person, history)
        return history

    def seen(self, person: str, proposed: Sequence[Event]) -> History:
        """The history with events that a command proposes but that are not accepted yet."""
        mine = [event for event in proposed if person in event.subjects and _says_something(event)]
        if not mine:
            return self.of(person)
        new = any(event.type == PartyRegistered.TYPE and event.stream_version == 1 for event in mine)
        history = History(person) if new else self.of(person).copy()
        for event in mine:
            history.add(event)
        return history

    def _keep(self, person: str, history: History) -> None:
        self._kept[person] = history
        while len(self._kept) > HISTORIES_MOST:
            self._kept.popitem(last=False)


def _says_something(event: Event) -> bool:
    """Whether a history may be another after an event; one that begins a person begins their history."""
    return bool(gives(event.type)) or event.replaces is not None or event.type == PartyRegistered.TYPE


class Book:
    """Which loans are open, whose they are, what decides, which day is closed."""

    TYPES = frozenset(
        body.TYPE
        for body in (
            LoanDisbursed,
            LoanClosed,
            RepaymentReversed,
            LoanWrittenOff,
            HeadroomReserved,
            OfferMade,
            StrategyActivated,
            ModelActivated,
            DayClosed,
        )
    )

    def __init__(self) -> None:
        self._open: dict[str, int] = {}  # each with the place of its disbursement
        self._closed: dict[str, int] = {}  # a payment that is reversed opens them again
        self.strategies: dict[str, str] = {}
        self.models: dict[str, str] = {}
        self.last_day: date | None = None
        self._loans: dict[str, list[str]] = {}
        self._expiring: list[tuple[datetime, str]] = []

    @classmethod
    def load(cls, reader: Reader, tenant: str) -> Book:
        """The book that the projections hold."""
        self = cls()
        rows = reader.query(
            "SELECT loan_id, person_id, status, known_seq, written_off_minor FROM p_loan"
            " WHERE tenant = ? ORDER BY known_seq",
            (tenant,),
        )
        for row in rows:
            self._loans.setdefault(row["person_id"], []).append(row["loan_id"])
            if row["status"] == "open":
                self._open[row["loan_id"]] = row["known_seq"]
            elif row["status"] == "closed" and not row["written_off_minor"]:
                self._closed[row["loan_id"]] = row["known_seq"]
        for row in reader.query("SELECT kind, name, value FROM p_day_active WHERE tenant = ?", (tenant,)):
            self._activate(row["kind"], row["name"], row["value"])
        for row in reader.query(
            "SELECT application_id, expires_us FROM p_day_expiring WHERE tenant = ?", (tenant,)
        ):
            expires_at = datetime.fromtimestamp(row["expires_us"] // 1_000_000, UTC)
            expires_at += timedelta(microseconds=row["expires_us"] % 1_000_000)
            self._expiring.append((expires_at, row["application_id"]))
        heapq.heapify(self._expiring)
        return self

    def _activate(self, kind: str, name: str, value: str) -> None:
        if kind == "strategy":
            self.strategies[name] = value
        elif kind == "model":
            self.models[name] = value
        else:
            self.last_day = date.fromisoformat(value)

    def apply(self, event: Event) -> None:
        """Follow an accepted event."""
        match event.body:
            case LoanDisbursed() as body:
                self._loans.setdefault(body.person_id, []).append(body.loan_id)
                self._open[body.loan_id] = event.known_seq
            case LoanClosed() as body if body.loan_id in self._open:
                self._closed[body.loan_id] = self._open.pop(body.loan_id)
            case RepaymentReversed() as body if body.loan_id in self._closed:
                self._open[body.loan_id] = self._closed.pop(body.loan_id)
            case LoanWrittenOff() as body:
                self._open.pop(body.loan_id, None)
            case HeadroomReserved() | OfferMade() as body:
                heapq.heappush(self._expiring, (body.expires_at, body.application_id))
            case StrategyActivated() as body:
                self.strategies[body.stage] = body.sha256
            case ModelActivated() as body:
                self.models[body.name] = body.sha256
            case DayClosed() as body:
                self.last_day = body.day
                while self._expiring and self._expiring[0][0] <= event.at:
                    heapq.heappop(self._expiring)
            case _:
                pass

    @property
    def open(self) -> list[str]:
        """The loans that are open, in the order of their disbursement."""
        return sorted(self._open, key=self._open.__getitem__)

    def forget(self, person: str) -> None:
        """Nothing here is personal beyond pseudonymous ids and money, which are kept."""

    def loans_of(self, person: str) -> Sequence[str]:
        """The person's loans, first to last."""
        return self._loans.get(person, ())

    def expiring(self, by: datetime) -> list[str]:
        """Applications with an offer or a reservation that ends by a moment, in order, each once."""
        due = [item for item in self._expiring if item[0] <= by]
        return list(dict.fromkeys(application for _, application in sorted(due)))
