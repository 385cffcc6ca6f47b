"""Probabilities for scores: an integer table that falls as the score rises."""

from __future__ import annotations

import math

import numpy as np

from obligor.kernel import InvalidInput
from obligor.scoring.logistic import fit_logistic
from obligor.scoring.woe import Floats, Ints

__all__ = ["calibrated", "prior_shift"]

_PPM = 1_000_000
_HARDLY_ANY = 1e4  # a ridge that only matters where scores separate goods from bads without error
_CERTAIN = 30.0  # log-odds beyond a millionth
_ROUNDS = 100


def calibrated(
    score: Ints, bad: Ints, lowest: int, highest: int, shift: float, *, slope: float | None = None
) -> tuple[int, ...]:
    """The PD of every score, from a logistic regression of the outcome on the integer score, shifted.

    With a `slope`, which is by how much log-odds of bad fall with a point, only the intercept is fitted: to
    the bad rate of the rows. A model that has learnt rows by heart would else be sure of itself on others.
    """
    middle = float(score.mean())
    if slope is None:
        spread = float(score.std()) or 1.0
        steps: Floats = (middle - score.astype(np.float64)) / spread
        (found,), intercept = fit_logistic(steps[:, None], bad, _HARDLY_ANY)
        fall = max(0.0, float(found)) / spread
    else:
        fall = max(0.0, slope)
        intercept = _intercept(fall * (middle - score.astype(np.float64)), float(bad.mean()))
    log_odds = [intercept + shift - fall * (value - middle) for value in range(lowest, highest + 1)]
    return tuple(min(_PPM - 1, max(1, round(_PPM * _probability(value)))) for value in log_odds)


def prior_shift(base_rate: tuple[int, int] | None, bad: Ints) -> float:
    """By how much the sample's log-odds of bad differ from the population's.

    Raises:
        InvalidInput: the base rate is not that of some bads among more rows.
    """
    if base_rate is None:
        return 0.0
    bads, rows = base_rate
    if not 0 < bads < rows:
        raise InvalidInput.field("base_rate", list(base_rate), "bads, and more rows than bads, both above 0")
    sampled = int(bad.sum())
    return math.log(bads / (rows - bads)) - math.log(sampled / (len(bad) - sampled))


def _probability(log_odds: float) -> float:
    odds = math.exp(min(_CERTAIN, max(-_CERTAIN, log_odds)))
    return odds / (1 + odds)


def _intercept(steps: Floats, rate: float) -> float:
    """What to add to log-odds so that they expect a rate; found by halving, since the rate rises with it."""
    low, high = -_CERTAIN - float(steps.max()), _CERTAIN - float(steps.min())
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        expected = float((1 / (1 + np.exp(-np.clip(steps + middle, -_CERTAIN, _CERTAIN)))).mean())
        low, high = (middle, high) if expected < rate else (low, middle)
    return (low + high) / 2
