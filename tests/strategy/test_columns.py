"""Deciding frames: what they have to hold, how refusals name what they do not, and what comes back."""

import subprocess
import sys
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from obligor.kernel import Conflict, InvalidInput
from obligor.strategy import Strategy, columns
from tests.strategy.making import FACTS, FILES, formula, make, swapped
from tests.strategy.test_running import SCORING

M = "strategy.yaml"
SAMPLE = make()


def frame(strategy: Strategy = SAMPLE, *changes: dict) -> pl.DataFrame:
    """The sample's facts, a row for each change of them."""
    rows = [FACTS | change for change in changes or ({},)]
    return strategy.frame({name: [row[name] for row in rows] for name in FACTS})


def scores(*rows: tuple) -> pl.DataFrame:
    schema = {"score": pl.Int64, "pd_ppm": pl.Int64, "reasons": pl.List(pl.String)}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def violations(refused: pytest.ExceptionInfo[InvalidInput]) -> list[tuple[str, str]]:
    return [(item.field, item.value) for item in refused.value.violations]


def test_a_frame_is_decided_row_by_row_in_its_order() -> None:
    told = SAMPLE.columns(
        frame(SAMPLE, {"age": 17, "income": 99_999}, {"bureau": 450}, {}, {"bureau": None, "age": 17})
    )
    assert told.columns == ["outcome", "limit", "rate_bp", "band", "share", "joined", "reasons", "ended"]
    assert told.rows() == [
        ("decline", None, None, None, None, None, ["K01", "K02"], "knockout"),
        ("refer", 800_000, 1800, "low", Decimal("1.3333"), date(2020, 2, 29), ["R01"], None),
        ("approve", 800_000, 1300, "high", Decimal("1.3333"), date(2020, 2, 29), [], None),
        ("decline", None, None, None, None, None, ["K01"], "knockout"),
    ]
    assert told.dtypes == [
        pl.String,
        pl.Int64,
        pl.Int64,
        pl.String,
        pl.Decimal(38, 4),
        pl.Date,
        pl.List(pl.String),
        pl.String,
    ]


def test_a_frame_without_rows_gives_one_without_rows() -> None:
    told = SAMPLE.columns(frame().clear())
    assert told.height == 0
    assert told.schema == SAMPLE.columns(frame()).schema


def test_other_columns_are_passed_over_and_the_order_of_columns_does_not_matter() -> None:
    given = frame()
    more = given.select(reversed(given.columns)).with_columns(extra=pl.lit(1.5), v_age=pl.lit("x"))
    assert SAMPLE.columns(more).equals(SAMPLE.columns(given))


@pytest.mark.parametrize(
    "changes",
    [
        {"age": pl.UInt8, "income": pl.Int32, "bureau": pl.Int128},
        {"work": pl.Categorical},
        {"work": pl.Enum(["none", "salaried", "own", "more"])},
        {"ratio": pl.Decimal(10, 1)},
    ],
    ids=str,
)
def test_columns_of_any_width_and_categories_of_any_kind_are_taken(changes: dict) -> None:
    given = frame(SAMPLE, {}, {"bureau": None, "work": "none"}, {"age": 30})
    assert SAMPLE.columns(given.cast(changes)).equals(SAMPLE.columns(given))


def test_whole_numbers_are_taken_for_decimals() -> None:
    given = frame(SAMPLE, {"ratio": "2.00"})
    whole = given.with_columns(ratio=pl.lit(2, dtype=pl.Int16))
    assert SAMPLE.columns(whole).equals(SAMPLE.columns(given))


def test_a_column_of_nulls_alone_is_taken_where_its_input_may_be_null() -> None:
    given = frame(SAMPLE, {"bureau": None})
    assert SAMPLE.columns(given.with_columns(bureau=pl.lit(None))).equals(SAMPLE.columns(given))


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("age", pl.lit(40.0), "Float64"),
        ("age", pl.lit("40"), "String"),
        ("age", pl.lit(True), "Boolean"),
        ("ratio", pl.lit(1.5), "Float64"),
        ("ratio", pl.lit("1.50"), "String"),
        ("ratio", pl.lit(Decimal("1.500")), "Decimal(precision=4, scale=3)"),
        ("member", pl.lit(1), "Int32"),
        ("joined", pl.lit("2020-02-29"), "String"),
        ("joined", pl.lit(18_321), "Int32"),
        ("work", pl.lit(1), "Int32"),
    ],
)
def test_a_column_of_another_type_is_refused(name: str, column: pl.Expr, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SAMPLE.columns(frame().with_columns(column.alias(name)))
    ((field, value),) = violations(refused)
    assert field == name
    assert said.partition("(")[0] in value


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        SAMPLE.columns(frame().drop("age", "joined"))
    assert [field for field, _ in violations(refused)] == ["age", "joined"]


def test_values_out_of_bounds_are_named_with_their_first_row() -> None:
    given = frame(SAMPLE, {}, {}, {}).with_columns(
        age=pl.Series([40, 121, 122]),
        income=pl.Series([1, None, None], dtype=pl.Int64),
        ratio=pl.Series([Decimal("10.01"), Decimal(0), Decimal(1)]),
        work=pl.Series(["own", "own", "baker"]),
        joined=pl.Series([date(2020, 1, 1), date(2101, 1, 1), date(1999, 1, 1)]),
        bureau=pl.Series([None, None, 299], dtype=pl.Int64),
    )
    with pytest.raises(InvalidInput) as refused:
        SAMPLE.columns(given)
    assert violations(refused) == [
        ("age[1]", "121"),
        ("income[1]", "null"),
        ("ratio[0]", '"10.01"'),
        ("work[2]", '"baker"'),
        ("joined[1]", '"2101-01-01"'),
        ("bureau[2]", "299"),
    ]
    assert "from 0 to 120" in refused.value.violations[0].accepted


def test_numbers_beyond_64_bits_are_refused_and_do_not_wrap() -> None:
    for dtype, value in ((pl.UInt64, 2**64 - 1), (pl.Int128, 2**64 + 40), (pl.Int128, -(2**64))):
        with pytest.raises(InvalidInput, match=r"age\[1\]"):
            SAMPLE.columns(frame(SAMPLE, {}, {}).with_columns(age=pl.Series([40, value], dtype=dtype)))
    large = pl.Series([Decimal(1), Decimal(10) ** 30], dtype=pl.Decimal(38, 2))
    with pytest.raises(InvalidInput, match=r"ratio\[1\]"):
        SAMPLE.columns(frame(SAMPLE, {}, {}).with_columns(ratio=large))
    with pytest.raises(InvalidInput, match=r"ratio\[1\]"):
        SAMPLE.columns(frame(SAMPLE, {}, {}).with_columns(ratio=pl.Series([1, 2**62])))


def test_facts_that_are_not_of_their_type_make_no_frame() -> None:
    good = {name: [value] * 3 for name, value in FACTS.items()}
    wrong = {"age": [40, 41, "x"], "ratio": ["1.5", "1.555", "1"], "joined": ["2020-02-30", "", None]}
    wrong |= {"member": [True, 1, 0], "work": ["own", None, 3], "income": [1, True, 2]}
    with pytest.raises(InvalidInput) as refused:
        SAMPLE.frame(good | wrong)
    assert dict(violations(refused)) == {
        "age[2]": '"x"',
        "ratio[1]": '"1.555"',
        "joined[0]": '"2020-02-30"',
        "member[1]": "1",
        "work[2]": "3",
        "income[1]": "true",
    }
    with pytest.raises(InvalidInput, match="bureau"):
        SAMPLE.frame({name: values for name, values in good.items() if name != "bureau"})


def test_an_unlisted_category_counts_as_the_one_that_stands_for_others() -> None:
    strategy = make(
        swapped((M, "values: [salaried, own, none]", "values: [salaried, own, none], other: none"))
    )
    given = frame(strategy, {"work": "none"}, {"work": "baker"}, {"work": "own"})
    for dtype in (pl.String, pl.Categorical, pl.Enum(["baker", "own", "none"])):
        told = strategy.columns(given.cast({"work": dtype}))
        assert told.get_column("limit").to_list() == [10_000, 10_000, 800_000]


def test_an_output_called_as_a_column_of_the_result_is_refused() -> None:
    strategy = make(swapped((M, "outputs:\n", "outputs:\n  ended: {formula: age}\n")))
    with pytest.raises(Conflict, match="ended"):
        strategy.columns(frame(strategy))


def test_a_constant_result_has_as_many_rows_as_the_frame() -> None:
    strategy = formula("1 + 2")
    facts = {"a": 0, "b": 0, "d": 0, "n": None, "c": "red", "k": None, "t": True, "u": "2020-01-01"}
    rows = {name: [value] * 3 for name, value in {**facts, "v": "2020-01-01"}.items()}
    told = strategy.columns(strategy.frame(rows))
    assert told.get_column("x").to_list() == [3, 3, 3]
    assert told.get_column("outcome").to_list() == ["yes"] * 3


# ---- the model


def test_a_models_answers_stand_beside_the_facts() -> None:
    strategy = make(dict(FILES) | {M: SCORING})
    given = frame(strategy, {}, {"age": 17}, {}, {})
    scored = scores(
        (540, 300_000, ["X07", "X02"]), (None, None, None), (700, 300_000, ["X07"]), (700, 0, None)
    )
    told = strategy.columns(given, scored)
    assert told.select("outcome", "reasons", "ended").rows() == [
        ("decline", ["S01", "X07", "X02", "S02"], "cut"),
        ("decline", ["K01"], "knockout"),
        ("decline", ["S02"], "cut"),
        ("approve", [], None),
    ]


def test_a_strategy_that_scores_refuses_a_frame_without_scores_or_with_others() -> None:
    strategy = make(dict(FILES) | {M: SCORING})
    given = frame(strategy, {}, {})
    with pytest.raises(Conflict, match="no model"):
        strategy.columns(given)
    with pytest.raises(InvalidInput, match="scored"):
        strategy.columns(given, scores((700, 0, [])))
    with pytest.raises(InvalidInput) as refused:
        strategy.columns(given, pl.DataFrame({"score": [1.5, 2.5]}))
    assert [field for field, _ in violations(refused)] == ["score", "pd_ppm", "reasons"]


@pytest.mark.parametrize(
    ("scored", "said"),
    [
        ((299, 0, []), ("score[1]", "299")),
        ((None, 0, []), ("score[1]", "null")),
        ((700, 1_000_001, []), ("pd_ppm[1]", "1000001")),
        ((540, 0, None), ("reasons[1]", "null")),
    ],
)
def test_a_score_that_is_read_and_is_not_what_the_strategy_declares_is_refused(
    scored: tuple, said: tuple
) -> None:
    strategy = make(dict(FILES) | {M: SCORING})
    with pytest.raises(InvalidInput) as refused:
        strategy.columns(frame(strategy, {}, {}), scores((700, 0, []), scored))
    assert violations(refused) == [said]
    # Whom a knock-out stops before is not scored.
    told = strategy.columns(frame(strategy, {}, {"age": 17}), scores((700, 0, []), scored))
    assert told.get_column("ended").to_list() == [None, "knockout"]


# ---- many rules, many values, many rows


def test_more_rules_than_a_mask_has_bits_keep_their_order() -> None:
    rules = "\n".join(f"      - {{code: R{n:03}, when: age > {n} or income = {n}}}" for n in range(150))
    files = swapped(
        (
            M,
            "  - step: refer\n    outcome: refer\n    rules:\n",
            f"  - step: refer\n    outcome: refer\n    rules:\n{rules}\n",
        )
    )
    strategy = make(files)
    given = frame(strategy, {"age": 18, "income": 600_000}, {"age": 110}, {"age": 30, "income": 100_120})
    told = strategy.columns(given)
    rows = [
        strategy.run(strategy.parse_facts(FACTS | change))
        for change in ({"age": 18, "income": 600_000}, {"age": 110}, {"age": 30, "income": 100_120})
    ]
    assert told.get_column("reasons").to_list() == [list(found.reasons) for found in rows]
    assert told.get_column("outcome").to_list() == [found.outcome for found in rows]


def test_a_table_of_many_cuts_and_categories_of_many_values_are_looked_up() -> None:
    words = [f"w{n}" for n in range(300)]
    amounts = [*range(0, 40_000_000, 1_000_000)]
    bands = (
        "income,limit_step\n"
        + "".join(f"[{low}..{low + 1_000_000}),{n}\n" for n, low in enumerate(amounts))
        + f">= {amounts[-1] + 1_000_000},99\n"
    )
    picks = "work,pick\n" + "".join(f"{word},{n % 7}\n" for n, word in enumerate(words))
    text = f"""\
strategy: wide
version: "1"
stage: prelend
outcomes: [yes, no]
inputs:
  income: {{type: integer, source: application, min: 0, max: 100000000}}
  work: {{type: category, source: application, values: [{", ".join(words)}]}}
steps:
  - {{step: bands, table: bands.csv, gives: {{limit_step: {{type: integer}}}}}}
  - {{step: picks, table: picks.csv, gives: {{pick: {{type: integer}}}}}}
  - step: last
    outcome: no
    rules:
      - {{code: N01, when: 'work in ({", ".join(f'"{word}"' for word in words[:40])})'}}
outputs:
  limit_step: {{formula: limit_step}}
  pick: {{formula: pick}}
"""
    strategy = make({M: text, "bands.csv": bands, "picks.csv": picks})
    incomes = [0, 999_999, 1_000_000, 39_999_999, 40_000_000, 100_000_000]
    rows = [{"income": incomes[n % 6], "work": words[n]} for n in range(300)]
    given = strategy.frame({name: [row[name] for row in rows] for name in ("income", "work")})
    expected = [strategy.run(row) for row in rows]
    told = strategy.columns(given)
    for name in ("limit_step", "pick"):
        assert told.get_column(name).to_list() == [found.outputs[name] for found in expected]
    assert told.get_column("outcome").to_list() == [found.outcome for found in expected]


def test_a_frame_longer_than_what_is_run_at_once_comes_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    given = frame(SAMPLE, *({"age": 17 + n % 5, "bureau": 400 + n} for n in range(100)))
    whole = SAMPLE.columns(given)
    monkeypatch.setattr(columns, "ROWS_AT_ONCE", 7)
    assert SAMPLE.columns(given).equals(whole)


def test_without_columns_polars_is_not_imported() -> None:
    code = "import sys, obligor.strategy, obligor.decision, obligor.cli; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
