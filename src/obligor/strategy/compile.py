"""From a strategy's files to its checked program: declare, each step in order, the outputs, lint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from obligor.kernel import InvariantBroken
from obligor.strategy.flow import first_reads, read_by, uncomputed
from obligor.strategy.ir import Output, Program, Rules, names_in
from obligor.strategy.problems import Place, Problem, Problems
from obligor.strategy.schema import Declared, declare
from obligor.strategy.source import MAIN, content_digest, read_sheet, read_yaml
from obligor.strategy.steps import read_formula, read_parameters, read_step
from obligor.strategy.work import Work

__all__ = ["Compiled", "compile_files"]


class Compiled(NamedTuple):
    """A strategy without problems: what it declares and computes, its digest, and what lint had to say."""

    declared: Declared
    program: Program
    sha256: str
    warnings: tuple[Problem, ...]


def compile_files(files: Mapping[str, bytes]) -> Compiled:
    """Compile a strategy's files: `strategy.yaml` and the CSV files it names.

    Raises:
        StrategyError: every problem that was found, with file, line and cell.
    """
    problems = Problems()
    if MAIN not in files:
        problems.add("file", Place(MAIN, 1, "-"), "nothing", f"a file {MAIN}")
    problems.stop()
    document = read_yaml(MAIN, files[MAIN], problems)
    sheets = {name: read_sheet(name, data, problems) for name, data in sorted(files.items()) if name != MAIN}
    if document is None:
        problems.stop()
        raise InvariantBroken("a document without problems was not read")
    declared = declare(document, problems)
    work = Work(declared.inputs, declared.outcomes or ("none",), sheets, problems)
    work.broken |= declared.broken
    read_parameters(work, declared)
    statements = tuple(
        statement for form in declared.steps if (statement := read_step(work, declared, form)) is not None
    )
    outputs = tuple(_outputs(work, declared))
    for name in sheets:
        if name not in work.opened:
            problems.add("file", Place(name, 1, "-"), name, "a file that some step names")
    problems.stop()
    program = Program(
        inputs={name: item.kind for name, item in declared.inputs.items()},
        outcomes=declared.outcomes,
        statements=statements,
        outputs=outputs,
        reads=first_reads(
            [name for name, item in declared.inputs.items() if item.source != "score"], statements, outputs
        ),
    )
    _check_outputs(work, declared, program)
    _lint(work, declared, program)
    sha256 = content_digest(document, (sheet for sheet in sheets.values() if sheet is not None))
    return Compiled(declared, program, sha256, tuple(work.warnings.found))


def _outputs(work: Work, declared: Declared) -> Iterator[Output]:
    for name, form in declared.outputs.items():
        form.only("formula", "scale", "unit", "outcomes", "about")
        kept = form.texts("outcomes", required=False) or work.outcomes
        for outcome in kept:
            if outcome not in work.outcomes:
                form.wrong("outcomes", outcome, f"some of {', '.join(work.outcomes)}")
        found = read_formula(work, form.tree, form.place())
        if found is None:
            continue
        indices = tuple(work.outcomes.index(outcome) for outcome in kept if outcome in work.outcomes)
        yield Output(name, found[0], indices, found[1])


def _check_outputs(work: Work, declared: Declared, program: Program) -> None:
    """See that under every outcome that an output is for, all that it reads has been computed."""
    for output in program.outputs:
        for step in uncomputed(program.statements, output.node, output.outcomes):
            accepted = (
                f"results from before step {step}, which may end it, or outcomes without those of {step}"
            )
            place = declared.outputs[output.name].place("formula")
            work.problems.add("not-computed", place, output.text, accepted)
    work.problems.stop()


def _lint(work: Work, declared: Declared, program: Program) -> None:
    used = {name for statement in program.statements for name in read_by(statement)}
    used |= {name for output in program.outputs for name in names_in(output.node)}
    for name, item in declared.inputs.items():
        if name not in used and item.source != "score":
            work.warnings.add("unused", declared.input_places[name], name, "an input that some step reads")
    for name, form in declared.parameters.items():
        if name not in work.constants.used:
            work.warnings.add("unused", form.place(), name, "a parameter that something reads")
    for name, place in work.defined.items():
        if name not in used:
            work.warnings.add("unused", place, name, "a result that a later step or an output reads")
    reachable = {0} | {
        rule.outcome for part in program.statements if isinstance(part, Rules) for rule in part.rules
    }
    for index, outcome in enumerate(program.outcomes):
        if index not in reachable:
            work.warnings.add(
                "unused", Place(MAIN, 1, "outcomes"), outcome, "an outcome that some rule leads to"
            )
