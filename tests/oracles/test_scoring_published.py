"""Weights of evidence and measures against published tables and second implementations."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from obligor.scoring import auc, auc_error, ks
from obligor.scoring.logistic import fit_logistic
from obligor.scoring.woe import Counts, evidence, information

# Siddiqi, Credit Risk Scorecards (2006), exhibit 6.3: the attribute "age" of 40,000 accounts. The book prints
# 100 x ln(share of goods / share of bads).
AGE_GOODS = [860, 3_040, 4_920, 8_100, 9_500, 6_800, 2_940]
AGE_BADS = [140, 960, 1_080, 900, 500, 200, 60]
AGE_WOE = [-42.719, -108.980, -72.613, -4.526, 70.196, 128.388, 164.934]
AGE_INFORMATION = 0.668

# Hanley and McNeil, Radiology 143 (1982), table I: 109 CT images rated from 1 (definitely normal) to 5.
NORMAL = [33, 6, 6, 11, 2]
ABNORMAL = [3, 2, 2, 11, 33]


def test_weights_of_evidence_as_in_siddiqi():
    counts = Counts(np.array(AGE_GOODS), np.array(AGE_BADS))
    found = -100 * evidence(counts, prior=1e-9)
    assert found.tolist() == pytest.approx(AGE_WOE, abs=5e-4)
    assert information(counts) == pytest.approx(AGE_INFORMATION, abs=5e-4)


def test_area_and_error_as_in_hanley_and_mcneil():
    bad = np.repeat([0, 1], [sum(NORMAL), sum(ABNORMAL)])
    rating = np.concatenate([np.repeat(range(1, 6), NORMAL), np.repeat(range(1, 6), ABNORMAL)])
    assert auc(bad, -rating) == pytest.approx(0.893, abs=5e-4)
    assert auc_error(bad, -rating) == pytest.approx(0.032, abs=2e-3)


@pytest.mark.parametrize("ties", [1, 10, 1_000])
def test_auc_and_ks_agree_with_scikit_learn_and_scipy(ties):
    r = np.random.default_rng(ties)
    bad = r.random(20_000) < 0.05
    score = (r.normal(0, 1_000, 20_000) - 800 * bad).astype(np.int64) // ties
    assert auc(bad, score) == pytest.approx(roc_auc_score(bad, -score), abs=1e-12)
    assert ks(bad, score) == pytest.approx(ks_2samp(score[bad], score[~bad]).statistic, abs=1e-12)


def test_the_regression_agrees_with_another_solver():
    r = np.random.default_rng(5)
    design = r.normal(0, 1, (3_000, 4))
    bad = (r.random(3_000) < 1 / (1 + np.exp(1 - design @ [1.0, 0.5, 0.0, -0.5]))).astype(np.int64)
    for strength in (0.01, 1.0, 100.0):
        coefficients, intercept = fit_logistic(design, bad, strength)
        other = LogisticRegression(C=strength, solver="lbfgs", tol=1e-10, max_iter=1_000).fit(design, bad)
        assert coefficients == pytest.approx(other.coef_[0], abs=1e-5)
        assert intercept == pytest.approx(other.intercept_[0], abs=1e-5)


def test_the_error_of_the_auc_is_what_resampling_shows():
    r = np.random.default_rng(11)
    bad = r.random(1_500) < 0.2
    score = r.normal(0, 1, 1_500) - 0.8 * bad
    samples = [r.integers(0, 1_500, 1_500) for _ in range(400)]
    spread = np.std([auc(bad[rows], score[rows]) for rows in samples])
    assert auc_error(bad, score) == pytest.approx(spread, rel=0.12)
