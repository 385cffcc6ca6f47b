"""What is hashed and kept of a model: integer points for every cell, an integer PD for every score."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from obligor.scoring.layout import Layout

__all__ = ["Artifact", "Cell", "Dropped", "Scale", "Table", "Training"]

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


class Dropped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A characteristic that was offered and left out: it told too little, or pointed the wrong way."""

    name: str
    why: Literal["information", "sign", "points"]
    iv_ppm: int


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model was made from; `known_on` is the day up to which outcomes were known."""

    rows: Count
    bads: Count
    known_on: date | None
    note: str
    regularisation_ppm: int
    auc_ppm: int
    dropped: tuple[Dropped, ...]


class Artifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as it is kept. `pd_ppm[i]` is the PD at score `lowest` + i, in millionths."""

    format: Literal["obligor-points-1"]
    name: str
    version: str
    target: str
    scale: Scale
    training: Training
    base: int
    tables: Annotated[tuple[Table, ...], Meta(min_length=1, max_length=1000)]
    lowest: int
    pd_ppm: tuple[Ppm, ...]

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
        if self.lowest != self.base + sum(table.least for table in self.tables if table.cells):
            yield "the lowest score is not the sum of the lowest points"
        highest = self.base + sum(table.most for table in self.tables if table.cells)
        if len(self.pd_ppm) != highest - self.lowest + 1:
            yield f"there are {len(self.pd_ppm)} PDs for the scores from {self.lowest} to {highest}"
        if any(low < high for low, high in pairwise(self.pd_ppm)):
            yield "a higher score has a higher PD"
