"""Logistic regression with a ridge, its strength chosen by cross-validation, without any chance in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from obligor.scoring.woe import Floats, Ints

__all__ = ["choose", "fit_logistic"]

STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_FOLDS = 5
_ENOUGH = 20  # goods and bads below which cross-validation says nothing


def fit_logistic(design: Floats, bad: Ints, strength: float) -> tuple[Floats, float]:
    """Coefficients and intercept of the log-odds of bad.

    `strength` is the inverse of the ridge penalty, as scikit-learn's C; the intercept is not penalised. The
    solver is Newton's with a Cholesky factor: exact to the last bits that matter, and without randomness.
    """
    with _one_thread():
        model = _model(strength).fit(design, bad)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def choose(design: Floats, bad: Ints) -> float:
    """The strength with the least cross-validated log-loss; 1 where there are too few cases to tell.

    Goods and bads are dealt to the folds in turn, in the order of the rows.
    """
    if min(int(bad.sum()), int((1 - bad).sum())) < _ENOUGH:
        return 1.0
    fold = np.empty(len(bad), np.int64)
    for outcome in (0, 1):
        rows = np.flatnonzero(bad == outcome)
        fold[rows] = np.arange(len(rows)) % _FOLDS
    losses = np.zeros(len(STRENGTHS))
    with _one_thread():
        for number in range(_FOLDS):
            inside, outside = fold != number, fold == number
            sign = np.where(bad[outside] == 1, -1.0, 1.0)
            # Each strength starts from the solution of the one before it.
            model = _model(STRENGTHS[0], warm_start=True)
            for at, strength in enumerate(STRENGTHS):
                model.set_params(C=strength).fit(design[inside], bad[inside])
                losses[at] += float(np.logaddexp(0, sign * model.decision_function(design[outside])).sum())
    return STRENGTHS[int(np.argmin(losses))]


def _one_thread() -> Any:
    """Sums in one order, however many processors there are: more threads would change last bits."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

    return threadpool_limits(1)


def _model(strength: float, *, warm_start: bool = False) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=strength, solver="newton-cholesky", tol=1e-8, max_iter=200, warm_start=warm_start
    )
