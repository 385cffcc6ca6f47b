"""How a loan is paid: a walk over due dates, driven by a hazard and by luck that is fixed beforehand.

While nothing is behind, an instalment is missed with a monthly hazard that follows the loan's age, the
season, the macro path and the borrower's index. Behind, the loan rolls on or cures. The roll rates are
those of DOMAIN's table (1→2 25 to 40 %, 2→3 55 to 70, 3→4 75 to 85), before payments that are merely
late.
"""

from __future__ import annotations

from datetime import date
from math import exp, log
from typing import Literal

import msgspec

from obligor.world.luck import Purpose, stream
from obligor.world.settings import Settings

__all__ = [
    "Move",
    "Nature",
    "Now",
    "Terms",
    "move",
    "nature",
    "onset",
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
ROLL = (0.50, 0.57, 0.69, 0.96)
TILT = 0.20
CURE = (0.72, 0.25, 0.08, 0.06)
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
    """The hazard's shape over a loan's age: full after half a year, waning after month 14."""
    return 0.91 * (1.0 - exp(-months / 2.5)) * exp(-max(0.0, months - 14.0) / 70.0)


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


def _months(start: date, end: date) -> int:
    """Whole months between two dates, by their months alone, at least 0."""
    return max(0, (end.year - start.year) * 12 + end.month - start.month)
