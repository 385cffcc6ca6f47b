"""What a movement does to accounts and loans: money goes on, goes out of sight, and comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from obligor.funds.classes import Classes
from obligor.funds.evidence import Hit, Reached
from obligor.funds.loan import Loan, Outside
from obligor.funds.lots import Lot, Lots, Movement, Trace, put, take

__all__ = ["Account", "come_back", "leave", "move"]


class Account:
    """An account that we see, with its money."""

    __slots__ = ("account_id", "currency", "lots", "person_id")

    def __init__(self, account_id: str, person_id: str, currency: str) -> None:
        self.account_id = account_id
        self.person_id = person_id
        self.currency = currency
        self.lots: Lots = deque()


def move(source: Account, target: Account, movement: Movement) -> None:
    """Money goes from the front of one account to the back of another, in its order."""
    steps: dict[Trace, Trace] = {}
    for lot in take(source.lots, movement.minor):
        before = lot.trace
        if before is None:
            put(target.lots, None, lot.minor)
            continue
        step = steps.get(before)
        if step is None:
            step = Trace(before.loan, before, source.account_id, target.account_id, movement)
            steps[before] = step
        step.minor += lot.minor
        step.loan.hold(source.account_id, -lot.minor)
        step.loan.hold(target.account_id, lot.minor)
        put(target.lots, step, lot.minor)
    for step in steps.values():
        step.loan.check()


def leave(
    account: Account, outside: Outside, movement: Movement, classes: Classes
) -> tuple[tuple[Lot, ...], list[Hit]]:
    """Money goes out of sight: the lots that went (none where no loan's were among them), and hits."""
    taken = take(account.lots, movement.minor)
    traced = [(lot.trace, lot.minor) for lot in taken if lot.trace is not None]
    if not traced:
        return (), []
    counterparty, name = outside
    kind = classes.kind(name)
    steps: dict[Trace, Trace] = {}
    for before, minor in traced:
        loan = before.loan
        loan.hold(account.account_id, -minor)
        loan.leave(outside, minor, sunk=kind != "unknown")
        loan.check()
        if kind == "prohibited":
            step = steps.get(before)
            if step is None:
                step = steps[before] = Trace(loan, before, account.account_id, counterparty, movement)
            step.minor += minor
    hits = _hits(list(steps.values()), (counterparty, name), classes, movement) if name else []
    return tuple(taken), hits


def come_back(account: Account, outside: Outside, minor: int, lots: Sequence[Lot], classes: Classes) -> None:
    """What had left our sight is back: the same lots, behind what is there."""
    if not lots:
        put(account.lots, None, minor)
    sunk = classes.kind(outside[1]) != "unknown"
    for lot in lots:
        trace = lot.trace
        if trace is None or not trace.loan.open:
            put(account.lots, None, lot.minor)
            continue
        loan = trace.loan
        loan.leave(outside, -lot.minor, sunk=sunk)
        loan.hold(account.account_id, lot.minor)
        loan.check()
        put(account.lots, trace, lot.minor)
        reached = loan.reached.get(outside)
        if reached is not None:
            reached.minor -= lot.minor


def _hits(
    steps: Sequence[Trace], outside: tuple[str, str], classes: Classes, movement: Movement
) -> list[Hit]:
    loans: dict[Loan, Reached] = {}
    for step in steps:
        loan = step.loan
        reached = loan.reached.get(outside)
        if reached is None:
            reached = loan.reached[outside] = Reached(outside)
        reached.add(step)
        loans[loan] = reached
    return [
        reached.hit(loan, movement.at)
        for loan, reached in loans.items()
        if reached.minor >= classes.least(loan.amount, loan.currency)
    ]
