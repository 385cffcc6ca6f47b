"""How well scores rank, and whether probabilities are right: exact, with ties, in O(n log n).

Throughout, outcomes are 1 (or true) for bad and 0 for good, and a higher score is a better one; to measure
probabilities of default instead, negate them.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from obligor.kernel import InvalidInput
from obligor.scoring.woe import Ints

__all__ = ["Band", "auc", "auc_error", "calibration", "gini", "ks", "psi"]

Numbers = NDArray[Any]


class Band(msgspec.Struct, frozen=True):
    """Rows of neighbouring PDs, from `lowest_ppm` to `highest_ppm`: expected and observed bad rate."""

    lowest_ppm: int
    highest_ppm: int
    rows: int
    bads: int
    expected_ppm: int
    observed_ppm: int


def auc(bad: Any, score: Any) -> float:
    """The chance that a good has a higher score than a bad, ties counting half (Mann and Whitney 1947).

    Counted in integers and divided once.

    Raises:
        InvalidInput: lengths differ, a value is not a number, or there are no goods or no bads.
    """
    goods, bads, _ = _by_score(bad, score)
    above = goods.sum() - np.cumsum(goods)
    twice = int((bads * (2 * above + goods)).sum())
    return twice / (2 * int(goods.sum()) * int(bads.sum()))


def auc_error(bad: Any, score: Any) -> float:
    """The standard error of `auc` (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988).

    Raises:
        InvalidInput: as `auc`, or there is a single good or bad.
    """
    goods, bads, _ = _by_score(bad, score)
    m, n = int(bads.sum()), int(goods.sum())
    if min(m, n) < 2:
        raise InvalidInput.field("bad", [m, n], "at least two goods and two bads")
    # For each score, the share of the other outcome that it is on the right side of.
    of_bad = (n - np.cumsum(goods) + goods / 2) / n
    of_good = (np.cumsum(bads) - bads / 2) / m
    area = float((bads * of_bad).sum()) / m
    spread_bad = float((bads * (of_bad - area) ** 2).sum()) / (m - 1)
    spread_good = float((goods * (of_good - area) ** 2).sum()) / (n - 1)
    return math.sqrt(spread_bad / m + spread_good / n)


def gini(bad: Any, score: Any) -> float:
    """2 x AUC - 1, also called the accuracy ratio."""
    return 2 * auc(bad, score) - 1


def ks(bad: Any, score: Any) -> float:
    """The largest distance between the score distributions of bads and goods (Kolmogorov, Smirnov)."""
    goods, bads, _ = _by_score(bad, score)
    m, n = int(bads.sum()), int(goods.sum())
    return int(np.abs(np.cumsum(bads) * n - np.cumsum(goods) * m).max()) / (m * n)


def calibration(bad: Any, pd_ppm: Any, bands: int = 10) -> tuple[Band, ...]:
    """Expected and observed bad rates of at most `bands` bands of about equal size.

    The lowest PDs come first; equal PDs are in one band.

    Raises:
        InvalidInput: lengths differ, a value is not a number, or there are no rows.
    """
    outcome, ppm = _checked(bad, pd_ppm)
    values, place = np.unique(ppm, return_inverse=True)
    rows = np.bincount(place, minlength=len(values))
    before = np.cumsum(rows) - rows
    band = before * bands // len(ppm)
    found: list[Band] = []
    for number in np.unique(band):
        inside = band[place] == number
        count, bads = int(inside.sum()), int(outcome[inside].sum())
        found.append(
            Band(
                lowest_ppm=int(ppm[inside].min()),
                highest_ppm=int(ppm[inside].max()),
                rows=count,
                bads=bads,
                expected_ppm=round(float(ppm[inside].sum()) / count),
                observed_ppm=round(bads * 1_000_000 / count),
            )
        )
    return tuple(found)


def psi(expected: Any, actual: Any, bands: int = 10) -> float:
    """Population stability index of scores against those of a reference, over its quantile bands.

    Sum of (actual share - expected share) x ln of their ratio (Siddiqi 2006, ch. 9); a band without rows
    counts as if it had half a row.

    Raises:
        InvalidInput: a value is not a number, or there are no rows.
    """
    reference, now = _numbers("expected", expected), _numbers("actual", actual)
    if len(reference) == 0 or len(now) == 0:
        raise InvalidInput.field("actual", [len(reference), len(now)], "at least one score in each")
    edges = np.unique(np.quantile(reference, [n / bands for n in range(1, bands)], method="inverted_cdf"))
    shares = []
    for values in (reference, now):
        counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
        shares.append(np.maximum(counts, 0.5) / len(values))
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _by_score(bad: Any, score: Any) -> tuple[Ints, Ints, Numbers]:
    """Goods and bads of each distinct score, lowest first."""
    outcome, scores = _checked(bad, score)
    values, place = np.unique(scores, return_inverse=True)
    bads = np.bincount(place, weights=outcome, minlength=len(values)).astype(np.int64)
    goods = np.bincount(place, minlength=len(values)) - bads
    if not bads.any() or not goods.any():
        raise InvalidInput.field("bad", int(bads.sum()), "outcomes of both kinds, goods and bads")
    return goods, bads, values


def _checked(bad: Any, score: Any) -> tuple[Ints, Numbers]:
    outcome = _numbers("bad", bad)
    scores = _numbers("score", score)
    if len(outcome) != len(scores):
        raise InvalidInput.field("score", len(scores), f"one for each of the {len(outcome)} outcomes")
    if len(outcome) == 0:
        raise InvalidInput.field("bad", [], "at least one outcome")
    if not np.isin(outcome, (0, 1)).all():
        raise InvalidInput.field("bad", None, "1 for bad and 0 for good, nothing else")
    return outcome.astype(np.int64), scores


def _numbers(name: str, values: Any) -> Numbers:
    found = np.asarray(values)
    if (
        found.ndim != 1
        or found.dtype.kind not in "biuf"
        or (found.dtype.kind == "f" and np.isnan(found).any())
    ):
        raise InvalidInput.field(name, str(found.dtype), "a sequence of numbers, none of them missing")
    return found
