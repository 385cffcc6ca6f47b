"""What running a strategy gives, and what it asks of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from obligor.kernel import InvalidInput
from obligor.strategy.types import Value

__all__ = ["Ask", "Need", "Outcome", "Scored", "missing", "outside"]


class Need(msgspec.Struct, frozen=True):
    """Facts that the next step reads and that are absent; one that is null is known to be missing."""

    names: tuple[str, ...]


class Scored(Protocol):
    """A model's answer: points = base + the sum of contributions of (name, points, most points)."""

    @property
    def points(self) -> int:
        """The score."""

    @property
    def base(self) -> int:
        """The points before any contribution."""

    @property
    def contributions(self) -> Sequence[tuple[str, int, int]]:
        """Name, points, and the most points there are, by characteristic."""

    @property
    def pd_ppm(self) -> int:
        """The probability of default in parts per million."""

    @property
    def reasons(self) -> Sequence[str]:
        """Codes of what cost most points."""


Ask = Callable[[Mapping[str, Value]], Scored | Need]


class Outcome(msgspec.Struct, frozen=True):
    """What a strategy made of facts.

    `outputs` are typed values, null where the outcome has none of them. `reasons` are the codes of the rules
    that fired, in order, a model's reasons after the rule that asks for them. `trace` has an entry for each
    step that was run. `reads` are the inputs that were read, `score` the model's answer if it was asked.
    """

    outcome: str
    outputs: dict[str, Value]
    reasons: tuple[str, ...]
    trace: list[Any]
    reads: tuple[str, ...]
    score: Scored | None


def missing(facts: Mapping[str, Value], names: Sequence[str]) -> Need:
    """The names that facts do not have."""
    return Need(tuple(name for name in names if name not in facts))


def outside(name: str, value: int, lo: int, hi: int) -> InvalidInput:
    """The refusal of a model's answer that the strategy was not compiled for."""
    return InvalidInput.field(name, value, f"from {lo} to {hi}, as the strategy declares it")
