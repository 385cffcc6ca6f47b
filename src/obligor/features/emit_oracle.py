"""Declarations become plain Python, a few expressions a feature: slow, obvious, and apart from the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from obligor.features.declaration import Feature
from obligor.features.history import Record
from obligor.features.measure import DIRECTIONS, SOURCES, Between, Measure
from obligor.kernel import MAX_INTEGER, round_half_even

__all__ = ["Oracle", "emit_oracle", "load_oracle"]

Oracle = Callable[[Sequence[Record], int, int, str | None], dict[str, int | None]]

_DAY = 86_400_000_000
_VALUE = {
    "count": "len({found})",
    "sum": "most(sum(r.{column} for r in {found}))",
    "max": "max(r.{column} for r in {found})",
    "min": "min(r.{column} for r in {found})",
    "mean": "nearest(most(sum(r.{column} for r in {found})), len({found}), {scale})",
    "last": "{found}[-1].{column}",
    "first": "{found}[0].{column}",
    "distinct": "len({{r.{column} for r in {found}}})",
    "days_since": "most((as_of - max(r.at_us for r in {found})) * {scale} // {day})",
    "days_since_first": "most((as_of - min(r.at_us for r in {found})) * {scale} // {day})",
}


def emit_oracle(features: Mapping[str, Feature]) -> str:
    """The text of a function `oracle(records, as_of, known_upto, currency)` that returns a dict."""
    lines = [
        "def oracle(records, as_of, known_upto, currency):",
        "    known = [r for r in records if r.at_us <= as_of and r.known_seq < known_upto <= r.until_seq]",
        "    values = {}",
    ]
    for name, feature in features.items():
        lines += [f"    {line}" for line in _feature(name, feature)]
    lines.append("    return values")
    return "\n".join(lines) + "\n"


def _feature(name: str, feature: Feature) -> Iterator[str]:
    there = "found"
    yield f"found = [r for r in known if {_tests(feature.measure)}]"
    value = _value(feature.measure, "found", 10**feature.scale)
    if feature.aggregation == "trend":
        value = _slope(feature)
    other = feature.other
    if other is not None:
        yield f"others = [r for r in known if {_tests(other)}]"
        yield f"other = {_value(other, 'others', 1)} if others else 0"
        yield f"own = {_value(feature.measure, 'found', 1)} if found else 0"
        value = f"nearest(own, other, {10**feature.scale})" if feature.per else "own - other"
        there = "other" if feature.per else "found or others"
    yield f"values[{name!r}] = {value} if {there} else {feature.empty!r}"


def _value(measure: Measure, found: str, scale: int) -> str:
    if measure.aggregation == "trend":
        return ""
    if measure.key == "day":
        return f"len({{r.at_us // {_DAY} for r in {found}}})"
    return _VALUE[measure.aggregation].format(found=found, scale=scale, day=_DAY, column=measure.column)


def _slope(feature: Feature) -> str:
    """Least squares by the textbook: Σ (x - x̄)(y - ȳ) / Σ (x - x̄)², times what makes all of it whole."""
    measure = feature.measure
    length = (measure.window_days or 0) // (feature.periods or 1) * _DAY
    each = f"r.{measure.column}" if measure.key else "1"
    upto = f"[most(sum({each} for r in found if r.at_us > as_of - k * {length})) for k in range(1, n + 1)]"
    sums = "[u - v for u, v in zip(upto, [0, *upto])]"
    slope = f"slope([*reversed(sums)], {10**feature.scale})"
    return f"(lambda n: (lambda upto: (lambda sums: {slope})({sums}))({upto}))({feature.periods})"


def _tests(measure: Measure) -> str:
    return " and ".join(_each_test(measure))


def _each_test(measure: Measure) -> Iterator[str]:
    yield f"r.kind == {measure.source!r}"
    if measure.window_days is not None:
        yield f"r.at_us > as_of - {measure.window_days * _DAY}"
    if measure.reads_money:
        yield "r.currency == currency"
    if measure.aggregation == "distinct" and measure.column:
        yield f"r.{measure.column} is not None"
    for field, wanted in measure.filter.items():
        column = SOURCES[measure.source][field]
        if isinstance(wanted, Between):
            least = 0 if wanted.at_least is None else wanted.at_least
            most = MAX_INTEGER if wanted.at_most is None else wanted.at_most
            yield f"{least} <= r.{column} <= {most}"
        elif field == "direction":
            yield f"r.{column} in {[DIRECTIONS[text or ''] for text in measure.texts(field)]!r}"
        else:
            yield f"r.{column} in {list(measure.texts(field))!r}"


def _most(value: int) -> int:
    return max(min(value, MAX_INTEGER), -MAX_INTEGER)


def _nearest(n: int, d: int, scale: int) -> int:
    return _most(round_half_even(n * scale, d))


def _slope_of(y: Sequence[int], scale: int) -> int:
    n = len(y)
    above = sum((n * x - sum(range(n))) * (n * one - sum(y)) for x, one in enumerate(y))
    return _nearest(above, sum((n * x - sum(range(n))) ** 2 for x in range(n)), scale)


def load_oracle(text: str) -> Oracle:
    """The function that an oracle's text defines."""
    names: dict[str, Any] = {"most": _most, "nearest": _nearest, "slope": _slope_of}
    exec(compile(text, "<feature oracle>", "exec"), names)  # noqa: S102  our own text, from checked declarations
    oracle: Oracle = names["oracle"]
    return oracle
