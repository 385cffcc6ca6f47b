"""Row = columns: every outcome, output, reason and step of every shipped strategy, to the bit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import obligor
from obligor.strategy import Strategy, certify, load
from tests.properties.test_strategy import TERMS, Term, compiled
from tests.strategy.making import FILES, make

PACKS = Path(obligor.__file__).parent / "packs"
BENCH = Path(__file__).parents[2] / "bench" / "strategies" / "consumer"
DIRECTORIES = sorted(path.parent for path in PACKS.rglob("strategy.yaml"))
NAMES = [str(path.relative_to(PACKS)) for path in DIRECTORIES]
SOME, ALL, AT_ONCE = 2_500, 1_000_000, 20_000


def held(strategy: Strategy, rows: int, seed: int = 0) -> None:
    """Hold row against columns, and see that what was held together was worth it."""
    found = certify(strategy, rows=rows, seed=seed)
    assert (found.rows, found.differing, found.differences) == (rows, 0, ())
    assert found.values > 5 * rows
    # Rows that all end at the first knock-out would show nothing.
    assert found.outcomes == strategy.outcomes
    for reached, there_are in (found.rules, found.table_rows, found.bins):
        assert there_are - reached <= max(1, 0.15 * there_are)


@pytest.mark.parametrize("name", NAMES)
def test_columns_answer_what_the_row_function_answers(name: str) -> None:
    held(load(PACKS / name), SOME)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_columns_answer_what_the_row_function_answers_a_million_times(name: str) -> None:
    strategy = load(PACKS / name)
    for seed in range(ALL // AT_ONCE):
        held(strategy, AT_ONCE, seed + 1)


def test_columns_answer_the_same_for_the_sample_with_dates_decimals_and_nulls() -> None:
    held(make(FILES), SOME)


def test_columns_answer_the_same_for_the_work_of_the_benchmark() -> None:
    found = certify(load(BENCH), rows=SOME)
    assert (found.differing, found.differences) == (0, ())
    assert set(found.outcomes) == {"approve", "refer", "decline"}


FACTS = st.fixed_dictionaries(
    {"a": st.integers(-1000, 1000), "b": st.integers(-1000, 1000), "d": st.integers(-100_000, 100_000)}
)


@given(term=TERMS, rows=st.lists(FACTS, min_size=1, max_size=8))
def test_a_formula_that_compiles_has_the_same_value_by_columns(
    term: Term, rows: list[dict[str, int]]
) -> None:
    strategy = compiled(term.text)
    if strategy is None:
        return
    rest = {"n": None, "c": "red", "k": None, "t": True, "u": 11_000, "v": 11_000}
    frame = strategy.frame(dict(_columns(strategy, [{**rest, **row} for row in rows])))
    told = strategy.columns(frame).get_column("x")
    kind = strategy.outputs["x"]
    found = (told.to_physical() if kind.scale else told).to_list()
    assert found == [strategy.run({**rest, **row}).outputs["x"] for row in rows], term.text


def _columns(strategy: Strategy, rows: list[dict]) -> Iterator[tuple[str, list]]:
    written = [strategy.render_facts(row) for row in rows]
    yield from ((name, [row[name] for row in written]) for name in strategy.inputs)
