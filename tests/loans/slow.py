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


def _standing(events: list[Event]) -> list[RepaymentReceived]:
    """Payments that were not reversed, in value order; the amount is what counts, not how it was split."""
    gone = {event.replaces for event in events if isinstance(event.body, RepaymentReversed)}
    found = [e.body for e in events if isinstance(e.body, RepaymentReceived) and e.id not in gone]
    return sorted(found, key=lambda body: body.value_on)


def _split(
    events: list[Event],
) -> tuple[Counter[date], Counter[date], Counter[date]]:
    """What went to instalments, to principal and to fees, by day.

    Excess of standing payments takes the place of what reversals undid, as the reversal's own event says.
    """
    instalments, principals, fees = Counter[date](), Counter[date](), Counter[date]()
    undone = {e.replaces: e.body.allocation for e in events if isinstance(e.body, RepaymentReversed)}
    covered = [0, 0, 0]
    for e in events:
        if isinstance(e.body, RepaymentReceived) and e.id in undone:
            was, now = e.body.allocation, undone[e.id]
            covered[0] += was.fee_minor - now.fee_minor
            covered[1] += was.interest_minor - now.interest_minor
            covered[2] += was.principal_minor - now.principal_minor
    for body in _standing(events):
        part = body.allocation
        moved, left = [0, 0, 0], part.excess_minor
        for which in range(3):
            moved[which] = min(left, covered[which])
            covered[which] -= moved[which]
            left -= moved[which]
        fees[body.value_on] += part.fee_minor + moved[0]
        instalments[body.value_on] += part.interest_minor + part.principal_minor + moved[1] + moved[2]
        principals[body.value_on] += part.principal_minor + moved[2]
    return instalments, principals, fees


def replay(  # noqa: C901
    events: Iterable[Event], last: date, *, fees: bool = False
) -> dict[date, tuple[int, int]]:
    """Days past due and arrears at the end of every day from the disbursement to the last."""
    told = list(events)
    begin = told[0].body
    assert isinstance(begin, LoanDisbursed)
    paid, repaid, paid_fees = _split(told)
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
    principal, interest_paid = begin.amount_minor, 0
    found: dict[date, tuple[int, int]] = {}
    day = begin.disbursed_on
    while day <= last:
        today = paid[day]
        purse += today
        back = repaid[day]
        principal -= back
        interest_paid += today - back
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
            arrears = principal + max(0, due_interest - interest_paid)
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
