"""Reasons from masks: codes of rules that fired, in order, a model's after each rule that asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import polars as pl

from obligor.kernel import InvalidInput
from obligor.strategy.ir import Rule
from obligor.strategy.vectors import integer, select

__all__ = ["REASONS", "TEXTS", "Reasons"]

# The column of the model's reasons in a typed frame.
REASONS = "score_reasons"
TEXTS = pl.List(pl.String)
# The lists of so many rules at most are packed: every mask has its place.
PACKED_BITS = 14


class Reasons:
    """The reasons that `words` of rules give: rule n of word w fired where bit n of column `w_<w>` is set."""

    def __init__(self, words: Sequence[Sequence[Rule]]) -> None:
        self.words = words
        self.columns = [f"w_{number}" for number in range(len(words))]
        self.asking = [
            (number, bit)
            for number, word in enumerate(words)
            for bit, rule in enumerate(word)
            if rule.explain
        ]
        self.names = [f"piece_{number}" for number in range(len(self.asking) + 1)]

    def of(self, decided: pl.DataFrame) -> pl.Series:
        """A list of codes for each row.

        Raises:
            InvalidInput: a rule asks for the model's reasons, and there is no list of them.
        """
        packed = self._bits <= PACKED_BITS
        pieces = self._packed[decided.get_column(self.columns[0])] if packed else self._joined(decided)
        if not self.asking:
            return pieces.get_column(self.names[0]).alias("reasons")
        pieces = pieces.with_columns(decided.get_column(REASONS), *decided.select(self.columns))
        none = pl.lit([], dtype=TEXTS)
        parts: list[pl.Expr] = [pl.col(self.names[0])]
        for (word, bit), name in zip(self.asking, self.names[1:], strict=True):
            asked = (pl.col(self.columns[word]) & integer(1 << bit)) != integer(0)
            parts += [select(asked, pl.col(REASONS), none), pl.col(name)]
        found = pieces.select(reasons=pl.concat_list(parts)).get_column("reasons")
        if found.null_count():
            row = found.is_null().arg_true()[0]
            wanted = "a list of codes: a rule asks for the model's reasons"
            raise InvalidInput.field(f"reasons[{row}]", None, wanted)
        return found

    @property
    def _bits(self) -> int:
        return sum(map(len, self.words))

    @cached_property
    def _packed(self) -> pl.DataFrame:
        """The pieces of every mask."""
        return self._lists([(mask,) for mask in range(1 << self._bits)])

    def _joined(self, decided: pl.DataFrame) -> pl.DataFrame:
        """The pieces of each row by a join with those masks that there are."""
        masks = decided.select(self.columns)
        known = masks.unique()
        lists = known.hstack(self._lists(known.rows()))
        return masks.join(lists, on=self.columns, how="left", maintain_order="left").select(self.names)

    def _lists(self, masks: Sequence[tuple[int, ...]]) -> pl.DataFrame:
        rows = [list(self._pieces(mask)) for mask in masks]
        return pl.DataFrame(
            [
                pl.Series(name, [row[number] for row in rows], dtype=TEXTS)
                for number, name in enumerate(self.names)
            ]
        )

    def _pieces(self, masks: tuple[int, ...]) -> Iterator[list[str]]:
        """The codes of the rules that fired, cut after each rule that can ask for the model's reasons."""
        piece: list[str] = []
        for word, mask in zip(self.words, masks, strict=True):
            for bit, rule in enumerate(word):
                if mask >> bit & 1:
                    piece.append(rule.code)
                if rule.explain:
                    yield piece
                    piece = []
        yield piece
