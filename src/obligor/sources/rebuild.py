"""A loan's monthly payments, rebuilt from what was received over its whole life.

A book often says only how much came in of each kind, and when it was last paid. The payments are rebuilt so
that every total holds to the minor unit, and so that nothing is claimed that the totals do not say:

1. *Payments.* On every due date before the last payment the instalment of the schedule is paid, for as long
   as the received principal and interest last. The last payment takes what is left. If the table knows its
   month only, it falls on the due date in that month, or on the first of that month, the earliest day that
   the table allows, if the instalment that it pays was due before.
2. *Ahead and behind.* A repaid loan whose last payment is known to be smaller than that by an instalment or
   more had paid ahead: the difference is prepaid one due date before. Where it is larger by two instalments
   or more, as many instalments but one were missed before it and are caught up by it. (One is the slack of a
   table that knows months only.)
3. *Fees* are charged and paid with the last payment.
4. *Interest* of a payment is that of its instalment. If the loan received more in all, as after late
   payments, the rest is in the last payments; if less, as after prepayments, each is reduced in proportion
   (largest remainder). Principal is what remains of each payment, so it sums to the received principal and
   never passes what was lent.
   A last payment of a repaid loan that would be interest and fees alone takes one minor unit of principal
   from the payment before it, so that the loan is not over before its last payment.
5. *Rounding.* A repaid loan whose received principal misses the amount lent by some cents is repaid in full:
   the difference is taken from (or given to) interest, and told as `rounding_minor`.
6. *Write-off and recovery.* A bad loan is written off when its oldest unpaid due date is
   `write_off_days_past_due` days old, or 30 days after the last payment if that is later; all recoveries
   come `recovery_after_days` days after. If the loan would have been that long past due before its last
   payment already, and there were recoveries, then the date of the last payment is theirs, and the payment
   before it was made on its due date. Written-off principal is what was lent less what was received.

What this cannot show: arrears that were cured, the order of missed months, and several recoveries.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from obligor.events import Instalment
from obligor.kernel import InvariantBroken, split
from obligor.sources.spec import Rebuild

__all__ = ["Life", "Past", "Payment", "Totals", "rebuild", "totals"]

_SETTLED_AFTER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Past:
    """What a table says of a loan's life; amounts in minor units. `bad` is None for an open loan.

    `last_paid_on` is the first of its month if `month_only`.
    """

    disbursed_on: date
    funded_minor: int
    principal_minor: int
    interest_minor: int
    fees_minor: int
    recoveries_minor: int
    costs_minor: int
    last_paid_on: date | None
    last_payment_minor: int | None
    month_only: bool
    bad: bool | None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that came in on a day, and what it was for."""

    on: date
    fee_minor: int
    interest_minor: int
    principal_minor: int

    @property
    def amount_minor(self) -> int:
        """All of it."""
        return self.fee_minor + self.interest_minor + self.principal_minor


@dataclass(frozen=True, slots=True)
class Totals:
    """What a loan's rebuilt life adds up to. `rounding_minor` went from interest to principal."""

    principal_minor: int
    interest_minor: int
    fees_minor: int
    recoveries_minor: int
    costs_minor: int
    written_off_minor: int
    rounding_minor: int

    @property
    def repaid_minor(self) -> int:
        """All that was received before a write-off."""
        return self.principal_minor + self.interest_minor + self.fees_minor


@dataclass(frozen=True, slots=True)
class Life:
    """Payments in order, and how a bad loan ended."""

    payments: tuple[Payment, ...]
    written_off_on: date | None
    recovered_on: date | None


@dataclass(slots=True)
class _Chunk:
    """A payment before it is split; it covers the interest of the instalment with this index."""

    on: date
    minor: int
    index: int


def totals(past: Past) -> Totals:
    """The totals that the rebuilt life keeps: the table's own, but for the rounding of repaid loans."""
    rounding = past.funded_minor - past.principal_minor if past.bad is False else 0
    return Totals(
        principal_minor=past.principal_minor + rounding,
        interest_minor=past.interest_minor - rounding,
        fees_minor=past.fees_minor,
        recoveries_minor=past.recoveries_minor,
        costs_minor=past.costs_minor,
        written_off_minor=past.funded_minor - past.principal_minor if past.bad else 0,
        rounding_minor=rounding,
    )


def rebuild(past: Past, schedule: Sequence[Instalment], rules: Rebuild) -> Life:
    """The payments of a loan with this schedule (module docstring).

    Raises:
        InvariantBroken: the payments do not add up to the totals.
    """
    wanted = totals(past)
    chunks = _chunks(past, wanted, schedule)
    recovered = past.bad and past.recoveries_minor > 0
    limit = timedelta(days=rules.write_off_days_past_due)
    last, own = chunks[-1], schedule[chunks[-1].index].due_on
    came_late = last.on if recovered and last.on > own + limit else None
    if came_late:
        last.on = own
    interest = _interest(wanted.interest_minor, chunks, schedule)
    if not past.bad:
        _end_with_principal(chunks, interest)
    payments = [
        Payment(chunk.on, 0, part, chunk.minor - part) for chunk, part in zip(chunks, interest, strict=True)
    ]
    if wanted.fees_minor:
        payments = _with_fees(payments, wanted.fees_minor)
    found = tuple(payment for payment in payments if payment.amount_minor)
    _hold(found, wanted)
    if not past.bad:
        return Life(found, None, None)
    written_off = _written_off_on(found, schedule, limit)
    if not recovered:
        return Life(found, written_off, None)
    usual = written_off + timedelta(days=rules.recovery_after_days)
    return Life(found, written_off, max(came_late, written_off) if came_late else usual)


def _last_paid(past: Past, schedule: Sequence[Instalment]) -> tuple[date, int]:
    """The day of the last payment, and how many instalments fell due before that day."""
    day = past.last_paid_on
    if day is None:
        day = schedule[0].due_on
    elif past.month_only:
        end = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        day = next((one.due_on for one in schedule if day <= one.due_on <= end), day)
    day = max(day, past.disbursed_on)
    return day, sum(one.due_on < day for one in schedule)


def _chunks(past: Past, wanted: Totals, schedule: Sequence[Instalment]) -> list[_Chunk]:
    last_on, before = _last_paid(past, schedule)
    left = wanted.principal_minor + wanted.interest_minor
    chunks: list[_Chunk] = []
    for index, one in enumerate(schedule[: min(before, len(schedule) - 1)]):
        due = one.principal_minor + one.interest_minor
        if left <= due:
            break
        chunks.append(_Chunk(one.due_on, due, index))
        left -= due
    last = _Chunk(last_on, left, min(len(chunks), len(schedule) - 1))
    if past.bad is False and past.last_payment_minor:
        _fit_last(chunks, last, past.last_payment_minor - wanted.fees_minor, past.month_only)
    month = past.last_paid_on
    if month and past.month_only and schedule[last.index].due_on < month:
        last.on = month
    return [*chunks, last]


def _fit_last(chunks: list[_Chunk], last: _Chunk, known_minor: int, month_only: bool) -> None:
    """Move whole instalments between the last payment and those before it, towards its known size."""
    if not chunks or known_minor <= 0:
        return
    instalment = chunks[0].minor
    if last.minor - known_minor >= instalment:
        chunks[-1].minor += last.minor - known_minor
        last.minor = known_minor
        return
    missed = (known_minor - last.minor) // instalment - (1 if month_only else 0)
    for _ in range(min(missed, len(chunks))):
        last.minor += chunks.pop().minor
        last.index = len(chunks)


def _interest(total: int, chunks: Sequence[_Chunk], schedule: Sequence[Instalment]) -> list[int]:
    """The interest of each payment: as scheduled, and together what was received."""
    due = [min(schedule[chunk.index].interest_minor, chunk.minor) for chunk in chunks]
    scheduled = sum(due)
    if total < scheduled:
        return list(split(total, due))
    rest = total - scheduled
    for place in range(len(chunks) - 1, -1, -1):
        more = min(rest, chunks[place].minor - due[place])
        due[place] += more
        rest -= more
    return due


def _end_with_principal(chunks: Sequence[_Chunk], interest: list[int]) -> None:
    """See that a loan is not repaid before its last payment: one minor unit of principal waits for it."""
    if chunks[-1].minor > interest[-1]:
        return
    earlier = range(len(chunks) - 2, -1, -1)
    place = next((index for index in earlier if chunks[index].minor > interest[index]), None)
    if place is None:
        return
    if interest[-1]:
        interest[-1] -= 1
        interest[place] += 1
    else:
        chunks[-1].minor += 1
        chunks[place].minor -= 1


def _with_fees(payments: list[Payment], fees: int) -> list[Payment]:
    last = payments[-1]
    return [*payments[:-1], Payment(last.on, fees, last.interest_minor, last.principal_minor)]


def _written_off_on(payments: Sequence[Payment], schedule: Sequence[Instalment], limit: timedelta) -> date:
    paid = sum(one.interest_minor + one.principal_minor for one in payments)
    due = accumulate(one.principal_minor + one.interest_minor for one in schedule)
    oldest = next(
        (one.due_on for one, sum_due in zip(schedule, due, strict=True) if sum_due > paid),
        schedule[-1].due_on,
    )
    on = oldest + limit
    return max(on, payments[-1].on + _SETTLED_AFTER) if payments else on


def _hold(payments: Sequence[Payment], wanted: Totals) -> None:
    sums = (
        sum(one.principal_minor for one in payments),
        sum(one.interest_minor for one in payments),
        sum(one.fee_minor for one in payments),
    )
    if sums != (wanted.principal_minor, wanted.interest_minor, wanted.fees_minor) or any(
        min(one.principal_minor, one.interest_minor) < 0 for one in payments
    ):
        raise InvariantBroken(f"rebuilt payments add up to {sums}, not to {wanted}")
