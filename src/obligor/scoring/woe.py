"""Weight of evidence and information value of bins.

Siddiqi, Credit Risk Scorecards (2006), ch. 6; information value is Jeffreys' divergence of the
distributions of goods and bads (Kullback, Information Theory and Statistics, 1959, 1.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts", "Floats", "Ints", "evidence", "information", "noise"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Counts(NamedTuple):
    """Goods and bads of each bin of one characteristic."""

    goods: Ints
    bads: Ints

    @property
    def rows(self) -> Ints:
        """All of each bin."""
        return self.goods + self.bads


def evidence(counts: Counts, prior: float) -> Floats:
    """ln(share of the bads / share of the goods) of each bin: above 0 where risk is above average.

    Each bin gets a part of the whole population more, in which the rarer outcome occurs `prior` times: so
    a bin of few cases says little and an empty one nothing.
    """
    goods, bads = float(counts.goods.sum()), float(counts.bads.sum())
    more = prior / min(goods, bads)
    b = (counts.bads + more * bads) / bads
    g = (counts.goods + more * goods) / goods
    found: Floats = np.log(b / g)
    return found


def information(counts: Counts) -> float:
    """Information value: sum over bins of (share of goods - share of bads) x ln of their ratio.

    A bin without goods or without bads counts as if it had half a row of them.
    """
    goods, bads = float(counts.goods.sum()), float(counts.bads.sum())
    filled = counts.rows > 0
    g = np.maximum(counts.goods[filled], 0.5) / goods
    b = np.maximum(counts.bads[filled], 0.5) / bads
    return float(((g - b) * np.log(g / b)).sum())


def noise(counts: Counts) -> float:
    """The information value that bins of this number show on average where there is nothing to know.

    For bins drawn at random, IV / (1/goods + 1/bads) is asymptotically chi-squared with one degree of
    freedom fewer than there are bins (Kullback 1959, 6.4).
    """
    bins = int((counts.rows > 0).sum())
    return max(0, bins - 1) * (1 / float(counts.goods.sum()) + 1 / float(counts.bads.sum()))
