"""Many rows: the same score, probability and reasons as one row gets, from columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from obligor.kernel import MAX_INTEGER, InvalidInput
from obligor.scoring import kernel
from obligor.scoring.joint import joint
from obligor.scoring.layout import Layout
from obligor.scoring.table import Artifact
from obligor.scoring.woe import Ints

__all__ = ["Columns", "Scored"]

_SLICE = 16_384  # rows at once: their values stay in a core's cache


class Scored(NamedTuple):
    """Of every row: its points, the place of its reasons in `reasons`, and what each characteristic gave."""

    points: Ints
    place: Ints
    reasons: pl.Series
    given: Ints


class Columns:
    """A model's tables as flat arrays, made once."""

    def __init__(self, artifact: Artifact) -> None:
        self._base = artifact.base
        self._layouts = tuple(table.layout for table in artifact.tables)
        self._codes = tuple(layout.characteristic.reason.code for layout in self._layouts)
        number = {layout.characteristic.name: n for n, layout in enumerate(self._layouts)}
        terms: list[tuple[int, int, int, int]] = []
        cells: list[Ints] = []
        begin = 0
        for tables, pair in artifact.terms():
            names = [number[table.layout.characteristic.name] for table in tables]
            if pair is None:
                points = np.array([cell.points for cell in tables[0].cells], np.int64)
                nothing = np.zeros_like(points)
                cells.append(np.column_stack((points, points.max() - points, nothing, nothing)))
                terms.append((names[0], -1, begin, 0))
            else:
                both = joint(tables[0], tables[1], pair)
                parts = (both.first, both.first_lost, both.second, both.second_lost)
                cells.append(np.column_stack([part.ravel() for part in parts]))
                terms.append((names[0], names[1], begin, len(tables[1].cells)))
            begin += len(cells[-1])
        self._terms = np.array(terms, np.int64)
        self._cells = np.ascontiguousarray(np.concatenate(cells))
        self._finder, self._table, self._cuts, self._specials = _finders(self._layouts)

    def score(self, frame: pl.DataFrame, *, given: bool = False) -> Scored:
        """Score the rows of a frame that has every column.

        Raises:
            InvalidInput: a column is of another type, or a number is out of range.
        """
        columns = [_column(layout, frame) for layout in self._layouts]
        direct = np.array([read is None for read, _ in columns], np.int64)
        height = frame.height
        points, keys = np.empty(height, np.int64), np.empty(height, np.int64)
        gave = np.empty((len(columns) if given else 0, height), np.int64)
        values = np.empty((len(columns), min(_SLICE, height)), np.int64)
        for begin in range(0, height, _SLICE):
            end = min(begin + _SLICE, height)
            if end - begin < values.shape[1]:
                values = np.empty((len(columns), end - begin), np.int64)
            for at, (read, cells) in enumerate(columns):
                values[at] = cells[begin:end] if read is None else read(begin, end)
            some = np.empty((len(gave), end - begin), np.int64)
            kernel.score(
                values,
                direct,
                self._finder,
                self._table,
                self._cuts,
                self._specials,
                self._terms,
                self._cells,
                self._base,
                points[begin:end],
                keys[begin:end],
                some,
            )
            gave[:, begin:end] = some
        place = np.empty(height, np.int64)
        return Scored(points, place, self._reasons(kernel.distinct(keys, place)), gave)

    def _reasons(self, keys: Ints) -> pl.Series:
        """The lists of codes that keys stand for."""
        digits = np.column_stack([keys >> (kernel.KEY_BITS * n) for n in range(kernel.MOST)])
        numbers = (digits & ((1 << kernel.KEY_BITS) - 1)) - 1
        known = (numbers >= 0).sum(axis=1)
        codes = pl.Series("codes", self._codes).gather(np.maximum(numbers, 0).ravel())
        lists = codes.reshape((len(keys), kernel.MOST)).arr.to_list()
        shown = pl.DataFrame({"codes": lists, "known": known}).select(pl.col("codes").list.head("known"))
        return shown.to_series()


def _finders(layouts: Sequence[Layout]) -> tuple[Ints, NDArray[np.int32], Ints, Ints]:
    """What `kernel.score` finds cells by: finder, table, cuts and special codes; nothing for categories."""
    finder = np.zeros((len(layouts), 6), np.int64)
    table = np.zeros((len(layouts), kernel.BUCKETS), np.int32)
    cuts: list[int] = []
    specials: list[int] = []
    for at, layout in enumerate(layouts):
        own = layout.cuts
        codes = layout.characteristic.specials if layout.characteristic.is_number else ()
        shift = 0
        if own:
            shift = max(0, (own[-1] - own[0]).bit_length() - (kernel.BUCKETS.bit_length() - 1))
            begins = own[0] + (np.arange(kernel.BUCKETS, dtype=np.int64) << shift)
            table[at] = np.searchsorted(np.array(own, np.int64), begins, side="right")
            # Below the first cut lies the first bucket too.
            table[at, 0] = 0
        begin, first = len(cuts), len(specials)
        cuts += own
        specials += [int(code) for code in codes]
        finder[at] = (own[0] if own else 0, shift, begin, len(cuts), first, len(specials))
    return finder, table, np.array(cuts, np.int64), np.array(specials, np.int64)


def _column(layout: Layout, frame: pl.DataFrame) -> tuple[Callable[[int, int], Any] | None, Ints]:
    """How to read a slice of values, for a column of integers; for any other, the cells of all its rows."""
    characteristic = layout.characteristic
    column = frame[characteristic.name]
    if not (characteristic.is_number and column.dtype.is_integer()):
        return None, layout.cells(column)
    low, high = column.min(), column.max()
    for value in (low, high):
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise InvalidInput.field(characteristic.name, value, f"integers up to {MAX_INTEGER}")
    if column.null_count():
        column = column.cast(pl.Int64).fill_null(kernel.NULL)
    numbers = column.to_numpy()
    return (lambda begin, end: numbers[begin:end]), np.empty(0, np.int64)
