"""Measures of validation: by hand, by definition, and as published."""

import math

import numpy as np
import pytest

from obligor.kernel import InvalidInput
from obligor.scoring import auc, auc_error, calibration, gini, ks, psi


def test_auc_by_hand_with_ties():
    # Bads at 1, 2, 2; goods at 2, 3: of six pairs four are right and two are ties.
    assert auc([1, 1, 1, 0, 0], [1, 2, 2, 2, 3]) == pytest.approx(5 / 6)
    assert auc([1, 0], [0, 1]) == 1.0
    assert auc([1, 0], [1, 0]) == 0.0
    assert auc([1, 0, 1, 0], [7, 7, 7, 7]) == 0.5
    assert gini([1, 1, 1, 0, 0], [1, 2, 2, 2, 3]) == pytest.approx(4 / 6)


def test_ks_by_hand():
    assert ks([1, 1, 1, 0, 0], [1, 2, 2, 2, 3]) == pytest.approx(1 - 1 / 2)
    assert ks([1, 0, 1, 0], [7, 7, 7, 7]) == 0.0


def test_measures_take_probabilities_negated():
    pd = np.array([0.9, 0.4, 0.6, 0.1])
    assert auc([True, False, True, False], -pd) == 1.0


def test_calibration_counts_every_row_once_and_keeps_ties_together():
    pd = [10_000] * 50 + [20_000] * 30 + [50_000] * 20
    bad = [0] * 49 + [1] + [0] * 29 + [1] + [0] * 18 + [1] * 2
    bands = calibration(bad, pd, bands=4)
    assert sum(band.rows for band in bands) == 100
    assert sum(band.bads for band in bands) == 4
    assert [(band.lowest_ppm, band.highest_ppm) for band in bands] == [
        (10_000, 10_000),
        (20_000, 20_000),
        (50_000, 50_000),
    ]
    assert bands[2].expected_ppm == 50_000
    assert bands[2].observed_ppm == 100_000


def test_psi_is_zero_for_equal_distributions_and_known_for_a_shift():
    scores = list(range(100)) * 3
    assert psi(scores, scores) == 0.0
    # Two bands of halves against one of a quarter and one of three quarters.
    expected = 0.25 * math.log(0.75 / 0.5) - 0.25 * math.log(0.25 / 0.5)
    assert psi([1] * 50 + [2] * 50, [1] * 25 + [2] * 75, bands=2) == pytest.approx(expected)


def test_psi_of_a_band_without_rows_is_finite():
    assert 1 < psi([1] * 50 + [2] * 50, [2] * 100, bands=2) < 10


@pytest.mark.parametrize(
    ("bad", "score"),
    [
        ([], []),
        ([1, 0], [1]),
        ([1, 1], [1, 2]),
        ([0, 0], [1, 2]),
        ([1, 2], [1, 2]),
        ([1, 0], [1.0, float("nan")]),
        ([1, 0], ["a", "b"]),
        ([1, None], [1, 2]),
    ],
)
def test_what_cannot_be_measured_is_refused(bad, score):
    for measure in (auc, ks, auc_error):
        with pytest.raises(InvalidInput):
            measure(bad, score)
