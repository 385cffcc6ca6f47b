"""How a loan is paid: a walk over due dates, driven by a hazard and by luck that is fixed beforehand.

While nothing is behind, an instalment is missed with a monthly hazard that follows the loan's age, the
season, the macro path and the borrower's index. Behind, the loan rolls on or cures. The roll rates are
those of DOMAIN's table (1→2 25 to 40 %, 2→3 55 to 70, 3→4 75 to 85), before payments that are merely
late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import exp, log
from typing import Literal

import msgspec

from obligor.kernel import add_months
from obligor.world.luck import Purpose, stream
from obligor.world.settings import Settings

__all__ = [
    "Move",
    "Nature",
    "Now",
    "Outlook",
    "Terms",
    "default_probability",
    "move",
    "nature",
    "onset",
    "outlook",
    "weather",
    "weight",
]

ROWS = 60
AHEAD = 6
LATE = 0.030
PART = 0.006
NEVER = 0.0012
BULLET_INTEREST = 0.5
BULLET_END = 3.5
DISTANT = 1.25
CENTRE = 0.40
ROLL = (0.45, 0.62, 0.80, 0.96)
TILT = 0.20
CURE = (0.80, 0.60, 0.40, 0.10)
HOLIDAYS = {1: 1.10, 2: 1.18, 10: 1.10}


class Move(msgspec.Struct, frozen=True):
    """What the borrower does about a due date, `delay` days after the step.

    `miss` pays nothing; `all` pays what is owed by then; `one` pays the oldest instalment and leaves the
    new one; `part` pays half at once and the rest after the delay; `off` repays the loan. Who is behind
    decides `AHEAD` days before the due date and, having paid all, pays the instalment that falls due on
    time.
    """

    kind: Literal["miss", "all", "one", "part", "off"]
    delay: int = 0


MISS = Move("miss")
ON_TIME = Move("all")
OFF = Move("off")


class Terms(msgspec.Struct, frozen=True):
    """When a loan is due, and whether the principal comes all at the end."""

    disbursed_on: date
    dues: tuple[date, ...]
    bullet: bool = False


class Nature(msgspec.Struct, frozen=True):
    """What decides how one loan is paid: the index of the log hazard, and luck, three numbers per step."""

    index: float
    never_pays: bool
    luck: tuple[float, ...]


class Outlook(msgspec.Struct, frozen=True):
    """How a loan went by a horizon: the worst days past due, and whether they were above 90."""

    worst_dpd: int
    bad: bool
    first_missed_on: date | None


def nature(
    seed: int,
    person: int,
    turn: int,
    index: float,
    *,
    fraud: bool = False,
    purpose: Purpose = Purpose.LIFE,
) -> Nature:
    """The nature of the loan that a person's application becomes, whoever grants it; `turn` counts theirs."""
    luck = stream(seed, purpose, person, turn).random(1 + 3 * ROWS).tolist()
    never = fraud or luck[0] < NEVER * exp(index)
    return Nature(index, never, tuple(luck[1:]))


def seasoning(months: float) -> float:
    """The hazard's shape over a loan's age, about 1 in its first two years; peak near month 16."""
    return 1.45 * (1.0 - exp(-months / 6.0)) * exp(-max(0.0, months - 16.0) / 50.0)


_SEASONING = tuple(seasoning(months) for months in range(121))


def weather(on: date, start: date, settings: Settings) -> float:
    """Season and macro path: what lies on everybody's hazard on a day."""
    factor = HOLIDAYS.get(on.month, 1.0)
    shock = settings.shock
    if shock and shock.first_month <= _months(start, on) < shock.last_month:
        factor *= shock.factor
    return factor


def weight(place: int, lines: int, *, bullet: bool) -> float:
    """How hard a line is to pay, against an instalment: a bullet's interest is easy, its end is not."""
    if not bullet or lines == 1:
        return 1.0
    return BULLET_END if place == lines - 1 else BULLET_INTEREST


def onset(index: float, months: int, gap: int, climate: float, stress: float = 1.0) -> float:
    """The probability that a due date is missed by a borrower who is behind with nothing.

    `months` on book, `gap` months since the last due date, `climate` from settings and weather, `stress`
    from the borrower's other loans.
    """
    monthly = min(0.6, climate * stress * _SEASONING[min(months, 120)] * exp(index - CENTRE))
    if gap <= 1:
        return monthly
    return min(0.9, DISTANT * (1.0 - (1.0 - monthly) ** gap))


def roll(index: float, behind: int) -> float:
    """The probability that a loan so many months behind misses the next step too."""
    base = ROLL[min(behind, len(ROLL)) - 1]
    return 1.0 / (1.0 + exp(-(log(base / (1.0 - base)) + TILT * index)))


def stage(oldest: date, due: date) -> int:
    """How many months the oldest unpaid due date lies before a step: how far a loan has rolled."""
    return max(1, round((due - oldest).days / 30.4))


def prepayment(months: int) -> float:
    """The monthly probability of repaying everything (DOMAIN: 1.3 % at month 12, 2.3 % at month 24)."""
    return 0.0045 + 0.00072 * months


class Now(msgspec.Struct, frozen=True):
    """A step of a loan.

    `step` counts from 0; `months` on book, `gap` months since the last due date; `behind` is the stage of
    what is unpaid, 0 for nothing; `climate` is the day's, `stress` comes from the borrower's other loans.
    """

    step: int
    months: int
    gap: int
    behind: int
    climate: float
    stress: float = 1.0


def move(who: Nature, now: Now) -> Move:
    """What the borrower does at a step."""
    if who.never_pays:
        return MISS
    row = 3 * (now.step % ROWS)
    trouble, way, when = who.luck[row : row + 3]
    if now.behind:
        if trouble < roll(who.index, now.behind):
            return MISS
        kind: Literal["all", "one"] = "all" if way < CURE[min(now.behind, len(CURE)) - 1] else "one"
        return Move(kind, int(when * AHEAD))
    if trouble < onset(who.index, now.months, now.gap, now.climate, now.stress):
        return MISS
    if way < prepayment(now.months):
        return OFF
    late = min(0.25, LATE * exp(0.5 * who.index))
    if way > 1.0 - late:
        return Move("all", 1 + int(when * when * 24))
    if way > 1.0 - late - PART:
        return Move("part", 2 + int(when * 16))
    return ON_TIME


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


def default_probability(index: float, terms: Terms, start: date, settings: Settings) -> float:
    """The true probability of more than 90 days past due within 12 months on book, before luck is drawn.

    A forward pass over the number of instalments behind (0 to 3, then default), by the same rates as `move`.
    """
    horizon = add_months(terms.disbursed_on, 12)
    steps = _steps(terms, horizon)
    rolls = [roll(index, behind) for behind in (1, 2, 3)]
    state = [1.0, 0.0, 0.0, 0.0, 0.0]
    last = terms.disbursed_on
    for step, due in enumerate(steps):
        is_due = step < len(terms.dues)
        after = [0.0, 0.0, 0.0, 0.0, state[4]]
        if is_due:
            age, gap = _months(terms.disbursed_on, due), _months(last, due)
            missed = onset(index, age, gap, _climate(terms, step, due, start, settings))
            after[1] = state[0] * missed
            after[0] = state[0] * (1.0 - missed) * (1.0 - prepayment(age))
        last = due
        for behind, rolled in enumerate(rolls, 1):
            cured = (1.0 - rolled) * CURE[behind - 1]
            after[behind + 1] += state[behind] * rolled
            after[0] += state[behind] * cured
            after[behind if is_due else behind - 1] += state[behind] * (1.0 - rolled - cured)
        state = after
    never = min(1.0, NEVER * exp(index)) if len(steps) > 3 else 0.0
    return never + (1.0 - never) * state[4]


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
