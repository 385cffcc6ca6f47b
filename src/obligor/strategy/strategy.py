"""A strategy that can decide: loaded from a directory or from its published files, known by its digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obligor.kernel import Conflict, Corrupted, Fact, InvariantBroken
from obligor.strategy.compile import compile_files
from obligor.strategy.emit import compile_row
from obligor.strategy.explain import Explained, explain
from obligor.strategy.facts import FactReader, render
from obligor.strategy.interpret import interpret
from obligor.strategy.ir import Model
from obligor.strategy.outcome import Ask, Need, Outcome
from obligor.strategy.problems import Place, Problem, StrategyError
from obligor.strategy.schema import Input
from obligor.strategy.source import MAIN
from obligor.strategy.types import Kind, Type, Value

if TYPE_CHECKING:
    import polars as pl

    from obligor.strategy.columns import ColumnFunction

__all__ = ["Strategy", "load"]


class Strategy:
    """A compiled strategy.

    `inputs` are the facts it may read, `outputs` the types of what it gives beside the outcome, `outcomes`
    its possible outcomes from the mildest to the hardest, `codes` the reasons its rules can give. `sha256` is
    over the canonical content of its files, `python` the source of its row function.
    """

    def __init__(self, files: Mapping[str, bytes], sha256: str | None = None) -> None:
        """Compile a strategy from its files by name.

        Raises:
            StrategyError: the files have problems; each is named with file, line and cell.
            Corrupted: a digest was given and the files are not those it was made of.
        """
        compiled = compile_files(files)
        if sha256 is not None and compiled.sha256 != sha256:
            raise Corrupted(f"the strategy's files have the digest {compiled.sha256}, not {sha256}")
        declared = compiled.declared
        self.name = declared.name
        self.version = declared.version
        self.stage = declared.stage
        self.about = declared.about
        self.sha256 = compiled.sha256
        self.files: Mapping[str, bytes] = dict(sorted(files.items()))
        self.inputs: Mapping[str, Input] = declared.inputs
        self.outcomes = declared.outcomes
        self.program = compiled.program
        self.outputs: Mapping[str, Type] = {out.name: out.node.type for out in compiled.program.outputs}
        # Outputs that are not written as they are computed.
        self._worded = {
            name: kind for name, kind in self.outputs.items() if kind.scale or kind.kind is Kind.DATE
        }
        self.warnings: tuple[Problem, ...] = compiled.warnings
        self.scores = any(isinstance(part, Model) for part in compiled.program.statements)
        self.codes: tuple[str, ...] = tuple(
            rule.code for part in compiled.program.statements for rule in getattr(part, "rules", ())
        )
        self._row, self.python = compile_row(compiled.program, f"{self.name} {self.version}")
        self._reader = FactReader(declared.inputs)

    def __repr__(self) -> str:
        return f"<Strategy {self.name} {self.version} {self.sha256[:12]}>"

    def run(self, facts: Mapping[str, Value], score: Ask | None = None) -> Outcome | Need:
        """Run the row function on typed facts (see `parse_facts`).

        `score` answers for the model, once, when the step with the model is reached.

        Raises:
            Conflict: the strategy has a step with a model and none was given.
            InvalidInput: the model's answer lies outside of what the strategy declares.
        """
        return self._row(facts, self._model(score))

    def _model(self, score: Ask | None) -> Ask:
        if score is None:
            if self.scores:
                raise Conflict(f"strategy {self.name} has a step with a model, and no model was given")
            return _unasked
        return score

    def interpret(self, facts: Mapping[str, Value], score: Ask | None = None) -> Outcome | Need:
        """The same by the slow second implementation, which tests hold `run` against."""
        return interpret(self.program, facts, self._model(score))

    def columns(self, frame: pl.DataFrame, scored: pl.DataFrame | None = None) -> pl.DataFrame:
        """Decide a whole frame: for each row, to the bit, what the row function answers.

        `frame` has a column for each input but those of source `score`: whole numbers, booleans, dates, texts
        or categories, and for decimals Decimals with at most the input's places (`frame` makes such frames of
        facts). `scored` holds a model's answers, row by row: `score`, `pd_ppm`, and `reasons` (lists of
        codes) where a rule asks for them; a row that does not come as far as the model may have nulls there.

        The result has, in the order of the rows, `outcome`, a column for each output (numbers as Int64 or
        Decimal, null under outcomes that have it not), `reasons` (lists of codes, in order) and `ended`, the
        step that ended the decision, null where it came to its end.

        Raises:
            InvalidInput: a column is missing, of another type, or holds a value that its input does not take;
                each is named with its first such row, counted from 0.
            Conflict: the strategy has a step with a model and no answers were given, or an output has a name
                that the result uses itself.
        """
        return self.column_function(frame, scored)

    @cached_property
    def column_function(self) -> ColumnFunction:
        """The function behind `columns`, made when it is first asked for: only then is Polars needed."""
        from obligor.strategy.columns import ColumnFunction

        return ColumnFunction(self.program, self.inputs, self.outputs)

    def frame(self, facts: Mapping[str, Sequence[Fact]]) -> pl.DataFrame:
        """Written facts by input, a value for each row, as a frame for `columns`.

        Raises:
            InvalidInput: an input is missing, or a fact is not of its type; the first of each is named.
        """
        from obligor.strategy.frames import frame_of

        return frame_of(self.column_function.reader.inputs, facts)

    def parse_facts(self, facts: Mapping[str, Fact]) -> dict[str, Value]:
        """Written facts as typed values; facts that are no inputs are left out.

        Raises:
            InvalidInput: values that the inputs do not take, all of them.
        """
        return self._reader.parse(facts)

    def render_facts(self, values: Mapping[str, Value]) -> dict[str, Fact]:
        """Typed values as written facts: the inverse of `parse_facts`."""
        return self._reader.render(values)

    def render_outputs(self, outputs: Mapping[str, Value]) -> dict[str, Fact]:
        """Typed outputs as they are written: decimals and dates as text."""
        written: dict[str, Fact] = dict(outputs)
        for name, kind in self._worded.items():
            written[name] = render(outputs[name], kind)
        return written

    def explain(self, trace: Sequence[Any]) -> tuple[Explained, ...]:
        """The steps of a trace that this strategy left, with the texts of rules, formulas and rows."""
        return explain(self.program, trace)


def _unasked(_: Mapping[str, Value]) -> Need:
    raise InvariantBroken("a strategy without a model asked for one")


def load(directory: Path | Traversable, sha256: str | None = None) -> Strategy:
    """Load a strategy from its directory: `strategy.yaml` and the CSV files beside it.

    Raises:
        StrategyError: the files have problems, or there are none.
        Corrupted: a digest was given and the files are not those it was made of.
    """
    files = dict(_files(directory))
    if not files:
        place = Place(MAIN, 1, "-")
        raise StrategyError([Problem("file", place, directory.name, f"a directory with a file {MAIN}")])
    return Strategy(files, sha256)


def _files(directory: Path | Traversable) -> Iterator[tuple[str, bytes]]:
    if directory.is_dir():
        for entry in directory.iterdir():
            if entry.is_file() and (entry.name == MAIN or entry.name.endswith(".csv")):
                yield entry.name, entry.read_bytes()
