"""Facts between their written form (JSON scalars) and the typed values that strategies compute with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from obligor.kernel import Fact, InvalidInput, Violation
from obligor.strategy.problems import Flaw
from obligor.strategy.schema import Input
from obligor.strategy.types import MAX_SCALE, Kind, Type, Value, date_value, format_scaled, scaled, show_date

__all__ = ["FactReader", "render"]

_ABSENT: Any = object()
# As many digits as any text within the bounds of an input can have.
DIGITS = 18
BEYOND = 2**64
_POWERS: tuple[int, ...] = tuple(10**power for power in range(MAX_SCALE + 1))
Slow = Callable[[str, Any], None]


class FactReader:
    """Reads and writes the facts of a set of inputs."""

    def __init__(self, inputs: Mapping[str, Input]) -> None:
        self.inputs = inputs
        self._fast = _fast(inputs)
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

        def slow(name: str, value: Any) -> None:
            item = self.inputs[name]
            try:
                found[name] = _parse(value, item)
            except (Flaw, TypeError):
                wrong.append(Violation.of(name, value, accepted(item)))

        self._fast(facts.get, found, slow)
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


def _fast(inputs: Mapping[str, Input]) -> Callable[[Any, dict[str, Value], Slow], None]:
    """A function that takes facts as they nearly always are, and leaves any other, known or not, to `slow`.

    It is generated, as the row function is: names and bounds reach the source through `repr` only.
    """
    lines = ["def fast(get, found, slow):"]
    space: dict[str, Any] = {"absent": _ABSENT, "units": _units}
    for number, (name, item) in enumerate(inputs.items()):
        lo, hi = item.minimum, item.maximum
        value = "value"
        if item.type == "integer":
            test = f"value.__class__ is int and {lo} <= value <= {hi}"
        elif item.type == "boolean":
            test = "value is True or value is False"
        elif item.type == "category":
            space[f"s_{number}"] = frozenset(item.values)
            test = f"value.__class__ is str and value in s_{number}"
        elif item.type == "decimal":
            value = "number"
            test = f"value.__class__ is str and {lo} <= (number := units(value, {item.scale})) <= {hi}"
        else:
            test = "False"
        lines += [f" value = get({name!r}, absent)", f" if {test}:", f"  found[{name!r}] = {value}"]
        if item.nullable:
            lines += [" elif value is None:", f"  found[{name!r}] = None"]
        lines += [" elif value is not absent:", f"  slow({name!r}, value)"]
    exec(compile("\n".join(lines), "<facts>", "exec"), space)  # noqa: S102 - our own source, from the inputs
    fast: Callable[[Any, dict[str, Value], Slow], None] = space["fast"]
    return fast


def _units(text: str, scale: int) -> int:
    """Plain decimal text in units of a scale; of anything else, something beyond all bounds."""
    whole, point, places = text.partition(".")
    digits = whole + places
    plain = digits.isascii() and digits.isdecimal() and whole and (places or not point)
    if not plain or len(places) > scale or len(digits) > DIGITS:
        return BEYOND
    return int(digits) * _POWERS[scale - len(places)]


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
