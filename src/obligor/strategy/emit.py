"""The row function: Python source generated from the checked program, and the function made of it.

No text of a strategy reaches the source but as a literal through `repr`; names are those of the checked
identifiers, with a prefix of ours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from obligor.kernel import round_half_even
from obligor.strategy import cube
from obligor.strategy.ir import (
    Axis,
    Card,
    Formulas,
    Hit,
    Model,
    Node,
    Op,
    Output,
    Program,
    Rules,
    Statement,
    Table,
)
from obligor.strategy.outcome import Ask, Need, Outcome, missing, outside
from obligor.strategy.types import INT64, Value

__all__ = ["RowFunction", "compile_row", "emit"]

RowFunction = Callable[[Mapping[str, Value], Ask], Outcome | Need]


def power(base: int, exponent: int, one: int) -> int:
    """A power of scaled integers, `one` being 1: square and multiply, each product rounded half-even."""
    if not exponent:
        return one
    value, half = base, one >> 1
    # The first bit made 1 times the base of 1, which is exact.
    for bit in f"{exponent:b}"[1:]:
        for factor in (value, base) if bit == "1" else (value,):
            # Rounded half up; where that was a tie, an odd result goes back to even.
            product = value * factor + half
            value = product // one
            if value & 1 and value * one == product and one > 1:
                value -= 1
    return value


def compile_row(program: Program, name: str) -> tuple[RowFunction, str]:
    """The row function of a program, and its source."""
    source, tables = emit(program)
    space: dict[str, Any] = {
        **tables,
        "Need": Need,
        "Outcome": Outcome,
        "bisect": bisect_right,
        "half_even": round_half_even,
        "missing": missing,
        "outcomes": program.outcomes,
        "outside": outside,
        "power": power,
    }
    exec(compile(source, f"<strategy {name}>", "exec"), space)  # noqa: S102 - our own source, from the IR
    run: RowFunction = space["run"]
    return run, source


def emit(program: Program) -> tuple[str, dict[str, Any]]:
    """The source of a program's row function, and the tables that it looks things up in."""
    emitter = _Emitter(program)
    emitter.program_body()
    return "\n".join(emitter.lines) + "\n", emitter.tables


def _simple(text: str) -> bool:
    return text.isidentifier() or text.lstrip("-").isdigit()


class _Expressions:
    """Nodes as Python expressions."""

    def __init__(self) -> None:
        self.temporaries = 0

    def expression(self, node: Node) -> str:
        """The expression of a node; it can be put anywhere as it is."""
        if node.op is Op.CONST:
            return repr(node.value)
        if node.op is Op.VAR:
            return "outcomes[o]" if node.name == "outcome" else f"v_{node.name}"
        if node.op is Op.MATCH:
            return self._match(node)
        parts = [self.expression(arg) for arg in node.args]
        if node.op is Op.DIV:
            return self._divide(node, *parts)
        if node.op in {Op.MIN, Op.MAX}:
            return self._extreme(node.op, parts)
        if node.op is Op.DEFAULT:
            first, again = self._once(parts[0])
            return f"({again} if {first} is not None else {parts[1]})"
        if node.op is Op.COMPARE:
            sign = "==" if node.name == "=" else node.name
            return f"({parts[0]} {sign} {parts[1]})"
        if node.op is Op.POW:
            return f"power({parts[0]}, {parts[1]}, {node.value})"
        return self.FORMS[node.op].format(*parts)

    FORMS: Mapping[Op, str] = {
        Op.ADD: "({} + {})",
        Op.SUB: "({} - {})",
        Op.MUL: "({} * {})",
        Op.ABS: "abs({})",
        Op.AND: "({} and {})",
        Op.OR: "({} or {})",
        Op.NOT: "(not {})",
        Op.IF: "({1} if {0} else {2})",
        Op.KNOWN: "({} is not None)",
    }

    def _divide(self, node: Node, n: str, d: str) -> str:
        if node.name == "floor":
            return f"({n} // {d})"
        if node.name == "ceiling":
            return f"(-(-{n} // {d}))"
        divisor = node.args[1]
        if divisor.op is not Op.CONST or not isinstance(divisor.value, int):
            return f"half_even({n}, {d})"
        half = divisor.value >> 1
        if divisor.value % 2:
            return f"(({n} + {half}) // {d})"
        # Rounded half up; where that was a tie, an odd result goes back to even.
        self.temporaries += 1
        x, q = f"x_{self.temporaries}", f"q_{self.temporaries}"
        return f"({q} - 1 if ({q} := ({x} := {n} + {half}) // {d}) & 1 and {q} * {d} == {x} else {q})"

    def _extreme(self, op: Op, parts: Sequence[str]) -> str:
        if len(parts) == 2 and all(map(_simple, parts)):
            a, b = parts
            return f"({a} if {a} {'<=' if op is Op.MIN else '>='} {b} else {b})"
        return f"{op.value}({', '.join(parts)})"

    def _once(self, text: str) -> tuple[str, str]:
        """A text for the first and one for later uses of an expression that is computed once."""
        if _simple(text):
            return text, text
        self.temporaries += 1
        name = f"x_{self.temporaries}"
        return f"({name} := {text})", name

    def _match(self, node: Node) -> str:
        cell = node.cell
        first, again = self._once(self.expression(node.args[0]))
        parts = [f"{first} is None"] if node.args[0].type.nullable else []
        use = again if parts else first
        tests: list[str] = []
        if cell.anything:
            return "True"
        for lo, hi in cell.ranges:
            low, high = ("" if lo <= -INT64 else f"{lo} <= "), ("" if hi >= INT64 else f" <= {hi}")
            tests.append(f"({use} == {lo})" if lo == hi else f"({low}{use}{high})")
            use = again
        if cell.values:
            tests.append(f"({use} in {cell.values!r})")
        known = " or ".join(tests) or "False"
        if not parts:
            return f"({known})"
        return f"({parts[0]} or {known})" if cell.null else f"(not {parts[0]} and ({known}))"


class _Emitter(_Expressions):
    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.lines: list[str] = []
        self.tables: dict[str, Any] = {}
        self.entries: list[str] = []
        self.scored = False
        self.possible = {0}
        self.reads = list(accumulate(program.reads))

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def program_body(self) -> None:
        self.line(0, "def run(f, ask):")
        self.line(1, "o = 0")
        self.line(1, "r = []")
        for index, statement in enumerate(self.program.statements):
            self.read(index)
            self.statement(index, statement)
        last = len(self.program.statements)
        self.read(last)
        self.leave(1, last, self.possible)

    def read(self, index: int) -> None:
        """Fetch the inputs that are first read here, or ask for those that are absent."""
        names = self.program.reads[index]
        if not names:
            return
        self.line(1, "try:")
        for name in names:
            self.line(2, f"v_{name} = f[{name!r}]")
        self.line(1, "except KeyError:")
        self.line(2, f"return missing(f, {names!r})")

    def leave(self, depth: int, index: int, possible: set[int]) -> None:
        """Return the outcome as it stands after a step."""
        outputs = ", ".join(f"{out.name!r}: {self.output(out, possible)}" for out in self.program.outputs)
        trace = ", ".join(self.entries)
        score = "s" if self.scored else "None"
        name = f"outcomes[{next(iter(possible))}]" if len(possible) == 1 else "outcomes[o]"
        self.line(
            depth,
            f"return Outcome({name}, {{{outputs}}}, tuple(r), [{trace}], {self.reads[index]!r}, {score})",
        )

    def output(self, out: Output, possible: set[int]) -> str:
        kept = possible & set(out.outcomes)
        if not kept:
            return "None"
        value = self.expression(out.node)
        if kept == possible:
            return value
        bound = sorted(kept)
        condition = f"o == {bound[0]}" if len(bound) == 1 else f"o in {tuple(bound)!r}"
        return f"({value} if {condition} else None)"

    # ---- statements

    def statement(self, index: int, statement: Statement) -> None:
        if isinstance(statement, Rules):
            self.rules(index, statement)
        elif isinstance(statement, Formulas):
            for name, node, _ in statement.items:
                self.line(1, f"v_{name} = {self.expression(node)}")
            named = ", ".join(f"{name!r}: v_{name}" for name, _, _ in statement.items)
            self.entries.append(f"[{statement.step!r}, {{{named}}}]")
        elif isinstance(statement, Table):
            self.table(index, statement)
        elif isinstance(statement, Card):
            self.card(index, statement)
        else:
            self.model(statement)

    def rules(self, index: int, rules: Rules) -> None:
        hits = f"h_{index}"
        explained = any(rule.explain for rule in rules.rules)
        outcomes = {rule.outcome for rule in rules.rules}
        self.line(1, f"{hits} = []")
        for rule in rules.rules:
            self.line(1, f"if {self.expression(rule.when)}:")
            self.line(2, f"{hits}.append({rule.code!r})")
            if explained:
                self.line(2, f"r.append({rule.code!r})")
            if rule.explain:
                self.line(2, "r.extend(s.reasons)")
            if len(outcomes) > 1:
                self.line(2, f"o = {rule.outcome} if o < {rule.outcome} else o")
        self.entries.append(f"[{rules.step!r}, {hits}]")
        after = {max(before, rule.outcome) for before in self.possible for rule in rules.rules}
        self.line(1, f"if {hits}:")
        if not explained:
            self.line(2, f"r += {hits}")
        if len(outcomes) == 1:
            self.line(2, f"o = {min(outcomes)} if o < {min(outcomes)} else o")
        if rules.stop:
            self.leave(2, index, after)
        else:
            # Every branch above may have been left empty.
            self.line(2, "pass")
            self.possible = self.possible | after

    def table(self, index: int, table: Table) -> None:
        found = cube.build(table)
        names = [f"v_{name}" for name, _ in table.gives]
        answers = [(row + 1, *values) for row, values in enumerate(table.rows)]
        where = f"t_{index}"
        self.tables[where] = [answers[row] for row in found.rows]
        position = "0"
        for number, (axis, cut) in enumerate(zip(table.axes, found.cuts, strict=True)):
            place = self.piece(f"{where}_{number}", axis, cut)
            count = len(cut.pieces)
            if place == "0":
                continue
            position = place if position == "0" else f"({position}) * {count} + {place}"
        self.line(1, f"{', '.join([f'r_{index}', *names])} = {where}[{position}]")
        given = ", ".join(f"{name!r}: v_{name}" for name, _ in table.gives)
        self.entries.append(f"[{table.step!r}, r_{index}, {{{given}}}]")

    def piece(self, where: str, axis: Axis, cut: cube.Cut) -> str:
        """The expression for the piece of an axis that a value lies in."""
        variable = "outcomes[o]" if axis.name == "outcome" else f"v_{axis.name}"
        if cut.classes is not None:
            if len(cut.pieces) == 1:
                return "0"
            self.tables[where] = {**cut.classes, **({} if cut.null is None else {None: cut.null})}
            return f"{where}[{variable}]"
        if not cut.starts:
            inner = "0"
        elif len(cut.starts) == 1:
            inner = f"({variable} >= {cut.starts[0]})"
        else:
            self.tables[where] = list(cut.starts)
            inner = f"bisect({where}, {variable})"
        return inner if cut.null is None else f"({cut.null} if {variable} is None else {inner})"

    def card(self, index: int, card: Card) -> None:
        names = []
        for number, line in enumerate(card.lines):
            axis = line.axis
            single = Table("", card.file, Hit.UNIQUE, (axis,), (), tuple((p,) for p in line.points))
            found = cube.build(single)
            where = f"t_{index}_{number}"
            self.tables[where] = [line.points[row] for row in found.rows]
            name = f"p_{index}_{number}"
            self.line(1, f"{name} = {where}[{self.piece(f'{where}_0', axis, found.cuts[0])}]")
            names.append(name)
        self.line(1, f"v_{card.name} = {' + '.join([str(card.base), *names])}")
        points = ", ".join(
            f"{line.axis.name!r}: {name}" for line, name in zip(card.lines, names, strict=True)
        )
        self.entries.append(f"[{card.step!r}, v_{card.name}, {{{points}}}]")

    def model(self, model: Model) -> None:
        self.scored = True
        self.line(1, "s = ask(f)")
        self.line(1, "if s.__class__ is Need:")
        self.line(2, "return s")
        for name in model.gives:
            kind = self.program.inputs[name]
            part = "points" if name == "score" else name
            self.line(1, f"v_{name} = s.{part}")
            self.line(1, f"if not {kind.lo} <= v_{name} <= {kind.hi}:")
            self.line(2, f"raise outside({name!r}, v_{name}, {kind.lo}, {kind.hi})")
        self.entries.append(
            f"[{model.step!r}, s.points, s.pd_ppm, s.base, [[c[0], c[1]] for c in s.contributions]]"
        )
