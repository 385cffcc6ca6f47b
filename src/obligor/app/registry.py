"""What the journal keeps for the rooms: folds, look-ups, memories, projections."""

from __future__ import annotations

from obligor.app import projections
from obligor.app.call import Means
from obligor.app.lookups import lookups
from obligor.app.memories import Book, Histories
from obligor.app.proposal import FOLDS
from obligor.journal import Fold, Memory, Registry
from obligor.limits import CapBook

__all__ = ["build"]


def build(means: Means) -> Registry:
    """The registry of a lender's journal."""
    return Registry(
        folds={prefix: Fold(initial=lambda: None, apply=apply) for prefix, apply in FOLDS.items()},
        lookups=lookups(means.index_key),
        memories={
            "book": Memory(
                initial=lambda _tenant: Book(),
                apply=Book.apply,
                forget=Book.forget,
                load=Book.load,
                types=Book.TYPES,
            ),
            "caps": Memory(
                initial=lambda _tenant: CapBook(),
                apply=CapBook.apply,
                load=projections.load_caps,
                types=CapBook.TYPES,
            ),
            "histories": Memory(
                initial=lambda _tenant: Histories(),
                apply=Histories.apply,
                forget=Histories.forget,
                load=Histories,
            ),
        },
        projections=projections.all_of(means.settings.zone),
    )
