"""Transfers traced: a whole history under each rule, against the same algorithm in plain Python.

Five million draws of salaries, payments among 200,000 accounts and payments to shops, in which 20,000 loans
are disbursed; each payment is a share of what its account then holds. Both trace the same rows, and what they
found is compared before anything is timed. A run counts as the CPU time of the whole call, checks included.
"""

from __future__ import annotations

import csv
import gc
import sys
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numba import njit

from bench.harness import Case, run
from obligor.funds.columns import Movements, Rule, Traced, trace_columns
from tests.funds.plain import RULES, Row

DRAWS, ACCOUNTS, LOANS, CLASSES = 5_000_000, 200_000, 20_000, 60
# The peer takes some ten seconds over the whole history; a part of it at the beginning gives the same rate.
PEER_ROWS = 1_000_000
AMLSIM = Path(__file__).parents[2] / "shared" / "data" / "funds" / "amlsim_20k"


def history(draws: int, accounts: int, loans: int, seed: int = 7) -> Movements:
    """A simulated history: a quarter salaries, 45 % payments among accounts, the rest to classes outside."""
    chance = np.random.default_rng(seed)
    kind = chance.choice(np.array([0, 1, 2], np.int8), draws, p=[0.25, 0.45, 0.30])
    weight = np.cumsum(chance.pareto(1.6, accounts) + 0.2)
    weight /= weight[-1]
    source, target = (
        np.minimum(np.searchsorted(weight, chance.random(draws)), accounts - 1).astype(np.int32)
        for _ in range(2)
    )
    # Most payments among accounts go to a few that the payer knows.
    known = (kind == 1) & (chance.random(draws) < 0.7)
    target[known] = (source[known].astype(np.int64) * 7919 + chance.integers(1, 9, known.sum())) % accounts
    amount = (chance.lognormal(7.0, 1.2, draws) * 100).astype(np.int64) + 1
    loan = np.zeros(draws, np.int32)
    lent = np.sort(chance.choice(draws, loans, replace=False))
    loan[lent] = np.arange(1, loans + 1)
    kind[lent], amount[lent] = 0, chance.integers(1_000_000, 20_000_000, loans)
    out = kind == 2
    target[out] = accounts + chance.integers(0, CLASSES, out.sum())
    source[kind == 0] = -1
    _spend(source, target, amount, chance.beta(0.6, 1.2, draws), np.zeros(accounts + CLASSES, np.int64))
    moved = amount > 0
    return Movements(source[moved], target[moved], amount[moved], loan[moved], accounts, loans, CLASSES)


@njit
def _spend(source: Any, target: Any, amount: Any, share: Any, balance: Any) -> None:
    """Let every payment be a share of what its account then holds."""
    for row in range(source.size):
        payer = source[row]
        if payer >= 0:
            held = balance[payer]
            amount[row] = max(1, int(held * share[row])) if held > 0 and target[row] != payer else 0
            balance[payer] -= amount[row]
        balance[target[row]] += amount[row]


def closing(moves: Movements, every: int) -> Movements:
    """The same history in which each loan closes `every` rows after its disbursement, where there are any."""
    lent = np.flatnonzero(moves.loan > 0)
    at = lent + every
    kept = at < len(moves.loan)
    at, number = at[kept], moves.loan[lent[kept]]
    insert = [
        np.insert(column, at, value)
        for column, value in (
            (moves.source, -1), (moves.target, 0), (moves.amount_minor, 0), (moves.loan, -number),
        )
    ]  # fmt: skip
    return Movements(*insert, moves.accounts, moves.loans, moves.classes)


def amlsim(place: Path, loans: int = 500) -> Movements:
    """A set of AMLSim: its accounts with their first balances, its transfers, and loans that we add.

    Every twentieth account stands for a counterparty outside, of one of seven classes; both are simulated.
    """
    with (place / "nodes.csv").open(encoding="utf-8") as lines:
        balances = [round(float(row["init_balance"]) * 100) for row in csv.DictReader(lines)]
    with (place / "transactions.csv").open(encoding="utf-8") as lines:
        table = [
            (int(row["sourceNodeId"]), int(row["targetNodeId"]), round(float(row["value"]) * 100))
            for row in csv.DictReader(lines)
        ]
    accounts = len(balances)
    source, target, amount = (np.array(column, np.int64) for column in zip(*table, strict=True))
    source = np.where(source % 20 == 0, -1, source)
    target = np.where(target % 20 == 0, accounts + target // 20 % 7, target)
    seen = (source >= 0) | (target < accounts)
    chance = np.random.default_rng(11)
    at = np.sort(chance.integers(0, seen.sum(), loans))
    lent = (-1, 20 * chance.integers(0, accounts // 20, loans) + 1, 50_000, np.arange(1, loans + 1))
    columns = (source[seen], target[seen], amount[seen], np.zeros(seen.sum(), np.int64))
    first = (
        np.full(accounts, -1),
        np.arange(accounts),
        np.maximum(balances, 1),
        np.zeros(accounts, np.int64),
    )
    filled = (np.insert(column, at, values) for column, values in zip(columns, lent, strict=True))
    return Movements(*(np.concatenate(pair) for pair in zip(first, filled, strict=True)), accounts, loans, 7)


def rows_of(moves: Movements, count: int) -> list[Row]:
    columns = (moves.source, moves.target, moves.amount_minor, moves.loan)
    return [(*row, -1) for row in zip(*(column[:count].tolist() for column in columns), strict=True)]  # type: ignore[misc]


def part_of(moves: Movements, count: int) -> Movements:
    columns = (moves.source, moves.target, moves.amount_minor, moves.loan)
    return Movements(*(column[:count] for column in columns), moves.accounts, moves.loans, moves.classes)


def same(moves: Movements, rows: list[Row], rule: Rule) -> None:
    """Stop the bench if the two differ by one minor unit."""
    outside, queues = RULES[rule](rows, moves.accounts)
    traced = trace_columns(moves, rule)
    found = {
        (int(loan) + 1, int(name)): int(traced.outside_minor[loan, name])
        for loan, name in zip(*traced.outside_minor.nonzero(), strict=True)
    }
    lots = [(account, *lot) for account, queue in enumerate(queues) for lot in queue]
    columns = (traced.lots.account, traced.lots.loan, traced.lots.minor)
    if found != outside or list(zip(*(column.tolist() for column in columns), strict=True)) != lots:
        raise SystemExit(f"{rule}: the two trace differently")


def rate(moves: Movements, rule: Rule) -> float:
    """Ours: transfers per second of CPU."""
    began = time.process_time()
    trace_columns(moves, rule)
    return len(moves.loan) / (time.process_time() - began)


def best(moves: Movements, rule: Rule, times: int) -> int:
    return round(max(rate(moves, rule) for _ in range(times)))


def plain_rate(rows: list[Row], accounts: int, rule: Rule) -> float:
    """The peer's, without garbage collection, which finds nothing here."""
    gc.disable()
    began = time.process_time()
    RULES[rule](rows, accounts)
    spent = time.process_time() - began
    gc.enable()
    return len(rows) / spent


def notes(moves: Movements) -> dict[str, Any]:
    """Cost at two sizes, with loans that close, memory, and the real structure of AMLSim."""
    sizes = part_of(moves, len(moves.loan) // 2), moves
    closed = closing(moves, len(moves.loan) // 4)
    found: dict[str, Any] = {"transfers": len(moves.loan)}
    found["per_second_at_two_sizes"] = {
        rule: {len(some.loan): best(some, rule, 3) for some in sizes} for rule in get_args(Rule)
    }
    found["fifo_with_loans_that_close"] = {len(closed.loan): best(closed, "fifo", 3)}
    for name, some in (("memory", moves), ("memory_with_loans_that_close", closed)):
        found[name] = _memory(some)
    if AMLSIM.is_dir():
        found["amlsim"] = {place.name: _amlsim(place) for place in sorted(AMLSIM.iterdir()) if place.is_dir()}
    return found


def _memory(moves: Movements) -> dict[str, int]:
    traced = trace_columns(moves)
    loans_lots = int((traced.lots.loan > 0).sum())
    return {
        "pool_bytes": traced.pool_bytes,
        "lots_at_the_end": len(traced.lots.loan), "of_them_of_loans": loans_lots,
        "table_bytes": traced.outside_minor.nbytes,
    }  # fmt: skip


def _amlsim(place: Path) -> dict[str, Any]:
    moves = amlsim(place)
    rows = rows_of(moves, len(moves.loan))
    found: dict[str, Any] = {"rows": len(rows)}
    for rule in get_args(Rule):
        same(moves, rows, rule)
        traced: Traced = trace_columns(moves, rule)
        found[rule] = {
            "per_second": best(moves, rule, 5),
            "outside_share": round(float(traced.outside_minor.sum() / traced.disbursed_minor.sum()), 4),
        }
    return found


def main() -> int:
    moves = history(DRAWS, ACCOUNTS, LOANS)
    part = part_of(moves, PEER_ROWS)
    rows = rows_of(moves, PEER_ROWS)
    cases = []
    rules: tuple[tuple[Rule, str], ...] = (("fifo", "fifo"), ("lifo", "lifo"), ("lowest", "libr"))
    for rule, name in rules:
        same(part, rows, rule)
        cases.append(
            Case(
                f"{name}_vs_python",
                "transfers per CPU second",
                "the same algorithm in plain Python 3 (deques of tuples), the first million of the same rows",
                15,
                lambda rule=rule: rate(part, rule),
                lambda rule=rule: plain_rate(rows, ACCOUNTS, rule),
            )
        )
    return run("funds", cases, rounds=3, notes=lambda: notes(moves))


if __name__ == "__main__":
    sys.exit(main())
