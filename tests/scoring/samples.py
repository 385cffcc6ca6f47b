"""Frames and models that the tests of scoring share. Everything here is simulated."""

from functools import cache
from typing import Any

import numpy as np
import polars as pl

from obligor.scoring import Boosting, Characteristic, PointsModel, Reason, train, train_boosted


def characteristic(name: str, kind: str = "int", **more: Any) -> Characteristic:
    reason = Reason(code=name.upper(), en=f"{name} is unfavourable", zh=f"{name} 不利")
    return Characteristic(name=name, kind=kind, reason=reason, **more)


CHARACTERISTICS = (
    characteristic("income", risk="falling"),
    characteristic("usage", "decimal", scale=3, risk="rising"),
    characteristic("arrears", specials=(-2, -1), risk="rising"),
    characteristic("housing", "category"),
    characteristic("employed", "bool"),
    characteristic("channel", "category", unseen="missing", specials=("branch",)),
    characteristic("noise"),
)


@cache
def applicants(rows: int = 4_000, seed: int = 1) -> pl.DataFrame:
    """Applicants whose risk falls with income and employment and rises with usage and arrears."""
    r = np.random.default_rng(seed)
    income = np.exp(r.normal(8.5, 0.6, rows)).astype(np.int64)
    usage = r.integers(0, 1_001, rows)
    arrears = np.where(r.random(rows) < 0.3, r.choice([-2, -1], rows), r.poisson(0.8, rows))
    housing = r.choice(["own", "rent", "family", "barge", "castle"], rows, p=[0.4, 0.4, 0.185, 0.01, 0.005])
    employed = r.random(rows) < 0.8
    channel = r.choice(["app", "web", "branch"], rows, p=[0.6, 0.3, 0.1])
    risk = (
        -2.0
        - 0.9 * (np.log(income) - 8.5)
        + 1.5 * (usage / 1_000 - 0.5)
        + 0.6 * np.where(arrears < 0, -0.5 * (arrears == -2), arrears)
        + 0.5 * (housing == "rent")
        - 0.7 * employed
        + 0.5 * (channel == "web")
    )
    bad = r.random(rows) < 1 / (1 + np.exp(-risk))
    frame = pl.DataFrame(
        {
            "income": income,
            "usage": usage,
            "arrears": arrears,
            "housing": housing,
            "employed": employed,
            "channel": channel,
            "noise": r.integers(0, 1_000, rows),
            "bad": bad.astype(np.int64),
        }
    )
    hidden = pl.Series(r.random(rows) < 0.05)
    return frame.with_columns(
        pl.when(hidden).then(None).otherwise(pl.col("income")).alias("income"),
        pl.when(hidden & (pl.col("noise") > 500)).then(None).otherwise(pl.col("housing")).alias("housing"),
    )


@cache
def model() -> PointsModel:
    return train(applicants(), "bad", CHARACTERISTICS, name="sample")


@cache
def paired() -> PointsModel:
    """A boosted model with two pairs, one of them of a number and a category."""
    return train_boosted(
        applicants(),
        "bad",
        CHARACTERISTICS,
        name="paired",
        pairs=[("income", "usage"), ("housing", "arrears")],
        boosting=Boosting(rounds=60, learning_rate=0.1),
    )


def facts(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "income": 6_000,
        "usage": "0.250",
        "arrears": 0,
        "housing": "own",
        "employed": True,
        "channel": "app",
        "noise": 500,
    }
    return plain | changes
