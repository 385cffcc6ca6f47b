"""Tables and expressions against GoRules' zen engine, an independent implementation in Rust."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import zen
from hypothesis import given
from hypothesis import strategies as st

import obligor
from obligor.strategy import load
from obligor.strategy.cells import matches, resolve
from obligor.strategy.ir import Table
from obligor.strategy.syntax import parse_unary
from obligor.strategy.types import category, number
from tests.strategy.bases import APPLICANT
from tests.strategy.making import Scored, formula

PRELEND = Path(obligor.__file__).parent / "packs" / "starter" / "prelend"
NUMBER = number(-1000, 1000)
WORDS = category("red", "green", "blue")

BOUNDS = st.tuples(st.integers(-50, 50), st.integers(0, 20))
RANGES = st.builds(
    lambda pair, left, right: f"{left}{pair[0]}..{pair[0] + pair[1] + 2}{right}",
    BOUNDS,
    st.sampled_from("[("),
    st.sampled_from("])"),
)
COMPARED = st.builds(lambda op, n: f"{op} {n}", st.sampled_from(["<", "<=", ">", ">="]), st.integers(-50, 50))


@given(
    tests=st.lists(st.one_of(RANGES, COMPARED), min_size=1, max_size=3), values=st.lists(st.integers(-60, 80))
)
def test_unary_tests_of_numbers_match_what_zen_matches(tests: list[str], values: list[int]) -> None:
    text = ", ".join(tests)
    cell = resolve(parse_unary(text), NUMBER, {})
    # zen joins tests with `or`, so they are put to it one by one.
    for value in values:
        theirs = any(zen.evaluate_unary_expression(test, {"$": value}) for test in tests)
        assert matches(cell, value) == theirs, (text, value)


@given(words=st.lists(st.sampled_from(WORDS.values), min_size=1, max_size=3, unique=True))
def test_unary_tests_of_categories_match_what_zen_matches(words: list[str]) -> None:
    text = ",".join(f'"{word}"' for word in words)
    cell = resolve(parse_unary(text), WORDS, {})
    for value in WORDS.values:
        assert matches(cell, value) == zen.evaluate_unary_expression(text, {"$": value})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("a + b * 3 - d", None),
        ("(a - b) * (a + b)", None),
        ("a * 0.25 + d", None),
        ("round((a + b) / (abs(d) + 1), 6)", "(a + b) / (abs(d) + 1)"),
        ("floor(a / 7)", None),
        ("ceiling(d / 3)", "ceil(d / 3)"),
        ("min(a, b, d)", "min([a, b, d])"),
        ("max(a, b, d)", "max([a, b, d])"),
        ("if a > b and d < 5 then a - b else b - a", "a > b and d < 5 ? a - b : b - a"),
        ("a > b or not (d >= a)", None),
        ("a in [-10..20)", None),
    ],
)
def test_formulas_give_what_zen_gives(ours: str, theirs: str | None) -> None:
    strategy = formula(ours)
    kind = strategy.outputs["x"]
    expression = zen.compile_expression(theirs or ours)

    @given(a=st.integers(-1000, 1000), b=st.integers(-1000, 1000), d=st.integers(-100_000, 100_000))
    def check(a: int, b: int, d: int) -> None:
        known = {"a": a, "b": b, "d": d, "n": None, "c": "red", "k": None, "t": True, "u": 0, "v": 0}
        value = strategy.run(known).outputs["x"]
        answer = expression.evaluate({"a": a, "b": b, "d": d / 100})
        if type(value) is bool:
            assert value == answer
        else:
            assert value / 10**kind.scale == pytest.approx(answer, abs=1e-6, rel=1e-9)

    check()


def jdm(axes: list[str], gives: list[str], rows: list[list[str]]) -> zen.ZenDecision:
    """A first-hit decision table as a JDM graph of three nodes."""
    columns = [{"id": f"i{n}", "name": name, "field": name} for n, name in enumerate(axes)]
    results = [{"id": f"o{n}", "name": name, "field": name} for n, name in enumerate(gives)]
    names = [column["id"] for column in (*columns, *results)]
    rules = [{"_id": str(n), **dict(zip(names, row, strict=True))} for n, row in enumerate(rows)]
    content = {"hitPolicy": "first", "inputs": columns, "outputs": results, "rules": rules}
    graph = {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in"},
            {"id": "t", "type": "decisionTableNode", "name": "t", "content": content},
            {"id": "out", "type": "outputNode", "name": "out"},
        ],
        "edges": [
            {"id": "e1", "sourceId": "in", "targetId": "t", "type": "edge"},
            {"id": "e2", "sourceId": "t", "targetId": "out", "type": "edge"},
        ],
    }
    return zen.ZenEngine().create_decision(json.dumps(graph))


def cell(text: str) -> str:
    """A cell of ours as zen writes it: any value is empty, a bare word is quoted."""
    return "" if text == "-" else f'"{text}"' if text.isidentifier() else text


def test_the_tables_of_prelend_give_what_zen_gives() -> None:
    strategy = load(PRELEND)
    tables = [part for part in strategy.program.statements if isinstance(part, Table)]
    assert [table.step for table in tables] == ["grade", "price", "limit"]
    theirs = {
        table.step: jdm(
            [axis.name for axis in table.axes],
            [name for name, _ in table.gives],
            [
                [cell(axis.texts[row]) for axis in table.axes]
                + [json.dumps(value) for value in table.rows[row]]
                for row in range(len(table.rows))
            ],
        )
        for table in tables
    }

    @given(
        pd_ppm=st.one_of(st.integers(0, 129_999), st.sampled_from([14_999, 15_000, 30_000, 50_000, 79_999])),
        income=st.one_of(st.integers(300_000, 4_000_000), st.sampled_from([400_000, 899_999, 2_500_000])),
        term=st.integers(3, 36),
    )
    def check(pd_ppm: int, income: int, term: int) -> None:
        facts: dict[str, Any] = APPLICANT | {
            "income_month_minor": income,
            "term_months": term,
            "requested_minor": 100_000,
            "rent_month_minor": 0,
            "debt_month_minor": 0,
            "dependents": 0,
        }
        found = strategy.run(strategy.parse_facts(facts), lambda _: Scored(600, pd_ppm))
        known = {"pd_ppm": pd_ppm, "income_month_minor": income, "term_months": term}
        given = {entry[0]: entry[2] for entry in found.trace if entry[0] in theirs}
        assert set(given) == set(theirs)
        for step, decision in theirs.items():
            answer = decision.evaluate(known)["result"]
            assert given[step] == answer
            known |= answer

    check()


def test_the_files_of_prelend_are_what_the_tables_were_read_from() -> None:
    with (PRELEND / "price.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    table = next(part for part in load(PRELEND).program.statements if part.step == "price")
    assert isinstance(table, Table)
    assert [
        [*(axis.texts[n] for axis in table.axes), str(table.rows[n][0])] for n in range(len(rows))
    ] == rows
