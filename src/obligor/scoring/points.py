"""From log-odds to integer points: every term is rounded once, and cells that give the same become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from obligor.scoring.design import Column
from obligor.scoring.fit_layout import count
from obligor.scoring.layout import Layout
from obligor.scoring.purify import Effects
from obligor.scoring.table import Cell, Pair, Table
from obligor.scoring.woe import Floats, Ints, evidence, information

__all__ = ["Tabled", "tabled"]

_PPM = 1_000_000
_PRIOR = 5.0
_NOISE = 9  # decimals of a point beyond which sums of floats differ by their order


class Tabled(NamedTuple):
    """The tables of the characteristics that tell something, in order, and their pairs; their sum for each
    row; and the characteristics that tell nothing, with their information value.
    """

    tables: tuple[Table, ...]
    pairs: tuple[Pair, ...]
    points: Ints
    flat: tuple[tuple[str, float], ...]


def tabled(effects: Effects, columns: Sequence[Column], bad: Ints, factor: float) -> Tabled:
    """Points of `factor` to a unit of log-odds.

    The sum of two main effects and their pair is rounded as one number: rounding then keeps its order, and
    what is monotone stays so. The pair is what this leaves over the two rounded main effects.
    """
    mains = [_points(main, factor) for main in effects.mains]
    pairs: dict[tuple[int, int], Ints] = {}
    for (one, other), values in effects.pairs.items():
        total = effects.mains[one][:, None] + effects.mains[other][None, :] + values
        over = _points(total, factor) - mains[one][:, None] - mains[other][None, :]
        if over.any():
            pairs[one, other] = over
    layouts = [column.layout for column in columns]
    cells = [column.cells for column in columns]
    for number, column in enumerate(columns):
        key = next((key for key in pairs if number in key), None)
        beside = None if key is None else (pairs[key] if key[0] == number else pairs[key].T)
        layout, kept, place = _merged(column.layout, mains[number], beside)
        layouts[number], mains[number], cells[number] = layout, mains[number][kept], place[column.cells]
        if key is not None:
            pairs[key] = pairs[key][kept] if key[0] == number else pairs[key][:, kept]
    points = np.sum([main[of_row] for main, of_row in zip(mains, cells, strict=True)], axis=0)
    for (one, other), over in pairs.items():
        points += over[cells[one], cells[other]]
    paired = {number for key in pairs for number in key}
    telling = [n for n in range(len(columns)) if n in paired or np.ptp(mains[n]) > 0]
    made = [_table(layouts[n], mains[n], cells[n], bad) for n in range(len(columns))]
    return Tabled(
        tuple(made[n] for n in telling),
        tuple(
            Pair(first=columns[a].name, second=columns[b].name, points=tuple(map(tuple, over.tolist())))
            for (a, b), over in sorted(pairs.items())
        ),
        points,
        tuple((columns[n].name, made[n].iv_ppm / _PPM) for n in range(len(columns)) if n not in telling),
    )


def _points(log_odds: Floats, factor: float) -> Ints:
    found: Ints = np.rint(np.round(-factor * log_odds, _NOISE)).astype(np.int64)
    return found


def _merged(layout: Layout, main: Ints, beside: Ints | None) -> tuple[Layout, Ints, Ints]:
    """The layout with neighbours (or categories) that give the same made one, the cells that stand for the
    new ones, and the new place of each old cell.
    """
    signature = main[:, None] if beside is None else np.column_stack((main, beside))
    plain = layout.plain
    if layout.characteristic.is_number:
        new = [n for n in range(plain) if n == 0 or (signature[n] != signature[n - 1]).any()]
        of_plain = np.searchsorted(new, np.arange(plain), side="right") - 1
        merged = Layout(characteristic=layout.characteristic, cuts=tuple(layout.cuts[n - 1] for n in new[1:]))
    else:
        groups: dict[bytes, list[int]] = {}
        for n in range(plain):
            groups.setdefault(signature[n].tobytes(), []).append(n)
        new = [members[0] for members in groups.values()]
        of_plain = np.empty(plain, np.int64)
        for at, members in enumerate(groups.values()):
            of_plain[members] = at
        merged = Layout(
            characteristic=layout.characteristic,
            groups=tuple(
                tuple(sorted(value for n in members for value in layout.groups[n]))
                for members in groups.values()
            ),
        )
    rest = np.arange(plain, layout.size)
    place = np.concatenate((of_plain, rest - plain + len(new))).astype(np.int64)
    return merged, np.concatenate((np.array(new, np.int64), rest)), place


def _table(layout: Layout, main: Ints, cells: Ints, bad: Ints) -> Table:
    counts = count(cells, bad, layout.size)
    weights = evidence(counts, _PRIOR)
    made = tuple(
        Cell(points=points, rows=rows, bads=bads, evidence_ppm=round(weight * _PPM))
        for points, rows, bads, weight in zip(
            main.tolist(), counts.rows.tolist(), counts.bads.tolist(), weights.tolist(), strict=True
        )
    )
    return Table(layout=layout, cells=made, iv_ppm=round(information(counts) * _PPM), coefficient_ppm=_PPM)
