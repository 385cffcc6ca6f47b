"""Numbers about a person as of a moment, out of what was known then."""

from obligor.features.backfill import SPINE, backfill, columns_for, fill, framed
from obligor.features.catalogue import Catalogue, load
from obligor.features.declaration import AGGREGATIONS, SOURCES, Between, Feature, Other, Texts
from obligor.features.describe import Described, describe
from obligor.features.history import History, Record
from obligor.features.rows import ROW, gives
from obligor.features.table import SETTLED, TABLE, checked, settle, table

__all__ = [
    "AGGREGATIONS",
    "ROW",
    "SETTLED",
    "SOURCES",
    "SPINE",
    "TABLE",
    "Between",
    "Catalogue",
    "Described",
    "Feature",
    "History",
    "Other",
    "Record",
    "Texts",
    "backfill",
    "checked",
    "columns_for",
    "describe",
    "fill",
    "framed",
    "gives",
    "load",
    "settle",
    "table",
]
