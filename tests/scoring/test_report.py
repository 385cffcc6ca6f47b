"""A validation report: what it says is what the measures say, and it sees what is wrong."""

from datetime import date, timedelta

import polars as pl
import pytest

from obligor.kernel import InvalidInput
from obligor.scoring import auc, ks, psi, report
from tests.scoring.samples import applicants, model, paired


def dated(rows=4_000, seed=21) -> pl.DataFrame:
    days = [date(2024, 1, 1) + timedelta(days=n * 90 // rows) for n in range(rows)]
    return applicants(rows, seed=seed).with_columns(applied_on=pl.Series(days))


@pytest.mark.parametrize("scorer", [model, paired])
def test_a_report_says_what_the_measures_say(scorer):
    frame = dated()
    found = report(scorer(), frame, "bad", reference=applicants(), by="applied_on")
    score = scorer().score_frame(frame)["score"]
    assert found.auc == auc(frame["bad"], score)
    assert found.gini == 2 * found.auc - 1
    assert found.ks == ks(frame["bad"], score)
    assert found.psi == psi(scorer().score_frame(applicants())["score"], score)
    assert sum(group.rows for group in found.groups) == found.rows == 4_000
    assert sum(group.bads for group in found.groups) == found.bads == frame["bad"].sum()
    assert all(a.lowest_score > b.highest_score for a, b in zip(found.groups, found.groups[1:], strict=False))
    assert [period.name for period in found.periods] == ["2024-01", "2024-02", "2024-03"]
    assert sum(period.rows for period in found.periods) == 4_000
    assert found.sha256 == scorer().sha256
    assert all(one.holds for one in found.monotone)


def test_good_probabilities_hold_and_doubled_ones_do_not():
    good = report(model(), applicants(8_000, seed=22), "bad")
    assert sum(group.holds for group in good.groups) >= 7
    few = applicants(8_000, seed=22).filter((pl.col("bad") == 0) | (pl.col("noise") < 500))
    doubled = report(model(), few, "bad")
    assert sum(group.holds for group in doubled.groups) < 4
    assert doubled.fit.chance < 1e-6 < good.fit.chance


def test_other_people_are_seen_in_the_characteristic_that_changed():
    moved = dated().with_columns(income=pl.col("income") * 2)
    found = {one.name: one.psi for one in report(model(), moved, "bad").inputs}
    assert found["income"] > 0.25
    assert max(psi for name, psi in found.items() if name != "income") < 0.05


def test_a_month_with_too_few_bads_has_no_auc():
    frame = dated().filter((pl.col("applied_on") < date(2024, 3, 1)) | (pl.col("bad") == 0))
    found = report(model(), frame, "bad", by="applied_on").periods
    assert found[-1].auc is None
    assert found[-1].bads == 0
    assert found[0].auc is not None


def test_what_cannot_be_validated_is_refused():
    with pytest.raises(InvalidInput, match="known outcomes"):
        report(model(), dated().with_columns(bad=None), "bad")
    with pytest.raises(InvalidInput, match="by"):
        report(model(), dated(), "bad", by="month")
