"""How loans go: one loan by its own luck, the chance of it before luck is drawn, and many lives at once.

All three are the rates of `behaviour` over due dates; no lender and no treatment is in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import exp

import msgspec
import numpy as np

from obligor.kernel import add_months
from obligor.world.behaviour import (
    AHEAD,
    CENTRE,
    CURE,
    NEVER,
    Nature,
    Now,
    Terms,
    move,
    onset,
    prepayment,
    roll,
    seasoning,
    stage,
    weather,
    weight,
)
from obligor.world.settings import Settings

__all__ = ["Lives", "Outlook", "default_probability", "lives", "outlook"]

DEFAULT = 4


class Outlook(msgspec.Struct, frozen=True):
    """How a loan went by a horizon: the worst days past due, and whether they were above 90."""

    worst_dpd: int
    bad: bool
    first_missed_on: date | None


def outlook(who: Nature, terms: Terms, start: date, settings: Settings, months: int = 12) -> Outlook:
    """How a loan on these terms would go, to a horizon in months on book, untouched by any treatment."""
    horizon = add_months(terms.disbursed_on, months)
    unpaid: list[date] = []
    worst = 0
    first: date | None = None
    last = terms.disbursed_on
    for step, due in enumerate(_steps(terms, horizon)):
        is_due = step < len(terms.dues)
        if not is_due and not unpaid:
            break
        climate = _climate(terms, step, due, start, settings)
        age, gap = _months(terms.disbursed_on, due), _months(last, due)
        behind = stage(unpaid[0], due) if unpaid else 0
        made = move(who, Now(step, age, gap, behind, climate))
        last = due
        if made.kind == "off":
            break
        if made.kind == "miss":
            first = first or due
        elif unpaid:
            paid_on = min(due - timedelta(days=AHEAD - made.delay), horizon)
            worst = max(worst, (paid_on - unpaid[0]).days)
            unpaid = unpaid[1:] if made.kind == "one" else []
        else:
            worst = max(worst, made.delay)
        if is_due and made.kind in {"miss", "one"}:
            unpaid.append(due)
    if unpaid:
        worst = max(worst, (horizon - unpaid[0]).days)
    return Outlook(worst, worst > 90, first)


def default_probability(
    index: float,
    terms: Terms,
    start: date,
    settings: Settings,
    *,
    months: int = 12,
    paid: int = 0,
    behind: int = 0,
) -> float:
    """The true probability of more than 90 days past due within some months, before luck is drawn.

    The months are counted from the disbursement, or for a loan that has come to its line number `paid` with
    `behind` instalments unpaid, from that line's due date. A forward pass over the number of instalments
    behind (0 to 3, then default), by the same rates as `move`.
    """
    begun = terms.dues[min(paid, len(terms.dues)) - 1] if paid else terms.disbursed_on
    steps = _steps(terms, add_months(begun, months))
    rolls = [roll(index, stage) for stage in (1, 2, 3)]
    state = [0.0] * (DEFAULT + 1)
    state[min(behind, DEFAULT)] = 1.0
    last = begun
    for step, due in enumerate(steps[paid:], paid):
        is_due = step < len(terms.dues)
        after = [0.0, 0.0, 0.0, 0.0, state[DEFAULT]]
        if is_due:
            age, gap = _months(terms.disbursed_on, due), _months(last, due)
            missed = onset(index, age, gap, _climate(terms, step, due, start, settings))
            after[1] = state[0] * missed
            after[0] = state[0] * (1.0 - missed) * (1.0 - prepayment(age))
        last = due
        for late, rolled in enumerate(rolls, 1):
            cured = (1.0 - rolled) * CURE[late - 1]
            after[late + 1] += state[late] * rolled
            after[0] += state[late] * cured
            after[late if is_due else late - 1] += state[late] * (1.0 - rolled - cured)
        state = after
    never = min(1.0, NEVER * exp(index)) if not paid and len(steps) > DEFAULT - 1 else 0.0
    return never + (1.0 - never) * state[DEFAULT]


class Lives(msgspec.Struct, frozen=True):
    """Many loans of equal terms to their end; months on book from 1, 0 where it never came to that.

    `defaulted` is the month in which more than 90 days past due were certain, `prepaid` the month of paying
    everything; `lines` counts the instalments paid until then. `missed[m]` counts loans that fell behind with
    the line of calendar month m + 1 having been behind with nothing, `faced[m]` those that could.
    """

    defaulted: np.ndarray
    prepaid: np.ndarray
    lines: np.ndarray
    missed: np.ndarray
    faced: np.ndarray


def lives(index: np.ndarray, months: int, start: date, settings: Settings, rng: np.random.Generator) -> Lives:
    """Instalment loans over so many months, one for each index, disbursed on the first of a month from start.

    Months of disbursement go round the year, so that a season weighs as it does in a year.
    """
    count = len(index)
    began = np.arange(count) % 12
    never = rng.random(count) < NEVER * np.exp(index)
    behind, lines = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    defaulted, prepaid = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    missed, faced = np.zeros(12), np.zeros(12)
    seasons = np.array([weather(date(start.year, month, 1), start, settings) for month in range(1, 13)])
    rolls = np.array([[roll(x, stage) for stage in range(1, DEFAULT)] for x in index.tolist()])
    for month in range(1, months + DEFAULT + 3):
        live = (defaulted == 0) & (prepaid == 0) & ((month <= months) | (behind > 0))
        when = (start.month - 1 + began + month) % 12
        trouble, way = rng.random(count), rng.random(count)
        base = settings.onset * seasoning(month) * np.exp(index - CENTRE)
        hazard = np.minimum(0.6, base * seasons[when])
        late = live & (behind > 0)
        rolled = late & (never | (trouble < rolls[np.arange(count), np.clip(behind, 1, DEFAULT - 1) - 1]))
        cured = late & ~rolled & (way < np.array([0.0, *CURE])[np.minimum(behind, DEFAULT)])
        fresh = live & (behind == 0) & (month <= months)
        falls = fresh & (never | (trouble < hazard))
        np.add.at(missed, when[falls], 1)
        np.add.at(faced, when[fresh], 1)
        leaves = fresh & ~falls & (way < prepayment(month))
        prepaid[leaves] = month
        behind[rolled | falls] += 1
        behind[cured] = 0
        if month > months:
            behind[late & ~rolled & ~cured] -= 1
        defaulted[live & (behind >= DEFAULT)] = month
        lines = np.where(live, np.minimum(month, months) - np.minimum(behind, month), lines)
    return Lives(defaulted, prepaid, lines, missed, faced)


def _climate(terms: Terms, place: int, due: date, start: date, settings: Settings) -> float:
    heavy = weight(place, len(terms.dues), bullet=terms.bullet)
    return settings.onset * weather(due, start, settings) * heavy


def _steps(terms: Terms, horizon: date) -> Sequence[date]:
    """The due dates up to a horizon, and after the last one the same day of every following month."""
    steps = [due for due in terms.dues if due <= horizon]
    if len(steps) == len(terms.dues):
        last = terms.dues[-1]
        extra = 1
        while (after := add_months(last, extra)) <= horizon:
            steps.append(after)
            extra += 1
    return steps


def _months(start: date, end: date) -> int:
    """Whole months between two dates, by their months alone, at least 0."""
    return max(0, (end.year - start.year) * 12 + end.month - start.month)
