"""A catalogue for people: what each feature reads and means, as plain values."""

from __future__ import annotations

from typing import Any

import msgspec

from obligor.features.catalogue import Catalogue
from obligor.features.measure import Between, Measure

__all__ = ["Described", "describe"]


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """One feature. `reads` and `other` say in words what is measured; `other` what it is set against."""

    name: str
    en: str
    zh: str
    unit: str
    scale: int
    empty: int | None
    source: str
    aggregation: str
    window_days: int | None
    reads: str
    set_against: str | None
    other: str | None
    declaration: dict[str, Any]


def describe(catalogue: Catalogue) -> list[Described]:
    """Every feature of a catalogue, in its order."""
    return [
        Described(
            name=name,
            en=feature.description.en,
            zh=feature.description.zh,
            unit=feature.unit,
            scale=feature.scale,
            empty=feature.empty,
            source=feature.source,
            aggregation=feature.aggregation,
            window_days=feature.window_days,
            reads=_words(feature.measure, feature.periods),
            set_against="divided by" if feature.per else "less" if feature.less else None,
            other=_words(feature.other, None) if feature.other else None,
            declaration=feature.declared(),
        )
        for name, feature in catalogue.features.items()
    ]


def _words(measure: Measure, periods: int | None) -> str:
    """Such as: sum of transfer amount_minor where direction is in, over 90 days."""
    what = f"{measure.aggregation} of {measure.source}"
    if measure.key:
        what += f" {measure.key}"
    tests = [f"{field} {_test(measure, field)}" for field in measure.filter]
    where = f" where {' and '.join(tests)}" if tests else ""
    span = "all time" if measure.window_days is None else f"{measure.window_days} days"
    return f"{what}{where}, over {span}" + (f" in {periods} periods" if periods else "")


def _test(measure: Measure, field: str) -> str:
    wanted = measure.filter[field]
    if isinstance(wanted, Between):
        bounds = [("at least", wanted.at_least), ("at most", wanted.at_most)]
        return "is " + " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
    return "is " + " or ".join("none" if text is None else text for text in measure.texts(field))
