"""What happened to one person, packed: rows in the order of time, each with when we learned of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

import msgspec
import numpy as np

from obligor.features.rows import END, KINDS, LARGEST_AMOUNT, ROW, Entry, Rows, gives
from obligor.kernel import Event, InvalidInput, InvariantBroken, Malformed

__all__ = ["STILL", "History", "Record", "mark_of", "microseconds", "midnight"]

STILL = 2**63 - 1  # the `until_seq` of a row that nothing has replaced
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KIND_NAMES = {code: name for name, code in KINDS.items()}
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000
_SMALLEST = 8
_NEAR = 64
_LAYOUT = 1  # of packed bytes: another number for other columns
_KEY = struct.Struct("=qq")  # the first two columns of a row, by which rows are in order
_NOTHING_YET = (-STILL, -1)
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


def midnight(day: date) -> int:
    """Microseconds since 1970 at the beginning of a day in UTC."""
    return (day.toordinal() - _EPOCH_DAY) * _DAY_US


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """A history as it is kept: the rows as they lie in memory, and what is beside them."""

    layout: int
    person: str | None
    rows: bytearray
    texts: list[str | None]
    currencies: list[str]
    closing: dict[int, int]
    ended: dict[str, list[tuple[int, int]]]
    seen_upto: int


_PACK = msgspec.msgpack.Encoder().encode
_UNPACK = msgspec.msgpack.Decoder(_Packed).decode


class History:
    """One person's rows, ordered by (at, known_seq), in one packed array.

    Events may come in any order and more than once. An event that `replaces` another takes the other's
    rows out of view from its own `known_seq` on and no sooner: whoever looks from before still sees them.
    Where a loan closed, its later instalments leave the view in the same way; they stay out of it even if a
    payment is reversed and the loan opens again. Parts that were erased give no row. The same events give
    the same view, however they came.

    A history holds what a person did: forget it when the person is erased, and fold what can still be read.
    """

    __slots__ = (
        "_closing",
        "_codes",
        "_count",
        "_currencies",
        "_ended",
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
        self._ended: dict[str, list[tuple[int, int]]] = {}
        self._seen_upto = -1
        self._latest = _NOTHING_YET

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
        other._ended = {loan: ended.copy() for loan, ended in self._ended.items()}
        other._seen_upto = self._seen_upto
        other._latest = self._latest
        return other

    def pack(self) -> bytes:
        """All of it as bytes, to be kept beside the journal and made again from it."""
        rows = bytearray(self._rows[: self._count].tobytes())
        kept = (self._texts, self._currencies, self._closing, self._ended, self._seen_upto)
        return _PACK(_Packed(_LAYOUT, self.person, rows, *kept))

    @classmethod
    def unpack(cls, packed: bytes) -> History:
        """The history that was packed.

        Raises:
            Malformed: the bytes are not a history's, or of another version of the program.
        """
        try:
            kept = _UNPACK(packed)
        except msgspec.MsgspecError as error:
            raise Malformed("these bytes are no packed history") from error
        if kept.layout != _LAYOUT or len(kept.rows) % ROW.itemsize:
            raise Malformed(f"a history of layout {kept.layout}; this program reads layout {_LAYOUT}")
        self = cls.__new__(cls)
        self.person = kept.person
        self._count = len(kept.rows) // ROW.itemsize
        if self._count:
            self._rows = np.frombuffer(kept.rows, ROW)
            self._latest = _KEY.unpack_from(kept.rows, len(kept.rows) - ROW.itemsize)
        else:
            self._rows, self._latest = np.zeros(_SMALLEST, ROW), _NOTHING_YET
        self._texts = kept.texts
        self._codes = dict(zip(kept.texts, count()))
        self._currencies = kept.currencies
        self._closing = kept.closing
        self._ended = kept.ended
        self._seen_upto = kept.seen_upto
        return self

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
        changed = event.replaces is not None and self._close(mark_of(event.replaces), event.known_seq)
        entries = [
            (given.kind, entry)
            for given in gives(event.type)
            if given.needs not in event.erased
            for entry in given.read(event.body, other)
        ]
        if entries:
            mark = mark_of(event.id)
            if event.known_seq <= self._seen_upto and self._holds(mark):
                return changed
            at_us = microseconds(event.at)
            for kind, entry in entries:
                if kind == END:
                    changed = self._end(entry.party or "", at_us, event.known_seq) or changed
                    continue
                at = at_us if entry.on is None else midnight(entry.on)
                self._insert(at, event.known_seq, mark, kind, entry)
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
        mine = rows["event"] == mark
        rows["until_seq"][mine] = np.minimum(rows["until_seq"][mine], known_seq)
        return True

    def _end(self, loan: str, at_us: int, known_seq: int) -> bool:
        """Let a loan's instalments after `at_us` end at `known_seq`; remembered for those that come later."""
        ended = self._ended.setdefault(loan, [])
        if (at_us, known_seq) in ended:
            return False
        ended.append((at_us, known_seq))
        ended.sort()
        rows = self._rows[: self._count]
        due = (rows["kind"] == KINDS["due"]) & (rows["party"] == self.code(loan)) & (rows["at_us"] > at_us)
        rows["until_seq"][due] = np.minimum(rows["until_seq"][due], known_seq)
        return True

    def _until(self, at_us: int, mark: int, kind: str, party: str | None) -> int:
        until = self._closing.get(mark, STILL)
        if kind == "due" and self._ended:
            ended = self._ended.get(party or "", ())
            until = min([until, *(known_seq for at, known_seq in ended if at < at_us)])
        return until

    def _insert(self, at_us: int, known_seq: int, mark: int, kind: str, entry: Entry) -> None:
        if not 0 <= entry.amount_minor <= LARGEST_AMOUNT:
            raise InvalidInput.field(
                "amount_minor", entry.amount_minor, f"an integer from 0 to {LARGEST_AMOUNT}"
            )
        held = self._count
        if held == len(self._rows):
            grown = np.zeros(2 * held, ROW)
            grown.view(_WHOLE)[:held] = self._rows.view(_WHOLE)
            self._rows = grown
        rows = self._rows
        place = self._place(at_us, known_seq)
        if place < held:
            whole = rows.view(_WHOLE)
            whole[place + 1 : held + 1] = whole[place:held]
        else:
            self._latest = (at_us, known_seq)
        if entry.currency is not None and entry.currency not in self._currencies:
            self._currencies.append(entry.currency)
        rows[place] = (
            at_us,
            known_seq,
            self._until(at_us, mark, kind, entry.party),
            entry.amount_minor,
            mark,
            self._interned(entry.category),
            self._interned(entry.party),
            self._interned(entry.currency),
            KINDS[kind],
            entry.direction,
        )
        self._count = held + 1

    def _place(self, at_us: int, known_seq: int) -> int:
        """Where a row goes: behind everything that was earlier, or as early and known before it."""
        held = self._count
        if self._latest <= (at_us, known_seq):
            return held
        at, known = self._rows["at_us"], self._rows["known_seq"]
        # Most come near the end, before instalments that lie ahead: searching there copies little.
        start = max(0, held - _NEAR)
        if start and at[start] > at_us:
            start = 0
        place = start + int(at[start:held].searchsorted(at_us, side="right"))
        while place > 0 and at[place - 1] == at_us and known[place - 1] > known_seq:
            place -= 1
        return place

    def _interned(self, text: str | None) -> int:
        code = self._codes.get(text)
        if code is None:
            code = len(self._texts)
            self._codes[text] = code
            self._texts.append(text)
        return code


def mark_of(event_id: str) -> int:
    """Eight bytes that stand for an event id within one history."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "little")
