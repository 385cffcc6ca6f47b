"""From a column and its outcomes to the layout of its characteristic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from obligor.scoring.binning import Binning, merge, prebins
from obligor.scoring.characteristic import Characteristic
from obligor.scoring.layout import Layout
from obligor.scoring.woe import Counts, Ints, evidence, information, noise

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Fitted", "count", "fit_layout", "plain_values"]

Flags = NDArray[np.bool_]


class Fitted(NamedTuple):
    """A layout with what it was made from: the cell of every row, the counts, and what they tell.

    `iv_net` is the information value less what noise would show (see `woe.noise`).
    """

    layout: Layout
    cells: Ints
    counts: Counts
    iv: float
    iv_net: float


def count(cells: Ints, bad: Ints, size: int) -> Counts:
    """Goods and bads of each cell."""
    rows = np.bincount(cells, minlength=size)
    bads = np.bincount(cells, weights=bad, minlength=size).astype(np.int64)
    return Counts(rows - bads, bads)


def fit_layout(characteristic: Characteristic, column: pl.Series, bad: Ints, binning: Binning) -> Fitted:
    """The bins of one characteristic.

    Raises:
        InvalidInput: the column does not hold what the characteristic declares.
    """
    if characteristic.is_number:
        layout, tried = _intervals(characteristic, column, bad, binning), 0
    else:
        layout, tried = _grouped(characteristic, column, bad, binning)
    cells = layout.cells(column)
    counts = count(cells, bad, layout.size)
    iv = information(counts)
    merged = max(0, tried - layout.plain) * (1 / float(counts.goods.sum()) + 1 / float(counts.bads.sum()))
    return Fitted(layout, cells, counts, iv, iv - noise(counts) - merged)


def plain_values(characteristic: Characteristic, column: pl.Series, plain: Flags) -> Ints:
    """The values of a number that are neither missing nor special codes, times 10 to the scale."""
    import polars as pl

    if column.dtype.is_integer():
        found: Ints = column.cast(pl.Int64).fill_null(0).to_numpy()[plain]
        return found
    texts = column.cast(pl.String).to_list()
    return np.array([characteristic.value(texts[row]) for row in np.flatnonzero(plain)], np.int64)


def _intervals(characteristic: Characteristic, column: pl.Series, bad: Ints, binning: Binning) -> Layout:
    whole = Layout(characteristic=characteristic)
    plain = whole.cells(column) == 0
    if not plain.any():
        return whole
    values = plain_values(characteristic, column, plain)
    lowest = prebins(values, binning.prebins)
    pieces = np.searchsorted(lowest, values, side="right") - 1
    starts = merge(count(pieces, bad[plain], len(lowest)), characteristic.risk, binning, len(column))
    return Layout(characteristic=characteristic, cuts=tuple(int(lowest[start]) for start in starts[1:]))


def _grouped(
    characteristic: Characteristic, column: pl.Series, bad: Ints, binning: Binning
) -> tuple[Layout, int]:
    """Categories that are not rare, in the order of their evidence, merged like the bins of a number.

    Also how many categories were put in order: sorting by the outcome fits noise for each of them.
    """
    import polars as pl

    names = column.cast(pl.String)
    special = set(characteristic.specials)
    known = sorted(value for value in names.drop_nulls().unique().to_list() if value not in special)
    if not known:
        return Layout(characteristic=characteristic), 0
    place = list(range(len(known)))
    pieces = names.replace_strict(known, place, default=len(known), return_dtype=pl.Int64).to_numpy()
    counts = count(pieces, bad, len(known) + 1)
    often = [n for n in range(len(known)) if counts.rows[n] >= binning.rare_share * len(column)]
    weight = evidence(counts, binning.prior)
    order = sorted(often, key=lambda n: (float(weight[n]), known[n]))
    if not order:
        return Layout(characteristic=characteristic), 0
    sorted_counts = Counts(counts.goods[order], counts.bads[order])
    starts = merge(sorted_counts, "free", binning, len(column))
    ends = (*starts[1:], len(order))
    groups = tuple(
        tuple(sorted(known[n] for n in order[start:end])) for start, end in zip(starts, ends, strict=True)
    )
    return Layout(characteristic=characteristic, groups=groups), len(order)
