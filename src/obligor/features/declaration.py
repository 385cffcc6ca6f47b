"""A feature as it is declared: what is read, how it is added up, over which time, and what nothing means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from obligor.kernel import MAX_INTEGER, Violation

__all__ = ["AGGREGATIONS", "DIRECTIONS", "SOURCES", "Aggregation", "Between", "Feature", "Source", "Texts"]

Source = Literal["repayment", "transfer", "application", "device"]
Aggregation = Literal[
    "count", "sum", "max", "min", "mean", "last", "first", "distinct", "days_since", "days_since_first"
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
}
DIRECTIONS: Mapping[str, int] = {"in": 1, "out": 2}
AGGREGATIONS: tuple[str, ...] = get_args(Aggregation)

_OF_AMOUNTS = {"sum", "max", "min", "mean", "last", "first"}
_UNIT_OF = {"count": "count", "distinct": "count", "days_since": "days", "days_since_first": "days"}
_SCALED = {"mean", "days_since", "days_since_first"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TEXTS = "a text, null, or a list of them"


class Texts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a feature means, for people."""

    en: Annotated[str, Meta(min_length=1, max_length=300)]
    zh: Annotated[str, Meta(min_length=1, max_length=300)]


class Between(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of an amount in minor units, both included; None is no bound."""

    at_least: int | None = None
    at_most: int | None = None


class Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number about a person as of a moment, out of what was known then.

    It reads the rows of one `source` that pass the `filter` and lie in the window: after `as_of` less
    `window_days` times 24 hours, up to `as_of` itself; a window of None is the whole history. `key` is
    what is aggregated: `amount_minor`, or the text that `distinct` counts (None is not counted). `empty`
    is the value where there is no such row, None for "not known".

    Values are integers: amounts in minor units, whole days rounded down, means rounded half to even, each
    times 10 to the power of `scale`. A sum stops at the largest integer that a fact can hold, 2^53.
    Amounts of one currency only are compared with each other: see `Catalogue.compute`.
    """

    source: Source
    aggregation: Aggregation
    window_days: Annotated[int, Meta(ge=1, le=36_500)] | None
    empty: Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | None
    unit: Literal["minor", "count", "days"]
    description: Texts
    filter: dict[str, str | list[str | None] | Between | None] = {}
    key: str | None = None
    scale: Annotated[int, Meta(ge=0, le=2)] = 0

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

    def problems(self, name: str) -> Iterator[Violation]:
        """Everything about it that cannot be compiled, each named by its path."""
        path = f"features.{name}"
        if not _NAME.fullmatch(name):
            yield Violation.of(
                path, name, "a name of a-z, 0-9 and _, beginning with a letter, at most 63 long"
            )
        yield from self._key_problems(path)
        unit = _UNIT_OF.get(self.aggregation, "minor")
        if self.unit != unit:
            yield Violation.of(f"{path}.unit", self.unit, f"{unit}, which is what {self.aggregation} gives")
        if self.scale and self.aggregation not in _SCALED:
            yield Violation.of(f"{path}.scale", self.scale, f"0: {self.aggregation} is a whole number")
        for field, wanted in self.filter.items():
            yield from self._filter_problems(f"{path}.filter.{field}", field, wanted)

    def _key_problems(self, path: str) -> Iterator[Violation]:
        fields = SOURCES[self.source]
        if self.aggregation in _OF_AMOUNTS:
            if "amount_minor" not in fields:
                yield Violation.of(
                    f"{path}.aggregation", self.aggregation, f"count or days: a {self.source} has no amount"
                )
            elif self.key != "amount_minor":
                yield Violation.of(
                    f"{path}.key", self.key, f"amount_minor, of which the {self.aggregation} is taken"
                )
        elif self.aggregation == "distinct":
            texts = sorted(set(fields) - {"amount_minor", "direction"})
            if self.key not in texts:
                yield Violation.of(f"{path}.key", self.key, f"what is counted: one of {', '.join(texts)}")
        elif self.key is not None:
            yield Violation.of(f"{path}.key", self.key, f"none: {self.aggregation} needs no key")

    def _filter_problems(self, path: str, field: str, wanted: Any) -> Iterator[Violation]:
        fields = SOURCES[self.source]
        if field not in fields:
            yield Violation.of(
                path, wanted, f"no such field; a {self.source} has {', '.join(sorted(fields))}"
            )
        elif field == "amount_minor":
            if not isinstance(wanted, Between) or (wanted.at_least is None and wanted.at_most is None):
                yield Violation.of(path, wanted, "at_least, at_most or both, in minor units")
        elif isinstance(wanted, Between):
            yield Violation.of(path, wanted, _TEXTS)
        elif not self.texts(field):
            yield Violation.of(path, wanted, f"{_TEXTS}, not an empty list")
        elif field == "direction" and not set(self.texts(field)) <= set(DIRECTIONS):
            yield Violation.of(path, wanted, "in, out or both")
