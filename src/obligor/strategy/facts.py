"""Facts between their written form (JSON scalars) and the typed values that strategies compute with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from obligor.kernel import Fact, InvalidInput, Violation
from obligor.strategy.problems import Flaw
from obligor.strategy.schema import Input
from obligor.strategy.types import Kind, Type, Value, date_value, format_scaled, scaled, show_date

__all__ = ["FactReader", "render"]

_ABSENT: Any = object()


class FactReader:
    """Reads and writes the facts of a set of inputs."""

    def __init__(self, inputs: Mapping[str, Input]) -> None:
        self.inputs = inputs
        # Nearly all facts are whole numbers and categories: they are read without a call.
        self._plan = [
            (name, item, item.type == "integer", item.minimum or 0, item.maximum or 0, frozenset(item.values))
            for name, item in inputs.items()
        ]
        self._kinds = {
            name: item.kind for name, item in inputs.items() if item.type in {"decimal", "date"} or item.other
        }

    def parse(self, facts: Mapping[str, Fact]) -> dict[str, Value]:
        """The typed values of those inputs that are there; other facts are left out.

        Integers, booleans, categories and dates (ISO 8601 text) must be of their type; a decimal is a text
        with at most the places of its scale, or an integer.

        Raises:
            InvalidInput: values that the inputs do not take, all of them.
        """
        found: dict[str, Value] = {}
        wrong: list[Violation] = []
        get = facts.get
        for name, item, whole, lo, hi, values in self._plan:
            value = get(name, _ABSENT)
            kind = value.__class__
            if (whole and kind is int and lo <= value <= hi) or (kind is str and value in values):
                found[name] = value
                continue
            if value is _ABSENT:
                continue
            if value is None and item.nullable:
                found[name] = None
                continue
            try:
                found[name] = _parse(value, item)
            except (Flaw, TypeError):
                wrong.append(Violation.of(name, value, accepted(item)))
        if wrong:
            names = ", ".join(violation.field for violation in wrong)
            raise InvalidInput(f"facts that the strategy does not take: {names}", wrong)
        return found

    def render(self, values: Mapping[str, Value]) -> dict[str, Fact]:
        """The written form of typed values; names that are no inputs are kept as they are."""
        written: dict[str, Fact] = dict(values)
        for name, kind in self._kinds.items():
            if name in written:
                written[name] = render(values[name], kind)
        return written


def _parse(value: Fact, item: Input) -> Value:
    if item.type == "boolean":
        if isinstance(value, bool):
            return value
        raise TypeError
    if item.type == "category":
        if not isinstance(value, str) or (value not in item.values and item.other is None):
            raise TypeError
        return value if value in item.values else item.other
    number = _number(value, item)
    if not (item.minimum or 0) <= number <= (item.maximum or 0):
        raise TypeError
    return number


def _number(value: Fact, item: Input) -> int:
    if item.type == "date" and isinstance(value, str):
        return date_value(value)
    if item.type == "decimal" and isinstance(value, str):
        return scaled(value, item.scale)
    if isinstance(value, int) and not isinstance(value, bool) and item.type != "date":
        return int(value * 10**item.scale)
    raise TypeError


def render(value: Value, kind: Type) -> Fact:
    """A typed value as it is written: decimals and dates as text."""
    if value is None or isinstance(value, str | bool):
        return value
    if kind.kind is Kind.DATE:
        return show_date(value)
    return format_scaled(value, kind.scale) if kind.scale else value


def accepted(item: Input) -> str:
    """What an input takes, in words."""
    null = ", or null" if item.nullable else ""
    if item.type == "boolean":
        return f"true or false{null}"
    if item.type == "category":
        listed = ", ".join(item.values)
        return f"{'a text' if item.other else f'one of {listed}'}{null}"
    lo, hi = (render(bound, item.kind) for bound in (item.minimum or 0, item.maximum or 0))
    what = {"integer": "a whole number", "date": "a date"}.get(item.type) or (
        f"a decimal as text with at most {item.scale} places"
    )
    return f"{what} from {lo} to {hi}{null}"
