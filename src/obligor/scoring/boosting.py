"""LightGBM, at arm's length: what trees may look like, how they are grown, and when they stop.

Trees have two levels, so that each is a function of at most two characteristics. Monotone constraints go by
the method `intermediate`: `advanced` is known to break its own promise (LightGBM issues 5358 and 6155).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from obligor.kernel import Unavailable
from obligor.scoring.woe import Floats, Ints

__all__ = ["Boosting", "Grown", "Learner", "lightgbm"]


class Boosting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How trees are boosted.

    Numbers are cut into at most `bins` bins of about equal size beforehand. With `rounds` none, the last
    `tail` of the rows is kept apart and trees are added until `patience` rounds have not made its log-loss
    better, at most `most_rounds`; then all rows are learnt from, for as many rounds. Each tree is shrunk by
    `learning_rate`, sees the shares `rows` and `columns`, drawn by `seed`, and has at least `least_rows` rows
    in a leaf; `ridge` draws leaves to 0. `bags` such models, each with a seed of its own, are averaged.
    """

    learning_rate: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.05
    rounds: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    most_rounds: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    patience: Annotated[int, Meta(ge=1, le=1_000)] = 100
    tail: Annotated[float, Meta(gt=0.0, le=0.5)] = 0.2
    bins: Annotated[int, Meta(ge=2, le=250)] = 50
    least_rows: Annotated[int, Meta(ge=1)] = 20
    ridge: Annotated[float, Meta(ge=0.0)] = 5.0
    rows: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.8
    columns: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.7
    bags: Annotated[int, Meta(ge=1, le=50)] = 1
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 7


class Grown(NamedTuple):
    """Trees as LightGBM tells of them; what they say of the rows that were watched, and its log-loss."""

    trees: Sequence[Any]
    watched: Floats
    losses: Floats


def lightgbm() -> Any:
    """The library, imported when it is first needed.

    Raises:
        Unavailable: it is not there, or cannot be loaded; the message says what to install.
    """
    try:
        import lightgbm as library
    except ImportError:
        raise Unavailable("boosted models need LightGBM: pip install lightgbm") from None
    except OSError as error:
        raise Unavailable(
            f"LightGBM's shared library cannot be loaded ({error}); it needs the OpenMP runtime: install"
            " libgomp1 on Debian and Ubuntu, libgomp on Fedora and Alpine, libomp on macOS"
        ) from None
    return library


class Learner:
    """Grows trees on one set of features. The same rows and settings grow the same trees."""

    def __init__(self, boosting: Boosting, signs: Sequence[int]) -> None:
        """`signs`: whether log-odds of bad rise with each feature (1), fall (-1) or may turn (0)."""
        self._library = lightgbm()
        self._boosting = boosting
        self._signs = list(signs)

    def grow(
        self,
        design: Floats,
        bad: Ints,
        groups: Sequence[Sequence[int]],
        *,
        rounds: int,
        watch: tuple[Floats, Ints] | None = None,
        stop: bool = True,
        begin: Floats | None = None,
        seed: int | None = None,
    ) -> Grown:
        """Grow trees whose branches keep to one of the `groups` of features each.

        With rows to `watch` it stops early, unless told not to, and only the trees up to the best round are
        told. `begin` are log-odds to start from.
        """
        library = self._library
        data = library.Dataset(design, bad, init_score=begin, free_raw_data=False)
        options: dict[str, Any] = {}
        if watch is not None and stop:
            options["valid_sets"] = [library.Dataset(watch[0], watch[1], reference=data)]
            options["callbacks"] = [library.early_stopping(self._boosting.patience, verbose=False)]
        settings = self._settings(groups, self._boosting.seed if seed is None else seed)
        booster = library.train(settings, data, rounds, **options)
        best = booster.best_iteration if options else -1
        trees = booster.dump_model(num_iteration=best)["tree_info"]
        if watch is None:
            return Grown(trees, np.empty(0), np.empty(0))
        raw = booster.predict(watch[0], raw_score=True, num_iteration=best)
        return Grown(trees, raw, np.logaddexp(0.0, np.where(watch[1] == 1, -raw, raw)))

    def _settings(self, groups: Sequence[Sequence[int]], seed: int) -> dict[str, Any]:
        given = self._boosting
        return {
            "objective": "binary",
            "num_leaves": 4,
            "max_depth": 2,
            "learning_rate": given.learning_rate,
            "min_data_in_leaf": given.least_rows,
            "lambda_l2": given.ridge,
            "bagging_fraction": given.rows,
            "bagging_freq": 1,
            "feature_fraction": given.columns,
            "monotone_constraints": self._signs,
            "monotone_constraints_method": "intermediate",
            "interaction_constraints": [list(group) for group in groups],
            "max_bin": 255,
            "min_data_in_bin": 1,
            "feature_pre_filter": False,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
