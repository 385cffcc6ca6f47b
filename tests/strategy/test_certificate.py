"""A certificate finds what it is there for: any difference between a strategy's two functions."""

from collections.abc import Callable

import polars as pl
import pytest

from obligor.kernel import InvariantBroken
from obligor.strategy import Strategy, certify, load, lookups, reasons, vectors
from obligor.strategy.boundary import cases, ended_by
from obligor.strategy.cells import Cell
from obligor.strategy.cube import Cube
from obligor.strategy.ir import Node, Table
from obligor.strategy.types import Kind, Type
from obligor.strategy.vectors import Term, Vectors
from tests.strategy.making import FILES, make
from tests.strategy.test_running import SCORING
from tests.strategy.test_starter import PACKS

M = "strategy.yaml"


def sample() -> Strategy:
    """A strategy with every kind of step, and a guard and a division of both kinds."""
    text = SCORING.replace(
        "      tenure:",
        """\
      each: {formula: age / 2, scale: 0}
      old: age >= 65
      tested: "bureau in (null, [500..600], 700)"
      up: "ceiling(limit / (points + 7), 1)"
      down: "floor(limit / (points + 7), 1)"
      growth: {formula: "(1 + round(rate_bp / 120000, 6)) ** min(24, age)", scale: 6}
      guarded: "if known(bureau) then bureau - 300 else 0"
      filled: default(bureau, 300) - floor_score
      least: min(age, points)
      far: "abs(tenure_days)"
      tenure:""",
    ).replace("      share:", '      tenure_days: joined - date("2010-01-01")\n      share:')
    outputs = ("each", "old", "tested", "up", "down", "growth", "guarded", "filled", "least", "far")
    shown = "".join(f"  {name}: {{formula: {name}, outcomes: [approve]}}\n" for name in outputs)
    return make(dict(FILES) | {M: text.replace("outputs:\n", f"outputs:\n{shown}")})


def test_a_strategy_whose_functions_agree_is_certified_with_all_that_was_reached() -> None:
    found = certify(sample(), rows=2_000)
    found.require()
    assert (found.rows, found.given, found.differing, found.differences) == (2_000, 0, 0, ())
    assert found.outcomes == ("approve", "refer", "decline")
    assert (found.table_rows, found.bins) == ((11, 11), (4, 4))
    assert found.rules[0] >= 5


def test_a_certificate_is_the_same_for_the_same_seed() -> None:
    one, same, other = (certify(sample(), rows=400, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.results_sha256 != other.results_sha256


def test_made_rows_come_to_every_end_and_stand_on_both_sides_of_each_cut() -> None:
    strategy = load(PACKS / "starter" / "prelend")
    made = cases(strategy, 3_000)
    ends = {ended_by(strategy.program, case.run(strategy)) for case in made}
    assert ends == {"eligibility", "conduct", "limits", "bureau", "grade_knockout", "capacity", None}
    ages = {case.facts["age_years"] for case in made}
    assert {17, 18, 0, 130} <= ages
    assert {case.facts["bureau_score"] for case in made} >= {None, 399, 400, 300, 850}
    # Grades turn at these, and months of a term only together with an age.
    assert {case.facts["pd_ppm"] for case in made} >= {14_999, 15_000, 129_999, 130_000}


def test_rows_that_were_seen_are_compared_too() -> None:
    strategy = load(PACKS / "starter" / "classify")
    seen = pl.DataFrame(
        {"days_past_due": [0, 31, 400], "restructured": [True, False, False], "written_off": [False] * 3}
    )
    found = certify(strategy, seen, rows=100)
    assert (found.rows, found.given, found.differing) == (103, 3, 0)


def _half_up(self: Vectors, n: Term, d: int) -> Term:
    n = self.keep(n)
    return Term((n.expr + vectors.integer(d // 2)) // vectors.integer(d), n.level)


def _strict(sign: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return a > b if sign == ">=" else ORIGINAL_COMPARE(sign, a, b)


def _later(kind: Type, x: pl.Expr, start: int) -> pl.Expr:
    return x if kind.kind is Kind.BOOLEAN else x > vectors.integer(start)


def _null_forgotten(self: Vectors, value: Term, nullable: bool, cell: Cell) -> Term:
    found = ORIGINAL_MATCH(self, value, nullable, cell)
    return Term(found.expr & value.expr.is_not_null(), found.level)


def _backwards(self: reasons.Reasons, masks: tuple[int, ...]) -> list[list[str]]:
    return [piece[::-1] for piece in ORIGINAL_PIECES(self, masks)]


def _floored(self: Vectors, node: Node, n: Term, d: Term) -> Term:
    return Term(n.expr // d.expr, max(n.level, d.level))


def _greater(sign: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return ORIGINAL_COMPARE(">=" if sign == "<=" else sign, a, b)


def _from_zero(found: Cube, cell: Term) -> Term:
    return Term(ORIGINAL_ROWS(found, cell).expr - 1, cell.level)


def _first_row(vectors_: Vectors, table: Table, found: Cube, cell: Term, column: int) -> Term:
    first = [table.rows[0][column]] * len(found.rows)
    return lookups._gather(vectors_, first, table.gives[column][1], cell)


def _but_one(kind: Type, x: pl.Expr, start: int) -> pl.Expr:
    found = ORIGINAL_AT_LEAST(kind, x, start)
    return found & (x != vectors.integer(start + 1)) if kind.scale else found


ORIGINAL_COMPARE = vectors.compare
ORIGINAL_MATCH = Vectors.match
ORIGINAL_PIECES = reasons.Reasons._pieces
ORIGINAL_ROWS = lookups.rows
ORIGINAL_AT_LEAST = lookups._at_least

PLANTED: dict[str, tuple[object, str, Callable]] = {
    "rounds half up": (Vectors, "half_even", _half_up),
    "floors every division": (Vectors, "_divide", _floored),
    "takes > for >=": (vectors, "compare", _strict),
    "takes the greater for the less": (vectors, "compare", _greater),
    "forgets that null passes a test": (Vectors, "match", _null_forgotten),
    "cuts a bin one too late": (lookups, "_at_least", _later),
    "misses a single value of a decimal": (lookups, "_at_least", _but_one),
    "counts rows of tables from 0": (lookups, "rows", _from_zero),
    "gives what the first row gives": (lookups, "gives", _first_row),
    "gives reasons backwards": (reasons.Reasons, "_pieces", _backwards),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: each of these is a slip that an emitter can have."""
    owner, name, wrong = PLANTED[bug]
    monkeypatch.setattr(owner, name, wrong)
    found = certify(sample(), rows=800)
    assert not found.equal, bug
    assert found.differing >= len(found.differences) > 0
    first = found.differences[0]
    assert first.by_row != first.by_columns
    with pytest.raises(InvariantBroken, match=f"{found.differing} of {found.values} values differ"):
        found.require()
