"""What is hashed and kept of a model: integer points for every cell, an integer PD for every score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from obligor.scoring.layout import Layout

__all__ = ["Artifact", "Cell", "Dropped", "Pair", "Scale", "Table", "Term", "Training", "ends", "terms"]

Count = Annotated[int, Meta(ge=0)]
Ppm = Annotated[int, Meta(ge=1, le=999_999)]


class Scale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A score of `points` stands for `odds` goods to one bad; `pdo` points more double the odds."""

    points: Annotated[int, Meta(ge=0, le=100_000)] = 600
    odds: Annotated[int, Meta(ge=1, le=100_000)] = 20
    pdo: Annotated[int, Meta(ge=1, le=100_000)] = 40


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The points of a cell, what training saw in it, and its weight of evidence in millionths."""

    points: int
    rows: Count
    bads: Count
    evidence_ppm: int


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One characteristic: its layout and the cells in the layout's order.

    `iv_ppm` is its information value in training, `coefficient_ppm` that of the regression.
    """

    layout: Layout
    cells: tuple[Cell, ...]
    iv_ppm: int
    coefficient_ppm: int

    @property
    def most(self) -> int:
        """The points of its best cell."""
        return max(cell.points for cell in self.cells)

    @property
    def least(self) -> int:
        """The points of its worst cell."""
        return min(cell.points for cell in self.cells)


class Pair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What two characteristics give together, beyond what each gives alone.

    `points[i][j]` are added where `first` is in its cell i and `second` in its cell j.
    """

    first: str
    second: str
    points: tuple[tuple[int, ...], ...]


class Dropped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A characteristic that was offered and left out: it told too little, or pointed the wrong way."""

    name: str
    why: Literal["information", "sign", "points"]
    iv_ppm: int


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a model was made from; `known_on` is the day up to which outcomes were known.

    `method` says how, where it was not weight of evidence and a logistic regression.
    """

    rows: Count
    bads: Count
    known_on: date | None
    note: str
    regularisation_ppm: int
    auc_ppm: int
    dropped: tuple[Dropped, ...]
    method: str = ""


class Artifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model as it is kept. `pd_ppm[i]` is the PD at score `lowest` + i, in millionths.

    A model with pairs has format 2. One without has format 1 and no word of pairs: its bytes are those that
    they were before there were any. A characteristic is in one pair at most, so that the score is a sum of
    functions of one or two characteristics that share nothing.
    """

    format: Literal["obligor-points-1", "obligor-points-2"]
    name: str
    version: str
    target: str
    scale: Scale
    training: Training
    base: int
    tables: Annotated[tuple[Table, ...], Meta(min_length=1, max_length=1000)]
    lowest: int
    pd_ppm: tuple[Ppm, ...]
    pairs: Annotated[tuple[Pair, ...], Meta(max_length=500)] = ()

    def problems(self) -> Iterator[str]:
        """What cannot be: no training makes it, so the file was changed."""
        for table in self.tables:
            layout = table.layout
            name = layout.characteristic.name
            if len(table.cells) != layout.size:
                yield f"{name} has {len(table.cells)} cells for {layout.size} places"
            if any(low >= high for low, high in pairwise(layout.cuts)):
                yield f"the thresholds of {name} do not rise"
            single: list[int | str] = [value for group in layout.groups for value in group]
            single += layout.characteristic.specials
            if len(set(single)) < len(single):
                yield f"a category or special code of {name} has two places"
            if layout.groups if layout.characteristic.is_number else layout.cuts:
                yield f"{name} has both thresholds and groups"
            yield from (problem.accepted for problem in layout.characteristic.problems())
        wrong = list(self._pair_problems())
        yield from wrong
        if wrong:
            return
        if not all(table.cells for table in self.tables):
            return
        least, most = ends(self.tables, self.pairs)
        if self.lowest != self.base + least:
            yield "the lowest score is not the sum of the lowest points"
        highest = self.base + most
        if len(self.pd_ppm) != highest - self.lowest + 1:
            yield f"there are {len(self.pd_ppm)} PDs for the scores from {self.lowest} to {highest}"
        if any(low < high for low, high in pairwise(self.pd_ppm)):
            yield "a higher score has a higher PD"

    def terms(self) -> Iterator[Term]:
        """The parts that the score is the sum of."""
        return terms(self.tables, self.pairs)

    def _pair_problems(self) -> Iterator[str]:
        if (self.format == "obligor-points-2") != bool(self.pairs):
            yield f"a model of format {self.format} has {len(self.pairs)} pairs"
        sizes = {table.layout.characteristic.name: len(table.cells) for table in self.tables}
        paired = [name for pair in self.pairs for name in (pair.first, pair.second)]
        if len(set(paired)) < len(paired):
            yield "a characteristic is in two pairs"
        for pair in self.pairs:
            label = f"the pair {pair.first} x {pair.second}"
            if pair.first not in sizes or pair.second not in sizes:
                yield f"{label} is not of characteristics of the model"
            elif len(pair.points) != sizes[pair.first] or any(
                len(row) != sizes[pair.second] for row in pair.points
            ):
                yield f"{label} has not the cells of its characteristics"


Term = tuple[tuple[Table, ...], Pair | None]


def terms(tables: Sequence[Table], pairs: Sequence[Pair]) -> Iterator[Term]:
    """Each table that is in no pair, alone, and then each pair with its two tables."""
    by_name = {table.layout.characteristic.name: table for table in tables}
    paired = {name for pair in pairs for name in (pair.first, pair.second)}
    for name, table in by_name.items():
        if name not in paired:
            yield (table,), None
    for pair in pairs:
        yield (by_name[pair.first], by_name[pair.second]), pair


def ends(tables: Sequence[Table], pairs: Sequence[Pair]) -> tuple[int, int]:
    """The least and the most points that there can be, without the base."""
    least = most = 0
    for some, pair in terms(tables, pairs):
        if pair is None:
            totals = [cell.points for cell in some[0].cells]
        else:
            totals = [
                one.points + other.points + more
                for one, row in zip(some[0].cells, pair.points, strict=True)
                for other, more in zip(some[1].cells, row, strict=True)
            ]
        least += min(totals)
        most += max(totals)
    return least, most
