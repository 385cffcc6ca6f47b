"""Measures of calibration and stability: by hand, as published, and by a second implementation."""

import math

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from obligor.kernel import InvalidInput
from obligor.scoring import Band, auc, auc_error, brier, exact_interval, hosmer_lemeshow, psi, shift


def drawn(rows=3_000, seed=5):
    r = np.random.default_rng(seed)
    score = r.integers(0, 60, rows)
    pd_ppm = np.round(1e6 / (1 + np.exp(0.08 * (score - 10)))).astype(np.int64)
    bad = (r.random(rows) < pd_ppm / 1e6).astype(np.int64)
    return bad, score, pd_ppm


def test_auc_and_brier_are_scikit_learns():
    bad, score, pd_ppm = drawn()
    assert auc(bad, score) == pytest.approx(roc_auc_score(bad, -score), abs=1e-12)
    assert brier(bad, pd_ppm) == pytest.approx(brier_score_loss(bad, pd_ppm / 1e6), abs=1e-12)


def test_the_error_of_the_auc_is_that_of_its_placements_and_near_the_bootstraps():
    """DeLong's variance, from each pair of a good and a bad, one by one."""
    bad, score, _ = drawn(400)
    goods, bads = score[bad == 0], score[bad == 1]
    right = (goods[None, :] > bads[:, None]) + 0.5 * (goods[None, :] == bads[:, None])
    of_bads, of_goods = right.mean(axis=1), right.mean(axis=0)
    variance = of_bads.var(ddof=1) / len(bads) + of_goods.var(ddof=1) / len(goods)
    assert auc_error(bad, score) == pytest.approx(math.sqrt(variance), abs=1e-12)
    r = np.random.default_rng(2)
    areas = []
    for _ in range(400):
        rows = r.integers(0, len(bad), len(bad))
        areas.append(roc_auc_score(bad[rows], -score[rows]))
    assert auc_error(bad, score) == pytest.approx(np.std(areas), rel=0.15)


@pytest.mark.parametrize(
    ("bads", "rows", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 5.
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0000, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_exact_intervals_are_as_published(bads, rows, low, high):
    found = exact_interval(bads, rows)
    assert found == pytest.approx((low, high), abs=5.1e-5)
    assert exact_interval(rows - bads, rows) == pytest.approx((1 - high, 1 - low), abs=5.1e-5)


def band(rows: int, bads: int, expected_ppm: int) -> Band:
    return Band(expected_ppm, expected_ppm, rows, bads, expected_ppm, round(bads * 1e6 / rows))


def test_hosmer_and_lemeshow_by_hand():
    fit = hosmer_lemeshow([band(100, 12, 100_000), band(200, 60, 300_000), band(50, 30, 500_000)])
    # (12 - 10)^2 / 9, nothing, and (30 - 25)^2 / 12.5.
    assert fit.statistic == pytest.approx(4 / 9 + 0 + 2)
    assert fit.freedom == 3
    # The tail of chi-squared with three degrees of freedom, in closed form.
    half = fit.statistic / 2
    tail = math.erfc(math.sqrt(half)) + 2 / math.sqrt(math.pi) * math.sqrt(half) * math.exp(-half)
    assert fit.chance == pytest.approx(tail)
    assert hosmer_lemeshow([band(100, 12, 100_000)] * 3, fitted=True).freedom == 1
    with pytest.raises(InvalidInput):
        hosmer_lemeshow([band(100, 12, 100_000)] * 2, fitted=True)


def test_right_probabilities_fit_and_wrong_ones_do_not():
    from obligor.scoring import calibration

    bad, _, pd_ppm = drawn(20_000)
    assert hosmer_lemeshow(calibration(bad, pd_ppm)).chance > 0.01
    assert hosmer_lemeshow(calibration(bad, np.minimum(pd_ppm * 1.3, 999_000).astype(int))).chance < 1e-6


def test_stability_is_optbinnings():
    """On the same bins, without empty ones, both are the same sum."""
    from optbinning.binning.metrics import jeffrey

    before, now = [100, 250, 400, 250], [90, 300, 380, 230]
    p, q = (np.array(counts) / sum(counts) for counts in (before, now))
    assert shift(before, now) == pytest.approx(jeffrey(p, q, return_sum=True))
    assert shift(before, before) == 0.0
    assert 0 < shift([100, 0], [90, 10]) < 1
    assert shift([100, 0, 50], [90, 0, 60]) == pytest.approx(shift([100, 50], [90, 60]))
    scores = pl.Series([1] * 100 + [2] * 250 + [3] * 400 + [4] * 250)
    later = pl.Series([1] * 90 + [2] * 300 + [3] * 380 + [4] * 230)
    assert psi(scores, later, bands=1_000) == pytest.approx(shift(before, now))
    for wrong in (([1, 2], [1]), ([0, 0], [1, 2])):
        with pytest.raises(InvalidInput):
            shift(*wrong)
