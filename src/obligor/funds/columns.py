"""A whole history of transfers traced at once, as columns, under the rule that you name.

The rules, each an answer to which money of a mixed account is spent:

- `fifo`: what came first (Clayton's case, 1816, 1 Mer 572); what `Tracer` does, to the minor unit.
- `lifo`: what came last. What is taken keeps the order in which it stood.
- `lowest`: one's own before any loan's, so that no more of a loan is left than the lowest balance since
  (Roscoe v Winder [1915] 1 Ch 62); among loans, first in, first out.
- `tainted_first`: a loan's before one's own; among loans, first in, first out.

A debit beyond what an account holds takes money that is no loan's, after everything that is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from obligor.kernel import InvalidInput, InvariantBroken

__all__ = ["Movements", "Pieces", "Rule", "Traced", "trace_columns"]

Rule = Literal["fifo", "lifo", "lowest", "tainted_first"]
Ints = NDArray[np.integer[Any]]
# Sums of amounts have to stay within 64 bits.
_MOST = 2.0**62


@dataclass(frozen=True, slots=True)
class Movements:
    """Rows in the order of posting. Accounts are numbered from 0, loans from 1, classes from 0.

    source: the account that pays, or -1 for money from outside.
    target: the account that is paid, or `accounts` + c for a counterparty outside of class c.
    amount_minor: at least 1; 0 where a loan closes.
    loan: l where the row disburses loan l (source -1), -l where loan l closes, else 0.
    back: of a row that brings back what went outside in an earlier row, that row's number, else -1; source is
        -1, target and amount are that row's account and amount. A transfer between accounts, or from outside,
        is taken back by a row of its own. None if there is no such row.
    """

    source: Ints
    target: Ints
    amount_minor: Ints
    loan: Ints
    accounts: int
    loans: int
    classes: int
    back: Ints | None = None


@dataclass(frozen=True, slots=True)
class Pieces:
    """Money of loans in accounts: parallel columns."""

    account: NDArray[np.int32]
    loan: NDArray[np.int32]
    minor: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Traced:
    """Where each loan's money is: disbursed = outside, over all classes, + held, to the minor unit.

    Row l - 1 of an array is loan l. Of a closed loan everything is as it stood at the close. `lots` is what
    stands in the accounts, account by account in the order of the queue: loan 0 is money that is no loan's,
    which the rules `lowest` and `tainted_first` keep no order of and do not list. `at_close` is what closed
    loans held. `pool_bytes` is what the run kept in memory at most beside the columns and
    this answer.
    """

    rule: Rule
    disbursed_minor: NDArray[np.int64]
    outside_minor: NDArray[np.int64]
    held_minor: NDArray[np.int64]
    lots: Pieces
    at_close: Pieces
    pool_bytes: int


def trace_columns(movements: Movements, rule: Rule = "fifo") -> Traced:
    """Trace a history from its beginning. One core; the first use compiles for some seconds, once a machine.

    Raises:
        InvalidInput: an unknown rule, or a row that `Movements` does not allow, by field and number.
        InvariantBroken: the traced money is not what was disbursed.
    """
    if rule not in get_args(Rule):
        raise InvalidInput.field("rule", rule, ", ".join(get_args(Rule)))
    columns = _columns(movements)
    # Numba is heavy, and most who import this room do not trace histories.
    from obligor.funds import kernel

    state = kernel.start(movements.loans, movements.accounts, movements.classes, columns[-1])
    kernel.walk(state, get_args(Rule).index(rule), columns)
    stands, closed = kernel.pieces(state)
    _, _, amount, loan, _ = columns
    disbursed = np.zeros(movements.loans, np.int64)
    disbursed[loan[loan > 0] - 1] = amount[loan > 0]
    traced = Traced(
        rule,
        disbursed,
        state.outside[1:],
        state.pool["minor"][1 : movements.loans + 1].copy(),
        _pieces(stands),
        _pieces(closed),
        state.pool.nbytes,
    )
    _check(traced)
    return traced


def _pieces(rows: Any) -> Pieces:
    return Pieces(*(np.ascontiguousarray(rows[name]) for name in ("account", "loan", "minor")))


def _check(traced: Traced) -> None:
    """The money is all there, by the running sums and by the lots themselves."""
    stands = np.zeros(len(traced.held_minor) + 1, np.int64)
    for some in (traced.lots, traced.at_close):
        np.add.at(stands, some.loan, some.minor)
    left = traced.disbursed_minor - traced.outside_minor.sum(axis=1) - traced.held_minor
    wrong = (left != 0) | (stands[1:] != traced.held_minor)
    if wrong.any():
        raise InvariantBroken(f"the traced money of loan {wrong.argmax() + 1} is not what was disbursed")


def _columns(moves: Movements) -> tuple[NDArray[Any], ...]:
    """The columns as the kernel takes them.

    Raises:
        InvalidInput: one that it cannot.
    """
    _count("accounts", moves.accounts)
    _count("loans", moves.loans)
    _count("classes", moves.classes)
    ends = moves.accounts + moves.classes
    source = _column("source", moves.source, np.int32, -1, moves.accounts - 1)
    target = _column("target", moves.target, np.int32, 0, ends - 1)
    amount = _column("amount_minor", moves.amount_minor, np.int64, 0, 2**62)
    loan = _column("loan", moves.loan, np.int32, -moves.loans, moves.loans)
    back = _column("back", () if moves.back is None else moves.back, np.int64, -1, len(amount) - 1)
    for name, column in (("target", target), ("amount_minor", amount), ("loan", loan)):
        if len(column) != len(source):
            raise InvalidInput.field(name, len(column), f"as many rows as source, {len(source)}")
    if moves.back is not None and len(back) != len(source):
        raise InvalidInput.field("back", len(back), f"as many rows as source, {len(source)}")
    if amount.sum(dtype=np.float64) > _MOST:
        raise InvalidInput.field("amount_minor", "the sum over all rows", "at most 2^62")
    _refuse("amount_minor", amount, (amount == 0) & (loan >= 0), "at least 1 where no loan closes")
    _refuse("source", source, (loan > 0) & (source >= 0), "-1 where a loan is disbursed")
    lent = loan[loan > 0]
    if len(lent) and np.bincount(lent).max() > 1:
        raise InvalidInput.field("loan", int(np.bincount(lent).argmax()), "one disbursement a loan")
    columns = source, target, amount, loan, back
    _check_back(columns, moves.accounts)
    return columns


def _check_back(columns: tuple[NDArray[Any], ...], accounts: int) -> None:
    source, target, amount, loan, back = columns
    rows = np.flatnonzero(back >= 0)
    went = back[rows]
    holds = (went < rows) & (source[went] >= 0) & (target[went] >= accounts) & (loan[went] == 0)
    holds &= (source[went] == target[rows]) & (amount[went] == amount[rows])
    holds &= (source[rows] == -1) & (loan[rows] == 0)
    bad = np.zeros(len(back), bool)
    bad[rows] = ~holds
    _refuse("back", back, bad, "an earlier row that went outside from this account, with this amount")
    found, times = np.unique(went, return_counts=True)
    if len(found) < len(went):
        raise InvalidInput.field("back", int(found[times.argmax()]), "a row that is brought back once")


def _count(name: str, value: int) -> None:
    if not 0 <= value < 2**31 - 1:
        raise InvalidInput.field(name, value, "a count from 0 to 2^31 - 2")


def _column(name: str, values: ArrayLike, dtype: type[Any], least: int, most: int) -> NDArray[Any]:
    """A contiguous column of integers within bounds."""
    column = np.asarray(values)
    if column.ndim != 1 or (len(column) and column.dtype.kind not in "iu"):
        raise InvalidInput.field(name, f"{column.ndim} dimensions of {column.dtype}", "a column of integers")
    if len(column) and (column.min() < least or column.max() > most):
        _refuse(name, column, (column < least) | (column > most), f"from {least} to {most}")
    return np.ascontiguousarray(column, dtype)


def _refuse(name: str, column: NDArray[Any], bad: NDArray[np.bool_], accepted: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise InvalidInput.field(f"{name}[{row}]", int(column[row]), accepted)
