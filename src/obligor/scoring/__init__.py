"""Scores that add up: training, the points model, its reasons, and how good it is."""

from obligor.scoring.behaviour import (
    BEHAVIOUR,
    behaviour_facts,
    behaviour_frame,
    behaviour_outcome,
    train_behaviour,
)
from obligor.scoring.binning import Binning
from obligor.scoring.boosting import Boosting
from obligor.scoring.characteristic import Characteristic, Reason
from obligor.scoring.model import Contribution, PointsModel, Score
from obligor.scoring.monotone import Monotone, monotone
from obligor.scoring.quality import Fit, brier, exact_interval, hosmer_lemeshow, shift
from obligor.scoring.report import Group, Input, Period, Report, report
from obligor.scoring.table import Artifact, Cell, Dropped, Pair, Scale, Table, Training
from obligor.scoring.train import train
from obligor.scoring.train_boosted import train_boosted
from obligor.scoring.validation import Band, auc, auc_error, calibration, gini, ks, psi

__all__ = [
    "BEHAVIOUR",
    "Artifact",
    "Band",
    "Binning",
    "Boosting",
    "Cell",
    "Characteristic",
    "Contribution",
    "Dropped",
    "Fit",
    "Group",
    "Input",
    "Monotone",
    "Pair",
    "Period",
    "PointsModel",
    "Reason",
    "Report",
    "Scale",
    "Score",
    "Table",
    "Training",
    "auc",
    "auc_error",
    "behaviour_facts",
    "behaviour_frame",
    "behaviour_outcome",
    "brier",
    "calibration",
    "exact_interval",
    "gini",
    "hosmer_lemeshow",
    "ks",
    "monotone",
    "psi",
    "report",
    "shift",
    "train",
    "train_behaviour",
    "train_boosted",
]
