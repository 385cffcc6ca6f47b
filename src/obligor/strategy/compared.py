"""Both functions of a strategy run on the same rows, and every value of the one beside that of the other."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from obligor.kernel import Fact, InvariantBroken, digest
from obligor.strategy.boundary import Answer, cases, ended_by, written
from obligor.strategy.certificate import EMITTER, Certificate, Difference
from obligor.strategy.columns import ColumnFunction
from obligor.strategy.ir import Card, Formulas, Program, Rules, Statement, Table
from obligor.strategy.outcome import Need, Outcome
from obligor.strategy.plan import Step
from obligor.strategy.reasons import TEXTS
from obligor.strategy.strategy import Strategy
from obligor.strategy.types import Kind, Type

__all__ = ["compare"]

SHOWN = 5


def compare(
    strategy: Strategy, frame: pl.DataFrame | None, scored: pl.DataFrame | None, *, rows: int, seed: int
) -> Certificate:
    """See `certify`."""
    function = strategy.column_function
    compared = _Compared(strategy)
    made = cases(strategy, rows, seed)
    facts = [written(strategy, case, number) for number, case in enumerate(made)]
    answers = [case.answer() for case in made]
    columns = {name: [row[name] for row in facts] for name in function.reader.inputs}
    results = [compared.hold(facts, answers, strategy.frame(columns), _scored(answers))]
    if frame is not None:
        seen = list(_rows(frame.select(*function.reader.inputs)))
        results.append(compared.hold(seen, _answers(scored, frame.height), frame, scored))
    return compared.certificate(len(facts), results)


def _scored(answers: Sequence[Answer]) -> pl.DataFrame:
    columns = {
        "score": pl.Series([answer.points for answer in answers], dtype=pl.Int64),
        "pd_ppm": pl.Series([answer.pd_ppm for answer in answers], dtype=pl.Int64),
        "reasons": pl.Series([list(answer.reasons) for answer in answers], dtype=TEXTS),
    }
    return pl.DataFrame(columns)


def _answers(scored: pl.DataFrame | None, height: int) -> list[Answer]:
    if scored is None:
        return [Answer(0, 0, ())] * height
    return [
        Answer(row.get("score") or 0, row.get("pd_ppm") or 0, tuple(row.get("reasons") or ()))
        for row in scored.iter_rows(named=True)
    ]


def _rows(frame: pl.DataFrame) -> Iterator[dict[str, Fact]]:
    """A frame's rows as written facts."""
    for row in frame.iter_rows(named=True):
        yield {name: _fact(value) for name, value in row.items()}


def _fact(value: Any) -> Fact:
    if isinstance(value, Decimal):
        return f"{value:f}"
    found: Fact = value.isoformat() if isinstance(value, date) else value
    return found


class _Compared:
    """Counts what is compared and what differs."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.function: ColumnFunction = strategy.column_function
        self.rows = self.values = self.differing = 0
        self.differences: list[Difference] = []
        self.reached: set[tuple[str, str, Any]] = set()
        self.outcomes: set[str] = set()

    def hold(
        self,
        facts: Sequence[Mapping[str, Fact]],
        answers: Sequence[Answer],
        frame: pl.DataFrame,
        scored: pl.DataFrame | None,
    ) -> str:
        """Decide rows by both functions and compare. Returns the digest of the columns' results."""
        strategy, function = self.strategy, self.function
        decided = function.decide(function.typed(frame, scored), traced=True)
        told = function.written(decided)
        results = {name: _plain(told.get_column(name)) for name in told.columns}
        found = [_row(strategy, given, answer) for given, answer in zip(facts, answers, strict=True)]
        program = strategy.program
        everyone = range(len(found))
        self.same(everyone, "outcome", [one.outcome for one in found], results["outcome"])
        self.same(everyone, "reasons", [list(one.reasons) for one in found], results["reasons"])
        self.same(everyone, "ended", [ended_by(program, one) for one in found], results["ended"])
        for name in strategy.outputs:
            self.same(everyone, name, [one.outputs[name] for one in found], results[name])
        steps = _Steps(program, function, decided)
        for place in range(len(program.statements)):
            ran = [number for number, one in enumerate(found) if len(one.trace) > place]
            for name, ours in steps.told(place, ran, [found[number].trace[place] for number in ran]):
                self.same(ran, name, *ours)
        self.outcomes |= {one.outcome for one in found}
        for one in found:
            self.reached.update(_reached(program, one))
        self.rows += len(facts)
        return digest({name: results[name] for name in sorted(results)})

    def same(self, rows: Sequence[int], name: str, ours: Sequence[Any], theirs: Sequence[Any]) -> None:
        """Compare what both say of some rows; a boolean is no number."""
        self.values += len(ours)
        if ours == theirs and set(map(type, ours)) == set(map(type, theirs)):
            return
        for row, one, other in zip(rows, ours, theirs, strict=True):
            if type(one) is not type(other) or one != other:
                self.differing += 1
                if len(self.differences) < SHOWN:
                    self.differences.append(Difference(row, name, repr(one), repr(other)))

    def certificate(self, made: int, results: Sequence[str]) -> Certificate:
        """What was found."""
        strategy, statements = self.strategy, self.strategy.program.statements
        table_rows = sum(len(part.rows) for part in statements if isinstance(part, Table))
        lines = [line for part in statements if isinstance(part, Card) for line in part.lines]
        return Certificate(
            strategy=strategy.name,
            version=strategy.version,
            strategy_sha256=strategy.sha256,
            rows=self.rows,
            given=self.rows - made,
            values=self.values,
            differing=self.differing,
            differences=tuple(self.differences),
            outcomes=tuple(name for name in strategy.outcomes if name in self.outcomes),
            rules=(self._count("rule"), len(strategy.codes)),
            table_rows=(self._count("row"), table_rows),
            bins=(self._count("bin"), sum(len(set(line.points)) for line in lines)),
            results_sha256=digest(list(results)),
            emitter=EMITTER,
            polars=pl.__version__,
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.machine()}",
        )

    def _count(self, what: str) -> int:
        return sum(kind == what for kind, _, _ in self.reached)


def _plain(column: pl.Series) -> list[Any]:
    """A column's values in units of their scale, days, texts, booleans and lists of texts."""
    dated = isinstance(column.dtype, pl.Decimal | pl.Date)
    return (column.to_physical() if dated else column).to_list()


class _Steps:
    """The steps of a traced frame beside those of the row function's trace."""

    def __init__(self, program: Program, function: ColumnFunction, decided: pl.DataFrame) -> None:
        self.program = program
        self.steps = function.plan.steps
        self.columns = {
            column: decided.get_column(column).to_list()
            for step in self.steps
            for column in _columns_of(step)
        }
        texts = function.plan.pool.values
        for statement in program.statements:
            for name, kind in _results(statement):
                if kind.kind is Kind.CATEGORY:
                    codes = self.columns[f"v_{name}"]
                    self.columns[f"v_{name}"] = [None if code is None else texts[code] for code in codes]

    def told(
        self, place: int, ran: Sequence[int], entries: Sequence[Any]
    ) -> Iterator[tuple[str, tuple[list[Any], list[Any]]]]:
        """What both say of a step, for the rows for which it was run: by name, the row function's first."""
        statement, step = self.program.statements[place], self.steps[place]

        def of(column: str) -> list[Any]:
            values = self.columns[column]
            return [values[row] for row in ran]

        if isinstance(statement, Rules):
            masks = {column: of(column) for _, column, _ in step.rules}
            for code, column, bit in step.rules:
                fired = [bool(mask >> bit & 1) for mask in masks[column]]
                yield f"{statement.step} {code}", ([code in entry[1] for entry in entries], fired)
        elif isinstance(statement, Table):
            yield statement.step, ([entry[1] for entry in entries], of(step.row))
        elif isinstance(statement, Card):
            yield statement.name, ([entry[1] for entry in entries], of(f"v_{statement.name}"))
            for name, column in step.points:
                yield f"{statement.step} {name}", ([entry[2][name] for entry in entries], of(column))
        if isinstance(statement, Formulas | Table):
            for name, column in step.results:
                yield name, ([entry[-1][name] for entry in entries], of(column))


def _row(strategy: Strategy, facts: Mapping[str, Fact], answer: Answer) -> Outcome:
    found = strategy.run(strategy.parse_facts(facts), (lambda _: answer) if strategy.scores else None)
    if isinstance(found, Need):
        raise InvariantBroken(f"a row of every input lacks {', '.join(found.names)}")
    return found


def _reached(program: Program, found: Outcome) -> Iterator[tuple[str, str, Any]]:
    """The rules, rows of tables and bins that a decision met."""
    for statement, entry in zip(program.statements, found.trace, strict=False):
        if isinstance(statement, Rules):
            yield from (("rule", statement.step, code) for code in entry[1])
        elif isinstance(statement, Table):
            yield "row", statement.step, entry[1]
        elif isinstance(statement, Card):
            yield from (("bin", f"{statement.step} {name}", points) for name, points in entry[2].items())


def _columns_of(step: Step) -> Iterable[str]:
    yield from {column: None for _, column, _ in step.rules}
    yield from (column for _, column in (*step.results, *step.points))
    if step.row:
        yield step.row


def _results(statement: Statement) -> Iterator[tuple[str, Type]]:
    if isinstance(statement, Formulas):
        yield from ((name, node.type) for name, node, _ in statement.items)
    elif isinstance(statement, Table):
        yield from statement.gives
