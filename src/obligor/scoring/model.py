"""The points model: a score is a base and a sum of integers, and each of them says where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from obligor.kernel import Corrupted, InvalidInput, Violation, decode, encode, sha256_hex
from obligor.scoring.characteristic import Characteristic, Reason
from obligor.scoring.rows import MOST_REASONS, Contribution, Score, row_function
from obligor.scoring.table import Artifact
from obligor.scoring.woe import Ints

if TYPE_CHECKING:
    import polars as pl

    from obligor.scoring.columns import Columns, Scored

__all__ = ["MOST_REASONS", "Contribution", "PointsModel", "Score"]


class PointsModel:
    """A trained model, made ready to score. Its digest is over every number and text in it."""

    def __init__(self, artifact: Artifact) -> None:
        """A model of a table; see `from_json` and `train`.

        Raises:
            Corrupted: the table contradicts itself.
        """
        wrong = list(artifact.problems())
        if wrong:
            raise Corrupted(f"the model {artifact.name} contradicts itself: {'; '.join(wrong)}")
        self.artifact = artifact
        self.name = artifact.name
        self.version = artifact.version
        self.base = artifact.base
        self.tables = artifact.tables
        self.characteristics: tuple[Characteristic, ...] = tuple(
            table.layout.characteristic for table in artifact.tables
        )
        self.reasons: Mapping[str, Reason] = {c.reason.code: c.reason for c in self.characteristics}
        self.pairs = artifact.pairs
        self._json = encode(msgspec.to_builtins(artifact))
        self.sha256 = sha256_hex(self._json)
        self._names = tuple(c.name for c in self.characteristics)
        self._score = row_function(artifact, self._absent)

    @property
    def lowest(self) -> int:
        """The lowest score there can be."""
        return self.artifact.lowest

    @property
    def highest(self) -> int:
        """The highest score there can be."""
        return self.artifact.lowest + len(self.artifact.pd_ppm) - 1

    def to_json(self) -> bytes:
        """The canonical bytes, whose SHA-256 is `sha256`."""
        return self._json

    @classmethod
    def from_json(cls, data: bytes, *, sha256: str | None = None) -> PointsModel:
        """The model of a file, checked against its digest where one is given.

        Raises:
            Corrupted: the bytes have another digest, or the table contradicts itself.
            InvalidInput: the bytes are no model.
        """
        found = sha256_hex(data)
        if sha256 is not None and found != sha256:
            raise Corrupted(f"the model has digest {found} and not {sha256}: restore its file")
        return cls(decode(data, Artifact))

    def score(self, facts: Mapping[str, Any]) -> Score:
        """The score of one applicant.

        Facts are typed or as they are written down: integers, texts, booleans, None; a decimal is a text, or
        an integer that is already times 10 to its scale. Facts the model does not read are ignored.

        The reasons, at most four, are those characteristics that lost most points against their own best
        cell, most first, ties in declared order; none that lost nothing.

        Raises:
            InvalidInput: a fact is absent (which is not the same as None) or of another type.
        """
        return self._score(facts)

    def _absent(self, facts: Mapping[str, Any]) -> InvalidInput:
        absent = [name for name in self._names if name not in facts]
        return InvalidInput(
            f"the model {self.name} needs facts that are absent: {', '.join(absent)}",
            [Violation.of(name, None, "a value, or null where it is not known") for name in absent],
        )

    def score_frame(self, frame: pl.DataFrame, *, contributions: bool = False) -> pl.DataFrame:
        """Columns `score` and `pd_ppm` for every row, and `points_<name>` for each characteristic if asked.

        The columns it reads are those that `train` takes.

        Raises:
            InvalidInput: a column is absent or of another type.
        """
        import polars as pl

        found = self._columns_of(frame, given=contributions)
        columns = {"score": found.points, "pd_ppm": self._pd_of(found.points)}
        if contributions:
            columns |= {f"points_{name}": found.given[at] for at, name in enumerate(self._names)}
        return pl.DataFrame(columns)

    def columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns `score` and `pd_ppm` (Int64) and `reasons` (lists of codes): what `score` gives each row.

        The columns it reads are those that `train` takes. The first call in a process makes its loops ready.

        Raises:
            InvalidInput: a column is absent or of another type.
        """
        import polars as pl

        found = self._columns_of(frame, given=False)
        reasons = found.reasons.gather(found.place)
        return pl.DataFrame({"score": found.points, "pd_ppm": self._pd_of(found.points), "reasons": reasons})

    def _columns_of(self, frame: pl.DataFrame, *, given: bool) -> Scored:
        if set(self._names) - set(frame.columns):
            raise self._absent(dict.fromkeys(frame.columns))
        return self._columns.score(frame, given=given)

    @cached_property
    def _columns(self) -> Columns:
        from obligor.scoring.columns import Columns

        return Columns(self.artifact)

    def _pd_of(self, points: Ints) -> Ints:
        table = np.array(self.artifact.pd_ppm, np.int64)
        return table[points - self.lowest]
