"""The program by the book: a slow reading of the IR that shares no code with the emitter.

Tables are searched row by row, each cell tested; nothing is cut, indexed or generated. What the emitted
function answers must be what this answers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from obligor.kernel import InvariantBroken
from obligor.strategy.cells import matches
from obligor.strategy.flow import read_by
from obligor.strategy.ir import Axis, Card, Formulas, Hit, Model, Node, Op, Program, Rules, Table, names_in
from obligor.strategy.outcome import Ask, Need, Outcome, Scored, outside
from obligor.strategy.types import Value

__all__ = ["evaluate", "interpret"]


def evaluate(node: Node, known: Mapping[str, Value]) -> Any:
    """The value of a node."""
    args = node.args
    if node.op is Op.CONST:
        return node.value
    if node.op is Op.VAR:
        return known[node.name]
    if node.op is Op.IF:
        return evaluate(args[1] if evaluate(args[0], known) else args[2], known)
    if node.op is Op.AND:
        return evaluate(args[0], known) and evaluate(args[1], known)
    if node.op is Op.OR:
        return evaluate(args[0], known) or evaluate(args[1], known)
    if node.op is Op.DEFAULT:
        value = evaluate(args[0], known)
        return evaluate(args[1], known) if value is None else value
    return _strict(node, [evaluate(arg, known) for arg in args])


def _strict(node: Node, values: list[Any]) -> Any:
    """An operation whose arguments are all computed."""
    if node.op in _PLAIN:
        return _PLAIN[node.op](*values)
    if node.op is Op.DIV:
        return _divide(values[0], values[1], node.name)
    if node.op is Op.POW:
        return _power(values[0], values[1], int(node.value or 0))
    if node.op is Op.COMPARE:
        return _COMPARE[node.name](*values)
    if node.op is Op.MATCH:
        return matches(node.cell, values[0])
    raise InvariantBroken(f"no meaning for {node.op}")


_PLAIN: dict[Op, Callable[..., Any]] = {
    Op.ADD: operator.add,
    Op.SUB: operator.sub,
    Op.MUL: operator.mul,
    Op.MIN: min,
    Op.MAX: max,
    Op.ABS: abs,
    Op.NOT: operator.not_,
    Op.KNOWN: lambda value: value is not None,
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _divide(n: int, d: int, rounding: str) -> int:
    quotient = n // d
    if rounding == "floor" or quotient * d == n:
        return quotient
    if rounding == "ceiling":
        return quotient + 1
    below, above = n - quotient * d, (quotient + 1) * d - n
    if below == above:
        return quotient if quotient % 2 == 0 else quotient + 1
    return quotient if below < above else quotient + 1


def _power(base: int, n: int, one: int) -> int:
    if n == 0:
        return one
    half = _power(base, n // 2, one)
    square = _divide(half * half, one, "half_even")
    return _divide(square * base, one, "half_even") if n % 2 else square


def interpret(program: Program, facts: Mapping[str, Value], ask: Ask) -> Outcome | Need:
    """Run a program on typed facts, one statement after the other."""
    run = _Run(program, facts, ask)
    for statement in program.statements:
        need = run.fetch(sorted(read_by(statement), key=run.order))
        if need is not None:
            return need
        if isinstance(statement, Model):
            need = run.model(statement)
            if need is not None:
                return need
        elif isinstance(statement, Rules):
            if run.rules(statement) and statement.stop:
                return run.finish()
        else:
            run.compute(statement)
    wanted = {name for output in program.outputs for name in names_in(output.node)}
    return run.fetch(sorted(wanted, key=run.order)) or run.finish()


class _Run:
    def __init__(self, program: Program, facts: Mapping[str, Value], ask: Ask) -> None:
        self.program = program
        self.facts = facts
        self.ask = ask
        self.known: dict[str, Value] = {}
        self.read: list[str] = []
        self.severity = 0
        self.reasons: list[str] = []
        self.trace: list[Any] = []
        self.score: Scored | None = None

    def order(self, name: str) -> int:
        names = list(self.program.inputs)
        return names.index(name) if name in names else -1

    def fetch(self, names: list[str]) -> Need | None:
        """Take inputs from the facts; those that are absent are needed."""
        wanted = [name for name in names if name in self.program.inputs and name not in self.known]
        absent = tuple(name for name in wanted if name not in self.facts)
        if absent:
            return Need(absent)
        self.read += wanted
        self.known.update({name: self.facts[name] for name in wanted})
        return None

    def view(self) -> dict[str, Value]:
        return {**self.known, "outcome": self.program.outcomes[self.severity]}

    def rules(self, statement: Rules) -> list[str]:
        view = self.view()
        fired = [rule for rule in statement.rules if evaluate(rule.when, view)]
        for rule in fired:
            self.reasons.append(rule.code)
            if rule.explain and self.score is not None:
                self.reasons += self.score.reasons
            self.severity = max(self.severity, rule.outcome)
        codes = [rule.code for rule in fired]
        self.trace.append([statement.step, codes])
        return codes

    def compute(self, statement: Formulas | Table | Card) -> None:
        if isinstance(statement, Formulas):
            for name, node, _ in statement.items:
                self.known[name] = evaluate(node, self.view())
            self.trace.append([statement.step, {name: self.known[name] for name, _, _ in statement.items}])
        elif isinstance(statement, Table):
            row = self.row(statement.axes, statement.hit, statement.rows)
            given = {
                name: value for (name, _), value in zip(statement.gives, statement.rows[row], strict=True)
            }
            self.known.update(given)
            self.trace.append([statement.step, row + 1, given])
        else:
            points = {
                line.axis.name: line.points[self.row((line.axis,), Hit.UNIQUE, line.points)]
                for line in statement.lines
            }
            total = statement.base + sum(points.values())
            self.known[statement.name] = total
            self.trace.append([statement.step, total, points])

    def row(self, axes: tuple[Axis, ...], hit: Hit, rows: tuple[Any, ...]) -> int:
        """The row that counts, by the hit policy."""
        view = self.view()
        hits = [
            index
            for index in range(len(rows))
            if all(matches(axis.cells[index], view[axis.name]) for axis in axes)
        ]
        agree = hit is Hit.FIRST or len(hits) == 1 or (hit is Hit.ANY and len({rows[i] for i in hits}) == 1)
        if not hits or not agree:
            raise InvariantBroken(f"rows {hits} match under hit policy {hit}")
        return hits[0]

    def model(self, statement: Model) -> Need | None:
        answer = self.ask(self.facts)
        if isinstance(answer, Need):
            return answer
        self.score = answer
        given = {"score": answer.points, "pd_ppm": answer.pd_ppm}
        for name in statement.gives:
            kind = self.program.inputs[name]
            if not kind.lo <= given[name] <= kind.hi:
                raise outside(name, given[name], kind.lo, kind.hi)
            self.known[name] = given[name]
        parts = [[name, points] for name, points, _ in answer.contributions]
        self.trace.append([statement.step, answer.points, answer.pd_ppm, answer.base, parts])
        return None

    def finish(self) -> Outcome:
        view = self.view()
        outputs = {
            output.name: evaluate(output.node, view) if self.severity in output.outcomes else None
            for output in self.program.outputs
        }
        outcome = self.program.outcomes[self.severity]
        return Outcome(outcome, outputs, tuple(self.reasons), self.trace, tuple(self.read), self.score)
