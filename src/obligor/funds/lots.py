"""Lots: the money of an account in the order in which it arrived, and where each piece of it came from.

Money is spent first in, first out: the k-th cent into an account is the k-th cent out of it (Clayton's case,
1816, 1 Mer 572). Order is that of posting. Money that is no loan's is a lot too, since under this rule it
stands in the queue like any other; neighbours of the same origin are one lot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime

import msgspec

from obligor.funds.loan import Loan

__all__ = ["Lot", "Lots", "Movement", "Trace", "put", "route", "take", "whiten"]

# Beyond this many hops the middle of a route is left out: money can go round for ever.
_LONGEST = 64


class Movement(msgspec.Struct, frozen=True, gc=False):
    """A transfer as a fact: how much moved when, and the ids that it is known by."""

    minor: int
    at: datetime
    transfer_id: str | None
    event_id: str | None


class Trace:
    """A step on the way of a loan's money, and all steps before it by `before`.

    `minor` of what moved was this money. `skipped` steps after the first one are left out.
    """

    __slots__ = ("before", "depth", "loan", "minor", "movement", "skipped", "source", "target")

    def __init__(
        self, loan: Loan, before: Trace | None, source: str, target: str, movement: Movement
    ) -> None:
        self.loan = loan
        self.source = source
        self.target = target
        self.movement = movement
        self.minor = 0
        self.skipped: int = 0 if before is None else before.skipped
        self.before = before
        self.depth: int = 1 if before is None else before.depth + 1
        if before is not None and self.depth > _LONGEST:
            self.skipped += before.depth - 1
            self.before = next(route(before))
            self.depth = 2


class Lot:
    """A piece of an account's money; `trace` is None for money that is no loan's."""

    __slots__ = ("minor", "trace")

    def __init__(self, trace: Trace | None, minor: int) -> None:
        self.trace = trace
        self.minor = minor


Lots = deque[Lot]


def take(lots: Lots, minor: int) -> list[Lot]:
    """Take an amount from the front. What is not there came from where we do not see: it is no loan's."""
    taken: list[Lot] = []
    while minor:
        if not lots:
            taken.append(Lot(None, minor))
            break
        head = lots[0]
        if head.minor <= minor:
            taken.append(lots.popleft())
            minor -= head.minor
        else:
            head.minor -= minor
            taken.append(Lot(head.trace, minor))
            break
    return taken


def put(lots: Lots, trace: Trace | None, minor: int) -> None:
    """Add an amount at the back."""
    if lots and lots[-1].trace is trace:
        lots[-1].minor += minor
    else:
        lots.append(Lot(trace, minor))


def whiten(lots: Lots, loan: Loan) -> None:
    """Make a loan's lots money that is no loan's: the loan is closed. Neighbours become one lot."""
    kept = list(lots)
    lots.clear()
    for lot in kept:
        trace = lot.trace
        put(lots, None if trace is not None and trace.loan is loan else trace, lot.minor)


def route(last: Trace) -> Iterator[Trace]:
    """The steps of a way, from the disbursement on."""
    steps = [last]
    while steps[-1].before is not None:
        steps.append(steps[-1].before)
    return reversed(steps)
