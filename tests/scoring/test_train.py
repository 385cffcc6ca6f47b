"""Training: what goes in, what is left out, and that it is no matter of chance."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from obligor.kernel import InvalidInput
from obligor.scoring import Binning, Scale, auc, calibration, train
from tests.scoring.samples import CHARACTERISTICS, applicants, characteristic, facts, model


def dropped(trained) -> dict[str, str]:
    return {out.name: out.why for out in trained.artifact.training.dropped}


def test_the_same_frame_gives_the_same_bytes():
    again = train(applicants().clone(), "bad", CHARACTERISTICS, name="sample")
    assert again.to_json() == model().to_json()


@pytest.mark.slow
def test_another_process_gives_the_same_bytes():
    script = "from tests.scoring.samples import model; print(model().sha256)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == model().sha256


def test_the_model_ranks_people_it_has_not_seen():
    fresh = applicants(4_000, seed=9)
    assert auc(fresh["bad"], model().score_frame(fresh)["score"]) > 0.74


def test_the_pd_is_right_on_people_it_has_not_seen():
    fresh = applicants(20_000, seed=10)
    for band in calibration(fresh["bad"], model().score_frame(fresh)["pd_ppm"], bands=5):
        assert band.expected_ppm == pytest.approx(band.observed_ppm, rel=0.2)


def test_what_tells_nothing_is_left_out_and_named():
    assert dropped(model()) == {"noise": "information"}


def test_a_characteristic_with_the_wrong_sign_is_left_out_and_named():
    """Income says it all; its blurred copy of the opposite kind would get a negative weight beside it."""
    r = np.random.default_rng(3)
    rows = 6_000
    income = r.normal(0, 1, rows)
    blur = r.normal(0, 1, rows)
    bad = r.random(rows) < 1 / (1 + np.exp(2 + 1.5 * income - 1.2 * blur))
    frame = pl.DataFrame(
        {
            "income": (1_000 * income).astype(np.int64),
            "seen": (1_000 * (income + 0.9 * blur)).astype(np.int64),
            "bad": bad,
        }
    )
    trained = train(frame, "bad", [characteristic("income"), characteristic("seen")])
    alone = train(frame, "bad", [characteristic("seen")], least_information=0.0)
    assert alone.tables[0].coefficient_ppm > 0
    assert dropped(trained) == {"seen": "sign"}
    assert [table.layout.characteristic.name for table in trained.tables] == ["income"]


def test_points_never_turn_where_risk_may_not():
    by_name = {table.layout.characteristic.name: table for table in model().tables}
    income = [cell.points for cell in by_name["income"].cells[: by_name["income"].layout.plain]]
    usage = [cell.points for cell in by_name["usage"].cells[: by_name["usage"].layout.plain]]
    assert len(income) > 2
    assert income == sorted(income)
    assert usage == sorted(usage, reverse=True)


def test_the_scale_doubles_the_odds_over_its_points():
    scale = Scale(points=500, odds=10, pdo=200)
    fine = train(applicants(), "bad", CHARACTERISTICS, scale=scale)
    assert fine.highest - fine.lowest == pytest.approx(5 * (model().highest - model().lowest), rel=0.02)
    middle = [score for score in range(fine.lowest, fine.highest - 200) if 400 < score < 600]
    for score in middle[::20]:
        odds, twice = (
            (1e6 - fine.artifact.pd_ppm[s - fine.lowest]) / fine.artifact.pd_ppm[s - fine.lowest]
            for s in (score, score + 200)
        )
        assert twice / odds == pytest.approx(2, rel=0.15)


def test_rare_categories_share_a_cell():
    table = next(t for t in model().tables if t.layout.characteristic.name == "housing")
    assert {value for group in table.layout.groups for value in group} == {"own", "rent", "family"}
    frame = applicants()
    rare = frame.filter(pl.col("housing").is_in(["barge", "castle"]))
    other = table.cells[table.layout.other]
    assert (other.rows, other.bads) == (rare.height, rare["bad"].sum())


def test_cells_count_every_row_once():
    for table in model().tables:
        assert sum(cell.rows for cell in table.cells) == applicants().height
        assert sum(cell.bads for cell in table.cells) == applicants()["bad"].sum()


def test_a_missing_value_has_a_cell_even_where_training_saw_none():
    table = next(t for t in model().tables if t.layout.characteristic.name == "usage")
    assert table.cells[table.layout.missing].rows == 0
    assert table.cells[table.layout.missing].points == 0
    assert model().score(facts(usage=None)).points


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"bad": pl.Series([0.0, 1.0] * 2_000)}, "bad"),
        ({"bad": pl.Series([0] * 4_000)}, "bad"),
        ({"bad": pl.Series([0, 2] * 2_000)}, "bad"),
        ({"bad": pl.Series([0, 1, None, 1] * 1_000)}, "bad"),
        ({"income": pl.Series([1.5] * 4_000)}, "income"),
        ({"income": pl.Series(["6000"] * 4_000)}, "income"),
        ({"income": pl.Series([2**60] * 4_000)}, "income"),
        ({"usage": pl.Series(["0.1234"] * 4_000)}, "usage"),
        ({"housing": pl.Series([3] * 4_000)}, "housing"),
        ({"employed": pl.Series(["yes"] * 4_000)}, "employed"),
    ],
)
def test_a_wrong_column_is_refused_by_name(change, field):
    frame = applicants().with_columns(**change)
    with pytest.raises(InvalidInput) as refused:
        train(frame, "bad", CHARACTERISTICS)
    assert refused.value.violations[0].field == field


def test_an_absent_column_and_contradictory_declarations_are_refused():
    with pytest.raises(InvalidInput, match="income"):
        train(applicants().drop("income"), "bad", CHARACTERISTICS)
    wrong = [
        characteristic("income", scale=2),
        characteristic("income"),
        characteristic("arrears", specials=("-1",)),
        characteristic("housing", "category", specials=(3,), risk="rising"),
        characteristic("usage", "decimal", specials=(1, 1)),
    ]
    with pytest.raises(InvalidInput) as refused:
        train(applicants(), "bad", wrong)
    assert [violation.field for violation in refused.value.violations] == [
        "characteristics.income.scale",
        "characteristics.arrears.specials",
        "characteristics.housing.risk",
        "characteristics.housing.specials",
        "characteristics.usage.specials",
        "characteristics.name",
        "characteristics.code",
    ]
    with pytest.raises(InvalidInput):
        train(applicants(), "bad", [])


def test_nothing_that_tells_is_an_error_and_no_empty_model():
    with pytest.raises(InvalidInput, match="at least one that tells the bad"):
        train(applicants(), "bad", [characteristic("noise")])


def test_columns_without_any_value_are_no_trouble():
    frame = applicants().with_columns(
        income=pl.lit(None), housing=pl.lit(None, dtype=pl.String), arrears=pl.lit(-1)
    )
    trained = train(frame, "bad", CHARACTERISTICS)
    assert {"income", "housing", "arrears"} <= set(dropped(trained))


def test_bounds_on_bins_are_kept():
    binning = Binning(most_bins=3, least_share=0.2, worth=0.0)
    trained = train(applicants(), "bad", CHARACTERISTICS, binning=binning)
    for table in trained.tables:
        plain = table.cells[: table.layout.plain]
        assert len(plain) <= 3
        if len(plain) > 1:
            assert all(cell.rows >= 0.2 * applicants().height for cell in plain)


def test_scoring_is_imported_without_its_trainer():
    heavy = ["sklearn", "polars", "numba", "lightgbm"]
    script = f"import sys, obligor.scoring; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
