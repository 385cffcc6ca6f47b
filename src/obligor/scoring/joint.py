"""Two characteristics and their pair as one table, and how its points are shared between the two.

A pair's points are shared half and half, the odd one going to the first: for an effect of two players that is
their Shapley value (Shapley 1953), and so the attribution that pairs of boosted trees commonly get. What a
characteristic lost is what its best cell would give more *while the other stays what it is*: that is what the
applicant could change.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from obligor.scoring.table import Pair, Table
from obligor.scoring.woe import Ints

__all__ = ["Joint", "joint"]


class Joint(NamedTuple):
    """For cell i of the first and cell j of the second, at [i, j].

    `total` = `first` + `second` are points; `first_lost` and `second_lost` are what each could give more.
    """

    total: Ints
    first: Ints
    second: Ints
    first_lost: Ints
    second_lost: Ints


def joint(one: Table, other: Table, pair: Pair) -> Joint:
    """The joint table of two characteristics, in points."""
    both = np.array(pair.points, np.int64)
    half = both // 2
    first = np.array([cell.points for cell in one.cells], np.int64)[:, None] + (both - half)
    second = np.array([cell.points for cell in other.cells], np.int64)[None, :] + half
    total: Ints = first + second
    return Joint(
        total,
        first,
        second,
        total.max(axis=0, keepdims=True) - total,
        total.max(axis=1, keepdims=True) - total,
    )
