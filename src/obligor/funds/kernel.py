"""The compiled walk behind `trace_columns`: everything is a lot in one pool, and stands in rings.

A lot stands in the ring of its account's queue (`next`, `prev`) and in that of all lots of its loan (`later`,
`earlier`), so that closing a loan costs no more than the lots it still has. Neighbours in a queue are never
of one loan: they are merged when they meet. Freed lots are used again, so memory follows the lots that live
and not the history.

The pool begins with the heads of the rings: 0 of the freed lots, whose `minor` counts them; 1 to `loans` of
the loans, whose `minor` is what is held; then those of the accounts, whose `minor` is the money that is no
loan's under the rules that spend it apart (`LOWEST`, `TAINTED_FIRST`). Under the others such money is lots of
loan 0. Helpers take the pool and numbers only: a compiled call passes an array by seven words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import from_dtype, njit, types

from obligor.funds.prefetch import prefetch

__all__ = ["FIFO", "LIFO", "LOWEST", "TAINTED_FIRST", "State", "pieces", "start", "walk"]

# In the order in which `Rule` names them.
FIFO, LIFO, LOWEST, TAINTED_FIRST = range(4)

# Half a cache line, so that a lot is one miss.
LOT = np.dtype(
    [("minor", "i8"), ("loan", "i4"), ("account", "i4")]
    + [(link, "i4") for link in ("next", "prev", "later", "earlier")],
    align=True,
)
PIECE = np.dtype([("minor", "i8"), ("loan", "i4"), ("account", "i4")], align=True)

# Rows ahead at which an account's head is asked for, then the lots at the ends of its queue.
_FAR, _NEAR = 16, 8

_FREE = 0
_NO_LOT = 0  # ends a chain: lots that were taken out of a queue, linked by `next`
_HEAD = -1  # the loan of an account's head, which no lot has
# No row needs more new lots than this.
_SPARE = 4
# In `kept`: nothing is kept of a row; its lots will come back. Otherwise the chain that went.
_NOT_KEPT, _TO_KEEP = -2, -1
# In `place`: the next row, and how many pieces were written down.
_ROW, _COUNT = 0, 1

_int = types.int64
_pool = types.Array(from_dtype(LOT), 1, "C")
_int32 = types.Array(types.int32, 1, "C", readonly=True)
_int64 = types.Array(types.int64, 1, "C", readonly=True)
_kept = types.Array(types.int32, 1, "C")
_pieces = types.Array(from_dtype(PIECE), 1, "C")
_place = types.Array(types.int64, 1, "C")
_table = types.Array(types.int64, 2, "C")


@dataclass(slots=True)
class State:
    """What a walk goes on with. `outside` has a row a loan after row 0, and a column a class."""

    loans: int
    accounts: int
    pool: Any
    outside: Any
    kept: Any
    closed: Any
    place: Any


def start(loans: int, accounts: int, classes: int, back: Any) -> State:
    """Nothing in any ring, and no row walked; `back` is the column of `Movements`, or empty."""
    heads = 1 + loans + accounts
    pool = np.zeros(heads, LOT)
    for link in ("next", "prev", "later", "earlier"):
        pool[link][1:] = np.arange(1, heads)
    pool["loan"] = _HEAD
    kept = np.full(back.size, _NOT_KEPT, np.int32)
    kept[back[back >= 0]] = _TO_KEEP
    outside = np.zeros((loans + 1, classes), np.int64)
    pool = _grown(pool, heads + 1024)
    return State(loans, accounts, pool, outside, kept, np.empty(0, PIECE), np.zeros(2, np.int64))


def walk(state: State, rule: int, columns: tuple[Any, ...]) -> None:
    """Go through all rows: source, target, amount, loan and back of `Movements`."""
    compiled: Any = _walk
    while True:
        state.closed = compiled(
            rule, *columns, state.accounts, state.pool, state.outside, state.kept, state.closed, state.place
        )
        if state.place[_ROW] == columns[0].size:
            return
        # Not in the walk: NumPy asks for huge pages, and a lot is then one miss in memory and not two.
        state.pool = _grown(state.pool, 2 * state.pool.size)


def pieces(state: State) -> tuple[Any, Any]:
    """Rows of what stands in the accounts, in order, and of what closed loans held at their close."""
    stands = _stands(state.pool, state.loans, state.accounts)
    closed = state.closed[: state.place[_COUNT]].copy()
    for some in (stands, closed):
        some["account"] -= state.loans + 1
    return stands, closed


def _grown(pool: Any, size: int) -> Any:
    """The pool with more lots, which are free."""
    more = np.empty(size, LOT)
    more[: pool.size] = pool
    more["next"][pool.size :] = np.arange(pool.size + 1, size + 1)
    more["next"][-1] = pool["next"][_FREE]
    more["next"][_FREE] = pool.size
    more["minor"][_FREE] += size - pool.size
    return more


@njit(cache=True)
def _new(pool: Any, loan: int, minor: int) -> int:
    at: int = pool[_FREE].next
    lot = pool[at]
    pool[_FREE].next = lot.next
    pool[_FREE].minor -= 1
    lot.minor, lot.loan, lot.account, lot.next = minor, loan, 0, _NO_LOT
    if loan > 0:
        later = pool[loan].later
        lot.later, lot.earlier = later, loan
        pool[later].earlier = at
        pool[loan].later = at
    return at


@njit(cache=True)
def _free(pool: Any, at: int) -> None:
    lot = pool[at]
    if lot.loan > 0:
        pool[lot.earlier].later = lot.later
        pool[lot.later].earlier = lot.earlier
    lot.next = pool[_FREE].next
    pool[_FREE].next = at
    pool[_FREE].minor += 1


@njit(cache=True)
def _drop(pool: Any, at: int) -> None:
    """Take a lot out of its queue and free it."""
    lot = pool[at]
    pool[lot.prev].next = lot.next
    pool[lot.next].prev = lot.prev
    _free(pool, at)


@njit(cache=True)
def _push(pool: Any, here: int, at: int) -> None:
    """A lot that stands in no queue comes to the back of an account's."""
    lot, tail = pool[at], pool[here].prev
    if pool[tail].loan == lot.loan:
        pool[tail].minor += lot.minor
        _free(pool, at)
        return
    lot.account, lot.next, lot.prev = here, here, tail
    pool[tail].next = at
    pool[here].prev = at


@njit(cache=True)
def _push_clean(pool: Any, here: int, minor: int, apart: bool) -> None:
    tail = pool[here].prev
    if apart:
        pool[here].minor += minor
    elif pool[tail].loan == 0:
        pool[tail].minor += minor
    elif minor:
        _push(pool, here, _new(pool, 0, minor))


@njit(cache=True)
def _take_first(pool: Any, payer: int, minor: int) -> tuple[int, int]:
    """Cut an amount off the front of a queue: the first lot of the chain, and what was not there."""
    first = at = pool[payer].next
    last = _NO_LOT
    while at != payer and pool[at].minor <= minor:
        minor -= pool[at].minor
        last, at = at, pool[at].next
    if at != payer and minor:
        part = _new(pool, pool[at].loan, minor)
        pool[at].minor -= minor
        minor = 0
        if last == _NO_LOT:
            first = part
        else:
            pool[last].next = part
        last = part
    pool[payer].next = at
    pool[at].prev = payer
    if last == _NO_LOT:
        return _NO_LOT, minor
    pool[last].next = _NO_LOT
    return first, minor


@njit(cache=True)
def _take_last(pool: Any, payer: int, minor: int) -> tuple[int, int]:
    """Cut an amount off the back; the chain keeps the order in which it stood."""
    at = pool[payer].prev
    first = _NO_LOT
    while at != payer and pool[at].minor <= minor:
        minor -= pool[at].minor
        pool[at].next = first
        first, at = at, pool[at].prev
    if at != payer and minor:
        part = _new(pool, pool[at].loan, minor)
        pool[at].minor -= minor
        minor = 0
        pool[part].next = first
        first = part
    pool[payer].prev = at
    pool[at].next = payer
    return first, minor


@njit(cache=True)
def _take(pool: Any, payer: int, minor: int, rule: int) -> tuple[int, int]:
    """What a payment is made of under a rule: a chain of lots, and an amount that is no loan's."""
    if rule == FIFO:
        return _take_first(pool, payer, minor)
    if rule == LIFO:
        return _take_last(pool, payer, minor)
    if rule == LOWEST:
        own = min(pool[payer].minor, minor)
        pool[payer].minor -= own
        first, unseen = _take_first(pool, payer, minor - own)
        return first, own + unseen
    first, rest = _take_first(pool, payer, minor)
    pool[payer].minor -= min(pool[payer].minor, rest)
    return first, rest


@njit(cache=True)
def _close(pool: Any, loan: int, apart: bool, closed: Any, count: int) -> tuple[Any, int]:
    """A loan's lots become money that is no loan's; where they stood is written down first."""
    at = pool[loan].later
    pool[loan].later = pool[loan].earlier = loan
    while at != loan:
        lot = pool[at]
        following = lot.later
        lot.loan = 0
        if lot.account:
            if count == closed.size:
                more = np.empty(2 * count + 16, PIECE)
                more[:count] = closed
                closed = more
            piece = closed[count]
            piece.minor, piece.loan, piece.account = lot.minor, loan, lot.account
            count += 1
            if apart:
                pool[lot.account].minor += lot.minor
                _drop(pool, at)
            else:
                for neighbour in (lot.prev, lot.next):
                    if pool[neighbour].loan == 0:
                        lot.minor += pool[neighbour].minor
                        _drop(pool, neighbour)
        at = following
    return closed, count


@njit(cache=True)
def _leave(pool: Any, outside: Any, name: int, first: int, keep: bool) -> None:
    """A chain goes out of sight; lots that will come back are kept, in no account."""
    at = first
    while at != _NO_LOT:
        lot = pool[at]
        following, loan = lot.next, lot.loan
        if loan > 0:
            outside[loan, name] += lot.minor
            pool[loan].minor -= lot.minor
        if keep:
            lot.account = 0
        else:
            _free(pool, at)
        at = following


@njit(cache=True)
def _come_back(  # noqa: PLR0917  the compiler takes no names
    pool: Any, outside: Any, name: int, here: int, first: int, minor: int, apart: bool
) -> None:
    """The chain that went out comes back, behind what is there; `minor` is its whole amount."""
    at = first
    while at != _NO_LOT:
        lot = pool[at]
        following, loan = lot.next, lot.loan
        if loan > 0:
            outside[loan, name] -= lot.minor
            pool[loan].minor += lot.minor
        if loan > 0 or not apart:
            minor -= lot.minor
            _push(pool, here, at)
        else:
            _free(pool, at)
        at = following
    _push_clean(pool, here, minor, apart)


@njit(cache=True)
def _look_ahead(  # noqa: PLR0917
    pool: Any, source: Any, target: Any, accounts: int, heads: int, row: int
) -> None:
    """Have memory bring what the rows to come will need; on money from or to outside this is for nothing."""
    far, near = row + _FAR, row + _NEAR
    prefetch(pool, heads + max(0, source[far]))
    prefetch(pool, heads + min(accounts - 1, target[far]))
    prefetch(pool, pool[heads + max(0, source[near])].next)
    prefetch(pool, pool[heads + min(accounts - 1, target[near])].prev)


@njit(
    [(_int, _int32, _int32, _int64, _int32, _int64, _int, _pool, _table, _kept, _pieces, _place)], cache=True
)
def _walk(  # noqa: PLR0917
    rule: int, source: Any, target: Any, amount: Any, loan: Any, back: Any, accounts: int, pool: Any,
    outside: Any, kept: Any, closed: Any, place: Any,
) -> Any:  # fmt: skip
    """Go on until the last row or until the pool is used up; returns the pieces written down at closes."""
    heads, rows, count = outside.shape[0], amount.size, place[_COUNT]
    apart = rule in (LOWEST, TAINTED_FIRST)
    for row in range(place[_ROW], rows):
        if pool[_FREE].minor < _SPARE:
            place[_ROW], place[_COUNT] = row, count
            return closed
        if accounts and row + _FAR < rows:
            _look_ahead(pool, source, target, accounts, heads, row)
        number, minor, payer, payee = loan[row], amount[row], source[row], target[row]
        if number < 0:
            closed, count = _close(pool, -number, apart, closed, count)
            continue
        if back.size and back[row] >= 0:
            went = back[row]
            name = target[went] - accounts
            _come_back(pool, outside, name, heads + payee, kept[went], minor, apart)
            continue
        first, clean = _NO_LOT, minor
        if number > 0:
            pool[number].minor = minor
            first, clean = _new(pool, number, minor), 0
        elif payer >= 0:
            first, clean = _take(pool, heads + payer, minor, rule)
        if payee >= accounts:
            keep = back.size > 0 and kept[row] == _TO_KEEP
            _leave(pool, outside, payee - accounts, first, keep)
            if keep:
                kept[row] = first
        else:
            while first != _NO_LOT:
                following = pool[first].next
                _push(pool, heads + payee, first)
                first = following
            _push_clean(pool, heads + payee, clean, apart)
    place[_ROW], place[_COUNT] = rows, count
    return closed


@njit([(_pool, _int, _int)], cache=True)
def _stands(pool: Any, loans: int, accounts: int) -> Any:
    """What stands in the accounts, account by account in the order of the queue; the account is its head."""
    count = 0
    for head in range(loans + 1, loans + 1 + accounts):
        at = pool[head].next
        while at != head:
            count, at = count + 1, pool[at].next
    found = np.empty(count, PIECE)
    count = 0
    for head in range(loans + 1, loans + 1 + accounts):
        at = pool[head].next
        while at != head:
            lot, piece = pool[at], found[count]
            piece.minor, piece.loan, piece.account = lot.minor, lot.loan, head
            count, at = count + 1, lot.next
    return found
