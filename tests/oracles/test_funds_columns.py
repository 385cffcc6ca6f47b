"""The compiled kernel traces as the online tracer does, as running sums do, and as plain Python does."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from obligor.funds import Tracer
from obligor.funds.columns import Movements, Rule, Traced, trace_columns
from tests.funds.accounts import CLASSES
from tests.funds.plain import RULES, Row
from tests.oracles.test_funds_index import ACCOUNTS, OUTSIDE, Index, Op, apply, histories

AMLSIM = Path(__file__).parents[3] / "shared" / "data" / "funds" / "amlsim_20k"
EVERY: tuple[Rule, ...] = ("fifo", "lifo", "lowest", "tainted_first")


def as_columns(rows: list[Row], accounts: int, loans: int, classes: int) -> Movements:
    columns = np.array(rows, np.int64).reshape(-1, 5).T
    return Movements(*columns[:4], accounts, loans, classes, columns[4])


# ---- against the online tracer and the index


def rows_of(ops: list[Op]) -> list[Row]:
    """The history of the tracer's own oracle as rows."""
    places = {name: number for number, name in enumerate(ACCOUNTS)}
    places |= {name: len(ACCOUNTS) + number for number, (name, _) in enumerate(OUTSIDE)}
    rows: list[Row] = []
    row_of: dict[int, int] = {}
    for number, op in enumerate(ops):
        row_of[number] = len(rows)
        here = places.get(op.account, -1)
        if op.kind == "open":
            rows += [(-1, here, op.minor, 0, -1)] if op.minor else []
        elif op.kind == "lend":
            rows.append((-1, here, op.minor, int(op.other[4:]) + 1, -1))
        elif op.kind == "close":
            rows.append((-1, 0, 0, -int(op.other[4:]) - 1, -1))
        elif op.kind == "in":
            rows.append((-1, here, op.minor, 0, -1))
        elif op.kind == "out":
            rows.append((here, places[op.other], op.minor, 0, -1))
        else:
            done = ops[op.ref]
            here, there = places[done.account], places[done.other]
            if done.kind == "in":
                rows.append((here, there, done.minor, 0, -1))
            elif there < len(ACCOUNTS):
                rows.append((there, here, done.minor, 0, -1))
            else:
                rows.append((-1, here, done.minor, 0, row_of[op.ref]))
    return rows


def lent_in(ops: list[Op]) -> list[str]:
    return [op.other for op in ops if op.kind == "lend"]


def traced_from(ops: list[Op]) -> Traced:
    return trace_columns(as_columns(rows_of(ops), len(ACCOUNTS), len(lent_in(ops)), len(OUTSIDE)))


def outside_of(traced: Traced, loan: int) -> dict[tuple[str, str | None], int]:
    amounts = zip(OUTSIDE, traced.outside_minor[loan].tolist(), strict=True)
    return {place: minor for place, minor in amounts if minor}


def held_of(traced: Traced, loan: int) -> dict[str, int]:
    found = Counter[str]()
    for some in (traced.lots, traced.at_close):
        for account, owner, minor in zip(some.account, some.loan, some.minor, strict=True):
            if owner == loan + 1:
                found[ACCOUNTS[account]] += int(minor)
    return dict(found)


def queue_of(traced: Traced, account: int) -> list[tuple[str | None, int]]:
    some = traced.lots
    return [
        (f"loan{loan - 1}" if loan else None, int(minor))
        for at, loan, minor in zip(some.account, some.loan, some.minor, strict=True)
        if at == account
    ]


@given(histories(closes=True))
def test_columns_attribute_every_cent_as_the_online_tracer_does(ops: list[Op]) -> None:
    tracer = Tracer(CLASSES)
    for number in range(len(ops)):
        apply(tracer, ops, number)
    traced = traced_from(ops)
    event(f"loans: {len(lent_in(ops))}")
    for loan, name in enumerate(lent_in(ops)):
        position = tracer.position(name)
        assert position is not None
        assert traced.disbursed_minor[loan] == position.disbursed_minor
        assert traced.held_minor[loan] == position.held_minor
        gone = [one for one in position.places if one.kind != "held"]
        assert outside_of(traced, loan) == {
            (one.name, one.counterparty_class): one.amount_minor for one in gone
        }
        held = {one.name: one.amount_minor for one in position.places if one.kind == "held"}
        assert held_of(traced, loan) == held
    for account, name in enumerate(ACCOUNTS):
        # Lots of one loan that came by different ways are two to the tracer until it tells of them.
        assert queue_of(traced, account) == merged(tracer.lots(name))


def merged(lots: tuple[tuple[str | None, int], ...]) -> list[tuple[str | None, int]]:
    found: list[tuple[str | None, int]] = []
    for owner, minor in lots:
        if found and found[-1][0] == owner:
            found[-1] = owner, found[-1][1] + minor
        else:
            found.append((owner, minor))
    return found


@given(histories())
def test_columns_attribute_every_cent_as_running_sums_do(ops: list[Op]) -> None:
    index, traced = Index(ops), traced_from(ops)
    for loan, name in enumerate(lent_in(ops)):
        outside, held = index.trace(name)
        assert outside_of(traced, loan) == dict(outside)
        sums = {account: sum(high - low for low, high in parts) for account, parts in held.items()}
        assert held_of(traced, loan) == sums
    for account, name in enumerate(ACCOUNTS):
        assert queue_of(traced, account) == index.queue(name)


# ---- every rule against plain Python


@st.composite
def row_lists(draw: st.DrawFn, accounts: int = 3, classes: int = 2) -> list[Row]:
    """Histories with payments to oneself, debits beyond what is there, closes, and money that comes back."""
    rows: list[Row] = []
    loans = 0
    open_to_return: list[int] = []
    account = st.integers(0, accounts - 1)
    amounts = st.integers(1, 60)
    for _ in range(draw(st.integers(1, 50))):
        kind = draw(st.sampled_from(["lend", "in", "out", "pay", "pay", "close", "back"]))
        here, amount = draw(account), draw(amounts)
        if kind == "lend":
            loans += 1
            to = draw(st.one_of(account, account, st.integers(accounts, accounts + classes - 1)))
            rows.append((-1, to, amount, loans, -1))
        elif kind == "in":
            rows.append((-1, here, amount, 0, -1))
        elif kind == "out":
            open_to_return.append(len(rows))
            rows.append((here, draw(st.integers(accounts, accounts + classes - 1)), amount, 0, -1))
        elif kind == "pay":
            rows.append((here, draw(account), amount, 0, -1))
        elif kind == "close" and loans:
            rows.append((-1, 0, 0, -draw(st.integers(1, loans)), -1))
        elif kind == "back" and open_to_return:
            went = open_to_return.pop(draw(st.integers(0, len(open_to_return) - 1)))
            rows.append((-1, rows[went][0], rows[went][2], 0, went))
    return rows


def equal(rows: list[Row], rule: Rule, accounts: int, loans: int, classes: int) -> None:
    outside, queues = RULES[rule](rows, accounts)
    traced = trace_columns(as_columns(rows, accounts, loans, classes), rule)
    places = zip(*traced.outside_minor.nonzero(), strict=True)
    assert {(int(a) + 1, int(b)): int(traced.outside_minor[a, b]) for a, b in places} == outside
    some = traced.lots
    columns = (some.account.tolist(), some.loan.tolist(), some.minor.tolist())
    wanted = [(account, *lot) for account, queue in enumerate(queues) for lot in queue]
    assert list(zip(*columns, strict=True)) == wanted


@pytest.mark.parametrize("rule", EVERY)
@given(rows=row_lists())
def test_columns_trace_as_plain_python_does(rule: Rule, rows: list[Row]) -> None:
    equal(rows, rule, 3, 60, 2)


def test_one_rule_is_not_another() -> None:
    rows: list[Row] = [(-1, 0, 10, 0, -1), (-1, 0, 10, 1, -1), (-1, 0, 10, 2, -1), (0, 1, 15, 0, -1)]
    answers = [trace_columns(as_columns(rows, 1, 2, 1), rule).outside_minor[:, 0].tolist() for rule in EVERY]
    assert answers == [[5, 0], [5, 10], [5, 0], [10, 5]]
    rows[0], rows[1] = rows[1], rows[0]
    answers = [trace_columns(as_columns(rows, 1, 2, 1), rule).outside_minor[:, 0].tolist() for rule in EVERY]
    assert answers == [[10, 0], [0, 10], [5, 0], [10, 5]]


@pytest.mark.skipif(not AMLSIM.is_dir(), reason="the AMLSim sets are not there")
@pytest.mark.parametrize("rule", EVERY)
def test_columns_trace_real_structure_as_plain_python_does(rule: Rule) -> None:
    """AMLSim's transfers, with loans that we add and each twentieth account out of sight."""
    with (AMLSIM / "20K_fanin200cycle200" / "transactions.csv").open(encoding="utf-8") as lines:
        table = [
            (int(row["sourceNodeId"]), int(row["targetNodeId"]), row["value"])
            for row in csv.DictReader(lines)
        ]
    rows: list[Row] = []
    loans = 0
    for number, (payer, payee, value) in enumerate(table[:40_000]):
        source, target = (-1 if payer % 20 == 0 else payer), (20_000 if payee % 20 == 0 else payee)
        if number % 200 == 0 and target < 20_000:
            loans += 1
            rows.append((-1, target, 100_000, loans, -1))
        if number % 900 == 0 and loans > 3:
            rows.append((-1, 0, 0, 3 - loans, -1))
        if source >= 0 or target < 20_000:
            rows.append((source, target, round(float(value) * 100), 0, -1))
    equal(rows, rule, 20_000, loans, 1)
