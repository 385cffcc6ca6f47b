"""The points model: a score is a base and a sum of integers, and each of them says where it comes from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from obligor.kernel import MAX_INTEGER, Corrupted, InvalidInput, Violation, decode, encode, sha256_hex
from obligor.scoring.characteristic import Characteristic, Reason
from obligor.scoring.table import Artifact, Table

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MOST_REASONS", "Contribution", "PointsModel", "Score"]

MOST_REASONS = 4  # Regulation B, commentary to 1002.9(b)(2): more than four is not likely to help
_RANKS = 1024


class Contribution(NamedTuple):
    """What one characteristic gave, and the most that it can give."""

    name: str
    points: int
    most: int


class Score(msgspec.Struct, frozen=True):
    """`points` = `base` + the sum of the contributions' points, exactly.

    `pd_ppm` is the probability of default in millionths; `reasons` are codes of characteristics, see
    `PointsModel.score`.
    """

    points: int
    base: int
    contributions: tuple[Contribution, ...]
    pd_ppm: int
    reasons: tuple[str, ...]


class _Step(NamedTuple):
    """A cell made ready: its contribution, its points, and its place among the reasons.

    `rank` is the points lost against the best cell, negated, times 1024, plus the number of the
    characteristic: sorting ranks gives the most lost first and ties in declared order.
    """

    contribution: Contribution
    points: int
    rank: int


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
        self._json = encode(artifact)
        self.sha256 = sha256_hex(self._json)
        self._codes = tuple(c.reason.code for c in self.characteristics)
        self._plan = [(t.layout.characteristic.name, _looker(t, n)) for n, t in enumerate(self.tables)]

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
        total = self.base
        contributions = []
        ranks = []
        try:
            for name, look in self._plan:
                step = look(facts[name])
                contributions.append(step[0])
                total += step[1]
                ranks.append(step[2])
        except KeyError:
            raise self._absent(facts) from None
        ranks.sort()
        codes = self._codes
        reasons = tuple([codes[rank % _RANKS] for rank in ranks[:MOST_REASONS] if rank < 0])
        artifact = self.artifact
        return Score(
            total, self.base, tuple(contributions), artifact.pd_ppm[total - artifact.lowest], reasons
        )

    def _absent(self, facts: Mapping[str, Any]) -> InvalidInput:
        absent = [name for name, _ in self._plan if name not in facts]
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

        absent = {name for name, _ in self._plan} - set(frame.columns)
        if absent:
            raise self._absent(dict.fromkeys(frame.columns))
        total = np.full(frame.height, self.base, np.int64)
        columns: dict[str, Any] = {}
        for table in self.tables:
            name = table.layout.characteristic.name
            points = np.array([cell.points for cell in table.cells], np.int64)
            given = points[table.layout.cells(frame[name])]
            total += given
            if contributions:
                columns[f"points_{name}"] = given
        pd_ppm = np.array(self.artifact.pd_ppm, np.int64)[total - self.lowest]
        return pl.DataFrame({"score": total, "pd_ppm": pd_ppm} | columns)


def _looker(table: Table, number: int) -> Callable[[Any], _Step]:
    """A function from a fact to its step, as fast as plain Python looks things up."""
    characteristic = table.layout.characteristic
    steps = [
        _Step(
            Contribution(characteristic.name, cell.points, table.most),
            cell.points,
            (cell.points - table.most) * _RANKS + number,
        )
        for cell in table.cells
    ]
    exact = {value: steps[cell] for value, cell in table.layout.exact.items()}
    find = table.layout.finder()
    cuts = list(table.layout.cuts)
    get = exact.get
    other = steps[table.layout.other]

    def typed(fact: Any) -> _Step:
        return steps[find(characteristic.value(fact))]

    def number_of(fact: Any) -> _Step:
        # A boolean is an int to Python and equals 0 or 1, so that only the class tells it apart.
        if fact.__class__ is int and -MAX_INTEGER <= fact <= MAX_INTEGER:
            return get(fact) or steps[bisect_right(cuts, fact)]
        return typed(fact)

    def category_of(fact: Any) -> _Step:
        if fact.__class__ is str:
            return get(fact, other)
        return typed(fact)

    if characteristic.is_number:
        return number_of
    return category_of if characteristic.kind == "category" else typed
