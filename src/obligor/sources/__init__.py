"""Where facts come from: a lender's own book, explained by a mapping file."""

from obligor.sources.book import Application, Book, Terms
from obligor.sources.event_tables import EventTables, backfill_events, backfill_into, keep_events
from obligor.sources.label import Label
from obligor.sources.mapping import Mapping
from obligor.sources.rebuild import Life, Past, Payment, Totals, rebuild
from obligor.sources.spec import Characteristic, Field

__all__ = [
    "Application",
    "Book",
    "Characteristic",
    "EventTables",
    "Field",
    "Label",
    "Life",
    "Mapping",
    "Past",
    "Payment",
    "Terms",
    "Totals",
    "backfill_events",
    "backfill_into",
    "keep_events",
    "rebuild",
]
