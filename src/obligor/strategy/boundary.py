"""Facts that try a strategy where it could go wrong: at every cut point and beside it, with nulls, with
unknown categories, and along every path that can be found.

Rows are drawn by chance and mended: where rules fire, some of what they read is drawn again, so that the
steps behind them are reached too. Rows that show something new (a rule, a row of a table, a bin, an outcome)
become bases. Each fact of a base is then given every value that anything compares it with; and where the
decision takes another path between two of them, the very value at which it turns is searched for.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from obligor.kernel import Fact, InvariantBroken
from obligor.strategy.ir import Card, Formulas, Node, Op, Program, Rules, Table, names_in
from obligor.strategy.outcome import Outcome
from obligor.strategy.strategy import Strategy
from obligor.strategy.types import Value

__all__ = ["Answer", "Case", "cases", "ended_by", "written"]

UNKNOWN = "none of those listed"
CODES = ("X01", "X02", "X03")
MENDINGS = 100
# Of the rows asked for: one in so many is drawn, the others are made of bases.
DRAWN = 4


class Answer(NamedTuple):
    """A model's answer to a row."""

    points: int
    pd_ppm: int
    reasons: tuple[str, ...]
    base: int = 0
    contributions: tuple[tuple[str, int, int], ...] = ()


class Case(NamedTuple):
    """A row: typed facts of every input, those of the model's answer too, and the codes of its reasons."""

    facts: Mapping[str, Value]
    reasons: tuple[str, ...] = ()

    def answer(self) -> Answer:
        """What the model answers."""
        points, pd_ppm = (int(self.facts.get(name) or 0) for name in ("score", "pd_ppm"))
        return Answer(points, pd_ppm, self.reasons)

    def run(self, strategy: Strategy) -> Outcome:
        """What the row function makes of it."""
        found = strategy.run(self.facts, (lambda _: self.answer()) if strategy.scores else None)
        if isinstance(found, Outcome):
            return found
        raise InvariantBroken(f"a row with every input was not enough: {', '.join(found.names)}")


def ended_by(program: Program, found: Outcome) -> str | None:
    """The step that ended a decision; None where it came to its end."""
    last = program.statements[len(found.trace) - 1] if found.trace else None
    stopped = isinstance(last, Rules) and last.stop and found.trace[-1][1]
    return last.step if last is not None and stopped else None


def cases(strategy: Strategy, most: int, seed: int = 0) -> list[Case]:
    """So many rows at most, the same for the same seed."""
    return _Trial(strategy, seed).cases(most)


def written(strategy: Strategy, case: Case, number: int) -> dict[str, Fact]:
    """A row's facts as they would come, now and then with a category that is not listed."""
    facts = strategy.render_facts(case.facts)
    for name, item in strategy.inputs.items():
        if item.other is not None and facts[name] == item.other and number % 2:
            facts[name] = UNKNOWN
    return facts


class _Trial:
    def __init__(self, strategy: Strategy, seed: int) -> None:
        self.strategy = strategy
        self.program = strategy.program
        self.chance = random.Random(seed)  # noqa: S311 - rows to try, no secrets
        self.points = _points(self.program)
        self.sources = _sources(self.program)
        self.seen: set[Hashable] = set()

    def cases(self, most: int) -> list[Case]:
        """Rows by chance, then those around the bases among them, then again by chance."""
        found: list[Case] = []
        bases: list[Case] = []
        while len(found) < most // DRAWN:
            for case in self.mended():
                found.append(case)
                if self.shows_new(case):
                    bases.append(case)
        # The last to show something new went furthest.
        for base in reversed(bases):
            found += self.around(base)
            if len(found) >= most:
                return found[:most]
        while len(found) < most:
            found += self.mended()
        return found[:most]

    # ---- drawing

    def mended(self) -> Iterator[Case]:
        """A row by chance, and others that come further: past the first rules that fired, until none does."""
        best = Case({name: self.value(name) for name in self.program.inputs}, self.reasons())
        yield best
        reached, fired = self.reach(best)
        for _ in range(MENDINGS):
            sources = sorted({name for code in fired for name in self.sources[code]})
            if not sources:
                return
            some = self.chance.sample(sources, self.chance.randint(1, min(3, len(sources))))
            case = Case({**best.facts, **{name: self.value(name) for name in some}}, self.reasons())
            yield case
            place, codes = self.reach(case)
            if (place, -len(codes)) >= (reached, -len(fired)):
                best, reached, fired = case, place, codes

    def reach(self, case: Case) -> tuple[int, list[str]]:
        """The place of the first step of which rules fired, and their codes; none of a row that met none."""
        trace = case.run(self.strategy).trace
        for place, (statement, entry) in enumerate(zip(self.program.statements, trace, strict=False)):
            if isinstance(statement, Rules) and entry[1]:
                return place, entry[1]
        return len(trace), []

    def value(self, name: str) -> Value:
        """A value of an input: one that something compares it with, as often as any other."""
        kind = self.program.inputs[name]
        if kind.nullable and self.chance.random() < 0.2:
            return None
        if kind.values:
            return self.chance.choice(kind.values)
        if self.strategy.inputs[name].type == "boolean":
            return self.chance.random() < 0.5
        points = self.points[name]
        if self.chance.random() < 0.5:
            return self.chance.choice(points)
        # Small amounts are as likely as large ones: most of a range up to its maximum is beyond all that
        # people have.
        size = self.chance.uniform(0, (kind.hi - kind.lo + 1).bit_length())
        return min(kind.hi, kind.lo + int(2**size) - 1)

    def reasons(self) -> tuple[str, ...]:
        return tuple(self.chance.sample(CODES, self.chance.randint(0, len(CODES))))

    # ---- what a row shows

    def path(self, case: Case) -> tuple[Hashable, ...]:
        """The rules, rows and bins of a decision, in order."""
        found = case.run(self.strategy)
        parts: list[Hashable] = [found.outcome]
        for statement, entry in zip(self.program.statements, found.trace, strict=False):
            if isinstance(statement, Rules):
                parts.append((statement.step, *entry[1]))
            elif isinstance(statement, Table):
                parts.append((statement.step, entry[1]))
            elif isinstance(statement, Card):
                parts.append((statement.step, *entry[2].items()))
        return tuple(parts)

    def shows_new(self, case: Case) -> bool:
        found: set[Hashable] = set()
        for part in self.path(case):
            step, *rest = part if isinstance(part, tuple) else (part,)
            found |= {(step, item) for item in rest} or {step}
        new = not found <= self.seen
        self.seen |= found
        return new

    # ---- around a base

    def around(self, base: Case) -> Iterator[Case]:
        """The base with each fact at every value of interest, and on both sides of where the path turns."""
        for name, kind in self.program.inputs.items():
            if kind.values or self.strategy.inputs[name].type == "boolean":
                values: Iterable[Value] = kind.values or (False, True)
                yield from (_with(base, name, value) for value in values)
            else:
                yield from self.turns(base, name)
            if kind.nullable:
                yield _with(base, name, None)

    def turns(self, base: Case, name: str) -> Iterator[Case]:
        tried = [(point, _with(base, name, point)) for point in self.points[name]]
        paths = [self.path(case) for _, case in tried]
        yield from (case for _, case in tried)
        for ((low, _), before), ((high, _), after) in pairwise(zip(tried, paths, strict=True)):
            if before != after and high - low > 1:
                yield from self.turn(base, name, low, high)

    def turn(self, base: Case, name: str, low: int, high: int) -> Iterator[Case]:
        """Both sides of a value between two others at which the path turns."""
        path = self.path(_with(base, name, low))
        while high - low > 1:
            middle = (low + high) // 2
            if self.path(_with(base, name, middle)) == path:
                low = middle
            else:
                high = middle
        yield from (_with(base, name, low), _with(base, name, high))


def _with(base: Case, name: str, value: Value) -> Case:
    return Case({**base.facts, name: value}, base.reasons)


def _points(program: Program) -> dict[str, list[int]]:
    """For each input with an order: its bounds, whatever it is compared with, and the neighbours of these."""
    found: dict[str, set[int]] = {name: {kind.lo, kind.hi} for name, kind in program.inputs.items()}
    for node in _nodes(program):
        constants = set(_constants(node))
        # A number that was scaled up to be compared was compared with less.
        scaled = {value // factor for value in constants for factor in constants if factor in _POWERS}
        for name in set(names_in(node)) & set(found):
            found[name] |= constants | scaled
    for part in program.statements:
        axes = part.axes if isinstance(part, Table) else ()
        axes = tuple(line.axis for line in part.lines) if isinstance(part, Card) else axes
        for axis in axes:
            if axis.name in found:
                found[axis.name] |= {bound for cell in axis.cells for pair in cell.ranges for bound in pair}
    return {
        name: sorted(
            {
                point + step
                for point in points
                for step in (-1, 0, 1)
                if program.inputs[name].lo <= point + step <= program.inputs[name].hi
            }
        )
        for name, points in found.items()
    }


_POWERS = frozenset(10**power for power in range(1, 19))


def _nodes(program: Program) -> Iterator[Node]:
    for part in program.statements:
        if isinstance(part, Rules):
            yield from (rule.when for rule in part.rules)
        elif isinstance(part, Formulas):
            yield from (node for _, node, _ in part.items)


def _constants(node: Node) -> Iterator[int]:
    if node.op is Op.CONST and isinstance(node.value, int):
        yield node.value
    for lo, hi in node.cell.ranges:
        yield from (lo, hi)
    for arg in node.args:
        yield from _constants(arg)


def _sources(program: Program) -> dict[str, set[str]]:
    """For each rule, the inputs that it depends on."""
    made: dict[str, set[str]] = {name: {name} for name in program.inputs}
    found: dict[str, set[str]] = {}

    def behind(names: Iterable[str]) -> set[str]:
        return {source for name in names for source in made.get(name, ())}

    for part in program.statements:
        if isinstance(part, Rules):
            found.update({rule.code: behind(names_in(rule.when)) for rule in part.rules})
        elif isinstance(part, Formulas):
            for name, node, _ in part.items:
                made[name] = behind(names_in(node))
        elif isinstance(part, Table):
            made.update({name: behind(axis.name for axis in part.axes) for name, _ in part.gives})
        elif isinstance(part, Card):
            made[part.name] = behind(line.axis.name for line in part.lines)
    return found
