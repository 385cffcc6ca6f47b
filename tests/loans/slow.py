"""Days past due and arrears again, by living through every day: the slow second implementation.

It keeps a purse of what was paid and a list of what is owed, goes from day to day, and shares nothing with
the fast one but the events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from obligor.events import (
    FeeCharged,
    LoanClosed,
    LoanDisbursed,
    LoanWrittenOff,
    RecoveryReceived,
    RepaymentReceived,
    RepaymentReversed,
)
from obligor.kernel import Event


def _flows(events: list[Event]) -> tuple[Counter[date], Counter[date], Counter[date], Counter[date]]:
    """By value date: what covers instalments, what repaid principal, what paid fees, what was too much.

    A reversed payment is taken out; the excess of others then covers, oldest first, what its event did
    not undo.
    """
    book: dict[str, list] = {}
    for e in events:
        if isinstance(e.body, RepaymentReceived):
            part = e.body.allocation
            book[e.id] = [
                e.body.value_on,
                [part.fee_minor, part.interest_minor, part.principal_minor],
                part.excess_minor,
            ]
        elif isinstance(e.body, RepaymentReversed):
            _, was, _ = book.pop(str(e.replaces))
            now = e.body.allocation
            undone = [now.fee_minor, now.interest_minor, now.principal_minor]
            need = [a - b for a, b in zip(was, undone, strict=True)]
            for payment in sorted(book.values(), key=lambda payment: payment[0]):
                for which in range(3):
                    moved = min(payment[2], need[which])
                    payment[1][which] += moved
                    payment[2] -= moved
                    need[which] -= moved
    instalments, principals, fees, over = (Counter[date]() for _ in range(4))
    for value_on, (fee, interest, principal), excess in book.values():
        fees[value_on] += fee
        instalments[value_on] += interest + principal + excess
        principals[value_on] += principal
        over[value_on] += excess
    return instalments, principals, fees, over


def replay(  # noqa: C901
    events: Iterable[Event], last: date, *, fees: bool = False
) -> dict[date, tuple[int, int]]:
    """Days past due and arrears at the end of every day from the disbursement to the last."""
    told = list(events)
    begin = told[0].body
    assert isinstance(begin, LoanDisbursed)
    paid, repaid, paid_fees, over = _flows(told)
    charged = sorted((e.body.charged_on, e.body.amount_minor) for e in told if isinstance(e.body, FeeCharged))
    ends: date | None = None
    lost: LoanWrittenOff | None = None
    claim = 0
    recovered = []
    for e in told:
        if isinstance(e.body, LoanClosed):
            ends = e.body.closed_on
        elif isinstance(e.body, RepaymentReversed):
            ends = None
            if lost:
                part = e.body.allocation
                claim += part.principal_minor + part.interest_minor + part.fee_minor
        elif isinstance(e.body, LoanWrittenOff):
            lost = e.body
            claim = lost.principal_minor + lost.interest_minor + lost.fee_minor
        elif isinstance(e.body, RecoveryReceived):
            recovered.append((e.body.value_on, e.body.amount_minor))

    owed = [[line.due_on, line.principal_minor + line.interest_minor] for line in begin.schedule]
    owed_fees: list[list] = []
    purse = fee_purse = 0
    principal, interest_paid, excess = begin.amount_minor, 0, 0
    found: dict[date, tuple[int, int]] = {}
    day = begin.disbursed_on
    while day <= last:
        today = paid[day]
        purse += today
        back = repaid[day]
        principal -= back
        excess += over[day]
        interest_paid += today - back - over[day]
        fee_purse += paid_fees[day]
        owed_fees += [[on, amount] for on, amount in charged if on == day]
        for line in owed:
            part = min(purse, line[1])
            line[1] -= part
            purse -= part
        fee_left = [list(line) for line in owed_fees]
        rest = fee_purse
        for line in fee_left:
            part = min(rest, line[1])
            line[1] -= part
            rest -= part
        open_fees = sum(line[1] for line in fee_left)
        late = [line[0] for line in owed if line[1] and line[0] <= day]
        arrears = sum(line[1] for line in owed if line[0] <= day)
        matured = begin.schedule[-1].due_on <= day
        if principal <= 0:
            late, arrears = [], 0
        elif matured:
            late = late or [begin.schedule[-1].due_on]
            due_interest = sum(line.interest_minor for line in begin.schedule)
            arrears = max(0, principal + max(0, due_interest - interest_paid) - excess)
        if fees:
            late += [line[0] for line in fee_left if line[1]]
        arrears += open_fees
        if lost and day >= lost.written_off_on:
            arrears = max(0, claim - sum(amount for on, amount in recovered if on <= day))
            late = late if arrears else []
        if ends and day >= ends:
            late, arrears = [], 0
        found[day] = ((day - min(late)).days if late else 0, arrears)
        day += timedelta(days=1)
    return found
