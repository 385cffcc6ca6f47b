"""Row = columns: the two functions of a strategy held against each other, on this very machine.

A certificate says over how many rows, what they reached, and with which compiler, Polars and platform. It
counts every result and every step on the way: which rules fired, which row of a table was hit, what each
formula gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from obligor.kernel import InvariantBroken
from obligor.strategy.strategy import Strategy

if TYPE_CHECKING:
    import polars as pl

__all__ = ["EMITTER", "Certificate", "Difference", "certify"]

# Moves whenever columns could come out otherwise than before.
EMITTER = "columns/1"
ROWS = 2_000


class Difference(msgspec.Struct, frozen=True):
    """Where the two functions disagree: the row, counted from 0, what about, and both answers as text."""

    row: int
    name: str
    by_row: str
    by_columns: str


class Certificate(msgspec.Struct, frozen=True):
    """What was compared.

    `rows` of which `given` came from a frame; `values` is how many single values were compared and
    `differing` how many of them differed, `differences` the first of these. `rules`, `table_rows` and `bins`
    say how many of all that the strategy has were reached. `results_sha256` is over outcomes, outputs and
    reasons of all rows as the columns gave them: equal on every platform that is certified.
    """

    strategy: str
    version: str
    strategy_sha256: str
    rows: int
    given: int
    values: int
    differing: int
    differences: tuple[Difference, ...]
    outcomes: tuple[str, ...]
    rules: tuple[int, int]
    table_rows: tuple[int, int]
    bins: tuple[int, int]
    results_sha256: str
    emitter: str
    polars: str
    python: str
    platform: str

    @property
    def equal(self) -> bool:
        """Whether not one bit differed."""
        return self.differing == 0

    def require(self) -> None:
        """See that nothing differed.

        Raises:
            InvariantBroken: something did.
        """
        if not self.equal:
            first = self.differences[0]
            raise InvariantBroken(
                f"strategy {self.strategy} {self.version}: {self.differing} of {self.values} values differ"
                f" between row and columns; the first is {first.name} of row {first.row}:"
                f" {first.by_row} by row, {first.by_columns} by columns"
            )


def certify(
    strategy: Strategy,
    frame: pl.DataFrame | None = None,
    scored: pl.DataFrame | None = None,
    *,
    rows: int = ROWS,
    seed: int = 0,
) -> Certificate:
    """Hold the two functions of a strategy against each other: on rows made for it, and on a frame.

    `rows` made rows lie at every cut point and beside it, with nulls, unknown categories and by chance.
    `frame` and `scored` are rows that were seen, as `Strategy.columns` takes them.

    Raises:
        InvalidInput: the frame is not one that the strategy takes.
    """
    from obligor.strategy.compared import compare

    return compare(strategy, frame, scored, rows=rows, seed=seed)
