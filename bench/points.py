"""Score and four reasons: the points model against LightGBM, EBM and optbinning, on models of the same data.

`vs_lgbm_contrib_10` is one row of ten characteristics. The peer is a monotone LightGBM of 300 trees with 15
leaves through its fast call for single rows (exact TreeSHAP contributions), the four largest taken; one of
depth 2, the shape that ours is compiled from, is in the notes. `batch_vs_lgbm_score` is many rows: ours with
reasons, the peer's score alone. One thread everywhere; microseconds and rows are of processor time.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl

from bench.harness import Case, run, say
from obligor.scoring import Characteristic, PointsModel, Reason, auc, train_boosted

ROWS = 40_000
FRESH = 200_000
SMALL = 15_000  # rows that the slow peers learn from
ROW_CALLS = 2_000
CONTRIBUTIONS = 3  # LightGBM's C_API_PREDICT_CONTRIB


def sample(count: int, rows: int, seed: int) -> pl.DataFrame:
    """Applicants with `count` integer characteristics, a tenth of the values missing. Simulated."""
    r = np.random.default_rng(seed)
    latent = r.normal(0, 1, rows)
    columns: dict[str, Any] = {}
    risk = -2.4 + 0.0 * latent
    for n in range(count):
        own = 0.5 * latent + r.normal(0, 1, rows)
        effect = 0.9 / (1 + n / 3) * (1 if n % 2 else -1)
        risk += effect * np.tanh(own) + (0.3 * (own > 1) * (latent > 0) if n < 3 else 0.0)
        spread = (1_000, 37, 8)[n % 3]
        hidden = pl.Series(r.random(rows) < 0.1)
        column = pl.Series(np.rint(own * spread).astype(np.int64))
        columns[f"c{n}"] = pl.select(pl.when(hidden).then(None).otherwise(column)).to_series()
    bad = r.random(rows) < 1 / (1 + np.exp(-risk))
    return pl.DataFrame(columns).with_columns(pl.Series("bad", bad.astype(np.int64)))


def declared(count: int) -> list[Characteristic]:
    return [
        Characteristic(
            name=f"c{n}",
            kind="int",
            risk="rising" if n % 2 else "falling",
            reason=Reason(code=f"C{n}", en=f"c{n}", zh=f"c{n}"),
        )
        for n in range(count)
    ]


@cache
def ours(count: int = 10) -> PointsModel:
    return train_boosted(sample(count, ROWS, 1), "bad", declared(count))


@cache
def fresh(count: int = 10, rows: int = FRESH) -> pl.DataFrame:
    return sample(count, rows, 2)


@cache
def design(count: int = 10) -> np.ndarray[Any, Any]:
    names = [f"c{n}" for n in range(count)]
    return np.ascontiguousarray(fresh(count).select(names).cast(pl.Float64).fill_null(np.nan).to_numpy())


@cache
def booster(leaves: int, depth: int, count: int = 10) -> Any:
    import lightgbm

    frame = sample(count, ROWS, 1)
    names = [f"c{n}" for n in range(count)]
    x = frame.select(names).cast(pl.Float64).fill_null(np.nan).to_numpy()
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "max_depth": depth,
        "learning_rate": 0.05,
        "min_data_in_leaf": 100,
        "lambda_l2": 5,
        "monotone_constraints": [1 if n % 2 else -1 for n in range(count)],
        "monotone_constraints_method": "intermediate",
        "num_threads": 1,
        "seed": 7,
        "verbose": -1,
    }
    return lightgbm.train(settings, lightgbm.Dataset(x, frame["bad"].to_numpy()), 300)


def per_call(work: Callable[[int], Any], calls: int) -> float:
    """Microseconds of processor time a call; what is only done once is done before."""
    work(0)
    begun = time.process_time()
    for n in range(calls):
        work(n)
    return (time.process_time() - begun) / calls * 1e6


def row(count: int = 10) -> float:
    facts = fresh(count).head(512).select(f"c{n}" for n in range(count)).to_dicts()
    score = ours(count).score
    return per_call(lambda n: score(facts[n & 511]), ROW_CALLS * 10)


def contributions(found: Any, count: int = 10) -> float:
    """LightGBM's fast call for one row, into the same buffers each time, and the four largest."""
    import lightgbm

    library = lightgbm.basic._LIB
    fast = ctypes.c_void_p()
    code = library.LGBM_BoosterPredictForMatSingleRowFastInit(
        found._handle,
        ctypes.c_int(CONTRIBUTIONS),
        ctypes.c_int(0),
        ctypes.c_int(-1),
        ctypes.c_int(1),
        ctypes.c_int32(count),
        ctypes.c_char_p(b"num_threads=1"),
        ctypes.byref(fast),
    )
    if code:
        raise RuntimeError(library.LGBM_GetLastError())
    rows = design(count)[:512]
    places = [one.ctypes.data_as(ctypes.c_void_p) for one in rows]
    length, out = ctypes.c_int64(), (ctypes.c_double * (count + 1))()
    call = library.LGBM_BoosterPredictForMatSingleRowFast
    numbers = range(count)

    def work(n: int) -> Any:
        call(fast, places[n & 511], ctypes.byref(length), out)
        values = out[:count]
        return sum(values) + out[count], sorted(numbers, key=values.__getitem__)[-4:]

    told, _ = work(5)
    expected = found.predict(rows[5:6], raw_score=True)[0]
    if abs(told - expected) > 1e-9:
        raise RuntimeError(f"contributions sum to {told} and not to {expected}")
    taken = per_call(work, ROW_CALLS)
    library.LGBM_FastConfigFree(fast)
    return taken


@cache
def ebm() -> Any:
    from interpret.glassbox import ExplainableBoostingClassifier

    frame = sample(10, ROWS, 1).head(SMALL)
    x = frame.drop("bad").cast(pl.Float64).fill_null(np.nan).to_numpy()
    return ExplainableBoostingClassifier(n_jobs=1, outer_bags=1, random_state=7).fit(
        x, frame["bad"].to_numpy()
    )


def explained() -> float:
    found, rows = ebm(), design()[:64]
    return per_call(lambda n: found.explain_local(rows[n & 63 : (n & 63) + 1]), 60)


@cache
def scorecard() -> Any:
    import pandas as pd
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    frame = sample(10, ROWS, 1).head(SMALL)
    names = [f"c{n}" for n in range(10)]
    x = pd.DataFrame({name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names})
    card = Scorecard(
        binning_process=BinningProcess(names),
        estimator=LogisticRegression(),
        scaling_method="min_max",
        scaling_method_params={"min": 300, "max": 850},
    )
    return card.fit(x, frame["bad"].to_numpy()), x


def scored_row() -> float:
    """optbinning's score of one row; its points by characteristic are a second call, which is left to it."""
    card, x = scorecard()
    rows = [x.iloc[n : n + 1] for n in range(32)]
    return per_call(lambda n: card.score(rows[n & 31]), 40)


def batch(rows: int = FRESH) -> float:
    frame = fresh().head(rows)
    model = ours()
    model.columns(frame.head(1_000))
    begun = time.process_time()
    found = model.columns(frame)
    taken = time.process_time() - begun
    if found["reasons"].list.len().max() != 4:
        raise RuntimeError("nobody has four reasons")
    return rows / taken


def score_only(found: Any) -> float:
    rows = design()[:50_000]
    begun = time.process_time()
    found.predict(rows, raw_score=True, num_threads=1)
    return len(rows) / (time.process_time() - begun)


def notes() -> dict[str, Any]:
    bad = fresh()["bad"]
    full, flat = booster(15, -1), booster(4, 2)
    return {
        "auc": {
            "ours": round(auc(bad, ours().score_frame(fresh())["score"]), 4),
            "lgbm_15_leaves": round(auc(bad, -full.predict(design(), raw_score=True)), 4),
            "lgbm_depth_2": round(auc(bad, -flat.predict(design(), raw_score=True)), 4),
        },
        "row_us_by_characteristics": {str(count): round(row(count), 2) for count in (10, 20)},
        "batch_rows_per_s": {str(rows): round(batch(rows)) for rows in (FRESH // 10, FRESH)},
        "lgbm_depth_2_contrib_us": round(contributions(flat), 1),
        "lgbm_depth_2_rows_per_s": round(score_only(flat)),
        "model_bytes": len(ours().to_json()),
        "pairs": [[pair.first, pair.second] for pair in ours().pairs],
        "max_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "data": f"simulated, {ROWS} rows to learn from ({SMALL} for EBM and optbinning), a tenth missing",
    }


def main() -> int:
    warnings.filterwarnings("ignore")
    say("training the models")
    full = booster(15, -1)
    for ready in (ours, ebm, scorecard):
        ready()
    lightgbm = "LightGBM 15 leaves x 300"
    return run(
        "points",
        [
            Case(
                "vs_lgbm_contrib_10",
                "us/row",
                f"{lightgbm}, fast single-row contributions, 4 largest",
                100.0,
                row,
                lambda: contributions(full),
                more_is_better=False,
            ),
            Case(
                "vs_ebm_local_10",
                "us/row",
                "EBM explain_local",
                1_000.0,
                row,
                explained,
                more_is_better=False,
            ),
            Case(
                "vs_optbinning_10",
                "us/row",
                "optbinning Scorecard.score, no reasons",
                1_000.0,
                row,
                scored_row,
                more_is_better=False,
            ),
            Case(
                "batch_vs_lgbm_score",
                "rows/s",
                f"{lightgbm}, score only",
                20.0,
                batch,
                lambda: score_only(full),
            ),
        ],
        notes=notes,
    )


if __name__ == "__main__":
    sys.exit(main())
