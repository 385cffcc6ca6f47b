"""The column function: a whole frame of facts decided at once.

What the row function answers for each row, this answers for all of them, every bit: the outcome, the outputs,
the reasons in their order and the step that ended the decision. `certificate` holds the two against each
other.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from obligor.kernel import Conflict, InvalidInput, Violation
from obligor.strategy.frames import DIGITS, ROWS, FrameReader, refusal
from obligor.strategy.ir import Program
from obligor.strategy.plan import Plan, plan, scheduled
from obligor.strategy.reasons import REASONS, TEXTS, Reasons
from obligor.strategy.schema import Input
from obligor.strategy.types import Kind, Type

__all__ = ["ROWS_AT_ONCE", "ColumnFunction"]

# A plan costs some milliseconds whatever it is run on, and memory for every row that it is run on at once.
ROWS_AT_ONCE = 262_144
FIXED = {"outcome", "reasons", "ended"}
# A plan has nothing to optimise: each expression is there once, and no column longer than it is read.
AS_IT_IS = pl.QueryOptFlags.none()


class ColumnFunction:
    """A strategy's program over columns."""

    def __init__(self, program: Program, inputs: Mapping[str, Input], outputs: Mapping[str, Type]) -> None:
        taken = sorted(set(outputs) & FIXED)
        if taken:
            raise Conflict(f"columns have the name {taken[0]} already: an output cannot be called so")
        self.program = program
        self.plan: Plan = plan(program)
        facts = {name: item for name, item in inputs.items() if item.source != "score"}
        self.reader = FrameReader(facts, self.plan.pool)
        self.scores = {name: item for name, item in inputs.items() if item.source == "score"}
        self.outputs = outputs
        self.reasons = Reasons(self.plan.words)
        results = (*self.plan.results, pl.col(ROWS), *((pl.col(REASONS),) if self.reasons.asking else ()))
        self._rounds = scheduled(self.plan.rounds, results)
        self._traced = scheduled(self.plan.rounds, (*results, *self.plan.traced))

    def __call__(self, frame: pl.DataFrame, scored: pl.DataFrame | None = None) -> pl.DataFrame:
        """See `Strategy.columns`."""
        return self.written(self.decide(self.typed(frame, scored)))

    def typed(self, frame: pl.DataFrame, scored: pl.DataFrame | None = None) -> pl.DataFrame:
        """A frame of facts, and of a model's answers, as the plan takes it."""
        typed = self.reader.typed(frame)
        if not self.plan.checks:
            return typed
        if scored is None:
            raise Conflict("the strategy has a step with a model, and no model's answers were given")
        if scored.height != frame.height:
            wanted = f"{frame.height} rows, as the facts have"
            raise InvalidInput.field("scored", f"{scored.height} rows", wanted)
        return pl.concat([typed, self._scores(scored)], how="horizontal")

    def _scores(self, scored: pl.DataFrame) -> pl.DataFrame:
        wrong = [
            Violation.of(name, str(scored.schema.get(name)), "a column of whole numbers")
            for name in self.scores
            if not (name in scored.schema and scored.schema[name].is_integer())
        ]
        reasons = scored.schema.get("reasons")
        if self.reasons.asking and reasons not in {TEXTS, pl.List(pl.Null)}:
            wrong.append(Violation.of("reasons", str(reasons), "a column of lists of codes"))
        if wrong:
            raise refusal(wrong)
        # What does not fit 64 bits becomes null, which is out of every bound.
        columns = [pl.col(name).cast(pl.Int64, strict=False).alias(f"v_{name}") for name in self.scores]
        if self.reasons.asking:
            columns.append(pl.col("reasons").cast(TEXTS).alias(REASONS))
        return scored.select(columns)

    def decide(self, typed: pl.DataFrame, *, traced: bool = False) -> pl.DataFrame:
        """The plan's results for a typed frame, and with `traced` what its steps say.

        Raises:
            InvalidInput: a score that is read lies outside of what the strategy declares.
        """
        parts = [self._part(part, traced=traced) for part in typed.iter_slices(ROWS_AT_ONCE)]
        decided = pl.concat(parts) if parts else self._part(typed, traced=traced)
        for check, name in self.plan.checks:
            rows = decided.get_column(check).arg_true()
            if len(rows):
                item, value = self.scores[name], typed.get_column(f"v_{name}")[rows[0]]
                accepted = f"from {item.minimum} to {item.maximum}, as the strategy declares it"
                raise refusal([Violation.of(f"{name}[{rows[0]}]", value, accepted)])
        return decided

    def _part(self, typed: pl.DataFrame, *, traced: bool) -> pl.DataFrame:
        lazy = typed.lazy()
        for expressions in self._traced if traced else self._rounds:
            lazy = lazy.select(expressions)
        return lazy.collect(optimizations=AS_IT_IS)

    def written(self, decided: pl.DataFrame) -> pl.DataFrame:
        """Results as they leave: outcomes, categories and steps as texts, decimals and dates as such."""
        columns = [self._text(pl.col("outcome")).alias("outcome")]
        columns += [self._output(name, kind) for name, kind in self.outputs.items()]
        steps = pl.Series([part.step for part in self.program.statements], dtype=pl.String)
        ended = pl.when(pl.col("ended") >= 0).then(pl.col("ended"))
        columns.append(pl.lit(steps).gather(ended).alias("ended"))
        told = decided.select(columns)
        return told.insert_column(told.width - 1, self.reasons.of(decided))

    def _text(self, codes: pl.Expr) -> pl.Expr:
        return pl.lit(pl.Series(self.plan.pool.values, dtype=pl.String)).gather(codes)

    def _output(self, name: str, kind: Type) -> pl.Expr:
        column = pl.col(f"o_{name}")
        if kind.kind is Kind.CATEGORY:
            column = self._text(column)
        elif kind.kind is Kind.DATE:
            column = column.cast(pl.Int32).cast(pl.Date)
        elif kind.scale:
            unit = pl.lit(f"0.{1:0{kind.scale}}").cast(pl.Decimal(DIGITS, kind.scale))
            column = column.cast(pl.Decimal(DIGITS, 0)) * unit
        return column.alias(name)
