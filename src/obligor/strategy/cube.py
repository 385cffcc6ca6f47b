"""A table's axes cut at all bounds of its cells: every combination of pieces, and the rows that match it.

Within a piece no cell changes its mind, so the finite cube of pieces says everything about the table: where
no row matches, where several do, and which rows never count. It is also how a table is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import msgspec

from obligor.strategy.cells import matches, show_range
from obligor.strategy.ir import Axis, Hit, Table
from obligor.strategy.problems import Flaw
from obligor.strategy.types import Kind, Value

__all__ = ["MAX_CELLS", "Cube", "Cut", "Piece", "Report", "build", "cut", "report"]

MAX_CELLS = 2**18


class Piece(msgspec.Struct, frozen=True):
    """A part of an axis where the same rows match: `mask` has their bits."""

    mask: int
    label: str


class Cut(msgspec.Struct, frozen=True):
    """An axis in pieces. A number or day lies in the piece given by how many of `starts` are at most it.

    A category's piece is in `classes`. Null, where it may come, has the last piece.
    """

    name: str
    pieces: tuple[Piece, ...]
    starts: tuple[int, ...] = ()
    classes: dict[str, int] | None = None
    null: int | None = None


class Cube(msgspec.Struct, frozen=True):
    """For each combination of pieces, the last axis fastest, the row that counts (-1: none)."""

    cuts: tuple[Cut, ...]
    rows: tuple[int, ...]


class Report(msgspec.Struct, frozen=True):
    """Where no row matches, pairs of rows that both match somewhere, and rows that never count."""

    gaps: tuple[str, ...]
    overlaps: tuple[tuple[int, int, str], ...]
    unreachable: tuple[int, ...]


def cut(axis: Axis) -> Cut:
    """The pieces of an axis within the bounds of its type."""
    if axis.type.kind is Kind.CATEGORY:
        return _cut_category(axis)
    kind = axis.type
    bounds = {bound for cell in axis.cells for lo, hi in cell.ranges for bound in (lo, hi + 1)}
    starts = [kind.lo, *sorted(bound for bound in bounds if kind.lo < bound <= kind.hi)]
    pieces: list[Piece] = []
    kept: list[int] = []
    for index, start in enumerate(starts):
        end = starts[index + 1] - 1 if index + 1 < len(starts) else kind.hi
        mask = _mask(axis, start)
        if pieces and pieces[-1].mask == mask:
            pieces[-1] = Piece(mask, show_range(kept[-1], end, kind))
        else:
            pieces.append(Piece(mask, show_range(start, end, kind)))
            kept.append(start)
    null = _null(axis, pieces)
    return Cut(axis.name, tuple(pieces), tuple(kept[1:]), None, null)


def _cut_category(axis: Axis) -> Cut:
    by_mask: dict[int, list[str]] = {}
    for value in axis.type.values:
        by_mask.setdefault(_mask(axis, value), []).append(value)
    pieces = [Piece(mask, ",".join(f'"{value}"' for value in values)) for mask, values in by_mask.items()]
    classes = {value: index for index, values in enumerate(by_mask.values()) for value in values}
    null = _null(axis, pieces)
    return Cut(axis.name, tuple(pieces), (), classes, null)


def _null(axis: Axis, pieces: list[Piece]) -> int | None:
    if not axis.type.nullable:
        return None
    pieces.append(Piece(_mask(axis, None), "null"))
    return len(pieces) - 1


def _mask(axis: Axis, value: Value) -> int:
    mask = 0
    for index, cell in enumerate(axis.cells):
        if matches(cell, value):
            mask |= 1 << index
    return mask


def _walk(
    cuts: Sequence[Cut], mask: int, path: tuple[str, ...]
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """(mask, how many combinations, labels) over the cube; a part without rows comes as one."""
    if mask == 0 or not cuts:
        yield mask, prod(len(axis.pieces) for axis in cuts), path
        return
    axis, *rest = cuts
    for piece in axis.pieces:
        yield from _walk(rest, mask & piece.mask, (*path, f"{axis.name} {piece.label}"))


def build(table: Table) -> Cube:
    """The cube of a table.

    Raises:
        Flaw: it would have more than `MAX_CELLS` combinations.
    """
    cuts = tuple(cut(axis) for axis in table.axes)
    size = prod(len(axis.pieces) for axis in cuts)
    if size > MAX_CELLS:
        raise Flaw("table-size", f"its cells cut it into {size} combinations, {MAX_CELLS} at most: split it")
    rows: list[int] = []
    for mask, count, _ in _walk(cuts, (1 << len(table.rows)) - 1, ()):
        rows.extend([(mask & -mask).bit_length() - 1] * count)
    return Cube(cuts, tuple(rows))


def report(table: Table, cube: Cube) -> Report:
    """What the cube says of a table, against its hit policy."""
    gaps: list[str] = []
    overlaps: dict[tuple[int, int], str] = {}
    for mask, _, path in _walk(cube.cuts, (1 << len(table.rows)) - 1, ()):
        if mask == 0:
            gaps.append(", ".join(path) or "everything")
        elif mask & (mask - 1) and table.hit is not Hit.FIRST:
            first, *others = (index for index in range(len(table.rows)) if mask >> index & 1)
            for other in others:
                if table.hit is Hit.UNIQUE or table.rows[other] != table.rows[first]:
                    overlaps.setdefault((first, other), ", ".join(path))
    reached = set(cube.rows)
    # Under `any` a row that agrees with an earlier one counts as much as that one.
    if table.hit is Hit.ANY:
        for mask, _, _ in _walk(cube.cuts, (1 << len(table.rows)) - 1, ()):
            reached |= {index for index in range(len(table.rows)) if mask >> index & 1}
    return Report(
        tuple(gaps),
        tuple((first, other, where) for (first, other), where in overlaps.items()),
        tuple(index for index in range(len(table.rows)) if index not in reached),
    )
