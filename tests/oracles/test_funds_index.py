"""Tracing by lots equals tracing by positions: a second algorithm that keeps no lots at all.

Under first in, first out the k-th cent into an account is the k-th cent out of it. So each account needs
only running sums of what arrived and of what departed: a loan's arrival is an interval of positions, the
departures over that interval are where it went, and each of them is an interval of positions in the next
account. A query walks these intervals forward from the disbursement.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from obligor.funds import Tracer, lots, moves
from tests.funds.accounts import CLASSES, START

ACCOUNTS = ("a", "b", "c", "d")
OUTSIDE = (("shop", "retail"), ("bookmaker", "gambling"), ("friend", None), ("broker", "securities_broker"))


@dataclass(frozen=True)
class Op:
    """One thing that happens: open, lend, in, out, back, close."""

    kind: str
    account: str = ""
    minor: int = 0
    other: str = ""
    name: str | None = None
    ref: int = -1


@dataclass
class Ledger:
    """An account's running sums. A departure goes to an account's position, or outside."""

    arrived: int = 0
    departed: int = 0
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    goes: list[list[object]] = field(default_factory=list)


class Index:
    """Positions of all movements of a history, and the walk of a loan's money over them."""

    def __init__(self, ops: list[Op]) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.lent: dict[str, tuple[str, int, int]] = {}
        movements: dict[int, tuple[str, object]] = {}
        for number, op in enumerate(ops):
            if op.kind == "open":
                self.ledgers[op.account] = Ledger(arrived=op.minor)
            elif op.kind == "lend":
                start = self._arrive(op.account, op.minor)
                self.lent[op.other] = op.account, start, op.minor
            elif op.kind == "in":
                self._arrive(op.account, op.minor)
            elif op.kind == "out":
                movements[number] = self._out(op.account, op.minor, op.other, op.name)
            elif op.kind == "back":
                self._back(ops[op.ref], movements.get(op.ref))

    def _arrive(self, account: str, minor: int) -> int:
        ledger = self.ledgers[account]
        ledger.arrived += minor
        return ledger.arrived - minor

    def _out(self, account: str, minor: int, other: str, name: str | None) -> tuple[str, object]:
        ledger = self.ledgers[account]
        # What is not there arrives, unseen, just before it goes.
        ledger.arrived = max(ledger.arrived, ledger.departed + minor)
        ledger.starts.append(ledger.departed)
        ledger.departed += minor
        ledger.ends.append(ledger.departed)
        inside = other in self.ledgers
        ledger.goes.append([other, self._arrive(other, minor)] if inside else [other, name])
        return ("inside" if inside else "outside"), (ledger, len(ledger.goes) - 1)

    def _back(self, op: Op, made: tuple[str, object] | None) -> None:
        if op.kind == "in":
            self._out(op.account, op.minor, op.other, op.name)
            return
        assert made is not None
        kind, (ledger, place) = made  # type: ignore[misc]
        if kind == "inside":
            self._out(op.other, op.minor, op.account, None)
        else:
            ledger.goes[place] = [op.account, self._arrive(op.account, op.minor)]

    def trace(self, loan: str) -> tuple[Counter[tuple[str, str | None]], dict[str, list[tuple[int, int]]]]:
        """What of a loan went outside, by counterparty and class, and the intervals that are still held."""
        account, start, minor = self.lent[loan]
        outside: Counter[tuple[str, str | None]] = Counter()
        held: dict[str, list[tuple[int, int]]] = {}
        walk = [(account, start, start + minor)]
        while walk:
            account, low, high = walk.pop()
            ledger = self.ledgers[account]
            place = bisect_right(ledger.ends, low)
            while low < high and place < len(ledger.ends):
                stop = min(high, ledger.ends[place])
                target, where = ledger.goes[place]
                if isinstance(where, int):
                    first = where + low - ledger.starts[place]
                    walk.append((str(target), first, first + stop - low))
                else:
                    outside[str(target), where] += stop - low  # type: ignore[index]
                low, place = stop, place + 1
            if low < high:
                held.setdefault(account, []).append((low, high))
        return outside, held

    def queue(self, account: str) -> list[tuple[str | None, int]]:
        """An account's money in order: loan or None, and amount."""
        pieces = sorted(
            (low, high, loan) for loan in self.lent for low, high in self.trace(loan)[1].get(account, [])
        )
        found: list[tuple[str | None, int]] = []
        at = self.ledgers[account].departed
        for low, high, loan in [
            *pieces,
            (self.ledgers[account].arrived, self.ledgers[account].arrived, None),
        ]:
            for owner, minor in ((None, low - at), (loan, high - low)):
                if minor and found and found[-1][0] == owner:
                    found[-1] = owner, found[-1][1] + minor
                elif minor:
                    found.append((owner, minor))
            at = high
        return found


@st.composite
def histories(draw: st.DrawFn, closes: bool = False) -> list[Op]:
    ops = [Op("open", account, draw(st.integers(0, 30))) for account in ACCOUNTS]
    loans = 0
    reversible: list[int] = []
    account = st.sampled_from(ACCOUNTS)
    kinds = ["lend", "in", "out", "out", "out", "inside", "inside", "back"] + (["close"] if closes else [])
    for _ in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(kinds))
        here = draw(account)
        minor = draw(st.integers(1, 60))
        if kind == "lend":
            ops.append(Op("lend", here, minor, f"loan{loans}"))
            loans += 1
        elif kind == "back" and reversible:
            place = reversible.pop(draw(st.integers(0, len(reversible) - 1)))
            ops.append(Op("back", ref=place))
        elif kind == "close" and loans:
            ops.append(Op("close", other=f"loan{draw(st.integers(0, loans - 1))}"))
        elif kind in ("in", "out"):
            other, name = draw(st.sampled_from(OUTSIDE))
            reversible.append(len(ops))
            ops.append(Op(kind, here, minor, other, name))
        elif kind == "inside":
            there = draw(st.sampled_from([one for one in ACCOUNTS if one != here]))
            reversible.append(len(ops))
            ops.append(Op("out", here, minor, there))
    return ops


def apply(tracer: Tracer, ops: list[Op], number: int) -> None:
    op, at = ops[number], START + timedelta(minutes=number)
    if op.kind == "open":
        tracer.open_account(op.account, "p", "CNY", op.minor)
    elif op.kind == "lend":
        tracer.disburse(op.other, "p", op.account, amount_minor=op.minor, currency="CNY", at=at)
    elif op.kind == "back":
        tracer.reverse(ops[op.ref].account, f"t{op.ref}", at=at)
    elif op.kind == "close":
        tracer.close(op.other)
    else:
        tracer.transfer(
            op.account, f"t{number}", op.kind, amount_minor=op.minor, counterparty=op.other,
            counterparty_class=op.name, at=at,
        )  # fmt: skip


def _told(tracer: Tracer, loan: str) -> tuple[dict[tuple[str, str | None], int], dict[str, int]]:
    found = tracer.position(loan)
    assert found is not None
    outside = {
        (one.name, one.counterparty_class): one.amount_minor for one in found.places if one.kind != "held"
    }
    return outside, {one.name: one.amount_minor for one in found.places if one.kind == "held"}


def _walked(index: Index, loan: str) -> tuple[dict[tuple[str, str | None], int], dict[str, int]]:
    outside, held = index.trace(loan)
    sums = {account: sum(high - low for low, high in parts) for account, parts in held.items()}
    return dict(outside), sums


@given(histories())
def test_lots_and_positions_attribute_every_cent_alike(ops: list[Op]) -> None:
    tracer = Tracer(CLASSES)
    for number in range(len(ops)):
        apply(tracer, ops, number)
    index = Index(ops)
    event(f"loans: {len(index.lent)}")
    for loan in index.lent:
        assert _told(tracer, loan) == _walked(index, loan)
    for account in ACCOUNTS:
        assert list(tracer.lots(account)) == index.queue(account)


@given(histories(closes=True))
def test_closing_a_loan_changes_no_other_and_keeps_its_last_position(ops: list[Op]) -> None:
    tracer = Tracer(CLASSES)
    for number in range(len(ops)):
        apply(tracer, ops, number)
    index = Index(ops)
    for loan in index.lent:
        closed = next((n for n, op in enumerate(ops) if op.kind == "close" and op.other == loan), None)
        wanted = index if closed is None else Index(ops[:closed])
        assert _told(tracer, loan) == _walked(wanted, loan)
    open_loans = {
        loan for loan in index.lent if not any(op.kind == "close" and op.other == loan for op in ops)
    }
    for account in ACCOUNTS:
        kept = Counter[str | None]()
        for loan, minor in index.queue(account):
            kept[loan if loan in open_loans else None] += minor
        assert dict(kept) == _sums(tracer.lots(account))


def _sums(lots: tuple[tuple[str | None, int], ...]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for loan, minor in lots:
        found[loan] = found.get(loan, 0) + minor
    return found


def test_spending_the_newest_money_first_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def newest_first(queue: lots.Lots, minor: int) -> list[lots.Lot]:
        queue.reverse()
        taken = lots.take(queue, minor)
        queue.reverse()
        return taken

    ops = [
        Op("open", "a", 10),
        Op("lend", "a", 10, "loan0"),
        Op("in", "a", 10, "friend"),
        Op("out", "a", 15, "shop", "retail"),
    ]
    index = Index(ops)
    for take, equal in ((lots.take, True), (newest_first, False)):
        monkeypatch.setattr(moves, "take", take)
        tracer = Tracer(CLASSES)
        for number in range(len(ops)):
            apply(tracer, ops, number)
        assert (list(tracer.lots("a")) == index.queue("a")) is equal


def test_the_index_itself_does_todds_example() -> None:
    ops = [
        Op("open", "a"),
        Op("lend", "a", 10, "P"),
        Op("lend", "a", 10, "M"),
        Op("out", "a", 10, "friend"),
        Op("lend", "a", 10, "K"),
        Op("out", "a", 10, "friend"),
    ]
    index = Index(ops)
    assert [_walked(index, loan)[1].get("a", 0) for loan in "PMK"] == [0, 0, 10]
