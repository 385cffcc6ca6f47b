"""A history as columns: the rules' own examples, money that stays whole, bounded memory, and refusals."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from obligor.funds import kernel
from obligor.funds.columns import Movements, Rule, Traced, trace_columns
from obligor.kernel import InvalidInput, InvariantBroken

Row = tuple[int, int, int, int, int]
RULES: tuple[Rule, ...] = ("fifo", "lifo", "lowest", "tainted_first")


def movements(rows: list[Row], *, accounts: int, loans: int, classes: int = 1) -> Movements:
    """Rows of source, target, amount, loan and back as columns."""
    columns = np.array(rows, np.int64).reshape(-1, 5).T
    return Movements(*columns[:4], accounts, loans, classes, columns[4])


def told(rows: list[Row], rule: Rule, *, accounts: int = 1, loans: int = 3) -> Traced:
    return trace_columns(movements(rows, accounts=accounts, loans=loans), rule)


def lots(traced: Traced) -> list[tuple[int, int, int]]:
    some = traced.lots
    return list(zip(some.account.tolist(), some.loan.tolist(), some.minor.tolist(), strict=True))


@pytest.mark.parametrize(("rule", "left"), [("fifo", [0, 0, 10]), ("lifo", [10, 0, 0])])
def test_todds_example(rule: Rule, left: list[int]) -> None:
    """P 10 in, M 10 in, 10 out, K 10 in, 10 out (shared between FIFO and LIFO in the literature)."""
    rows = [(-1, 0, 10, 1, -1), (-1, 0, 10, 2, -1), (0, 1, 10, 0, -1), (-1, 0, 10, 3, -1), (0, 1, 10, 0, -1)]
    assert told(rows, rule).held_minor.tolist() == left


def test_no_more_of_a_loan_is_left_than_the_lowest_balance() -> None:
    """Roscoe v Winder: what is paid in later does not restore what was spent."""
    rows = [(-1, 0, 100, 0, -1), (-1, 0, 50, 1, -1), (0, 1, 120, 0, -1), (-1, 0, 500, 0, -1)]
    assert told(rows, "lowest").held_minor.tolist() == [30, 0, 0]
    assert told([*rows, (0, 1, 480, 0, -1)], "lowest").held_minor.tolist() == [30, 0, 0]
    assert told(rows, "tainted_first").held_minor.tolist() == [0, 0, 0]


@pytest.mark.parametrize("rule", RULES)
def test_a_debit_beyond_what_is_there_takes_all_and_money_of_no_loan(rule: Rule) -> None:
    traced = told([(-1, 0, 100, 1, -1), (0, 1, 250, 0, -1)], rule, accounts=2)
    held = [lot for lot in lots(traced) if lot[1]]
    assert held == [(1, 1, 100)]
    assert traced.held_minor.tolist() == [100, 0, 0]


def test_what_is_taken_last_in_first_out_keeps_its_order() -> None:
    rows = [(-1, 0, 10, 1, -1), (-1, 0, 10, 0, -1), (-1, 0, 10, 2, -1), (0, 1, 25, 0, -1)]
    assert lots(told(rows, "lifo", accounts=2)) == [(0, 1, 5), (1, 1, 5), (1, 0, 10), (1, 2, 10)]


@pytest.mark.parametrize("rule", RULES)
def test_a_closed_loan_keeps_its_last_position_and_its_lots_become_money_of_no_loan(rule: Rule) -> None:
    rows = [
        (-1, 0, 10, 1, -1), (-1, 0, 10, 2, -1), (-1, 0, 10, 3, -1), (-1, 0, 0, -2, -1), (-1, 0, 0, -1, -1),
        (0, 1, 25, 0, -1),
    ]  # fmt: skip
    traced = told(rows, rule)
    assert traced.disbursed_minor.tolist() == [10, 10, 10]
    assert traced.held_minor.tolist()[:2] == [10, 10]
    assert traced.at_close.loan.tolist() == [2, 1]
    assert traced.at_close.minor.tolist() == [10, 10]
    left_of_3 = {"fifo": 5, "lifo": 0, "lowest": 5, "tainted_first": 0}[rule]
    assert traced.held_minor[2] == left_of_3


def test_neighbours_become_one_lot_when_the_loan_between_them_closes() -> None:
    rows = [(-1, 0, 1, number % 2 and number // 2 + 1, -1) for number in range(21)]
    rows += [(-1, 0, 0, -loan, -1) for loan in range(1, 11)]
    assert lots(told(rows, "fifo", loans=10)) == [(0, 0, 21)]


@pytest.mark.parametrize("rule", RULES)
def test_the_very_lots_come_back_from_outside(rule: Rule) -> None:
    rows = [(-1, 0, 10, 1, -1), (0, 1, 10, 0, -1), (-1, 0, 5, 0, -1), (-1, 0, 10, 0, 1)]
    traced = told(rows, rule)
    assert traced.outside_minor.sum() == 0
    assert traced.held_minor.tolist() == [10, 0, 0]
    closed = [*rows[:3], (-1, 0, 0, -1, -1), rows[3]]
    traced = told(closed, rule)
    assert traced.outside_minor.tolist() == [[10], [0], [0]]
    assert not [lot for lot in lots(traced) if lot[1]]


@pytest.mark.parametrize("rule", RULES)
def test_memory_follows_what_lives_and_not_the_history(rule: Rule) -> None:
    def busy(times: int) -> Movements:
        """Loans that are lent into one of 50 accounts, passed on, and closed ten rows later."""
        rows: list[Row] = []
        for loan in range(1, times + 1):
            here = loan % 50
            rows += [(-1, here, 100, loan, -1), (here, (here + 1) % 50, 60, 0, -1), (-1, here, 7, 0, -1)]
            if loan > 10:
                rows.append((-1, 0, 0, 10 - loan, -1))
        return movements(rows, accounts=50, loans=20_000)

    assert trace_columns(busy(20_000), rule).pool_bytes == trace_columns(busy(2_000), rule).pool_bytes


def test_the_pool_grows_when_the_lots_that_live_need_it() -> None:
    rows: list[Row] = []
    for loan in range(1, 3001):
        rows += [(-1, 0, 2, loan, -1), (-1, 0, 1, 0, -1), (0, 1, 1, 0, -1)]
    traced = told(rows, "fifo", accounts=2, loans=3000)
    assert len(traced.lots.loan) > 4000
    assert traced.held_minor.tolist() == [2] * 3000


def test_nothing_at_all_is_a_history() -> None:
    traced = trace_columns(movements([], accounts=0, loans=0, classes=0))
    assert (traced.disbursed_minor.size, traced.lots.loan.size) == (0, 0)


def test_money_that_went_missing_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = kernel.walk

    def careless(state: kernel.State, rule: int, columns: tuple[Any, ...]) -> None:
        honest(state, rule, columns)
        state.outside[1, 0] -= 1

    rows = [(-1, 0, 10, 1, -1), (0, 1, 5, 0, -1)]
    assert told(rows, "fifo").held_minor[0] == 5
    monkeypatch.setattr(kernel, "walk", careless)
    with pytest.raises(InvariantBroken, match="loan 1 "):
        told(rows, "fifo")


GOOD: list[Row] = [(-1, 0, 10, 1, -1), (0, 2, 5, 0, -1), (-1, 0, 5, 0, 1)]


@pytest.mark.parametrize(
    ("row", "bad", "field"),
    [
        (0, (-2, 0, 10, 1, -1), "source[0]"),
        (0, (0, 0, 10, 1, -1), "source[0]"),
        (1, (2, 2, 5, 0, -1), "source[1]"),
        (1, (0, 3, 5, 0, -1), "target[1]"),
        (1, (0, -1, 5, 0, -1), "target[1]"),
        (1, (0, 2, 0, 0, -1), "amount_minor[1]"),
        (1, (0, 2, -5, 0, -1), "amount_minor[1]"),
        (1, (0, 2, 2**63 - 1, 0, -1), "amount_minor[1]"),
        (0, (-1, 0, 10, 3, -1), "loan[0]"),
        (2, (-1, 0, 6, 0, 1), "back[2]"),
        (2, (-1, 1, 5, 0, 1), "back[2]"),
        (2, (-1, 0, 5, 0, 0), "back[2]"),
        (2, (-1, 0, 5, 0, 2), "back[2]"),
        (2, (-1, 0, 5, 0, 3), "back[2]"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_field_and_number(row: int, bad: Row, field: str) -> None:
    assert trace_columns(movements(GOOD, accounts=2, loans=2)).held_minor.tolist() == [10, 0]
    rows = [*GOOD]
    rows[row] = bad
    with pytest.raises(InvalidInput) as caught:
        trace_columns(movements(rows, accounts=2, loans=2))
    assert [one.field for one in caught.value.violations] == [field]


def test_columns_that_do_not_fit_are_refused() -> None:
    good = np.array([0, 0])
    for change, field in (
        ({"amount_minor": np.array([1.5, 2.5])}, "amount_minor"),
        ({"amount_minor": np.array([1])}, "amount_minor"),
        ({"back": np.array([-1])}, "back"),
        ({"source": np.array([[-1, -1]])}, "source"),
        ({"accounts": -1}, "accounts"),
        ({"loan": np.array([1, 1])}, "loan"),
        ({"amount_minor": np.array([2**62, 2**62])}, "amount_minor"),
    ):
        given: dict[str, Any] = {
            "source": np.array([-1, -1]), "target": good, "amount_minor": np.array([1, 2]), "loan": good,
            "accounts": 1, "loans": 1, "classes": 1, **change,
        }  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            trace_columns(Movements(**given))
        assert [one.field for one in caught.value.violations] == [field]
    with pytest.raises(InvalidInput, match="rule"):
        trace_columns(movements(GOOD, accounts=2, loans=2), "haircut")  # type: ignore[arg-type]


def test_who_only_follows_events_does_not_load_the_compiler() -> None:
    code = "import obligor.funds, sys; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
