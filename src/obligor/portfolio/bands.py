"""Score bands: what was decided in equal bands of score, and how many of the loans turned out bad."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from obligor.kernel import InvalidInput

__all__ = ["Band", "ScoreCount", "score_bands"]

OUTCOMES = ("approve", "refer", "decline")


class ScoreCount(msgspec.Struct, frozen=True):
    """Decisions of one score and outcome; of their loans so many are `observed`, and of these `bad`."""

    score: int
    outcome: str
    decided: int
    observed: int = 0
    bad: int = 0


class Band(msgspec.Struct, frozen=True):
    """Decisions whose score lies in `low`..`high`, both inclusive."""

    low: int
    high: int
    decided: int = 0
    approved: int = 0
    referred: int = 0
    declined: int = 0
    observed: int = 0
    bad: int = 0


def score_bands(counts: Iterable[ScoreCount], *, width: int = 20, most: int = 15) -> tuple[Band, ...]:
    """Bands from low to high scores, none left out between them.

    A band is `width` points or the least multiple of it with which there are at most `most` bands; every
    band begins at a multiple of that. Outcomes beside approve, refer and decline count as decided only.

    Raises:
        InvalidInput: a width below 1, or fewer than the 2 bands that scores around 0 need.
    """
    if width < 1:
        raise InvalidInput.field("width", width, "at least 1")
    if most < 2:
        raise InvalidInput.field("most", most, "at least 2")
    rows = list(counts)
    if not rows:
        return ()
    low, high = min(row.score for row in rows), max(row.score for row in rows)
    points = width
    while high // points - low // points >= most:
        points += width
    sums = {place: [0] * 6 for place in range(low // points, high // points + 1)}
    for row in rows:
        band = sums[row.score // points]
        band[0] += row.decided
        if row.outcome in OUTCOMES:
            band[1 + OUTCOMES.index(row.outcome)] += row.decided
        band[4] += row.observed
        band[5] += row.bad
    return tuple(Band(place * points, (place + 1) * points - 1, *band) for place, band in sums.items())
