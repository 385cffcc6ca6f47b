"""Declarations become the text of a numba kernel set: each function walks the packed rows backwards once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from obligor.features.declaration import Feature
from obligor.features.kernel_text import FILL, HEAD, HELPERS, PLACE, WALK
from obligor.features.measure import SOURCES, Measure
from obligor.features.plan import Group, Plan, Register, Text, texts_of
from obligor.features.rows import KINDS, ROW
from obligor.kernel import MAX_INTEGER

__all__ = ["DAY_US", "NULL", "PER_FUNCTION", "Kernel", "emit", "emit_place"]

DAY_US = 86_400_000_000
NULL = -(2**63)  # stands for "not known" in a kernel's integers; no feature can have it
PER_FUNCTION = 40  # compile time grows faster than the number of features: 300 in one function take 33 s

_UNSET = dict.fromkeys(("max", "min", "last", "first", "latest", "earliest"), "NULL")
# The step of an aggregation that is not called as it is.
_STEPS = {"days_since": "latest", "days_since_first": "earliest"}
# The columns of a row under the names by which conditions know them.
_LOCAL = {
    "ours": "row.currency == currency",
    "direction": "row.direction",
    "category": "row.category",
    "party": "row.party",
    "amount_minor": "row.amount_minor",
}
_FROM_ZERO = {"count", "sum", "distinct"}  # 0 where there is no row; the others are NULL there

_HEAD = HEAD.format(
    row=[(name, str(ROW[name])) for name in ROW.names or ()], null=NULL, most=MAX_INTEGER, day=DAY_US
)


class Kernel(NamedTuple):
    """The text of a kernel set and what its functions take.

    Each of `functions` is called as f(rows, count, as_of_us, known_upto, codes, currency, seen, mark, out):
    `codes` are the history's codes of `texts`, `seen` has a row of codes for each of `stamps` and holds no
    `mark`, and `out` takes the values in the order of declaration. `fill` calls them all for each moment of
    an array.
    """

    text: str
    functions: tuple[str, ...]
    texts: tuple[Text, ...]
    stamps: int


def emit(features: Mapping[str, Feature]) -> Kernel:
    """Write the kernel set of these features."""
    texts = texts_of([measure for feature in features.values() for measure in feature.measures])
    walks: list[str] = []
    functions: list[str] = []
    stamps = 0
    for number, part in enumerate(_parts(features)):
        functions.append(f"walk_{number}")
        plan = Plan(texts, stamps)
        walks.append(_walk(functions[-1], part, plan))
        stamps = plan.stamps
    arguments = "some, count, as_of[r], known_upto[r], codes, currency[r], seen, r + 1, out[r]"
    body = "".join([*walks, FILL, *(f"        {name}({arguments})\n" for name in functions)])
    return Kernel(_HEAD + _helpers(body) + body, tuple(functions), tuple(texts), stamps)


def emit_place() -> str:
    """The text of the function that makes rows out of columns: the same for every catalogue."""
    return _HEAD + PLACE


def _helpers(body: str) -> str:
    """What is called by the walks, or by what is called by them."""
    called: list[str] = []
    for name, text in reversed(HELPERS.items()):
        if f" {name}(" in body + "".join(called):
            called.append(text)
    return "".join(reversed(called))


def _parts(features: Mapping[str, Feature]) -> Iterator[list[tuple[int, Feature]]]:
    """The features with their places, those of one source together, in equal parts."""
    order = list(SOURCES)
    numbered = sorted(enumerate(features.values()), key=lambda item: order.index(item[1].source))
    count = -(-len(numbered) // PER_FUNCTION)
    for part in range(count):
        yield numbered[part * len(numbered) // count : (part + 1) * len(numbered) // count]


def _walk(name: str, features: Sequence[tuple[int, Feature]], plan: Plan) -> str:
    finish = [_finish(at, feature, plan) for at, feature in features]
    windows = plan.windows
    registers = plan.registers
    lines = [f"    e{days} = as_of - {days} * DAY" for days in windows]
    lines += [f"    c{number} = codes[{number}]" for number in sorted(plan.codes)]
    lines += [f"    {register.name} = {_UNSET.get(register.step, '0')}" for register in registers]
    lines += [f"    {register.name}_on = NULL" for register in registers if register.step == "day"]
    lines.append(f"    edge = {f'e{windows[0]}' if windows else 'NEVER'}")
    lines.append("    while i >= 0:")
    lines += ["        row = rows[i]", "        t = row.at_us"]
    lines += [f"        {line}" for line in _edges(windows, registers)]
    lines.append("        if row.known_seq < known_upto and row.until_seq >= known_upto:")
    lines.append("            kind = row.kind")
    lines += [f"            {name} = {value}" for name, value in _LOCAL.items()]
    for source in SOURCES:
        groups = plan.groups(source)
        if groups:
            lines.append(f"            if kind == {KINDS[source]}:")
            lines += [f"                {line}" for group in groups for line in _group(group, windows)]
    lines.append("        i -= 1")
    for stage, days in enumerate(windows):
        lines.append(f"    if stage <= {stage}:")
        lines += [f"        {line}" for line in _note(days, registers)]
    lines += [f"    {line}" for line in finish]
    return WALK.format(name=name) + "\n".join(lines) + "\n"


def _edges(windows: Sequence[int], registers: Sequence[Register]) -> Iterator[str]:
    """Note the registers where the walk leaves a window; end it where no feature can see any more."""
    endless = [register for register in registers if None in register.windows]
    ends = all(register.at_once for register in endless)
    found = " and ".join(f"{register.name} != NULL" for register in endless)
    if not windows:
        if ends and endless:
            yield f"if {found}:"
            yield "    break"
        return
    yield "if t <= edge:"
    for stage, days in enumerate(windows):
        yield f"    if stage == {stage} and t <= e{days}:"
        yield from (f"        {line}" for line in _note(days, registers))
        yield f"        stage = {stage + 1}"
        # Behind the last edge every row looks whether the walk may end.
        behind = "as_of" if ends else "NEVER"
        yield f"        edge = {behind if days == windows[-1] else f'e{windows[stage + 1]}'}"
    if ends:
        yield f"    if stage == {len(windows)}{f' and {found}' if found else ''}:"
        yield "        break"


def _note(days: int, registers: Iterable[Register]) -> list[str]:
    noted = [f"{r.noted(days)} = {r.name}" for r in registers if days in r.windows]
    return noted or ["pass"]


def _group(group: Group, windows: Sequence[int]) -> Iterator[str]:
    conditions = list(group.conditions)
    longest = group.longest
    if longest is not None and longest != windows[-1]:
        conditions.append(f"(t > e{longest})")
    depth = ""
    if conditions:
        # Not `and`: every branch adds to what the kernel takes to compile.
        yield f"if {' & '.join(conditions)}:"
        depth = "    "
    for register in group.registers.values():
        yield from (f"{depth}{line}" for line in _update(register))


def _update(register: Register) -> Iterator[str]:
    name = register.name
    value = register.column
    match register.step:
        case "count":
            yield f"{name} += 1"
        case "sum":
            yield f"{name} = min({name} + {value}, MOST)"
        case "max":
            yield f"{name} = max({name}, {value})"
        case "min":
            yield f"{name} = {value} if {name} == NULL else min({name}, {value})"
        case "last" | "latest":
            yield f"if {name} == NULL:"
            yield f"    {name} = {'t' if register.step == 'latest' else value}"
        case "first" | "earliest":
            yield f"{name} = {'t' if register.step == 'earliest' else value}"
        case "day":
            yield f"if t // DAY != {name}_on:"
            yield f"    {name}_on = t // DAY"
            yield f"    {name} += 1"
        case _:  # Walking back, a text's first row is its latest: it is in every window that it can be in.
            yield f"key = {value}"
            yield f"if key > 0 and seen[{register.stamp}, key] != mark:"
            yield f"    seen[{register.stamp}, key] = mark"
            yield f"    {name} += 1"


def _finish(at: int, feature: Feature, plan: Plan) -> str:
    """One call without a branch: what a kernel takes to compile goes with its branches."""
    empty = "NULL" if feature.empty is None else str(feature.empty)
    measure, window = feature.measure, feature.window_days
    if feature.aggregation == "trend":
        value = _trend(feature, plan, empty)
    elif feature.per or feature.less:
        value = _two(feature, plan, empty)
    elif feature.aggregation == "mean":
        count = plan.value(measure, "count", window)
        value = f"ratio({plan.value(measure, 'sum', window)}, {count}, {feature.scale}, {empty})"
    else:
        name = _value(measure, plan)
        if feature.aggregation in _STEPS:
            value = f"days(as_of, {name}, {10**feature.scale}, {empty})"
        elif feature.aggregation not in _FROM_ZERO:
            value = f"known({name}, {empty})"
        elif feature.empty == 0:
            value = name
        else:
            value = f"where({_found(measure, plan)}, {name}, {empty})"
    return f"out[{at}] = {value}"


def _value(measure: Measure, plan: Plan) -> str:
    step = "day" if measure.key == "day" else _STEPS.get(measure.aggregation, measure.aggregation)
    return plan.value(measure, step, measure.window_days)


def _found(measure: Measure, plan: Plan) -> str:
    """What is above 0 where a measure has a row."""
    if measure.aggregation == "distinct":
        return _value(measure, plan)
    return plan.value(measure, "count", measure.window_days)


def _two(feature: Feature, plan: Plan, empty: str) -> str:
    both = feature.measures
    own, other = (
        _value(one, plan) if one.aggregation in _FROM_ZERO else f"known({_value(one, plan)}, 0)"
        for one in both
    )
    if feature.per:
        return f"ratio({own}, {other}, {feature.scale}, {empty})"
    found = " + ".join(_found(one, plan) for one in both)
    return f"where({found}, {own} - {other}, {empty})"


def _trend(feature: Feature, plan: Plan, empty: str) -> str:
    """Least squares over x = 0, -1, …: with w = 2(x - x̄), the slope is 2 Σ w·y / Σ w²."""
    measure, periods = feature.measure, feature.periods or 2
    length = (measure.window_days or 0) // periods
    step = "sum" if measure.key else "count"
    upto = [plan.value(measure, step, length * (number + 1)) for number in range(periods)]
    weights = [periods - 1 - 2 * number for number in range(periods)]
    squares = sum(weight * weight for weight in weights)
    # Σ w·y over what lies within each edge: the weights of neighbours differ by 2.
    total = f"{weights[-1]} * {upto[-1]}" + "".join(f" + 2 * {one}" for one in upto[:-1])
    found = plan.value(measure, "count", measure.window_days)
    return f"where({found}, nearest(2 * ({total}), {squares}, {feature.scale}), {empty})"
