"""The boosted trainer: trees of two levels, compiled exactly to integer tables and a few named pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from obligor.kernel import Conflict, InvalidInput
from obligor.scoring.boosting import Boosting, Grown, Learner
from obligor.scoring.calibrate import calibrated, prior_shift
from obligor.scoring.characteristic import Characteristic, check
from obligor.scoring.design import Column, column, features, matrix
from obligor.scoring.logistic import fit_logistic
from obligor.scoring.model import PointsModel
from obligor.scoring.monotone import monotone
from obligor.scoring.outcomes import outcomes
from obligor.scoring.points import tabled
from obligor.scoring.purify import purify
from obligor.scoring.table import Artifact, Dropped, Scale, Training, ends
from obligor.scoring.trees import Terms, gains, tables
from obligor.scoring.validation import auc
from obligor.scoring.woe import Ints

if TYPE_CHECKING:
    import polars as pl

__all__ = ["train_boosted"]

_PPM = 1_000_000
_RARE = 0.005  # share of rows below which a category is `other`
_PAIR_ROUNDS = 60
_ROUNDS = 200  # where the tail is too small to tell
_ENOUGH = 30  # goods and bads in the tail, for it to tell
_NO_RIDGE = 1e4
_FOLDS = 4
_CLEARLY = 2.0  # standard errors


_Pairs = tuple[tuple[int, int], ...]


class _Plan(NamedTuple):
    """What the training part and the tail told: which pairs pay, and for how many rounds."""

    pairs: _Pairs
    rounds: int


def train_boosted(
    frame: pl.DataFrame,
    target: str,
    characteristics: Sequence[Characteristic],
    *,
    name: str = "points",
    version: str = "1",
    known_on: date | None = None,
    note: str = "",
    scale: Scale | None = None,
    base_rate: tuple[int, int] | None = None,
    order: str | None = None,
    pairs: int | Sequence[tuple[str, str]] = 3,
    boosting: Boosting | None = None,
) -> PointsModel:
    """A points model from boosted trees; frame, target, characteristics, base rate: as `train` takes them.

    Rows are in order of time, or are put into it by the column `order`: the last of them are the tail on
    which rounds are counted (see `Boosting`). `pairs` names pairs of characteristics that may act together,
    or says how many are chosen at most: those whose trees gain most on what the characteristics leave
    unexplained alone, on the rows before the tail, and all of them only if the log-loss of the tail is better
    for it. A characteristic is in one pair at most.

    Directions of risk hold in the compiled tables, in every cell. A characteristic that no tree used, or that
    gives less than a point, is left out. The same frame gives the same bytes, on the same version of
    LightGBM.

    Raises:
        InvalidInput: as `train`; or a pair is not of two of the characteristics, or has one of another pair.
        Conflict: the compiled tables break a direction of risk.
        Unavailable: LightGBM is not installed, or cannot be loaded.
    """
    declared = tuple(characteristics)
    check(declared)
    bad = outcomes(frame, target, [c.name for c in declared])
    boosting = boosting or Boosting()
    wanted = pairs if isinstance(pairs, int) else _numbers(pairs, declared)
    rows = _in_time(frame, order)
    columns = [column(c, frame[c.name], boosting.bins, _RARE) for c in declared]
    plan = _plan(columns, bad, rows, boosting, wanted)
    effects = purify(_learn(columns, bad, rows, boosting, plan), columns)
    scale = scale or Scale()
    factor = scale.pdo / math.log(2)
    made = tabled(effects, columns, bad, factor)
    if not made.tables:
        raise InvalidInput.field(
            "characteristics",
            [c.name for c in declared],
            f"at least one that tells the {target} from the rest",
        )
    shift = prior_shift(base_rate, bad)
    base = round(scale.points - factor * (math.log(scale.odds) + effects.intercept + shift))
    least, most = ends(made.tables, made.pairs)
    score = base + made.points
    slope = _slope(columns, bad, rows, boosting, plan)
    artifact = Artifact(
        format="obligor-points-2" if made.pairs else "obligor-points-1",
        name=name,
        version=version,
        target=target,
        scale=scale,
        training=Training(
            rows=len(bad),
            bads=int(bad.sum()),
            known_on=known_on,
            note=note,
            regularisation_ppm=round(boosting.ridge * _PPM),
            auc_ppm=round(auc(bad, score) * _PPM),
            dropped=tuple(Dropped(name=n, why="points", iv_ppm=round(iv * _PPM)) for n, iv in made.flat),
            method=_method(plan, boosting),
        ),
        base=base,
        tables=made.tables,
        lowest=base + least,
        pd_ppm=calibrated(score, bad, base + least, base + most, shift, slope=slope and slope / factor),
        pairs=made.pairs,
    )
    _refuse_turns(artifact)
    return PointsModel(artifact)


def _numbers(pairs: Sequence[tuple[str, str]], declared: Sequence[Characteristic]) -> _Pairs:
    """Named pairs by the numbers of their characteristics."""
    place = {characteristic.name: n for n, characteristic in enumerate(declared)}
    found = []
    for one, other in pairs:
        if one not in place or other not in place or one == other:
            raise InvalidInput.field("pairs", [one, other], "two of the characteristics")
        found.append((min(place[one], place[other]), max(place[one], place[other])))
    flat = [number for pair in found for number in pair]
    if len(set(flat)) < len(flat):
        raise InvalidInput.field(
            "pairs", [list(pair) for pair in pairs], "each characteristic in one pair at most"
        )
    return tuple(sorted(found))


def _in_time(frame: pl.DataFrame, order: str | None) -> Ints:
    if order is None:
        return np.arange(frame.height)
    if order not in frame.columns:
        raise InvalidInput.field("order", order, "a column of the frame")
    if frame[order].null_count():
        raise InvalidInput.field("order", order, "a column without missing values")
    return frame[order].arg_sort().to_numpy().astype(np.int64)


def _plan(
    columns: Sequence[Column], bad: Ints, rows: Ints, boosting: Boosting, wanted: int | _Pairs
) -> _Plan:
    """Learn from all rows but the tail, and look at the tail."""
    cut = round(len(rows) * (1 - boosting.tail))
    head, tail = rows[:cut], rows[cut:]
    few = min(min(int(bad[some].sum()), int((1 - bad[some]).sum())) for some in (head, tail))
    if few < _ENOUGH:
        return _Plan(() if isinstance(wanted, int) else wanted, boosting.rounds or _ROUNDS)
    part = _Part(columns, bad, head, boosting)
    watch = (matrix(columns, part.features, tail), bad[tail])

    def grow(pairs: _Pairs) -> Grown:
        rounds = boosting.rounds or boosting.most_rounds
        return part.learner.grow(part.design, bad[head], part.groups(pairs), rounds=rounds, watch=watch)

    if isinstance(wanted, int):
        chosen: _Pairs = ()
        best = grow(chosen)
        if (pairs := part.pairs(wanted)) and _pays(best, together := grow(pairs)):
            chosen, best = pairs, together
    else:
        chosen, best = wanted, grow(wanted)
    return _Plan(chosen, boosting.rounds or max(1, len(best.trees)))


def _pays(alone: Grown, together: Grown) -> bool:
    """Whether the watched rows' log-loss is better by more than two standard errors of the difference."""
    better = alone.losses - together.losses
    return float(better.mean()) > _CLEARLY * float(better.std(ddof=1)) / math.sqrt(len(better))


def _slope(columns: Sequence[Column], bad: Ints, rows: Ints, boosting: Boosting, plan: _Plan) -> float | None:
    """By how much log-odds of bad rise with what trees say of rows that they have not seen; None if too few.

    Rows are dealt to the folds in turn. The tail would not do: rounds were counted on it.
    """
    if min(int(bad.sum()), int((1 - bad).sum())) < _FOLDS * _ENOUGH:
        return None
    raw = np.empty(len(rows))
    fold = np.arange(len(rows)) % _FOLDS
    for number in range(_FOLDS):
        inside, outside = rows[fold != number], rows[fold == number]
        part = _Part(columns, bad, inside, boosting)
        watch = (matrix(columns, part.features, outside), bad[outside])
        grown = part.learner.grow(
            part.design, bad[inside], part.groups(plan.pairs), rounds=plan.rounds, watch=watch, stop=False
        )
        raw[fold == number] = grown.watched
    (slope,), _ = fit_logistic(raw[:, None], bad[rows], _NO_RIDGE)
    return float(slope)


def _learn(columns: Sequence[Column], bad: Ints, rows: Ints, boosting: Boosting, plan: _Plan) -> Terms:
    """The terms of the trees of all bags, averaged."""
    part = _Part(columns, bad, rows, boosting)
    sizes = [column.layout.size for column in columns]
    found: Terms = {}
    for bag in range(boosting.bags):
        grown = part.learner.grow(
            part.design,
            bad[rows],
            part.groups(plan.pairs),
            rounds=plan.rounds,
            seed=boosting.seed + bag,
        )
        for key, values in tables(grown.trees, part.features, sizes).items():
            found[key] = found.get(key, 0.0) + values / boosting.bags
    return found


class _Part:
    """Some rows made ready to be learnt from."""

    def __init__(self, columns: Sequence[Column], bad: Ints, rows: Ints, boosting: Boosting) -> None:
        self.features = features(columns, bad, rows)
        self.design = matrix(columns, self.features, rows)
        self.learner = Learner(boosting, [feature.sign for feature in self.features])
        self._bad = bad[rows]
        self._owners = range(len(columns))

    def groups(self, pairs: _Pairs) -> list[list[int]]:
        """The features that may be in one branch: those of a characteristic, or of a pair."""
        paired = {owner for pair in pairs for owner in pair}
        owners = [*pairs, *((owner,) for owner in self._owners if owner not in paired)]
        return [[n for n, feature in enumerate(self.features) if feature.owner in some] for some in owners]

    def pairs(self, most: int) -> _Pairs:
        """The pairs whose trees gain most on what the characteristics leave alone, none of them twice."""
        if most < 1 or len(self._owners) < 2:
            return ()
        itself = (self.design, self._bad)
        alone = self.learner.grow(*itself, self.groups(()), rounds=_ROUNDS, watch=itself, stop=False)
        every = [list(range(len(self.features)))]
        more = self.learner.grow(*itself, every, rounds=_PAIR_ROUNDS, begin=alone.watched)
        gained = gains(more.trees, self.features)
        chosen: list[tuple[int, int]] = []
        for pair in sorted(gained, key=lambda pair: (-gained[pair], pair)):
            if len(chosen) < most and not {*pair} & {owner for some in chosen for owner in some}:
                chosen.append(pair)
        return tuple(sorted(chosen))


def _method(plan: _Plan, boosting: Boosting) -> str:
    return (
        f"boosted: {plan.rounds} rounds of {boosting.learning_rate:g}, {len(plan.pairs)} pairs tried,"
        f" {boosting.bags} bags from seed {boosting.seed}"
    )


def _refuse_turns(artifact: Artifact) -> None:
    """Refuse tables that break a direction of risk: a promise of the library is no proof."""
    turning = [found for found in monotone(artifact) if not found.holds]
    if turning:
        told = "; ".join(
            f"{one.name} is {one.risk}, but in a step falls by {one.falls} and rises by {one.rises} points"
            for one in turning
        )
        raise Conflict(f"the boosted trees break a direction of risk: {told}")
