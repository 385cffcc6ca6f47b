"""One row: a model's tables become the text of a function that looks up, adds and sorts, and nothing else."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from obligor.kernel import MAX_INTEGER
from obligor.scoring.joint import joint
from obligor.scoring.layout import Layout
from obligor.scoring.table import Artifact, Pair, Table

__all__ = ["MOST_REASONS", "RANKS", "Contribution", "Score", "rank", "row_function"]

MOST_REASONS = 4  # Regulation B, commentary to 1002.9(b)(2): more than four is not likely to help
RANKS = 1024
_NARROW = 512  # whole numbers between the thresholds up to which each gets an entry of its own


class Contribution(NamedTuple):
    """What one characteristic gave, and the most that it can give (its pair's other being what it is)."""

    name: str
    points: int
    most: int


class Score(msgspec.Struct, frozen=True):
    """`points` = `base` + the sum of the contributions' points, exactly.

    `pd_ppm` is the probability of default in millionths; `reasons` are codes of characteristics, see
    `PointsModel.score`.
    """

    points: int
    base: int
    contributions: tuple[Contribution, ...]
    pd_ppm: int
    reasons: tuple[str, ...]


# Plain tuples: the interpreter takes them apart fastest. Of a cell: contribution, points, rank.
_Step = tuple[Contribution, int, int]
# Of a cell of a pair: both contributions, the points of both, both ranks.
_Both = tuple[Contribution, Contribution, int, int, int]


def rank(lost: int, number: int) -> int:
    """A characteristic's place among the reasons: the lowest lost most, ties are in declared order."""
    return number - lost * RANKS


def row_function(
    artifact: Artifact, absent: Callable[[Mapping[str, Any]], Exception]
) -> Callable[[Mapping[str, Any]], Score]:
    """The function from facts to a score; `absent` makes the refusal where a fact is not there."""
    names: dict[str, Any] = {
        "Score": Score,
        "absent": absent,
        "bisect": bisect_right,
        "codes": tuple(table.layout.characteristic.reason.code for table in artifact.tables),
        "pd_ppm": artifact.pd_ppm,
    }
    source = _source(artifact, names)
    exec(compile(source, f"<points {artifact.name!r}>", "exec"), names)  # noqa: S102  our own text
    found: Callable[[Mapping[str, Any]], Score] = names["score"]
    return found


def _source(artifact: Artifact, names: dict[str, Any]) -> str:
    """Of characteristic n, w is the contribution, p the points (a pair's under its first), r the rank."""
    place = {table.layout.characteristic.name: n for n, table in enumerate(artifact.tables)}
    looks: list[str] = []
    joints: list[str] = []
    points: list[str] = [str(artifact.base)]
    for tables, pair in artifact.terms():
        one, *rest = (place[table.layout.characteristic.name] for table in tables)
        points.append(f"p{one}")
        if pair is None:
            steps = _steps(tables[0], one)
            looks.append(_look(tables[0].layout, one, f"w{one}, p{one}, r{one}", steps, names))
            continue
        (other,) = rest
        # Of the first its row; of the second its column, counted from 1: a place is never false.
        looks.append(_look(tables[0].layout, one, f"s{one}", _rows_of(tables, pair, one, other), names))
        numbers = list(range(1, len(tables[1].cells) + 1))
        looks.append(_look(tables[1].layout, other, f"s{other}", numbers, names))
        joints.append(f"w{one}, w{other}, p{one}, r{one}, r{other} = s{one}[s{other}]")
    every = range(len(place))
    looked = [f"    {line}" for line in looks]
    body = ["try:", *looked, "except KeyError:", "    raise absent(facts) from None", *joints]
    body += [
        f"total = {' + '.join(points)}",
        f"ranks = [{', '.join(f'r{n}' for n in every)}]",
        "ranks.sort()",
    ]
    body += _reasons(len(place))
    given = ", ".join(f"w{n}" for n in every)
    body.append(
        f"return Score(total, {artifact.base}, ({given},), pd_ppm[total - ({artifact.lowest})], reasons)"
    )
    return "\n".join(["def score(facts):", *(f"    {line}" for line in body)]) + "\n"


def _reasons(count: int) -> list[str]:
    """The codes of the lowest ranks, which are negative where points were lost."""
    general = f"reasons = tuple([codes[r & {RANKS - 1}] for r in ranks[:{MOST_REASONS}] if r < 0])"
    if count < MOST_REASONS:
        return [general]
    some = [f"x{n}" for n in range(MOST_REASONS)]
    return [
        f"{', '.join(some)} = ranks[:{MOST_REASONS}]",
        f"if {some[-1]} < 0:",
        f"    reasons = ({', '.join(f'codes[{x} & {RANKS - 1}]' for x in some)})",
        "else:",
        f"    {general}",
    ]


def _look(layout: Layout, number: int, into: str, target: Sequence[Any], names: dict[str, Any]) -> str:
    """The line that finds what a fact stands for; facts of other types go the long way, and are refused."""
    characteristic = layout.characteristic
    find = layout.finder()
    exact = {value: target[cell] for value, cell in layout.exact.items()}

    def typed(fact: Any) -> Any:
        return target[find(characteristic.value(fact))]

    names |= {f"g{number}": exact.get, f"o{number}": typed, f"m{number}": target[layout.missing]}
    fact = f"v = facts[{characteristic.name!r}]"
    if characteristic.is_number:
        cuts = layout.cuts
        if cuts and cuts[-1] - cuts[0] <= _NARROW:
            exact |= {v: target[find(v)] for v in range(cuts[0] - 1, cuts[-1] + 1) if v not in exact}
        # Beyond the ends nothing is found, and the long way refuses.
        names[f"c{number}"] = [-MAX_INTEGER, *cuts, MAX_INTEGER + 1]
        names[f"t{number}"] = [None, *target[: layout.plain], None]
        found = f"t{number}[bisect(c{number}, v)] or o{number}(v)"
        if len(exact) > 1:
            found = f"g{number}(v) or {found}"
        # A boolean is an int to Python and equals 0 or 1, so that only the class tells it apart.
        return (
            f"{fact}; {into} = ({found}) if v.__class__ is int else m{number} if v is None else o{number}(v)"
        )
    if characteristic.kind == "category":
        names[f"u{number}"] = target[layout.other]
        return f"{fact}; {into} = g{number}(v, u{number}) if v.__class__ is str else o{number}(v)"
    names |= {f"y{number}": typed(True), f"n{number}": typed(False)}
    return f"{fact}; {into} = y{number} if v is True else n{number} if v is False else o{number}(v)"


def _steps(table: Table, number: int) -> list[_Step]:
    name, most = table.layout.characteristic.name, table.most
    return [
        (Contribution(name, cell.points, most), cell.points, rank(most - cell.points, number))
        for cell in table.cells
    ]


def _rows_of(tables: tuple[Table, ...], pair: Pair, one: int, other: int) -> list[tuple[_Both | None, ...]]:
    rows: list[tuple[_Both | None, ...]] = []
    for columns in zip(*(part.tolist() for part in joint(tables[0], tables[1], pair)), strict=True):
        row: list[_Both | None] = [None]
        for total, first, second, first_lost, second_lost in zip(*columns, strict=True):
            row.append(
                (
                    Contribution(pair.first, first, first + first_lost),
                    Contribution(pair.second, second, second + second_lost),
                    total,
                    rank(first_lost, one),
                    rank(second_lost, other),
                )
            )
        rows.append(tuple(row))
    return rows
