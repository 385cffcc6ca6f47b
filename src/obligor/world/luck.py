"""Where chance comes from.

Every draw belongs to a stream named by the seed, a purpose and a place (a person, an application, a day),
never to the order in which things happened. So two lenders who play the same world meet the same people
with the same luck, and differ only by what they decided: common random numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np
from numpy.random.bit_generator import ISeedSequence

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
    LINES = 14
    CHECKING = 15


class _Key(ISeedSequence):
    """A seed as Philox's key. Given a plain key, numpy would ask the system for entropy and drop it."""

    def __init__(self, seed: int) -> None:
        self._words = np.array([seed, 0], dtype=np.uint64)

    def generate_state(self, n_words: int, dtype: object = np.uint32) -> np.ndarray:  # noqa: ARG002
        """The key's two words, whatever is asked for."""
        return self._words


_key = lru_cache(maxsize=64)(_Key)


def stream(seed: int, purpose: Purpose, first: int = 0, second: int = 0) -> np.random.Generator:
    """The generator of one purpose at one place; equal for equal arguments, independent of all others.

    Philox is a counter-based generator (Salmon et al., SC 2011): the place is part of its counter, the seed
    its key.
    """
    counter = np.array([0, purpose, first, second], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(_key(seed), counter=counter))  # type: ignore[arg-type]


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
