"""A book as a whole: vintages and score bands, counted from plain rows."""

from obligor.portfolio.bands import Band, ScoreCount, score_bands
from obligor.portfolio.vintage import LateCount, MonthCount, Vintage, full_months, month_number, vintages

__all__ = [
    "Band",
    "LateCount",
    "MonthCount",
    "ScoreCount",
    "Vintage",
    "full_months",
    "month_number",
    "score_bands",
    "vintages",
]
