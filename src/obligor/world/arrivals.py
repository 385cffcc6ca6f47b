"""Who applies today: a pace per person, the season, the day of the week, and what they already have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from obligor.world.cash import Moment
from obligor.world.lending import apply, lapsed
from obligor.world.scene import Scene
from obligor.world.state import Folk, RingApplies

__all__ = ["applicants", "ring_days"]

# Sales, New Year's shopping and the Spring Festival lull, by month; a quieter weekend, from Monday.
SEASON = (1.12, 0.75, 0.95, 0.95, 1.00, 1.08, 0.95, 0.97, 1.00, 0.95, 1.20, 1.08)
WEEKDAY = (1.06, 1.06, 1.05, 1.05, 1.05, 0.90, 0.83)
APPETITE = (1.0, 0.35, 0.12)
DOOR_OPENS, DOOR_CLOSES = 4_000, 46_000
RING_EVERY_DAYS = 150


def applicants(scene: Scene, draws: np.ndarray) -> list[Moment]:
    """Today's applications with their times. `draws` is the day's luck, six numbers a person."""
    day = scene.today
    pace = scene.settings.applications_per_year / 365.25 * SEASON[day.month - 1] * WEEKDAY[day.weekday()]
    moments: list[Moment] = []
    for number in np.flatnonzero(draws[:, 0] < pace).tolist():
        folk = scene.state.folks[number]
        if scene.people[number].ring is not None or draws[number, 0] >= pace * _appetite(scene, folk):
            continue
        at = DOOR_OPENS + int(draws[number, 1] * (DOOR_CLOSES - DOOR_OPENS))
        moments.append((at, partial(apply, scene, number, at)))
    return moments


def ring_days(scene: Scene) -> Iterator[tuple[int, RingApplies]]:
    """The days, counted from before the first, on which each ring's members apply: all within a week."""
    for person in scene.people:
        if person.ring is not None:
            days = 14 + RING_EVERY_DAYS * person.ring + person.number % 6
            yield days, RingApplies(person.number, 9_000 + person.number * 37 % 9_000)


def _appetite(scene: Scene, folk: Folk) -> float:
    """How ready somebody is to apply: less with loans, hardly after a write-off, not while they wait."""
    if folk.pending is not None and not lapsed(scene, scene.state.petitions[folk.pending]):
        return 0.0
    if folk.quiet_until > scene.state.today:
        return 0.0
    share = APPETITE[len(folk.loans)] if len(folk.loans) < len(APPETITE) else 0.0
    return share * (0.15 if folk.written_off else 1.0)
