"""Whether probabilities are right, and whether those who are scored are still the same people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from obligor.kernel import InvalidInput
from obligor.scoring.validation import Band

__all__ = ["Fit", "brier", "exact_interval", "hosmer_lemeshow", "shift"]

_PPM = 1_000_000


class Fit(msgspec.Struct, frozen=True):
    """Hosmer and Lemeshow's statistic, its degrees of freedom, and its chance if PDs are right."""

    statistic: float
    freedom: int
    chance: float


def brier(bad: Any, pd_ppm: Any) -> float:
    """The mean squared distance of probabilities and outcomes (Brier 1950, Monthly Weather Review 78).

    Raises:
        InvalidInput: lengths differ, or there are no rows.
    """
    outcome, ppm = np.asarray(bad, np.float64), np.asarray(pd_ppm, np.float64)
    if len(outcome) != len(ppm) or len(outcome) == 0:
        raise InvalidInput.field("pd_ppm", len(ppm), f"one for each of the {len(outcome)} outcomes, and some")
    return float(((ppm / _PPM - outcome) ** 2).mean())


def exact_interval(bads: int, rows: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact binomial interval of a bad rate (Clopper and Pearson, Biometrika 26, 1934)."""
    from scipy.special import betaincinv  # comes with scikit-learn

    if not 0 <= bads <= rows or rows == 0:
        raise InvalidInput.field("bads", [bads, rows], "bads of at least as many rows, and at least one row")
    out = (1 - confidence) / 2
    low = float(betaincinv(bads, rows - bads + 1, out)) if bads else 0.0
    high = float(betaincinv(bads + 1, rows - bads, 1 - out)) if bads < rows else 1.0
    return low, high


def hosmer_lemeshow(bands: Sequence[Band], *, fitted: bool = False) -> Fit:
    """The goodness of fit of bands of PDs (Hosmer and Lemeshow 1980, Communications in Statistics A9).

    Chi-squared with one degree of freedom for each band on rows that the model was not fitted to; two fewer
    on those that it was.

    Raises:
        InvalidInput: too few bands.
    """
    from scipy.special import chdtrc

    freedom = len(bands) - (2 if fitted else 0)
    if freedom < 1:
        raise InvalidInput.field(
            "bands", len(bands), "at least one, and three where the model was fitted to them"
        )
    statistic = 0.0
    for band in bands:
        share = band.expected_ppm / _PPM
        statistic += (band.bads - band.rows * share) ** 2 / (band.rows * share * (1 - share))
    return Fit(statistic, freedom, float(chdtrc(freedom, statistic)))


def shift(expected: Sequence[int], actual: Sequence[int]) -> float:
    """Population stability index of counts over the same cells (Siddiqi 2006, ch. 9).

    A cell without rows on either side counts as if it had half a row there; one without on both is left out.

    Raises:
        InvalidInput: the cells are not the same, or one side has no rows.
    """
    before, now = np.asarray(expected, np.float64), np.asarray(actual, np.float64)
    if before.shape != now.shape or not before.sum() or not now.sum():
        raise InvalidInput.field(
            "actual", [len(before), len(now)], "as many counts as expected, and rows in both"
        )
    seen = (before > 0) | (now > 0)
    shares = [np.maximum(counts[seen], 0.5) / counts.sum() for counts in (before, now)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
