"""The model that a player goes live with: from the simulated past, or from what a book made knowable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import msgspec
import polars as pl
import yaml

from obligor import scoring
from obligor.app.packs import place
from obligor.scoring import Characteristic, PointsModel
from obligor.sources import Book

__all__ = ["from_book", "from_world", "hindsight"]

INDETERMINATE_DAYS = 30


def from_world(history: pl.DataFrame, known_on: date) -> PointsModel:
    """A scorecard from the simulated past; loans that were late but not bad are left out."""
    path = place("scorecards/starter.yaml")
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    characteristics: Sequence[Characteristic] = msgspec.convert(declared, list[Characteristic])
    told = history.filter((pl.col("bad") == 1) | (pl.col("worst_dpd_12m") < INDETERMINATE_DAYS))
    return scoring.train(
        told, "bad", characteristics, name="application", known_on=known_on, note="simulated past"
    )


def from_book(book: Book, known_on: date | None = None) -> PointsModel:
    """A model from the loans of a book whose outcome was knowable on a day, or on the mapping's.

    Boosted where the table is in order of time, which is what rounds are counted on; else a scorecard.
    """
    mapping = book.mapping
    training = mapping.spec.training
    return _trainer(book)(
        book.training_frame(known_on),
        "bad",
        mapping.declarations(),
        name="application",
        known_on=known_on or (training.known_on if training else None),
        note=f"book {mapping.name}, what was knowable",
        base_rate=book.base_rate(known_on),
    )


def hindsight(book: Book) -> PointsModel:
    """A model from how the loans before the deciding window ended, which nobody knew when it began.

    It bounds what the book's facts can tell, and never decides.
    """
    mapping = book.mapping
    return _trainer(book)(
        book.hindsight_frame(),
        "bad",
        mapping.declarations(),
        name="hindsight",
        note=f"book {mapping.name}, in hindsight",
    )


def _trainer(book: Book) -> Callable[..., PointsModel]:
    return scoring.train_boosted if book.dated else scoring.train
