"""The trainer: weight of evidence, a logistic regression on it, and integer points out of that.

Siddiqi, Credit Risk Scorecards (2006), ch. 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from obligor.kernel import InvalidInput
from obligor.scoring.binning import Binning
from obligor.scoring.calibrate import calibrated, prior_shift
from obligor.scoring.characteristic import Characteristic, check
from obligor.scoring.fit_layout import Fitted, fit_layout
from obligor.scoring.logistic import choose, fit_logistic
from obligor.scoring.model import PointsModel
from obligor.scoring.outcomes import outcomes
from obligor.scoring.table import Artifact, Cell, Dropped, Scale, Table, Training
from obligor.scoring.validation import auc
from obligor.scoring.woe import Floats, Ints, evidence

if TYPE_CHECKING:
    import polars as pl

__all__ = ["train"]

_PPM = 1_000_000


class _Candidate(NamedTuple):
    fitted: Fitted
    evidence: Floats

    @property
    def name(self) -> str:
        return self.fitted.layout.characteristic.name

    @property
    def column(self) -> Floats:
        found: Floats = self.evidence[self.fitted.cells]
        return found


def train(
    frame: pl.DataFrame,
    target: str,
    characteristics: Sequence[Characteristic],
    *,
    name: str = "points",
    version: str = "1",
    known_on: date | None = None,
    note: str = "",
    scale: Scale | None = None,
    binning: Binning | None = None,
    least_information: float = 0.01,
    base_rate: tuple[int, int] | None = None,
) -> PointsModel:
    """A points model from one row per applicant whose outcome is known.

    `target` is a column of 1 (or true) for bad and 0 for good. Each characteristic's column holds integers
    (decimals: times 10 to the scale), texts for categories and decimals, or booleans; null is missing.
    `base_rate` is how many were bad of how many in the population that the score is for, where the sample is
    another: the log-odds are shifted by the difference (King and Zeng 2001, Political Analysis 9, "prior
    correction").

    Characteristics whose information value, less what noise would show, is below `least_information` are left
    out, and then those that the regression would give the wrong sign, one by one. The same frame gives the
    same bytes.

    Raises:
        InvalidInput: a column is absent or of another type, an outcome is unknown, there are no goods or no
            bads, or no characteristic tells enough.
    """
    declared = tuple(characteristics)
    check(declared)
    bad = outcomes(frame, target, [c.name for c in declared])
    kept, dropped = _candidates(frame, bad, declared, binning or Binning(), least_information)
    strength = choose(_design(kept), bad) if kept else 1.0
    kept, coefficients, intercept, wrong = _rightly_signed(kept, bad, strength)
    scale = scale or Scale()
    factor = scale.pdo / math.log(2)
    every = [_table(candidate, weight, factor) for candidate, weight in zip(kept, coefficients, strict=True)]
    tables = [table for table in every if table.most > table.least]
    flat = [table for table in every if table.most == table.least]
    if not tables:
        raise InvalidInput.field(
            "characteristics",
            [c.name for c in declared],
            f"at least one that tells the {target} from the rest",
        )
    shift = prior_shift(base_rate, bad)
    base = round(scale.points - factor * (math.log(scale.odds) + intercept + shift))
    score = base + _points(tables, kept)
    lowest = base + sum(table.least for table in tables)
    highest = base + sum(table.most for table in tables)
    dropped += [_out(candidate.name, "sign", candidate.fitted.iv) for candidate in wrong]
    dropped += [_out(table.layout.characteristic.name, "points", table.iv_ppm / _PPM) for table in flat]
    return PointsModel(
        Artifact(
            format="obligor-points-1",
            name=name,
            version=version,
            target=target,
            scale=scale,
            training=Training(
                rows=len(bad),
                bads=int(bad.sum()),
                known_on=known_on,
                note=note,
                regularisation_ppm=_ppm(strength),
                auc_ppm=_ppm(auc(bad, score)),
                dropped=tuple(dropped),
            ),
            base=base,
            tables=tuple(tables),
            lowest=lowest,
            pd_ppm=calibrated(score, bad, lowest, highest, shift),
        )
    )


def _candidates(
    frame: pl.DataFrame, bad: Ints, declared: Sequence[Characteristic], binning: Binning, least: float
) -> tuple[list[_Candidate], list[Dropped]]:
    """What tells enough, made ready for the regression, and what does not."""
    kept: list[_Candidate] = []
    dropped: list[Dropped] = []
    for characteristic in declared:
        fitted = fit_layout(characteristic, frame[characteristic.name], bad, binning)
        if fitted.iv > 0 and fitted.iv_net >= least:
            kept.append(_Candidate(fitted, evidence(fitted.counts, binning.prior)))
        else:
            dropped.append(_out(characteristic.name, "information", fitted.iv))
    return kept, dropped


def _design(kept: Sequence[_Candidate]) -> Floats:
    return np.column_stack([candidate.column for candidate in kept])


def _rightly_signed(
    kept: list[_Candidate], bad: Ints, strength: float
) -> tuple[list[_Candidate], Floats, float, list[_Candidate]]:
    """Leave out the worst coefficient below zero and fit again, until more evidence is always worse."""
    wrong: list[_Candidate] = []
    while kept:
        coefficients, intercept = fit_logistic(_design(kept), bad, strength)
        worst = int(np.argmin(coefficients))
        if coefficients[worst] > 0:
            return kept, coefficients, intercept, wrong
        wrong.append(kept[worst])
        kept = kept[:worst] + kept[worst + 1 :]
    return [], np.empty(0), 0.0, wrong


def _table(candidate: _Candidate, coefficient: float, factor: float) -> Table:
    counts = candidate.fitted.counts
    cells = tuple(
        Cell(points=round(-factor * coefficient * weight), rows=rows, bads=bads, evidence_ppm=_ppm(weight))
        for weight, rows, bads in zip(
            candidate.evidence.tolist(), counts.rows.tolist(), counts.bads.tolist(), strict=True
        )
    )
    return Table(
        layout=candidate.fitted.layout,
        cells=cells,
        iv_ppm=_ppm(candidate.fitted.iv),
        coefficient_ppm=_ppm(coefficient),
    )


def _points(tables: Sequence[Table], kept: Sequence[_Candidate]) -> Ints:
    """The sum of the points of every row of the training frame."""
    cells = {candidate.name: candidate.fitted.cells for candidate in kept}
    total = np.zeros(len(kept[0].fitted.cells), np.int64)
    for table in tables:
        points = np.array([cell.points for cell in table.cells], np.int64)
        total += points[cells[table.layout.characteristic.name]]
    return total


def _out(name: str, why: Literal["information", "sign", "points"], iv: float) -> Dropped:
    return Dropped(name=name, why=why, iv_ppm=_ppm(iv))


def _ppm(value: float) -> int:
    return round(float(value) * _PPM)
