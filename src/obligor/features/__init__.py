"""Numbers about a person as of a moment, out of what was known then."""

from obligor.features.catalogue import Catalogue, load
from obligor.features.declaration import AGGREGATIONS, SOURCES, Between, Feature, Texts
from obligor.features.history import History, Record
from obligor.features.rows import ROW

__all__ = [
    "AGGREGATIONS",
    "ROW",
    "SOURCES",
    "Between",
    "Catalogue",
    "Feature",
    "History",
    "Record",
    "Texts",
    "load",
]
