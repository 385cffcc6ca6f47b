"""Scores that add up: training, the points model, its reasons, and how good it is."""

from obligor.scoring.binning import Binning
from obligor.scoring.characteristic import Characteristic, Reason
from obligor.scoring.model import Contribution, PointsModel, Score
from obligor.scoring.table import Artifact, Cell, Dropped, Scale, Table, Training
from obligor.scoring.train import train
from obligor.scoring.validation import Band, auc, auc_error, calibration, gini, ks, psi

__all__ = [
    "Artifact",
    "Band",
    "Binning",
    "Cell",
    "Characteristic",
    "Contribution",
    "Dropped",
    "PointsModel",
    "Reason",
    "Scale",
    "Score",
    "Table",
    "Training",
    "auc",
    "auc_error",
    "calibration",
    "gini",
    "ks",
    "psi",
    "train",
]
