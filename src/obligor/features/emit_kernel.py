"""Declarations become the text of a numba kernel set: each function walks the packed rows backwards once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from obligor.features.declaration import DIRECTIONS, SOURCES, Between, Feature
from obligor.features.rows import KINDS, ROW
from obligor.kernel import MAX_INTEGER

__all__ = ["DAY_US", "NULL", "PER_FUNCTION", "Kernel", "emit"]

DAY_US = 86_400_000_000
NULL = -(2**63)  # stands for "not known" in a kernel's integers; no feature can have it
PER_FUNCTION = 40  # compile time grows faster than the number of features: 300 in one function take 33 s

_UNSET = {"max": "NULL", "min": "NULL", "last": "NULL", "first": "NULL"} | dict.fromkeys(
    ("days_since", "days_since_first"), "NULL"
)
# Found at its first row, so that an unbounded walk may end there.
_AT_ONCE = {"last", "days_since"}

_HEAD = '''"""Feature kernels, generated from a catalogue: do not edit, the digest of the text is its name."""

import numpy as np
from numba import from_dtype, njit, types

ROW = np.dtype({row}, align=True)
NULL = {null}
MOST = {most}
DAY = {day}
SIGNATURE = types.void(
    types.Array(from_dtype(ROW), 1, "C"), types.int64, types.int64, types.int64,
    types.int64[::1], types.int64, types.int32[:, ::1], types.int32, types.int64[::1],
)
'''
_WALK = """

@njit(SIGNATURE, cache=True, error_model="numpy")
def {name}(rows, count, as_of, known_upto, codes, currency, seen, mark, out):
    low = 0
    high = count
    while low < high:
        middle = (low + high) >> 1
        if rows[middle].at_us <= as_of:
            low = middle + 1
        else:
            high = middle
    i = low - 1
"""


class Kernel(NamedTuple):
    """The text of a kernel set and what its functions take.

    Each of `functions` is called as f(rows, count, as_of_us, known_upto, codes, currency, seen, mark, out):
    `codes` are the history's codes of `texts`, `seen` has a row of codes for each of `stamps` and holds no
    `mark`, and `out` takes the values in the order of declaration.
    """

    text: str
    functions: tuple[str, ...]
    texts: tuple[str, ...]
    stamps: int


class _Group(NamedTuple):
    """Features that see the same rows: one kind, one filter, one kind of key."""

    conditions: tuple[str, ...]
    key: str | None  # the column that is counted distinctly, None for other features
    members: list[tuple[int, Feature]]


def emit(features: Mapping[str, Feature]) -> Kernel:
    """Write the kernel set of these features, in their order."""
    texts: dict[str, int] = {}
    for feature in features.values():
        for field in feature.filter:
            if field not in ("amount_minor", "direction"):
                for text in feature.texts(field):
                    if text is not None:
                        texts.setdefault(text, len(texts))
    numbered = list(enumerate(features.values()))
    row = [(name, str(ROW[name])) for name in ROW.names or ()]
    parts = [_HEAD.format(row=row, null=NULL, most=MAX_INTEGER, day=DAY_US)]
    functions: list[str] = []
    stamps = 0
    for start in range(0, len(numbered), PER_FUNCTION):
        name = f"walk_{start // PER_FUNCTION}"
        functions.append(name)
        walk, stamps = _walk(name, numbered[start : start + PER_FUNCTION], texts, stamps)
        parts.append(walk)
    return Kernel("".join(parts), tuple(functions), tuple(texts), stamps)


def _walk(
    name: str, features: Sequence[tuple[int, Feature]], texts: Mapping[str, int], stamps: int
) -> tuple[str, int]:
    lines = [_WALK.format(name=name)]
    windows = sorted({feature.window_days for _, feature in features if feature.window_days is not None})
    lines += [f"    e{days} = as_of - {days} * DAY" for days in windows]
    lines += [f"    {line}" for at, feature in features for line in _start(at, feature)]
    lines.append("    while i >= 0:")
    lines.append("        t = rows[i].at_us")
    lines += [f"        {line}" for line in _end_of_walk(features)]
    lines.append("        if rows[i].known_seq < known_upto and rows[i].until_seq >= known_upto:")
    lines.append("            kind = rows[i].kind")
    for kind in SOURCES:
        groups = _groups(kind, features, texts)
        if not groups:
            continue
        lines.append(f"            if kind == {KINDS[kind]}:")
        for group in groups:
            lines.append(f"                if {' and '.join(group.conditions) or 'True'}:")
            if group.key is None:
                body = _nested(group.members)
            else:
                body = _distinct(group.key, group.members, stamps)
                stamps += 1
            lines += [f"                    {line}" for line in body]
    lines.append("        i -= 1")
    lines += [f"    {line}" for at, feature in features for line in _finish(at, feature)]
    return "\n".join(lines) + "\n", stamps


def _start(at: int, feature: Feature) -> Iterator[str]:
    yield f"f{at} = {_UNSET.get(feature.aggregation, '0')}"
    if _counts_rows(feature):
        yield f"n{at} = 0"


def _counts_rows(feature: Feature) -> bool:
    return feature.aggregation == "mean" or (feature.aggregation == "sum" and feature.empty != 0)


def _end_of_walk(features: Sequence[tuple[int, Feature]]) -> Iterator[str]:
    """Stop at the first row that no feature can see any more."""
    endless = [(at, feature) for at, feature in features if feature.window_days is None]
    if all(feature.aggregation in _AT_ONCE for _, feature in endless):
        longest = max((feature.window_days or 0 for _, feature in features), default=0)
        conditions = [f"t <= e{longest}"] if longest else []
        conditions += [f"f{at} != NULL" for at, _ in endless]
        yield f"if {' and '.join(conditions)}:"
        yield "    break"


def _groups(kind: str, features: Iterable[tuple[int, Feature]], texts: Mapping[str, int]) -> list[_Group]:
    groups: dict[tuple[tuple[str, ...], str | None], _Group] = {}
    for at, feature in features:
        if feature.source == kind:
            conditions = tuple(_conditions(feature, texts))
            key = SOURCES[kind][feature.key] if feature.aggregation == "distinct" and feature.key else None
            groups.setdefault((conditions, key), _Group(conditions, key, [])).members.append((at, feature))
    return list(groups.values())


def _conditions(feature: Feature, texts: Mapping[str, int]) -> Iterator[str]:
    if feature.reads_money:
        yield "rows[i].currency == currency"
    for field, wanted in sorted(feature.filter.items()):
        column = f"rows[i].{SOURCES[feature.source][field]}"
        if isinstance(wanted, Between):
            if wanted.at_least is not None:
                yield f"{column} >= {wanted.at_least}"
            if wanted.at_most is not None:
                yield f"{column} <= {wanted.at_most}"
        else:
            codes = [
                "0"
                if text is None
                else str(DIRECTIONS[text])
                if field == "direction"
                else f"codes[{texts[text]}]"
                for text in feature.texts(field)
            ]
            yield f"({' or '.join(f'{column} == {code}' for code in codes)})"


def _nested(members: Sequence[tuple[int, Feature]]) -> Iterator[str]:
    """Updates, those of longer windows around those of shorter ones."""
    depth = 0
    days: int | None = None
    for at, feature in sorted(members, key=lambda member: -(member[1].window_days or 10**6)):
        if feature.window_days != days:
            days = feature.window_days
            yield f"{'    ' * depth}if t > e{days}:"
            depth += 1
        yield from (f"{'    ' * depth}{line}" for line in _update(at, feature))


def _update(at: int, feature: Feature) -> Iterator[str]:
    amount = "rows[i].amount_minor"
    if _counts_rows(feature):
        yield f"n{at} += 1"
    match feature.aggregation:
        case "count":
            yield f"f{at} += 1"
        case "sum" | "mean":
            yield f"f{at} = min(f{at} + {amount}, MOST)"
        case "max":
            yield f"f{at} = max(f{at}, {amount})"
        case "min":
            yield f"f{at} = {amount} if f{at} == NULL else min(f{at}, {amount})"
        case "last":
            yield f"if f{at} == NULL:"
            yield f"    f{at} = {amount}"
        case "first":
            yield f"f{at} = {amount}"
        case "days_since":
            yield f"if f{at} == NULL:"
            yield f"    f{at} = t"
        case "days_since_first":
            yield f"f{at} = t"


def _distinct(column: str, members: Sequence[tuple[int, Feature]], stamp: int) -> Iterator[str]:
    """Walking back, a text's first row is its latest: it is in every window that it can be in."""
    ordered = sorted(members, key=lambda member: -(member[1].window_days or 10**6))
    longest = ordered[0][1].window_days
    yield f"key = rows[i].{column}"
    within = "" if longest is None else f" and t > e{longest}"
    yield f"if key > 0 and seen[{stamp}, key] != mark{within}:"
    yield f"    seen[{stamp}, key] = mark"
    for at, feature in ordered:
        if feature.window_days == longest:
            yield f"    f{at} += 1"
        else:
            yield f"    if t > e{feature.window_days}:"
            yield f"        f{at} += 1"


def _finish(at: int, feature: Feature) -> Iterator[str]:
    empty = "NULL" if feature.empty is None else str(feature.empty)
    scale = 10**feature.scale
    match feature.aggregation:
        case "count" | "distinct":
            yield f"out[{at}] = f{at}" + ("" if feature.empty == 0 else f" if f{at} else {empty}")
        case "sum":
            yield f"out[{at}] = f{at}" + ("" if feature.empty == 0 else f" if n{at} else {empty}")
        case "mean":
            yield f"out[{at}] = {empty}"
            yield f"if n{at}:"
            yield f"    whole = f{at} * {scale} // n{at}"
            yield f"    twice = 2 * (f{at} * {scale} - whole * n{at})"
            yield f"    up = twice > n{at} or (twice == n{at} and whole % 2 == 1)"
            yield f"    out[{at}] = whole + 1 if up else whole"
        case "days_since" | "days_since_first":
            yield f"out[{at}] = {empty} if f{at} == NULL else (as_of - f{at}) * {scale} // DAY"
        case _:
            yield f"out[{at}] = {empty} if f{at} == NULL else f{at}"
