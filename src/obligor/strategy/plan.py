"""A program as rounds of Polars expressions: what each statement does to all rows at once.

A row that a step has ended is no longer `live`: its rules do not fire and its outcome stands still.
Everything else goes on being computed for it, and nothing that it then gets is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import chain
from typing import NamedTuple

import polars as pl

from obligor.strategy import cube, lookups
from obligor.strategy.flow import reached
from obligor.strategy.ir import Card, Formulas, Model, Node, Output, Program, Rule, Rules, Statement, Table
from obligor.strategy.vectors import Pool, Term, Vectors, any_of, integer, select, within

__all__ = ["Plan", "Step", "plan", "scheduled"]

OUTCOME = "outcome"
BITS = 62


class Step(NamedTuple):
    """The columns that say of a statement what the row function's trace says.

    `rules`: code, column of a mask, and its bit; `row`: of a table, from 1 on; `results` and `points`: by
    name.
    """

    step: str
    rules: tuple[tuple[str, str, int], ...] = ()
    row: str = ""
    results: tuple[tuple[str, str], ...] = ()
    points: tuple[tuple[str, str], ...] = ()


class Plan(NamedTuple):
    """How to decide a typed frame.

    A typed frame has a column `v_<name>` for each input: numbers and dates as Int64 in units of the scale,
    categories as codes of `pool`. After the `rounds`, `results` give `outcome` (a code), `ended` (the number
    of the step that ended the decision, -1 where none did), `o_<name>` for each output, `w_<n>`, a mask of
    the rules `words[n]` that fired, and the `checks`: whether an input of the model is out of its bounds.
    `traced` are the columns that `steps` name.
    """

    pool: Pool
    rounds: tuple[tuple[pl.Expr, ...], ...]
    results: tuple[pl.Expr, ...]
    traced: tuple[pl.Expr, ...]
    steps: tuple[Step, ...]
    words: tuple[tuple[Rule, ...], ...]
    checks: tuple[tuple[str, str], ...]


def plan(program: Program) -> Plan:
    """The plan of a program."""
    builder = _Builder(program)
    for index, statement in enumerate(program.statements):
        builder.statement(index, statement)
    return builder.finish()


def scheduled(
    rounds: Sequence[Sequence[pl.Expr]], results: Sequence[pl.Expr]
) -> tuple[tuple[pl.Expr, ...], ...]:
    """Rounds and results, each with the columns that are read after it and no others."""
    needed = _roots(results)
    found: list[tuple[pl.Expr, ...]] = [tuple(results)]
    for expressions in reversed(rounds):
        made = [expression for expression in expressions if expression.meta.output_name() in needed]
        kept = needed - {expression.meta.output_name() for expression in made}
        found.append((*map(pl.col, sorted(kept)), *made))
        needed = kept | _roots(made)
    return tuple(reversed(found))


def _roots(expressions: Iterable[pl.Expr]) -> set[str]:
    return {name for expression in expressions for name in expression.meta.root_names()}


def _categories(program: Program) -> Iterator[str]:
    """Every category that a program speaks of."""
    for kind in program.inputs.values():
        yield from kind.values
    for part in program.statements:
        if isinstance(part, Rules):
            yield from chain.from_iterable(_words(rule.when) for rule in part.rules)
        elif isinstance(part, Formulas):
            yield from chain.from_iterable(_words(node) for _, node, _ in part.items)
        elif isinstance(part, Table):
            yield from chain.from_iterable(axis.type.values for axis in part.axes)
            yield from chain.from_iterable(kind.values for _, kind in part.gives)
    yield from chain.from_iterable(_words(output.node) for output in program.outputs)


def _words(node: Node) -> Iterator[str]:
    yield from node.type.values
    yield from node.cell.values
    for arg in node.args:
        yield from _words(arg)


class _Builder:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.pool = Pool([*program.outcomes, *_categories(program)])
        self.vectors = Vectors(self.pool)
        self.outcome = Term(self.pool.literal(program.outcomes[0]))
        self.live: Term | None = None
        self.possible, self.ends = {0}, set[int]()
        self.words: list[list[Rule]] = [[]]
        self.masks: list[list[Term]] = [[]]
        self.ended: list[tuple[int, Term]] = []
        self.checks: list[tuple[str, str]] = []
        self.results: list[pl.Expr] = []
        self.traced: list[pl.Expr] = []
        self.steps: list[Step] = []
        for name in program.inputs:
            self.vectors.env[name] = Term(pl.col(f"v_{name}"))

    def statement(self, index: int, statement: Statement) -> None:
        """Add what a statement computes."""
        self.vectors.env[OUTCOME] = self.outcome
        if isinstance(statement, Rules):
            self.rules(index, statement)
        elif isinstance(statement, Formulas):
            named = tuple(self.result(name, self.vectors.node(node)) for name, node, _ in statement.items)
            self.steps.append(Step(statement.step, results=named))
        elif isinstance(statement, Table):
            self.table(index, statement)
        elif isinstance(statement, Card):
            self.card(index, statement)
        else:
            self.model(statement)

    def result(self, name: str, term: Term) -> tuple[str, str]:
        """Give a name to a result, for later steps and for the trace."""
        column = f"v_{name}"
        self.vectors.env[name] = self.vectors.keep(term, column)
        self.traced.append(pl.col(column))
        return name, column

    # ---- rules

    def rules(self, index: int, rules: Rules) -> None:
        """Which rules fire in live rows, and what they make of the outcome."""
        parts: dict[int, list[tuple[Rule, Term]]] = {}
        for rule in rules.rules:
            if len(self.words[-1]) == BITS:
                self.words.append([])
                self.masks.append([])
            self.words[-1].append(rule)
            parts.setdefault(len(self.words) - 1, []).append((rule, self.vectors.node(rule.when)))
        masks = {word: self.mask(index, word, fired) for word, fired in parts.items()}
        bits = [
            (rule.code, f"m_{index}_{word}", self.words[word].index(rule))
            for word, fired in parts.items()
            for rule, _ in fired
        ]
        self.steps.append(Step(rules.step, rules=tuple(bits)))
        hit = any_of(mask.expr != integer(0) for mask in masks.values())
        level = max(mask.level for mask in masks.values())
        for outcome in sorted({rule.outcome for rule in rules.rules} - {0}):
            self.harden(outcome, masks, rules)
        after = reached(rules, self.possible)
        if not rules.stop:
            self.possible = self.possible | after
            return
        self.ends |= after
        self.ended.append((index, Term(hit, level)))
        before = None if self.live is None else self.live
        alive = ~hit if before is None else before.expr & ~hit
        self.live = self.vectors.keep(Term(alive, max(level, 0 if before is None else before.level)))

    def mask(self, index: int, word: int, fired: Sequence[tuple[Rule, Term]]) -> Term:
        """The bits of the rules of a word that fire."""
        level = max(term.level for _, term in fired)
        bits = (
            select(term.expr, integer(1 << self.words[word].index(rule)), integer(0)) for rule, term in fired
        )
        mask = reduce(lambda a, b: a + b, bits)
        if self.live is not None:
            mask, level = select(self.live.expr, mask, integer(0)), max(level, self.live.level)
        kept = self.vectors.keep(Term(mask, level), f"m_{index}_{word}")
        self.traced.append(kept.expr)
        self.masks[word].append(kept)
        return kept

    def harden(self, outcome: int, masks: dict[int, Term], rules: Rules) -> None:
        """Where a rule with an outcome fired, the outcome is at least that."""
        tests, level = [], self.outcome.level
        for word, mask in masks.items():
            bits = sum(
                1 << self.words[word].index(rule)
                for rule in rules.rules
                if rule.outcome == outcome and rule in self.words[word]
            )
            if bits:
                tests.append((mask.expr & integer(bits)) != integer(0))
                level = max(level, mask.level)
        code = self.pool.literal(self.program.outcomes[outcome])
        # The codes of outcomes are their severities.
        milder = any_of(tests) & (self.outcome.expr < code)
        self.outcome = self.vectors.keep(Term(select(milder, code, self.outcome.expr), level))

    # ---- tables, scorecards, the model

    def table(self, index: int, table: Table) -> None:
        """The cell of the cube in each row, and what stands there."""
        found = cube.build(table)
        cell = lookups.cells(self.vectors, table, found)
        named = tuple(
            self.result(name, lookups.gives(self.vectors, table, found, cell, column))
            for column, (name, _) in enumerate(table.gives)
        )
        self.traced.append(lookups.rows(found, cell).expr.alias(f"r_{index}"))
        self.steps.append(Step(table.step, row=f"r_{index}", results=named))

    def card(self, index: int, card: Card) -> None:
        """The points of each characteristic, and their sum."""
        terms = [
            self.vectors.keep(lookups.points(self.vectors, line), f"p_{index}_{number}")
            for number, line in enumerate(card.lines)
        ]
        # The sum of all points that there can be is far from 32 bits; see `lookups.points`.
        total = reduce(lambda a, b: a + b, (term.expr for term in terms)).cast(pl.Int64) + integer(card.base)
        named = self.result(card.name, Term(total, max(term.level for term in terms)))
        self.traced += [term.expr for term in terms]
        each = tuple((line.axis.name, f"p_{index}_{number}") for number, line in enumerate(card.lines))
        self.steps.append(Step(card.step, results=(named,), points=each))

    def model(self, model: Model) -> None:
        """Check the score where the model is asked: in live rows."""
        self.steps.append(Step(model.step))
        for name in model.gives:
            kind = self.program.inputs[name]
            wrong = ~within(pl.col(f"v_{name}"), kind.lo, kind.hi).fill_null(False)
            asked = wrong if self.live is None else self.live.expr & wrong
            self.results.append(asked.alias(f"outside_{name}"))
            self.checks.append((f"outside_{name}", name))

    # ---- the end

    def finish(self) -> Plan:
        """Outcome, outputs, reasons, and where the decision ended."""
        self.vectors.env[OUTCOME] = self.outcome
        ended = pl.lit(-1, dtype=pl.Int32)
        for index, hit in self.ended:
            ended = select(hit.expr, pl.lit(index, dtype=pl.Int32), ended)
        self.results += [self.outcome.expr.alias(OUTCOME), ended.alias("ended")]
        self.results += [self.output(output).alias(f"o_{output.name}") for output in self.program.outputs]
        for number, masks in enumerate(self.masks):
            word = reduce(lambda a, b: a + b, (mask.expr for mask in masks), integer(0))
            self.results.append(word.alias(f"w_{number}"))
        return Plan(
            self.pool,
            tuple(map(tuple, self.vectors.rounds)),
            tuple(self.results),
            tuple(self.traced),
            tuple(self.steps),
            tuple(map(tuple, self.words)),
            tuple(self.checks),
        )

    def output(self, output: Output) -> pl.Expr:
        """An output under the outcomes that have it, null under the others."""
        term = self.vectors.keep(self.vectors.node(output.node))
        names = [self.program.outcomes[index] for index in output.outcomes]
        if self.possible | self.ends <= set(output.outcomes):
            return term.expr
        return pl.when(self.vectors.among(self.outcome.expr, names)).then(term.expr)
