"""Where loan money goes: traced first in, first out, to the minor unit, with hits where it may not go."""

from obligor.funds.classes import Classes, CounterpartyClass, Label, load_classes
from obligor.funds.columns import Movements, Pieces, Rule, Traced, trace_columns
from obligor.funds.evidence import Evidence, Hit, Hop, Place, Position
from obligor.funds.tracer import Size, Tracer

__all__ = [
    "Classes",
    "CounterpartyClass",
    "Evidence",
    "Hit",
    "Hop",
    "Label",
    "Movements",
    "Pieces",
    "Place",
    "Position",
    "Rule",
    "Size",
    "Traced",
    "Tracer",
    "load_classes",
    "trace_columns",
]
