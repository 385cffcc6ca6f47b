"""Where chance comes from.

Every draw belongs to a stream named by the seed, a purpose and a place (a person, an application, a day), never
to the order in which things happened. So two lenders who play the same world meet the same people with the same
luck, and differ only by what they decided: common random numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np

__all__ = ["Choice", "Purpose", "stream"]

T = TypeVar("T")


class Purpose(IntEnum):
    """What a stream is for."""

    PEOPLE = 1
    PLACES = 2
    DAY = 3
    ASKING = 4
    LIFE = 5
    SPENDING = 6
    BACKFILL = 7
    RECOVERY = 8
    PAST_PEOPLE = 9
    PAST_ASKING = 10
    PAST_LIFE = 11
    PAST_BACKFILL = 12
    PAST_DATES = 13


def stream(seed: int, purpose: Purpose, *place: int) -> np.random.Generator:
    """The generator of one purpose at one place; the same for the same arguments, independent of all others."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(purpose), *place))))


class Choice(Generic[T]):
    """A categorical distribution over a few values."""

    def __init__(self, weights: dict[T, float]) -> None:
        total = sum(weights.values())
        self.values: Sequence[T] = tuple(weights)
        self._edges = [edge / total for edge in accumulate(weights.values())]

    def at(self, uniform: float) -> T:
        """The value that a uniform number in [0, 1) falls on."""
        return self.values[min(bisect_right(self._edges, uniform), len(self.values) - 1)]

    def index(self, uniforms: np.ndarray) -> np.ndarray:
        """The positions in `values` that many uniform numbers fall on."""
        found = np.searchsorted(self._edges, uniforms, side="right")
        return np.minimum(found, len(self.values) - 1)
