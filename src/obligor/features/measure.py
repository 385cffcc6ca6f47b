"""What a feature measures: the rows that it reads of one source, and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import msgspec

__all__ = ["AGGREGATIONS", "DIRECTIONS", "SOURCES", "Aggregation", "Between", "Measure", "Source"]

Source = Literal["repayment", "transfer", "application", "device", "loan", "due", "fee", "class"]
Aggregation = Literal[
    "count",
    "sum",
    "max",
    "min",
    "mean",
    "last",
    "first",
    "distinct",
    "days_since",
    "days_since_first",
    "trend",
]

# What a declaration may name, by source, and the column of a history's row that holds it.
SOURCES: Mapping[str, Mapping[str, str]] = {
    "repayment": {"amount_minor": "amount_minor", "loan": "party"},
    "transfer": {
        "amount_minor": "amount_minor",
        "direction": "direction",
        "counterparty": "party",
        "counterparty_class": "category",
    },
    "application": {"amount_minor": "amount_minor", "product": "category", "channel": "party"},
    "device": {"device": "party", "platform": "category"},
    "loan": {"amount_minor": "amount_minor", "product": "category", "loan": "party"},
    "due": {"amount_minor": "amount_minor", "loan": "party"},
    "fee": {"amount_minor": "amount_minor", "kind": "category", "loan": "party"},
    "class": {"days_past_due": "amount_minor", "five_tier": "category", "loan": "party"},
}
DIRECTIONS: Mapping[str, int] = {"in": 1, "out": 2}
AGGREGATIONS: tuple[str, ...] = get_args(Aggregation)


class Between(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of a number, both included; None is no bound."""

    at_least: int | None = None
    at_most: int | None = None


class Measure(NamedTuple):
    """The rows of one source that pass a filter and lie in a window, aggregated."""

    source: str
    aggregation: str
    window_days: int | None
    filter: Mapping[str, Any]
    key: str | None

    @property
    def column(self) -> str | None:
        """The column that holds the key; None without a key, and for `day`."""
        return SOURCES[self.source].get(self.key or "")

    @property
    def reads_money(self) -> bool:
        """Whether an amount decides its value, so that only one currency's rows may be seen."""
        return self.key == "amount_minor" or "amount_minor" in self.filter

    def texts(self, field: str) -> tuple[str | None, ...]:
        """The values that a filter on a text accepts."""
        wanted = self.filter[field]
        if isinstance(wanted, Between):
            return ()
        return tuple(wanted) if isinstance(wanted, list) else (wanted,)
