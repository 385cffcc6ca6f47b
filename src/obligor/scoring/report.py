"""How good a model is on rows whose outcomes are known: ranking, calibration, stability, monotonicity."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from obligor.kernel import InvalidInput
from obligor.scoring import validation
from obligor.scoring.model import PointsModel
from obligor.scoring.monotone import Monotone, monotone
from obligor.scoring.outcomes import outcomes
from obligor.scoring.quality import Fit, brier, exact_interval, hosmer_lemeshow, shift
from obligor.scoring.validation import Band
from obligor.scoring.woe import Ints

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Group", "Input", "Period", "Report", "report"]

_PPM = 1_000_000
_ENOUGH = 2  # goods and bads of a period, for its AUC to have an error


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of neighbouring PDs: expected and observed bad rate, and the exact 95 % interval of the latter."""

    lowest_score: int
    highest_score: int
    rows: int
    bads: int
    expected_ppm: int
    observed_ppm: int
    low_ppm: int
    high_ppm: int

    @property
    def holds(self) -> bool:
        """Whether the expected rate is one that the observed one leaves open."""
        return self.low_ppm <= self.expected_ppm <= self.high_ppm


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A characteristic: its information value in training, the points it spans, and its stability since."""

    name: str
    code: str
    text: str
    iv: float
    least: int
    most: int
    missing_ppm: int
    psi: float


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a month; AUC and its standard error are None where there are too few goods or bads."""

    name: str
    rows: int
    bads: int
    expected_ppm: int
    observed_ppm: int
    auc: float | None
    auc_error: float | None
    psi: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What validation found. PSI of the score is against the reference, None where there is none.

    `inversions` are the neighbouring groups whose bad rates stand the wrong way round.
    """

    model: str
    version: str
    sha256: str
    target: str
    known_on: date | None
    method: str
    training_rows: int
    training_bads: int
    training_auc: float
    rows: int
    bads: int
    auc: float
    auc_error: float
    gini: float
    ks: float
    brier: float
    brier_of_rate: float
    groups: tuple[Group, ...]
    inversions: int
    fit: Fit
    psi: float | None
    inputs: tuple[Input, ...]
    pairs: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    monotone: tuple[Monotone, ...]
    periods: tuple[Period, ...]


def report(
    model: PointsModel,
    frame: pl.DataFrame,
    target: str,
    *,
    reference: pl.DataFrame | None = None,
    by: str | None = None,
    bands: int = 10,
) -> Report:
    """Validate a model on rows whose outcome is known: `target` as `train` takes it.

    `reference` are rows that the score should be distributed as, such as those of training. `by` names a
    column of dates, by whose months results are told, or of texts, by whose values.

    Raises:
        InvalidInput: a column is absent or of another type, an outcome is unknown, or there are no goods or
        no
            bads, or a single one.
    """
    bad = outcomes(frame, target, [c.name for c in model.characteristics])
    scored = model.score_frame(frame)
    score, ppm = scored["score"].to_numpy(), scored["pd_ppm"].to_numpy()
    found = validation.calibration(bad, ppm, bands)
    rate = float(bad.mean())
    area = validation.auc(bad, score)
    observed = [band.observed_ppm for band in found]
    artifact, training = model.artifact, model.artifact.training
    was = None if reference is None else model.score_frame(reference)["score"].to_numpy()
    return Report(
        model=model.name,
        version=model.version,
        sha256=model.sha256,
        target=target,
        known_on=training.known_on,
        method=training.method or "weight of evidence and logistic regression",
        training_rows=training.rows,
        training_bads=training.bads,
        training_auc=training.auc_ppm / _PPM,
        rows=len(bad),
        bads=int(bad.sum()),
        auc=area,
        auc_error=validation.auc_error(bad, score),
        gini=2 * area - 1,
        ks=validation.ks(bad, score),
        brier=brier(bad, ppm),
        brier_of_rate=rate * (1 - rate),
        groups=tuple(_group(band, score, ppm) for band in found),
        inversions=sum(low > high for low, high in pairwise(observed)),
        fit=hosmer_lemeshow(found),
        psi=None if was is None else validation.psi(was, score),
        inputs=_inputs(model, frame),
        pairs=tuple((pair.first, pair.second) for pair in model.pairs),
        dropped=tuple(out.name for out in training.dropped),
        monotone=monotone(artifact),
        periods=() if by is None else _periods(frame, by, bad, score, ppm),
    )


def _group(band: Band, score: Ints, ppm: Ints) -> Group:
    inside = (ppm >= band.lowest_ppm) & (ppm <= band.highest_ppm)
    low, high = exact_interval(band.bads, band.rows)
    return Group(
        lowest_score=int(score[inside].min()),
        highest_score=int(score[inside].max()),
        rows=band.rows,
        bads=band.bads,
        expected_ppm=band.expected_ppm,
        observed_ppm=band.observed_ppm,
        low_ppm=round(low * _PPM),
        high_ppm=round(high * _PPM),
    )


def _inputs(model: PointsModel, frame: pl.DataFrame) -> tuple[Input, ...]:
    found = []
    for table in model.tables:
        characteristic = table.layout.characteristic
        now = np.bincount(table.layout.cells(frame[characteristic.name]), minlength=table.layout.size)
        found.append(
            Input(
                name=characteristic.name,
                code=characteristic.reason.code,
                text=characteristic.reason.en,
                iv=table.iv_ppm / _PPM,
                least=table.least,
                most=table.most,
                missing_ppm=round(_PPM * int(now[table.layout.missing]) / frame.height),
                psi=shift([cell.rows for cell in table.cells], now.tolist()),
            )
        )
    return tuple(found)


def _periods(frame: pl.DataFrame, by: str, bad: Ints, score: Ints, ppm: Ints) -> tuple[Period, ...]:
    if by not in frame.columns:
        raise InvalidInput.field("by", by, "a column of the frame")
    column = frame[by]
    names: Any = column.dt.strftime("%Y-%m") if column.dtype.is_temporal() else column.cast(str)
    found = []
    for name in sorted(names.drop_nulls().unique().to_list()):
        inside = (names == name).fill_null(value=False).to_numpy()
        some, scores = bad[inside], score[inside]
        enough = min(int(some.sum()), int((1 - some).sum())) >= _ENOUGH
        found.append(
            Period(
                name=name,
                rows=len(some),
                bads=int(some.sum()),
                expected_ppm=round(float(ppm[inside].mean())),
                observed_ppm=round(_PPM * float(some.mean())),
                auc=validation.auc(some, scores) if enough else None,
                auc_error=validation.auc_error(some, scores) if enough else None,
                psi=validation.psi(score, scores),
            )
        )
    return tuple(found)
