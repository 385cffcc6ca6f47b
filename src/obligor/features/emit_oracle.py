"""Declarations become plain Python, one expression a feature: slow, obvious, and apart from the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from obligor.features.declaration import DIRECTIONS, SOURCES, Between, Feature
from obligor.features.history import Record
from obligor.kernel import MAX_INTEGER, round_half_even

__all__ = ["Oracle", "emit_oracle", "load_oracle"]

Oracle = Callable[[Sequence[Record], int, int, str | None], dict[str, int | None]]

_DAY = 86_400_000_000
_VALUE = {
    "count": "len(found)",
    "sum": "min(sum(r.amount_minor for r in found), {most})",
    "max": "max(r.amount_minor for r in found)",
    "min": "min(r.amount_minor for r in found)",
    "mean": "round_half_even(min(sum(r.amount_minor for r in found), {most}) * {scale}, len(found))",
    "last": "found[-1].amount_minor",
    "first": "found[0].amount_minor",
    "distinct": "len({{r.{column} for r in found}})",
    "days_since": "(as_of - max(r.at_us for r in found)) * {scale} // {day}",
    "days_since_first": "(as_of - min(r.at_us for r in found)) * {scale} // {day}",
}


def emit_oracle(features: Mapping[str, Feature]) -> str:
    """The text of a function `oracle(records, as_of, known_upto, currency)` that returns a dict."""
    lines = [
        "def oracle(records, as_of, known_upto, currency):",
        "    known = [r for r in records if r.at_us <= as_of and r.known_seq < known_upto <= r.until_seq]",
        "    values = {}",
    ]
    for name, feature in features.items():
        column = SOURCES[feature.source].get(feature.key or "", "")
        value = _VALUE[feature.aggregation].format(
            most=MAX_INTEGER, scale=10**feature.scale, day=_DAY, column=column
        )
        lines.append(f"    found = [r for r in known if {' and '.join(_tests(feature))}]")
        lines.append(f"    values[{name!r}] = {value} if found else {feature.empty!r}")
    lines.append("    return values")
    return "\n".join(lines) + "\n"


def _tests(feature: Feature) -> Iterator[str]:
    yield f"r.kind == {feature.source!r}"
    if feature.window_days is not None:
        yield f"r.at_us > as_of - {feature.window_days * _DAY}"
    if feature.reads_money:
        yield "r.currency == currency"
    if feature.aggregation == "distinct":
        yield f"r.{SOURCES[feature.source][feature.key or '']} is not None"
    for field, wanted in feature.filter.items():
        column = SOURCES[feature.source][field]
        if isinstance(wanted, Between):
            least = 0 if wanted.at_least is None else wanted.at_least
            most = MAX_INTEGER if wanted.at_most is None else wanted.at_most
            yield f"{least} <= r.{column} <= {most}"
        elif field == "direction":
            yield f"r.{column} in {[DIRECTIONS[text or ''] for text in feature.texts(field)]!r}"
        else:
            yield f"r.{column} in {list(feature.texts(field))!r}"


def load_oracle(text: str) -> Oracle:
    """The function that an oracle's text defines."""
    names: dict[str, Any] = {"round_half_even": round_half_even}
    exec(compile(text, "<feature oracle>", "exec"), names)  # noqa: S102  our own text, from checked declarations
    oracle: Oracle = names["oracle"]
    return oracle
