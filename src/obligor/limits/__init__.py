"""Limits: caps on what may be lent under a dimension, with reservations, so that no interleaving exceeds
one.
"""

from obligor.limits.book import CapBook
from obligor.limits.dimension import DIMENSIONS, cap_name
from obligor.limits.rows import Exposure, Headroom, Limit, Reservation, Row, Usage

__all__ = [
    "DIMENSIONS",
    "CapBook",
    "Exposure",
    "Headroom",
    "Limit",
    "Reservation",
    "Row",
    "Usage",
    "cap_name",
]
