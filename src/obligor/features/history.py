"""What happened to one person, packed: rows in the order of time, each with when we learned of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from obligor.features.rows import KINDS, LARGEST_AMOUNT, ROW, Entry, Rows, gives
from obligor.kernel import Event, InvalidInput, InvariantBroken

__all__ = ["STILL", "History", "Record", "microseconds"]

STILL = 2**63 - 1  # the `until_seq` of a row that nothing has replaced
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KIND_NAMES = {code: name for name, code in KINDS.items()}
_SMALLEST = 8
_WHOLE = np.dtype((np.void, ROW.itemsize))  # rows moved as they are, not field by field: five times faster


class Record(NamedTuple):
    """A row with its texts, for reading and for oracles."""

    kind: str
    at_us: int
    known_seq: int
    until_seq: int
    amount_minor: int
    currency: str | None
    direction: int
    category: str | None
    party: str | None


def microseconds(at: datetime) -> int:
    """Microseconds since 1970 in UTC, exactly.

    Raises:
        InvalidInput: the time has no zone.
    """
    if at.tzinfo is None:
        raise InvalidInput.field(
            "as_of", at.isoformat(), "a time with its zone, such as 2026-01-31T08:30:00Z"
        )
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class History:
    """One person's rows, ordered by (at, known_seq), in one packed array.

    Events may come in any order and more than once. An event that `replaces` another takes the other's
    rows out of view from its own `known_seq` on and no sooner: whoever looks from before still sees them.
    Parts that were erased give no row. The same events give the same view, however they came.

    A history holds what a person did: forget it when the person is erased, and fold what can still be read.
    """

    __slots__ = (
        "_closing",
        "_codes",
        "_count",
        "_currencies",
        "_latest",
        "_rows",
        "_seen_upto",
        "_texts",
        "person",
    )

    def __init__(self, person: str | None = None) -> None:
        """An empty history of `person`; None takes every event as one about its first subject."""
        self.person = person
        self._rows: Rows = np.zeros(_SMALLEST, ROW)
        self._count = 0
        self._texts: list[str | None] = [None]
        self._codes: dict[str | None, int] = {None: 0}
        self._currencies: list[str] = []
        self._closing: dict[int, int] = {}
        self._seen_upto = -1
        self._latest = (-STILL, -1)

    @classmethod
    def from_events(cls, events: Iterable[Event], person: str | None = None) -> History:
        """The history that these events add up to."""
        history = cls(person)
        for event in events:
            history.add(event)
        return history

    def __len__(self) -> int:
        """How many rows there are, in view or not."""
        return self._count

    @property
    def rows(self) -> Rows:
        """The packed rows, not to be written to."""
        view = self._rows[: self._count]
        view.flags.writeable = False
        return view

    @property
    def buffer(self) -> tuple[Rows, int]:
        """The array with room to grow and the number of rows in it: what kernels take, without a copy."""
        return self._rows, self._count

    @property
    def texts(self) -> Sequence[str | None]:
        """Texts by code; code 0 is none."""
        return self._texts

    @property
    def currencies(self) -> Sequence[str]:
        """The currencies of its amounts, in order of appearance."""
        return self._currencies

    def code(self, text: str | None) -> int:
        """The code of a text, -1 for one that does not occur here."""
        return self._codes.get(text, -1)

    def copy(self) -> History:
        """An independent copy: to look at a history with an event that is not yet written."""
        other = History(self.person)
        other._rows = self._rows.view(_WHOLE).copy().view(ROW)
        other._count = self._count
        other._texts = self._texts.copy()
        other._codes = self._codes.copy()
        other._currencies = self._currencies.copy()
        other._closing = self._closing.copy()
        other._seen_upto = self._seen_upto
        other._latest = self._latest
        return other

    def records(self) -> list[Record]:
        """All rows with their texts, in order."""
        texts = self._texts
        return [
            Record(
                kind=_KIND_NAMES[row["kind"]],
                at_us=int(row["at_us"]),
                known_seq=int(row["known_seq"]),
                until_seq=int(row["until_seq"]),
                amount_minor=int(row["amount_minor"]),
                currency=texts[row["currency"]],
                direction=int(row["direction"]),
                category=texts[row["category"]],
                party=texts[row["party"]],
            )
            for row in self._rows[: self._count]
        ]

    def add(self, event: Event) -> bool:
        """Take in one event; whether it changed anything.

        Raises:
            InvalidInput: an amount is negative or above 10^15 minor units.
            InvariantBroken: the event is not about this person.
        """
        other = self._other(event)
        changed = event.replaces is not None and self._close(_mark(event.replaces), event.known_seq)
        entries = [
            (given.kind, entry)
            for given in gives(event.type)
            if given.needs not in event.erased and (entry := given.read(event.body, other)) is not None
        ]
        if entries:
            mark = _mark(event.id)
            if event.known_seq <= self._seen_upto and self._holds(mark):
                return changed
            for kind, entry in entries:
                self._insert(microseconds(event.at), event.known_seq, mark, kind, entry)
            changed = True
        self._seen_upto = max(self._seen_upto, event.known_seq)
        return changed

    def _other(self, event: Event) -> bool:
        if self.person is None or event.subjects[:1] == (self.person,):
            return False
        if self.person not in event.subjects:
            raise InvariantBroken(f"event {event.id} is not about the person whose history this is")
        return True

    def _holds(self, mark: int) -> bool:
        return bool((self._rows["event"][: self._count] == mark).any())

    def _close(self, mark: int, known_seq: int) -> bool:
        """Let the replaced event's rows end at `known_seq`; remembered for rows that come later."""
        if self._closing.get(mark, STILL) <= known_seq:
            return False
        self._closing[mark] = known_seq
        rows = self._rows[: self._count]
        rows["until_seq"][rows["event"] == mark] = known_seq
        return True

    def _insert(self, at_us: int, known_seq: int, mark: int, kind: str, entry: Entry) -> None:
        if not 0 <= entry.amount_minor <= LARGEST_AMOUNT:
            raise InvalidInput.field(
                "amount_minor", entry.amount_minor, f"an integer from 0 to {LARGEST_AMOUNT}"
            )
        count = self._count
        if count == len(self._rows):
            grown = np.zeros(2 * count, ROW)
            grown.view(_WHOLE)[:count] = self._rows.view(_WHOLE)
            self._rows = grown
        rows = self._rows
        place = self._place(at_us, known_seq)
        if place < count:
            whole = rows.view(_WHOLE)
            whole[place + 1 : count + 1] = whole[place:count]
        else:
            self._latest = (at_us, known_seq)
        if entry.currency is not None and entry.currency not in self._currencies:
            self._currencies.append(entry.currency)
        rows[place] = (
            at_us,
            known_seq,
            self._closing.get(mark, STILL),
            entry.amount_minor,
            mark,
            self._interned(entry.category),
            self._interned(entry.party),
            self._interned(entry.currency),
            KINDS[kind],
            entry.direction,
        )
        self._count = count + 1

    def _place(self, at_us: int, known_seq: int) -> int:
        """Where a row goes: behind everything that was earlier, or as early and known before it."""
        rows, count = self._rows, self._count
        if self._latest <= (at_us, known_seq):
            return count
        place = int(np.searchsorted(rows["at_us"][:count], at_us, side="right"))
        while place > 0 and _key(rows[place - 1]) > (at_us, known_seq):
            place -= 1
        return place

    def _interned(self, text: str | None) -> int:
        code = self._codes.get(text)
        if code is None:
            code = len(self._texts)
            self._codes[text] = code
            self._texts.append(text)
        return code


def _key(row: Any) -> tuple[int, int]:
    return int(row["at_us"]), int(row["known_seq"])


def _mark(event_id: str) -> int:
    """Eight bytes that stand for an event id within one history."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little")
