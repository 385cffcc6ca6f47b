"""Main effects and pairs told apart, so that a pair holds only what the two do not do alone.

A pair's weighted mean over either of its characteristics is moved to the other's main effect, until none is
left (Lengerich et al. 2020, "Purifying interaction effects with the functional ANOVA", AISTATS). Weights are
those of the training rows, with a small share of what they would be if the two were independent, so that no
cell is without any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from obligor.scoring.design import Column
from obligor.scoring.trees import Terms
from obligor.scoring.woe import Floats, Ints

__all__ = ["Effects", "purify"]

_INDEPENDENT = 0.01
_SWEEPS = 1_000
_NOTHING = 1e-12


class Effects(NamedTuple):
    """Log-odds of bad: an intercept, a main effect of each characteristic, and pairs, by number.

    Each main effect has the weighted mean 0, as has each row and column of a pair.
    """

    intercept: float
    mains: tuple[Floats, ...]
    pairs: Mapping[tuple[int, int], Floats]


def purify(terms: Terms, columns: Sequence[Column]) -> Effects:
    """Tell the terms of trees apart. What they add up to stays as it was for every cell that training saw.

    A cell that it did not see gives what all the others give on average: to know nothing of somebody
    should not tell for or against them.
    """
    intercept = float(terms.get((), 0.0))
    counts = [np.bincount(column.cells, minlength=column.layout.size) for column in columns]
    mains = [terms.get((n,), np.zeros(len(rows))).copy() for n, rows in enumerate(counts)]
    pairs: dict[tuple[int, int], Floats] = {}
    for key, values in terms.items():
        if len(key) == 2:
            one, other = key
            weights = _weights(columns[one].cells, columns[other].cells, counts[one], counts[other])
            first, second, rest = _split(_even(values, counts[one], counts[other]), weights)
            mains[one] += first
            mains[other] += second
            pairs[one, other] = rest
    for number, rows in enumerate(counts):
        mean = float((mains[number] * rows).sum() / rows.sum())
        mains[number] -= mean
        intercept += mean
        if all(number not in key for key in pairs):
            mains[number][rows == 0] = 0.0
    return Effects(intercept, tuple(mains), pairs)


def _even(values: Floats, rows: Ints, columns: Ints) -> Floats:
    """Put the average, by how often the others are seen, where a characteristic's cell was never seen."""
    found = values.copy()
    found[rows == 0] = (values * rows[:, None]).sum(axis=0) / rows.sum()
    found[:, columns == 0] = ((found * columns[None, :]).sum(axis=1) / columns.sum())[:, None]
    return found


def _weights(one: Ints, other: Ints, rows: Ints, columns: Ints) -> Floats:
    total = len(one)
    together = np.zeros((len(rows), len(columns)))
    np.add.at(together, (one, other), 1.0)
    # A cell never seen weighs a little too: its part of the pair must be told from the mains as well.
    alone = np.outer(np.maximum(rows, 0.5), np.maximum(columns, 0.5)) / total
    return (1 - _INDEPENDENT) * together + _INDEPENDENT * alone


def _split(values: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    rest = values.copy()
    first, second = np.zeros(len(rest)), np.zeros(rest.shape[1])
    by_row, by_column = weights.sum(axis=1), weights.sum(axis=0)
    for _ in range(_SWEEPS):
        row = (rest * weights).sum(axis=1) / by_row
        rest -= row[:, None]
        column = (rest * weights).sum(axis=0) / by_column
        rest -= column[None, :]
        first += row
        second += column
        if max(np.abs(row).max(), np.abs(column).max()) < _NOTHING:
            break
    return first, second, rest
