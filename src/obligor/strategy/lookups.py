"""Tables and scorecards over columns: which piece of an axis a value lies in, and what stands there.

An axis is cut as in the row function. Its pieces are counted by comparisons where they are few; whole numbers
of a small range, and categories, are looked up in a packed index; else the cut points are searched.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import reduce

import polars as pl

from obligor.strategy import cube
from obligor.strategy.cube import Cut
from obligor.strategy.ir import Axis, Line, Table
from obligor.strategy.types import Kind, Type, Value
from obligor.strategy.vectors import Term, Vectors, any_of, dtype_of, integer, select

__all__ = ["cells", "gives", "points"]

FEW_CUTS = 5
MOST_CUTS = 24
# A packed index of an axis has at most so many entries.
MOST_PACKED = 4096
_NONE = pl.lit(0, dtype=pl.UInt32)


def cells(vectors: Vectors, table: Table, found: cube.Cube) -> Term:
    """The cell of a table's cube in each row: an index into `found.rows`."""
    position, level = _NONE, 0
    for axis, cut in zip(table.axes, found.cuts, strict=True):
        if len(cut.pieces) == 1:
            continue
        place = piece(vectors, axis, cut)
        wide = place.expr.cast(pl.UInt32)
        position = wide if position is _NONE else position * pl.lit(len(cut.pieces), dtype=pl.UInt32) + wide
        level = max(level, place.level)
    return vectors.keep(Term(position, level))


def gives(vectors: Vectors, table: Table, found: cube.Cube, cell: Term, column: int) -> Term:
    """One result of a table."""
    kind = table.gives[column][1]
    values = [table.rows[row][column] for row in found.rows]
    return _gather(vectors, values, kind, cell)


def rows(found: cube.Cube, cell: Term) -> Term:
    """The row that counts, from 1 on."""
    numbers = pl.Series([row + 1 for row in found.rows], dtype=pl.Int64)
    return Term(pl.lit(numbers).gather(cell.expr), cell.level)


def _gather(vectors: Vectors, values: Sequence[Value], kind: Type, index: Term) -> Term:
    if kind.kind is Kind.CATEGORY:
        values = [None if value is None else vectors.pool.codes[str(value)] for value in values]
    if len(set(values)) == 1 and values[0] is not None:
        dtype = dtype_of(kind.kind, vectors.pool)
        return Term(pl.lit(values[0], dtype=dtype))
    series = pl.Series(values, dtype=dtype_of(kind.kind, vectors.pool))
    return Term(pl.lit(series).gather(index.expr), index.level)


def points(vectors: Vectors, line: Line) -> Term:
    """The points of a characteristic, in 32 bits: a scorecard's are at most a million."""
    axis = line.axis
    cut = cube.cut(axis)
    given = [line.points[(mask & -mask).bit_length() - 1] for mask in (piece.mask for piece in cut.pieces)]
    value = vectors.env[axis.name]
    x = value.expr
    if cut.classes is None and len(cut.starts) <= FEW_CUTS:
        found = _small(given[0])
        for start, worth in zip(cut.starts, given[1:], strict=False):
            found = select(_at_least(axis.type, x, start), _small(worth), found)
    elif cut.classes is None:
        index = piece(vectors, axis, cut)
        return Term(pl.lit(pl.Series(given, dtype=pl.Int32)).gather(index.expr), index.level)
    else:
        known = [worth for number, worth in enumerate(given) if number != cut.null]
        found = _by_category(vectors, x, cut, known, pl.Int32)
    if cut.null is not None:
        found = select(x.is_null(), _small(given[cut.null]), found)
    return Term(found, value.level)


def _small(value: int) -> pl.Expr:
    return pl.lit(value, dtype=pl.Int32)


def piece(vectors: Vectors, axis: Axis, cut: Cut) -> Term:
    """The piece of an axis that each value lies in, as a small integer without null."""
    value = vectors.env[axis.name]
    x = value.expr
    if cut.classes is not None:
        known = list(range(len(cut.pieces) - (cut.null is not None)))
        found = _by_category(vectors, x, cut, known, pl.UInt8 if len(cut.pieces) < 2**8 else pl.UInt32)
    elif len(cut.starts) <= FEW_CUTS:
        parts = [_one(_at_least(axis.type, x, start)) for start in cut.starts]
        found = reduce(lambda a, b: a + b, parts, pl.lit(0, dtype=pl.UInt8))
    elif axis.type.hi - axis.type.lo < MOST_PACKED:
        lo, hi = axis.type.lo, axis.type.hi
        packed = [bisect_right(cut.starts, number) for number in range(lo, hi + 1)]
        # A row that another step has ended may lie outside of the bounds.
        index = x.clip(integer(lo), integer(hi)) - integer(lo)
        found = pl.lit(pl.Series(packed, dtype=pl.UInt32)).gather(index)
    elif len(cut.starts) <= MOST_CUTS:
        parts = [_one(_at_least(axis.type, x, start)) for start in cut.starts]
        found = reduce(lambda a, b: a + b, parts)
    else:
        starts = pl.Series(cut.starts, dtype=pl.Int64)
        found = pl.lit(starts).search_sorted(x.fill_null(0), side="right")
    if cut.null is not None:
        found = select(x.is_null(), pl.lit(cut.null, dtype=pl.UInt8 if cut.null < 2**8 else pl.UInt32), found)
    return Term(found, value.level)


def _one(condition: pl.Expr) -> pl.Expr:
    return select(condition, pl.lit(1, dtype=pl.UInt8), pl.lit(0, dtype=pl.UInt8))


def _at_least(kind: Type, x: pl.Expr, start: int) -> pl.Expr:
    # Of a boolean there is one cut: true begins at 1.
    return x if kind.kind is Kind.BOOLEAN else x >= integer(start)


def _by_category(
    vectors: Vectors, x: pl.Expr, cut: Cut, worth: Sequence[int], dtype: type[pl.DataType]
) -> pl.Expr:
    """What the class of each category is worth. One that cannot be here counts as the largest class."""
    classes = cut.classes or {}
    groups: dict[int, list[str]] = {}
    for value, number in classes.items():
        groups.setdefault(worth[number], []).append(value)
    default, *others = sorted(groups, key=lambda key: -len(groups[key]))
    if sum(len(groups[key]) for key in others) > FEW_CUTS:
        packed = [worth[classes[value]] if value in classes else default for value in vectors.pool.values]
        return pl.lit(pl.Series(packed, dtype=dtype)).gather(x)
    found = pl.lit(default, dtype=dtype)
    for key in others:
        passed = any_of(x == vectors.pool.literal(value) for value in groups[key])
        found = select(passed, pl.lit(key, dtype=dtype), found)
    return found
