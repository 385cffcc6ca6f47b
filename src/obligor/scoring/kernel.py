"""Many rows: the loops of `columns`, compiled by numba. Nothing is known of models here, only of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from obligor.scoring.woe import Ints

__all__ = ["BUCKETS", "KEY_BITS", "MOST", "NULL", "distinct", "score"]

NULL = -(2**63)  # stands for a missing value; no fact can have it
MOST = 4  # reasons
KEY_BITS = 10  # of a characteristic's number, plus 1, in a key
BUCKETS = 1 << 10  # of a characteristic, by which its cuts are found
_SLOTS = 1 << 12
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, TAOCP 3, 6.4)

_I = types.int64
_V = types.int64[::1]
_M = types.int64[:, ::1]
_T = types.int32[:, ::1]
_INLINE: dict[str, Any] = {"cache": True, "error_model": "numpy", "inline": "always"}


@njit(**_INLINE)
def _cell(  # noqa: PLR0917  numba takes no keywords
    value: int, column: int, direct: Ints, finder: Ints, table: Any, cuts: Ints, specials: Ints
) -> Any:
    """The cell of a value: see `obligor.scoring.layout`."""
    if direct[column]:
        return value
    low, shift = finder[column, 0], finder[column, 1]
    begin, end = finder[column, 2], finder[column, 3]
    first, last = finder[column, 4], finder[column, 5]
    if value == NULL:
        return end - begin + 1 + last - first
    for place in range(first, last):
        if specials[place] == value:
            return end - begin + 1 + place - first
    cell = table[column, min(max((value - low) >> shift, 0), BUCKETS - 1)]
    while begin + cell < end and cuts[begin + cell] <= value:
        cell += 1
    return cell


@njit(**_INLINE)
def _lose(worst: Ints, number: int, lost: int) -> None:
    """Put a characteristic among those that lost most."""
    rank = number - (lost << KEY_BITS)
    if rank < worst[MOST - 1]:
        place = MOST - 1
        while place > 0 and rank < worst[place - 1]:
            worst[place] = worst[place - 1]
            place -= 1
        worst[place] = rank


@njit(types.void(_M, _V, _M, _T, _V, _V, _M, _M, _I, _V, _V, _M), cache=True, error_model="numpy")
def score(  # noqa: PLR0917  numba takes no keywords
    values: Ints,
    direct: Ints,
    finder: Ints,
    table: Any,
    cuts: Ints,
    specials: Ints,
    terms: Ints,
    cells: Ints,
    base: int,
    points: Ints,
    keys: Ints,
    given: Ints,
) -> None:
    """The points and the reasons of every row, into `points` and `keys`.

    `values[c, i]` is the value of characteristic c in row i, or its cell where `direct[c]`. `finder[c]` is
    its first cut, by how many bits a value's distance from it is shifted for its bucket, and where its cuts
    and its special codes begin and end; `table[c, b]` are the cuts up to where bucket b begins. A term is
    (first, second or -1, where its cells begin, the number of the second's cells); a cell holds what it gives
    and has lost of the first, and of the second. `given[c, i]` takes what each gave, if it has rows. A key
    holds the numbers of the characteristics that lost most, plus 1, most first, in KEY_BITS each, lowest bits
    first.
    """
    worst = np.zeros(MOST, np.int64)
    for row in range(values.shape[1]):
        total = base
        worst[:] = 0
        for term in range(terms.shape[0]):
            one, other = terms[term, 0], terms[term, 1]
            at = _cell(values[one, row], one, direct, finder, table, cuts, specials)
            if other >= 0:
                beside = _cell(values[other, row], other, direct, finder, table, cuts, specials)
                at = at * terms[term, 3] + beside
            at += terms[term, 2]
            total += cells[at, 0]
            _lose(worst, one, cells[at, 1])
            if other >= 0:
                total += cells[at, 2]
                _lose(worst, other, cells[at, 3])
            if given.shape[0] > 0:
                given[one, row] = cells[at, 0]
                if other >= 0:
                    given[other, row] = cells[at, 2]
        points[row] = total
        key = 0
        for place in range(MOST):
            if worst[place] < 0:
                key |= ((worst[place] & ((1 << KEY_BITS) - 1)) + 1) << (KEY_BITS * place)
        keys[row] = key


@njit(_V(_V, _V), cache=True, error_model="numpy")
def distinct(keys: Ints, place: Ints) -> Ints:
    """The distinct keys (none below 0) as they first appear; `place` takes where each row's is among them."""
    slots = np.full(_SLOTS, -1, np.int64)
    found = np.empty(_SLOTS // 2, np.int64)
    bits = np.uint64(64 - 12)
    count = 0
    for row in range(len(keys)):
        key = keys[row]
        slot = np.int64((np.uint64(key) * _SPREAD) >> bits)
        while slots[slot] >= 0 and found[slots[slot]] != key:
            slot = (slot + 1) & (len(slots) - 1)
        if slots[slot] < 0:
            if count == len(found):
                # Half of the slots are taken: twice as many, and everything in its new place.
                bits -= np.uint64(1)
                more = np.empty(2 * count, np.int64)
                more[:count] = found
                found = more
                slots = np.full(2 * len(slots), -1, np.int64)
                for known in range(count):
                    slot = np.int64((np.uint64(found[known]) * _SPREAD) >> bits)
                    while slots[slot] >= 0:
                        slot = (slot + 1) & (len(slots) - 1)
                    slots[slot] = known
                slot = np.int64((np.uint64(key) * _SPREAD) >> bits)
                while slots[slot] >= 0:
                    slot = (slot + 1) & (len(slots) - 1)
            slots[slot] = count
            found[count] = key
            count += 1
        place[row] = slots[slot]
    return found[:count].copy()
