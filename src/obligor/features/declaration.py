"""A feature as it is declared: what is read, how it is added up, over which time, and what nothing means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from obligor.features.measure import AGGREGATIONS, DIRECTIONS, SOURCES, Aggregation, Between, Measure, Source
from obligor.kernel import MAX_INTEGER, Violation

__all__ = ["AGGREGATIONS", "DIRECTIONS", "SOURCES", "Between", "Feature", "Other", "Texts"]

Unit = Literal["minor", "count", "days", "ratio"]
Filter = dict[str, str | list[str | None] | Between | None]
Window = Annotated[int, Meta(ge=1, le=36_500)] | None

_NUMBERS = {"amount_minor": "minor", "days_past_due": "days"}
_OF_NUMBERS = {"sum", "max", "min", "mean", "last", "first"}
_UNIT_OF = {"count": "count", "distinct": "count", "days_since": "days", "days_since_first": "days"}
_SCALED = {"mean", "days_since", "days_since_first"}
# What may be divided, subtracted, and divided or subtracted by: whole numbers.
_WHOLE = {"count", "sum", "max", "min", "last", "first", "distinct"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TEXTS = "a text, null, or a list of them"


class Texts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a feature means, for people."""

    en: Annotated[str, Meta(min_length=1, max_length=300)]
    zh: Annotated[str, Meta(min_length=1, max_length=300)]


class Other(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a feature is divided by, or what is taken off it. What is not said is as in the feature itself.

    A filter or key belongs to its source and an aggregation to its key: to name one is to say those behind
    it anew.
    """

    source: Source | UnsetType = UNSET
    filter: Filter | UnsetType = UNSET
    aggregation: Aggregation | UnsetType = UNSET
    key: str | UnsetType | None = UNSET
    window_days: Window | UnsetType = UNSET


class Feature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number about a person as of a moment, out of what was known then.

    It reads the rows of one `source` that pass the `filter` and lie in the window: after `as_of` less
    `window_days` times 24 hours, up to `as_of` itself; a window of None is the whole history. `key` is
    what is aggregated: a number (`amount_minor`, of a class `days_past_due`), or what `distinct` counts: a
    text (None is not counted) or `day`, a day of UTC. `empty` is the value where there is no such row, None
    for "not known".

    `trend` cuts the window into `periods` of equal length and gives the least-squares slope of their sums,
    or of their counts where there is no key: how much a period is above the one before it.

    `per` divides by another measure, such as the same one over a year; the feature is empty where that has
    no row or is 0. `less` subtracts another; the feature is empty where neither has a row.

    Values are integers: amounts in minor units, whole days rounded down, means, ratios and slopes rounded
    half to even, each times 10 to the power of `scale`. A value stops at the largest integer that a fact
    can hold, 2^53. Amounts of one currency only are compared with each other: see `Catalogue.compute`.
    """

    source: Source
    aggregation: Aggregation
    window_days: Window
    empty: Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | None
    unit: Unit
    description: Texts
    filter: Filter = {}
    key: str | None = None
    scale: Annotated[int, Meta(ge=0, le=4)] = 0
    periods: Annotated[int, Meta(ge=2, le=12)] | None = None
    per: Other | None = None
    less: Other | None = None

    @property
    def measure(self) -> Measure:
        """What it reads itself."""
        return Measure(self.source, self.aggregation, self.window_days, self.filter, self.key)

    @property
    def other(self) -> Measure | None:
        """What it is divided by, or what is taken off it."""
        given = self.per or self.less
        if given is None:
            return None
        elsewhere = given.source not in (UNSET, self.source)
        anew = given.aggregation is not UNSET or elsewhere
        return Measure(
            source=_said(given.source, self.source),
            aggregation=_said(given.aggregation, self.aggregation),
            window_days=_said(given.window_days, self.window_days),
            filter=_said(given.filter, {} if elsewhere else self.filter),
            key=_said(given.key, self.key if not anew or _same_key(given, self) else None),
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What it reads, first itself."""
        other = self.other
        return (self.measure,) if other is None else (self.measure, other)

    def declared(self) -> dict[str, Any]:
        """The declaration in plain values: what its catalogue's digest is over.

        What came into the language later is left out where it is not used, so that digests stay.
        """
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {
            key: value
            for key, value in plain.items()
            if key not in ("periods", "per", "less") or value is not None
        }

    def problems(self, name: str) -> Iterator[Violation]:
        """Everything about it that cannot be compiled, each named by its path."""
        path = f"features.{name}"
        if not _NAME.fullmatch(name):
            yield Violation.of(
                path, name, "a name of a-z, 0-9 and _, beginning with a letter, at most 63 long"
            )
        yield from _measure_problems(path, self.measure)
        unit = "ratio" if self.per else _unit(self.measure)
        if self.unit != unit:
            yield Violation.of(f"{path}.unit", self.unit, f"{unit}, which is what {self.aggregation} gives")
        yield from self._scale_problems(path)
        yield from self._period_problems(path)
        yield from self._other_problems(path)

    def _scale_problems(self, path: str) -> Iterator[Violation]:
        if self.per:
            return
        scaled = self.aggregation in _SCALED or (self.aggregation == "trend" and self.key is None)
        if self.scale and not scaled:
            yield Violation.of(f"{path}.scale", self.scale, f"0: {self.aggregation} is a whole number")
        elif self.scale > 2:
            yield Violation.of(f"{path}.scale", self.scale, "0, 1 or 2; a ratio may have up to 4")

    def _period_problems(self, path: str) -> Iterator[Violation]:
        if self.aggregation != "trend":
            if self.periods is not None:
                yield Violation.of(f"{path}.periods", self.periods, "none: only a trend has periods")
        elif self.periods is None:
            yield Violation.of(f"{path}.periods", None, "2 to 12, into which a trend's window is cut")
        elif self.window_days is None or self.window_days % self.periods:
            yield Violation.of(f"{path}.window_days", self.window_days, f"a multiple of {self.periods} days")

    def _other_problems(self, path: str) -> Iterator[Violation]:
        if self.per and self.less:
            yield Violation.of(f"{path}.less", "…", "per or less, not both")
            return
        other = self.other
        if other is None:
            return
        part = "per" if self.per else "less"
        if self.aggregation not in _WHOLE:
            yield Violation.of(
                f"{path}.aggregation", self.aggregation, f"with {part} one of {', '.join(sorted(_WHOLE))}"
            )
        elif other.aggregation not in _WHOLE:
            yield Violation.of(
                f"{path}.{part}.aggregation", other.aggregation, f"one of {', '.join(sorted(_WHOLE))}"
            )
        elif self.less and _unit(other) != _unit(self.measure):
            accepted = f"what is in {_unit(self.measure)}, as the feature is"
            yield Violation.of(f"{path}.less", _unit(other), accepted)
        yield from _measure_problems(f"{path}.{part}", other)


def _said(given: Any, otherwise: Any) -> Any:
    return otherwise if given is UNSET else given


def _same_key(given: Other, feature: Feature) -> bool:
    """Whether the key goes with another source or aggregation too: the amount of another source's sum."""
    aggregation = _said(given.aggregation, feature.aggregation)
    source: str = _said(given.source, feature.source)
    return aggregation in _OF_NUMBERS and feature.key in _NUMBERS and feature.key in SOURCES[source]


def _unit(measure: Measure) -> str:
    otherwise = "count" if measure.aggregation == "trend" else "minor"
    return _UNIT_OF.get(measure.aggregation) or _NUMBERS.get(measure.key or "", otherwise)


def _measure_problems(path: str, measure: Measure) -> Iterator[Violation]:
    yield from _key_problems(path, measure)
    for field, wanted in measure.filter.items():
        yield from _filter_problems(f"{path}.filter.{field}", field, wanted, SOURCES[measure.source])


def _key_problems(path: str, measure: Measure) -> Iterator[Violation]:
    fields = SOURCES[measure.source]
    numbers = [field for field in fields if field in _NUMBERS]
    how = measure.aggregation
    if how in _OF_NUMBERS or (how == "trend" and measure.key is not None):
        if not numbers:
            yield Violation.of(f"{path}.aggregation", how, f"count or days: a {measure.source} has no amount")
        elif measure.key not in numbers:
            yield Violation.of(
                f"{path}.key", measure.key, f"{', '.join(numbers)}, of which the {how} is taken"
            )
    elif how == "distinct":
        texts = [*sorted(set(fields) - _NUMBERS.keys() - {"direction"}), "day"]
        if measure.key not in texts:
            yield Violation.of(f"{path}.key", measure.key, f"what is counted: one of {', '.join(texts)}")
    elif measure.key is not None:
        yield Violation.of(f"{path}.key", measure.key, f"none: {how} needs no key")


def _filter_problems(path: str, field: str, wanted: Any, fields: Mapping[str, str]) -> Iterator[Violation]:
    if field not in fields:
        yield Violation.of(path, wanted, f"no such field; there are {', '.join(sorted(fields))}")
    elif field in _NUMBERS:
        if not isinstance(wanted, Between) or (wanted.at_least is None and wanted.at_most is None):
            yield Violation.of(path, wanted, "at_least, at_most or both")
    elif isinstance(wanted, Between):
        yield Violation.of(path, wanted, _TEXTS)
    else:
        texts = wanted if isinstance(wanted, list) else [wanted]
        if not texts:
            yield Violation.of(path, wanted, f"{_TEXTS}, not an empty list")
        elif field == "direction" and not set(texts) <= set(DIRECTIONS):
            yield Violation.of(path, wanted, "in, out or both")
