"""Bins of ordered values: the partition that tells most, among those whose bad rate moves one way."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from obligor.scoring.woe import Counts, Floats, Ints

__all__ = ["Binning", "merge", "prebins"]

_ROUNDS = 40


class Binning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fine bins may be.

    `prebins` quantiles are merged into at most `most_bins` bins of at least `least_share` of the rows and
    `least_cases` goods and bads each; categories below `rare_share` count as `other`. Two bins stay apart
    only where that adds more than `worth` x (1/goods + 1/bads) to the information value; a further bin of
    noise adds that much once, on average. `prior` is the weight in cases with which a bin is drawn to the
    population (see `woe.evidence`).
    """

    prebins: Annotated[int, Meta(ge=2, le=500)] = 100
    most_bins: Annotated[int, Meta(ge=1, le=50)] = 10
    least_share: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.05
    least_cases: Annotated[int, Meta(ge=1)] = 5
    rare_share: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.02
    worth: Annotated[float, Meta(ge=0.0)] = 0.5
    prior: Annotated[float, Meta(gt=0.0)] = 5.0


class _Best(NamedTuple):
    value: float
    starts: tuple[int, ...]


def prebins(values: Ints, most: int) -> Ints:
    """The lowest value of each of at most `most` bins of about equal size; equal values stay together."""
    unique, counts = np.unique(values, return_counts=True)
    if len(unique) <= most:
        return unique.astype(np.int64)
    before = np.cumsum(counts) - counts
    part = before * most // len(values)
    first = np.concatenate(([True], part[1:] != part[:-1]))
    return unique[first].astype(np.int64)


def merge(counts: Counts, risk: str, binning: Binning, share_of: int) -> tuple[int, ...]:
    """Merge neighbouring bins: the indices at which bins of the best partition start, the first of them 0.

    It is exact: of all partitions that keep to `binning` and whose bad rate never turns (`rising`, `falling`,
    `monotone` for the better of them; any for `free`), none has a higher information value less what its
    number of bins must be worth. Where that gives too many bins, each must be worth more. `share_of` is the
    number of rows that shares are of.
    """
    if len(counts.goods) < 2 or not counts.goods.any() or not counts.bads.any():
        return (0,)
    directions = {"rising": (1,), "falling": (-1,), "monotone": (1, -1), "free": (0,)}[risk]
    price = _price(counts)
    worth = binning.worth * price
    best = _over(counts, directions, binning, share_of, worth)
    if len(best.starts) > binning.most_bins:
        # Fewer bins by a higher price for each: the Lagrangian of the bound on their number.
        low, high = worth, max(worth, price)
        while len(_over(counts, directions, binning, share_of, high).starts) > binning.most_bins:
            high *= 2
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            found = _over(counts, directions, binning, share_of, middle)
            if len(found.starts) > binning.most_bins:
                low = middle
            else:
                high, best = middle, found
            if len(found.starts) == binning.most_bins:
                break
    return best.starts


def _price(counts: Counts) -> float:
    return 1 / float(counts.goods.sum()) + 1 / float(counts.bads.sum())


def _over(
    counts: Counts, directions: tuple[int, ...], binning: Binning, share_of: int, worth: float
) -> _Best:
    return max(
        (_partition(counts, direction, binning, share_of, worth) for direction in directions),
        key=lambda best: best.value,
    )


def _partition(counts: Counts, direction: int, binning: Binning, share_of: int, worth: float) -> _Best:
    """Dynamic programming over (start, end) of the last bin, O(n^2 log n) for n bins.

    For each start, the best partition before it whose last bad rate is low enough is found by a running
    maximum over the partitions that end there, sorted by that rate.
    """
    size = len(counts.goods)
    value, rate, allowed = _pieces(counts, binning, share_of, worth)
    rate = rate * direction
    total = np.full((size, size), -np.inf)
    previous = np.full((size, size), -1, np.int64)
    total[0] = np.where(allowed[0], value[0], -np.inf)
    for start in range(1, size):
        ends = np.arange(start, size)
        before = total[:start, start - 1]
        if not np.isfinite(before).any():
            continue
        order = np.argsort(rate[:start, start - 1], kind="stable")
        running = np.maximum.accumulate(before[order])
        # Where the running maximum was last raised, as an index into `order`.
        raised = np.maximum.accumulate(
            np.where(np.concatenate(([True], running[1:] > running[:-1])), np.arange(start), 0)
        )
        fits = np.searchsorted(rate[order, start - 1], rate[start, ends], side="right") - 1
        found = np.where(allowed[start, ends] & (fits >= 0), running[fits] + value[start, ends], -np.inf)
        total[start, ends] = found
        previous[start, ends] = order[raised[fits]]
    last = int(np.argmax(total[:, size - 1]))
    if not np.isfinite(total[last, size - 1]):
        return _Best(0.0, (0,))
    starts = [last]
    end = size - 1
    while starts[-1] > 0:
        start = starts[-1]
        starts.append(int(previous[start, end]))
        end = start - 1
    return _Best(float(total[last, size - 1]), tuple(reversed(starts)))


def _pieces(
    counts: Counts, binning: Binning, share_of: int, worth: float
) -> tuple[Floats, Floats, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Of the bin from start to end: information value less its price, bad rate, and whether it may be."""
    goods = _spans(counts.goods)
    bads = _spans(counts.bads)
    rows = goods + bads
    allowed = (
        (goods >= binning.least_cases)
        & (bads >= binning.least_cases)
        & (rows >= binning.least_share * share_of)
    )
    g = np.maximum(goods, 0.5) / float(counts.goods.sum())
    b = np.maximum(bads, 0.5) / float(counts.bads.sum())
    return (g - b) * np.log(g / b) - worth, bads / np.maximum(rows, 1), allowed


def _spans(counts: Ints) -> Ints:
    """[start, end] → the sum from start to end, both included (nothing where end < start)."""
    ends = np.cumsum(counts)
    found: Ints = np.maximum(ends[None, :] - (ends - counts)[:, None], 0)
    return found
