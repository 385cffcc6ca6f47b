"""Boosted trees: compiled exactly, monotone in every cell, the same each time."""

import builtins
import subprocess
import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from obligor.kernel import Conflict, InvalidInput, Unavailable
from obligor.scoring import Boosting, auc, calibration, monotone, train_boosted
from obligor.scoring.boosting import Learner, lightgbm
from obligor.scoring.design import column, features, matrix
from obligor.scoring.purify import purify
from obligor.scoring.trees import tables
from tests.scoring.samples import CHARACTERISTICS, applicants, characteristic, facts, model, paired

FEW = Boosting(rounds=30, learning_rate=0.2)


def few(frame=None, **more):
    given = {"boosting": FEW, "pairs": 0} | more
    return train_boosted(applicants() if frame is None else frame, "bad", CHARACTERISTICS, **given)


def grown(rounds=40):
    """Trees over all pairs at once, and the tables that they are compiled to."""
    frame = applicants()
    bad = frame["bad"].to_numpy()
    columns = [column(c, frame[c.name], 30, 0.005) for c in CHARACTERISTICS]
    rows = np.arange(len(bad))
    every = features(columns, bad, rows)
    design = matrix(columns, every, rows)
    learner = Learner(Boosting(), [feature.sign for feature in every])
    found = learner.grow(
        design, bad, [list(range(len(every)))], rounds=rounds, watch=(design, bad), stop=False
    )
    terms = tables(found.trees, every, [c.layout.size for c in columns])
    return columns, terms, found.watched


def summed(terms, columns):
    return sum(
        values[tuple(columns[n].cells for n in key)] if key else float(values)
        for key, values in terms.items()
    )


def test_the_tables_are_the_trees_exactly():
    columns, terms, raw = grown()
    assert sum(len(key) == 2 for key in terms) > 5
    assert np.abs(summed(terms, columns) - raw).max() < 1e-12


def test_telling_pairs_from_main_effects_changes_no_score_and_leaves_nothing_of_them():
    columns, terms, raw = grown()
    effects = purify(terms, columns)
    total = effects.intercept + sum(main[c.cells] for main, c in zip(effects.mains, columns, strict=True))
    for (one, other), values in effects.pairs.items():
        total = total + values[columns[one].cells, columns[other].cells]
        for axis, beside in ((0, columns[one]), (1, columns[other])):
            mean = np.average(values[columns[one].cells, columns[other].cells])
            assert abs(mean) < 0.01
            assert values.shape[axis] == beside.layout.size
    assert np.abs(total - raw).max() < 1e-9


def test_the_same_frame_gives_the_same_bytes():
    assert few(applicants().clone()).to_json() == few().to_json()
    assert few(boosting=Boosting(rounds=30, learning_rate=0.2, seed=8)).sha256 != few().sha256


@pytest.mark.slow
def test_another_process_gives_the_same_bytes():
    script = "from tests.scoring.samples import paired; print(paired().sha256)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == paired().sha256


def test_it_ranks_and_calibrates_on_people_it_has_not_seen():
    trained = train_boosted(applicants(), "bad", CHARACTERISTICS)
    fresh = applicants(20_000, seed=10)
    scored = trained.score_frame(fresh)
    assert auc(fresh["bad"], scored["score"]) > auc(fresh["bad"], model().score_frame(fresh)["score"]) - 0.005
    for band in calibration(fresh["bad"], scored["pd_ppm"], bands=5):
        assert band.expected_ppm == pytest.approx(band.observed_ppm, rel=0.2)
    assert "noise" not in [c.name for c in trained.characteristics]


def test_risk_moves_as_declared_in_every_cell_of_every_pair():
    found = {one.name: one for one in monotone(paired().artifact)}
    assert all(one.holds for one in found.values())
    assert found["income"].rises > 0 == found["income"].falls
    assert found["usage"].falls > 0 == found["usage"].rises
    assert len(paired().pairs) == 2
    beside = next(t for t in paired().tables if t.layout.characteristic.name == "usage")
    income = next(t for t in paired().tables if t.layout.characteristic.name == "income")
    assert found["income"].steps == (income.layout.plain - 1) * len(beside.cells)


def test_tables_that_break_a_direction_of_risk_are_refused(monkeypatch):
    """The control: the learner is told no directions, and the tables give it away."""
    said = Learner.__init__
    monkeypatch.setattr(Learner, "__init__", lambda self, given, signs: said(self, given, [0] * len(signs)))
    wavy = applicants().with_columns(
        bad=pl.when(pl.col("noise") % 200 < 100).then(1).otherwise(pl.col("bad"))
    )
    with pytest.raises(Conflict, match="noise is rising"):
        train_boosted(wavy, "bad", [characteristic("noise", risk="rising")], boosting=FEW, pairs=0)


def test_a_pair_that_matters_is_found_and_one_that_does_not_is_not():
    r = np.random.default_rng(3)
    rows = 6_000
    one, other, alone = (r.integers(0, 100, rows) for _ in range(3))
    risk = -1.5 + 0.01 * (one - 50) + 1.6 * np.where((one > 50) == (other > 50), 1, -1) + 0.01 * (alone - 50)
    frame = pl.DataFrame(
        {"one": one, "other": other, "alone": alone, "bad": (r.random(rows) < 1 / (1 + np.exp(-risk))) * 1}
    )
    declared = [characteristic(name, risk="free") for name in ("alone", "one", "other")]
    boosting = Boosting(learning_rate=0.1, most_rounds=200, patience=30)
    found = train_boosted(frame, "bad", declared, boosting=boosting)
    assert ("one", "other") in [(pair.first, pair.second) for pair in found.pairs]
    without = train_boosted(frame, "bad", declared, boosting=boosting, pairs=0)
    assert found.artifact.training.auc_ppm > without.artifact.training.auc_ppm + 100_000
    plain = frame.with_columns(bad=(r.random(rows) < 1 / (1 + np.exp(-0.03 * (one - 50)))) * 1)
    assert train_boosted(plain, "bad", declared, boosting=boosting).pairs == ()


def test_pairs_are_of_two_characteristics_and_none_is_in_two():
    for pairs in (
        [("income", "colour")],
        [("income", "income")],
        [("income", "usage"), ("usage", "arrears")],
    ):
        with pytest.raises(InvalidInput) as refused:
            few(pairs=pairs)
        assert refused.value.violations[0].field == "pairs"


def test_a_special_code_and_a_missing_value_have_cells_of_their_own():
    cells = {}
    for table in paired().tables:
        cells |= {
            (table.layout.characteristic.name, label): cell.rows
            for label, cell in zip(table.layout.labels, table.cells, strict=True)
        }
    arrears = applicants()["arrears"]
    assert cells["arrears", "-2"] == (arrears == -2).sum()
    assert cells["arrears", "-1"] == (arrears == -1).sum()
    assert cells["income", "null"] == applicants()["income"].null_count()
    given = {value: paired().score(facts(arrears=value)).points for value in (-2, -1, 0)}
    assert len(set(given.values())) == 3


def test_what_training_never_saw_gives_the_average():
    table = next(t for t in few().tables if t.layout.characteristic.name == "usage")
    assert table.cells[table.layout.missing].rows == 0
    assert table.cells[table.layout.missing].points == 0
    rows = np.array([cell.rows for cell in table.cells])
    points = np.array([cell.points for cell in table.cells])
    assert abs((rows * points).sum() / rows.sum()) < 1


def test_neighbours_that_give_the_same_are_one_cell():
    for table in few().tables:
        if table.layout.characteristic.is_number:
            points = [cell.points for cell in table.cells[: table.layout.plain]]
            assert all(a != b for a, b in pairwise(points))
        assert sum(cell.rows for cell in table.cells) == applicants().height


def test_rounds_are_counted_on_the_last_rows_in_time():
    frame = applicants().with_row_index("day")
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=5)
    stops = Boosting(learning_rate=0.2, most_rounds=60, patience=10)
    in_time = train_boosted(frame, "bad", CHARACTERISTICS, boosting=stops, pairs=0)
    again = train_boosted(shuffled, "bad", CHARACTERISTICS, boosting=stops, pairs=0, order="day")
    assert again.artifact.training.method == in_time.artifact.training.method
    assert "boosted: " in in_time.artifact.training.method
    with pytest.raises(InvalidInput, match="order"):
        few(order="month")


def test_a_base_rate_moves_the_pd_and_not_the_order():
    whole, shifted = few(), few(base_rate=(50, 1_000))
    fresh = applicants(2_000, seed=6)
    before, after = whole.score_frame(fresh), shifted.score_frame(fresh)
    assert (before["score"] - after["score"]).n_unique() == 1
    assert after["pd_ppm"].mean() < before["pd_ppm"].mean() / 2


def test_bags_are_averaged():
    fresh = applicants(2_000, seed=6)
    bagged = few(boosting=Boosting(rounds=30, learning_rate=0.2, bags=2))
    single = few()
    assert bagged.sha256 != single.sha256
    apart = (bagged.score_frame(fresh)["score"] - single.score_frame(fresh)["score"]).abs()
    assert apart.max() < 40


@pytest.mark.parametrize("raised", [ImportError("no module"), OSError("libgomp.so.1: cannot open")])
def test_a_library_that_is_not_there_is_said_with_what_to_install(monkeypatch, raised):
    real = builtins.__import__

    def absent(name, *rest):
        if name == "lightgbm":
            raise raised
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(Unavailable, match="libgomp1" if isinstance(raised, OSError) else "pip install"):
        lightgbm()


def test_a_wrong_column_is_refused_by_name():
    with pytest.raises(InvalidInput, match="income"):
        few(applicants().with_columns(income=pl.col("income") * 1.5))
    with pytest.raises(InvalidInput, match="known outcomes only"):
        few(applicants().with_columns(bad=pl.Series([0, 1, None, 1] * 1_000)))
    with pytest.raises(InvalidInput, match="at least one that tells"):
        train_boosted(applicants().with_columns(noise=3), "bad", [characteristic("noise")], boosting=FEW)
