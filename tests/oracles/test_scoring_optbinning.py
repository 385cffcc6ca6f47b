"""Against optbinning, the library of the field: information values, and ranking on people not seen."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from obligor.scoring import Binning, Characteristic, Reason, auc, train
from obligor.scoring.fit_layout import fit_layout

pytestmark = pytest.mark.slow

STATUS = ["pay_0", "pay_2", "pay_3", "pay_4", "pay_5", "pay_6"]
AMOUNTS = ["limit_bal", "age", *(f"bill_amt{n}" for n in range(1, 7)), *(f"pay_amt{n}" for n in range(1, 7))]
CODES = (-2, -1, 0)  # no use, paid in full, revolving: no months in arrears
NAMES = STATUS + AMOUNTS
TELLING = 0.02  # below this information value, a few per cent of it are noise


def declared(name: str) -> Characteristic:
    reason = Reason(code=name.upper(), en=name, zh=name)
    if name in STATUS:
        return Characteristic(name=name, kind="int", reason=reason, specials=CODES, risk="rising")
    return Characteristic(name=name, kind="int", reason=reason)


@pytest.fixture(scope="module")
def cards(shared: Path) -> pl.DataFrame:
    path = shared / "data" / "taiwan" / "taiwan.parquet"
    if not path.is_file():
        pytest.skip("needs the Taiwan card customers in ../shared/data")
    frame = pl.read_parquet(path)
    return frame.rename({name: name.lower() for name in frame.columns})


def peer(name: str, values: np.ndarray, bad: np.ndarray):
    from optbinning import OptimalBinning

    return OptimalBinning(
        name=name,
        dtype="numerical",
        monotonic_trend="auto_asc_desc",
        special_codes=list(CODES) if name in STATUS else None,
    ).fit(values.astype(float), bad)


def test_information_values_are_those_of_optbinning_within_three_per_cent(cards):
    bad = cards["default_next_month"].to_numpy()
    compared = 0
    for name in NAMES:
        table = peer(name, cards[name].to_numpy(), bad).binning_table
        table.build()
        ours = fit_layout(declared(name), cards[name], bad, Binning()).iv
        if table.iv >= TELLING:
            compared += 1
            assert ours == pytest.approx(table.iv, rel=0.03), name
        else:
            assert ours == pytest.approx(table.iv, abs=0.002), name
    assert compared >= 12


def test_ranking_is_not_worse_than_optbinning_with_a_logistic_regression(cards):
    bad = cards["default_next_month"].to_numpy()
    fold = np.arange(len(bad)) % 3
    ours, theirs = [], []
    for number in range(3):
        seen, unseen = fold != number, fold == number
        trained = train(
            cards.filter(seen), "default_next_month", [declared(n) for n in NAMES], least_information=0.0
        )
        ours.append(auc(bad[unseen], trained.score_frame(cards.filter(unseen))["score"]))
        design = []
        for name in NAMES:
            values = cards[name].to_numpy()
            binned = peer(name, values[seen], bad[seen])
            design.append(binned.transform(values.astype(float), metric_special="empirical"))
        matrix = np.column_stack(design)
        log_odds = LogisticRegression().fit(matrix[seen], bad[seen]).decision_function(matrix[unseen])
        theirs.append(auc(bad[unseen], -log_odds))
    sys.stdout.write(f"\nAUC ours {np.round(ours, 4)}, optbinning {np.round(theirs, 4)}\n")
    assert np.mean(ours) >= np.mean(theirs) - 0.005
