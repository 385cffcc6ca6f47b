"""Tracing in plain Python, one rule a function: what the compiled kernel is tested against and measured by.

Rows are those of `Movements`. Each rule returns what went outside, by (loan, class), and every account's
money as a list of (loan, amount), oldest first; under the rules that spend own money apart, of loans only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

Row = tuple[int, int, int, int, int]  # source, target, amount, loan, back
Lot = tuple[int, int]  # loan, amount
Queue = deque[Lot]
Answer = tuple[dict[Lot, int], list[list[Lot]]]


def take_first(queue: Queue, amount: int) -> tuple[list[Lot], int]:
    """An amount off the front, and what was not there."""
    lots = []
    while amount and queue:
        owner, minor = queue[0]
        if minor <= amount:
            lots.append(queue.popleft())
            amount -= minor
        else:
            queue[0] = (owner, minor - amount)
            lots.append((owner, amount))
            amount = 0
    return lots, amount


def take_last(queue: Queue, amount: int) -> tuple[list[Lot], int]:
    """An amount off the back, in the order in which it stood, and what was not there."""
    lots = []
    while amount and queue:
        owner, minor = queue[-1]
        if minor <= amount:
            lots.append(queue.pop())
            amount -= minor
        else:
            queue[-1] = (owner, minor - amount)
            lots.append((owner, amount))
            amount = 0
    lots.reverse()
    return lots, amount


def put(queue: Queue, lots: Iterable[Lot]) -> None:
    for loan, minor in lots:
        if queue and queue[-1][0] == loan:
            queue[-1] = (loan, queue[-1][1] + minor)
        else:
            queue.append((loan, minor))


def in_line(rows: list[Row], accounts: int, take: Callable[[Queue, int], tuple[list[Lot], int]]) -> Answer:
    """Own money stands in the queue like any other: first in or last in, first out."""
    queues: list[Queue] = [deque() for _ in range(accounts)]
    outside: dict[Lot, int] = {}
    kept: dict[int, list[Lot]] = {row[4]: [] for row in rows if row[4] >= 0}
    for number, (source, target, amount, loan, back) in enumerate(rows):
        if loan < 0:
            queues = [white(queue, -loan) for queue in queues]
            kept = {one: list(white(lots, -loan)) for one, lots in kept.items()}
            continue
        if back >= 0:
            lots = kept.pop(back)
            count(outside, lots, rows[back][1] - accounts, -1)
        elif source < 0:
            lots = [(loan, amount)]
        else:
            lots, unseen = take(queues[source], amount)
            if unseen:
                lots.append((0, unseen))
        if target < accounts:
            put(queues[target], lots)
        else:
            count(outside, lots, target - accounts)
            if number in kept:
                kept[number] = lots
    return {place: minor for place, minor in outside.items() if minor}, [list(queue) for queue in queues]


def apart(rows: list[Row], accounts: int, own_first: bool) -> Answer:
    """Own money is a sum beside the queue of the loans' money, and is spent before it or after it."""
    queues: list[Queue] = [deque() for _ in range(accounts)]
    own = [0] * accounts
    outside: dict[Lot, int] = {}
    kept: dict[int, list[Lot]] = {row[4]: [] for row in rows if row[4] >= 0}
    for number, (source, target, amount, loan, back) in enumerate(rows):
        if loan < 0:
            for account, queue in enumerate(queues):
                own[account] += sum(minor for owner, minor in queue if owner == -loan)
                queues[account] = without(queue, -loan)
            kept = {one: list(without(lots, -loan)) for one, lots in kept.items()}
            continue
        if back >= 0:
            lots = kept.pop(back)
            clean = amount - sum(minor for _, minor in lots)
            count(outside, lots, rows[back][1] - accounts, -1)
        elif source < 0:
            lots, clean = ([(loan, amount)], 0) if loan else ([], amount)
        elif own_first:
            clean = min(amount, own[source])
            own[source] -= clean
            lots, unseen = take_first(queues[source], amount - clean)
            clean += unseen
        else:
            lots, clean = take_first(queues[source], amount)
            own[source] -= min(clean, own[source])
        if target < accounts:
            own[target] += clean
            put(queues[target], lots)
        else:
            count(outside, lots, target - accounts)
            if number in kept:
                kept[number] = lots
    return {place: minor for place, minor in outside.items() if minor}, [list(queue) for queue in queues]


def count(outside: dict[Lot, int], lots: Iterable[Lot], name: int, sign: int = 1) -> None:
    for loan, minor in lots:
        if loan:
            outside[loan, name] = outside.get((loan, name), 0) + sign * minor


def white(lots: Iterable[Lot], closed: int) -> Queue:
    found: Queue = deque()
    put(found, ((0 if loan == closed else loan, minor) for loan, minor in lots))
    return found


def without(lots: Iterable[Lot], closed: int) -> Queue:
    found: Queue = deque()
    put(found, (lot for lot in lots if lot[0] != closed))
    return found


RULES: dict[str, Callable[[list[Row], int], Answer]] = {
    "fifo": lambda rows, accounts: in_line(rows, accounts, take_first),
    "lifo": lambda rows, accounts: in_line(rows, accounts, take_last),
    "lowest": lambda rows, accounts: apart(rows, accounts, own_first=True),
    "tainted_first": lambda rows, accounts: apart(rows, accounts, own_first=False),
}
