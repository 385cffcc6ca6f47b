"""What trees see of characteristics: bins and codes as numbers, each of them a function of the cell.

A number's intervals are one ordered feature, on which its direction of risk is a constraint. Missing and
every special code are features of their own: a code is no quantity and keeps no order. Categories are ordered
by their evidence in the rows that are learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from obligor.scoring.binning import prebins
from obligor.scoring.characteristic import Characteristic
from obligor.scoring.fit_layout import count, plain_values
from obligor.scoring.layout import Layout
from obligor.scoring.validation import auc
from obligor.scoring.woe import Floats, Ints, evidence

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Column", "Feature", "column", "features", "matrix"]

_PRIOR = 5.0  # cases, as in `Binning.prior`


class Column(NamedTuple):
    """A characteristic's layout, and the cell of every row."""

    layout: Layout
    cells: Ints

    @property
    def name(self) -> str:
        """The characteristic's name."""
        return self.layout.characteristic.name


class Feature(NamedTuple):
    """A number that stands for each cell of one characteristic; NaN where it says nothing."""

    owner: int
    of_cell: Floats
    sign: int


def column(characteristic: Characteristic, values: pl.Series, most_bins: int, rare: float) -> Column:
    """Fine bins: quantiles of a number, and every category that at least a share of `rare` rows has.

    Raises:
        InvalidInput: the column does not hold what the characteristic declares.
    """
    import polars as pl

    layout = Layout(characteristic=characteristic)
    if characteristic.is_number:
        plain = layout.cells(values) == 0
        if plain.any():
            lowest = prebins(plain_values(characteristic, values, plain), most_bins)
            layout = Layout(characteristic=characteristic, cuts=tuple(lowest[1:].tolist()))
    else:
        counted = values.cast(pl.String).drop_nulls().value_counts(name="rows")
        often = counted.filter(pl.col("rows") >= max(1, rare * len(values))).get_column(values.name)
        known = sorted(set(often.to_list()) - set(characteristic.specials))
        layout = Layout(characteristic=characteristic, groups=tuple((value,) for value in known))
    return Column(layout, layout.cells(values))


def features(columns: Sequence[Column], bad: Ints, rows: Ints) -> tuple[Feature, ...]:
    """The features of all characteristics, as the outcomes of some rows order them."""
    found: list[Feature] = []
    for owner, (layout, cells) in enumerate(columns):
        counts = count(cells[rows], bad[rows], layout.size)
        seen = np.flatnonzero(counts.rows)
        if layout.characteristic.is_number:
            order = np.full(layout.size, np.nan)
            order[: layout.plain] = np.arange(layout.plain)
            found.append(Feature(owner, order, _sign(layout, cells[rows], bad[rows])))
            for cell in seen[seen >= layout.plain]:
                only = np.zeros(layout.size)
                only[cell] = 1.0
                found.append(Feature(owner, only, 0))
        else:
            order = np.full(layout.size, np.nan)
            weight = evidence(counts, _PRIOR)[seen]
            order[seen[np.argsort(weight, kind="stable")]] = np.arange(len(seen))
            found.append(Feature(owner, order, 0))
    return tuple(found)


def matrix(columns: Sequence[Column], wanted: Sequence[Feature], rows: Ints) -> Floats:
    """The features of some rows, one column each."""
    return np.column_stack([feature.of_cell[columns[feature.owner].cells[rows]] for feature in wanted])


def _sign(layout: Layout, cells: Ints, bad: Ints) -> int:
    risk = layout.characteristic.risk
    if risk != "monotone":
        return {"rising": 1, "falling": -1, "free": 0}[risk]
    plain = cells < layout.plain
    outcome = bad[plain]
    if not outcome.any() or outcome.all():
        return 0
    return 1 if auc(outcome, -cells[plain]) >= 0.5 else -1
