"""From a strategy's files to its checked program: declare, then each step in order, then the outputs and lint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from obligor.strategy.cells import Constant
from obligor.strategy.check import check_condition, check_formula
from obligor.strategy.form import IDENTIFIER, Form
from obligor.strategy.ir import (
    Card,
    Formulas,
    Model,
    Node,
    Output,
    Program,
    Rule,
    Rules,
    Statement,
    Table,
    names_in,
)
from obligor.strategy.narrow import assume
from obligor.strategy.problems import Flaw, Place, Problem, Problems
from obligor.strategy.schema import Declared, declare
from obligor.strategy.source import MAIN, Doc, Leaf, Tree, content_digest, read_sheet, read_yaml
from obligor.strategy.syntax import parse_literal
from obligor.strategy.tables import read_card, read_grid, read_table
from obligor.strategy.types import (
    MAX_SCALE,
    Kind,
    Type,
    boolean,
    category,
    check_whole,
    date_value,
    number_text,
)
from obligor.strategy.work import Work

__all__ = ["Compiled", "compile_files"]

CODE = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
SCORE_PARTS = ("score", "pd_ppm")
STEP_KINDS = ("rules", "formulas", "table", "grid", "scorecard", "model")


class Compiled(NamedTuple):
    """A strategy without problems: what it declares, what it computes, its digest and what lint had to say."""

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
    sheets = {
        name: read_sheet(name, data, problems) for name, data in sorted(files.items()) if name != MAIN
    }
    if document is None:
        problems.stop()
        raise AssertionError("a document without problems was not read")
    declared = declare(document, problems)
    work = Work(declared.inputs, declared.outcomes or ("none",), sheets, problems)
    _parameters(work, declared)
    statements = tuple(
        statement for form in declared.steps if (statement := _step(work, declared, form)) is not None
    )
    outputs = tuple(_outputs(work, declared, statements))
    for name in sheets:
        if name not in work.opened:
            problems.add("file", Place(name, 1, "-"), name, "a file that some step names")
    problems.stop()
    program = Program(
        inputs={name: item.kind for name, item in declared.inputs.items()},
        outcomes=declared.outcomes,
        statements=statements,
        outputs=outputs,
        reads=_reads(declared, statements, outputs),
    )
    _lint(work, declared, program)
    sha256 = content_digest(document, (sheet for sheet in sheets.values() if sheet is not None))
    return Compiled(declared, program, sha256, tuple(work.warnings.found))


# ---- parameters


def _parameters(work: Work, declared: Declared) -> None:
    for name, form in declared.parameters.items():
        form.only("value", "unit", "cite", "about")
        said = form.said("value")
        try:
            constant = _constant(said.text)
        except Flaw as flaw:
            work.flaw(flaw, said.place, said.text)
            work.broken.add(name)
            continue
        if name in work.inputs:
            work.problems.add("name", form.place(), name, "a name that no input has")
        else:
            work.constants[name] = constant


def _constant(text: str) -> Constant:
    tree = parse_literal(text)
    if tree.op == "number":
        value, scale = number_text(str(tree.value))
        return Constant(Type(Kind.NUMBER, scale, value, value), value)
    if tree.op == "boolean":
        return Constant(boolean(int(bool(tree.value)), int(bool(tree.value))), bool(tree.value))
    if tree.op == "date":
        day = date_value(str(tree.value))
        return Constant(Type(Kind.DATE, 0, day, day), day)
    if tree.op in {"string", "name"}:
        return Constant(category(str(tree.value)), str(tree.value))
    raise Flaw("type", "a parameter is a number, a date, true, false or a text")


# ---- steps


def _step(work: Work, declared: Declared, form: Form) -> Statement | None:
    step = form.text("step")
    kinds = [kind for kind in STEP_KINDS if form.has(kind)]
    if step and not IDENTIFIER.fullmatch(step):
        form.wrong("step", step, "a name of a-z, 0-9 and _, a letter first")
    if sum(other.tree.items.get("step") == form.tree.items.get("step") for other in declared.steps) > 1:
        form.wrong("step", step, "each step's name once")
    if len(kinds) != 1:
        form.wrong("", ", ".join(kinds) or "nothing", f"a step with one of {', '.join(STEP_KINDS)}")
        return None
    if kinds[0] == "rules":
        return _rules(work, form, step)
    if kinds[0] == "formulas":
        return _formulas(work, form, step)
    if kinds[0] == "model":
        return _model(work, form, step)
    if kinds[0] == "table":
        return read_table(work, form, step)
    if kinds[0] == "grid":
        return read_grid(work, form, step)
    return read_card(work, form, step)


def _rules(work: Work, form: Form, step: str) -> Rules | None:
    form.only("step", "rules", "outcome", "stop", "about")
    stop = form.flag("stop")
    common = form.choice("outcome", work.outcomes) if form.has("outcome") else None
    forms = form.forms("rules")
    rules = [rule for item in forms if (rule := _rule(work, item, common)) is not None]
    reached = {max(before, rule.outcome) for before in work.possible for rule in rules}
    if stop:
        for rule in rules:
            work.scope = assume(rule.when, False, work.scope)
    else:
        work.possible = work.possible | reached
    return Rules(step, tuple(rules), stop) if len(rules) == len(forms) else None


def _rule(work: Work, form: Form, common: str | None) -> Rule | None:
    form.only("code", "when", "outcome", "explain", "about")
    before = len(work.problems.found)
    if not form.has("code"):
        form.wrong("", form.text("when"), "code: the reason that it gives, such as K01", "missing-reason")
        return None
    code = form.text("code")
    if not CODE.fullmatch(code):
        form.wrong("code", code, "a reason code such as K01", "missing-reason")
    if code in work.codes:
        form.wrong("code", code, f"each code once; it stands at line {work.codes[code].line} too")
    work.codes.setdefault(code, form.place("code"))
    outcome = form.choice("outcome", work.outcomes, common)
    explain = form.choice("explain", ("no", "score"), "no") == "score"
    if explain and not work.scored:
        form.wrong("explain", "score", "explain: score only after the step with the model")
    said = form.said("when")
    if not said.text:
        return None
    try:
        condition = check_condition(said.text, work.names())
    except Flaw as flaw:
        work.flaw(flaw, said.place, said.text)
        return None
    if condition.type.lo == condition.type.hi:
        always = "always" if condition.type.lo else "never"
        work.warnings.add("constant-condition", said.place, said.text, f"a condition; this one {always} holds")
    if len(work.problems.found) > before:
        return None
    return Rule(code, condition, work.outcomes.index(outcome), explain, said.text)


def _formulas(work: Work, form: Form, step: str) -> Formulas | None:
    form.only("step", "formulas", "about")
    items: list[tuple[str, Node, str]] = []
    entries = form.entries("formulas")
    for name, doc in entries.items():
        place = Place(MAIN, doc.line, f"{form.path}.formulas.{name}")
        found = _formula(work, doc, place)
        if found is None:
            work.lose(name, place)
        else:
            work.define(name, found[0].type, place)
            items.append((name, *found))
    return Formulas(step, tuple(items)) if len(items) == len(entries) and items else None


def _formula(work: Work, doc: Doc, place: Place) -> tuple[Node, str] | None:
    """A formula's node and text; it is given as a text, or as a map with `formula` and `scale`."""
    scale: int | None = None
    if isinstance(doc, Tree):
        form = Form(doc, place.cell, work.problems)
        form.only("formula", "scale", "unit", "about", "outcomes")
        scale = form.whole("scale", 0, MAX_SCALE)
        text, place = form.text("formula"), form.place("formula")
    elif isinstance(doc, Leaf):
        text = doc.text
    else:
        text = ""
    if not text:
        work.problems.add("schema", place, "nothing", "a formula, or a map with formula and scale")
        return None
    try:
        node = check_formula(text, work.names(), scale)
        if node.type.kind is Kind.NULL:
            raise Flaw("type", "is always null")
        check_whole(node.type, "the result")
    except Flaw as flaw:
        work.flaw(flaw, place, text)
        return None
    return node, text


def _model(work: Work, form: Form, step: str) -> Model | None:
    form.only("step", "model", "about")
    gives = {name: item for name, item in work.inputs.items() if item.source == "score"}
    if work.scored:
        form.wrong("model", form.text("model"), "one step with a model")
    for name, item in gives.items():
        if name not in SCORE_PARTS or item.type != "integer" or item.nullable:
            parts = " and ".join(SCORE_PARTS)
            form.wrong("model", name, f"inputs of source score: {parts}, integers, never null")
    if not gives:
        form.wrong("model", "nothing", "an input of source score, for the model to give")
    work.scored = True
    work.scope = {**work.scope, **{name: item.kind for name, item in gives.items()}}
    return Model(step, form.text("model"), tuple(gives))


# ---- outputs and what is read


def _outputs(work: Work, declared: Declared, statements: tuple[Statement, ...]) -> Iterator[Output]:
    for name, form in declared.outputs.items():
        form.only("formula", "scale", "unit", "outcomes", "about")
        kept = form.texts("outcomes", required=False) or work.outcomes
        for outcome in kept:
            if outcome not in work.outcomes:
                form.wrong("outcomes", outcome, f"some of {', '.join(work.outcomes)}")
        found = _formula(work, form.tree, form.place())
        if found is None:
            continue
        indices = tuple(work.outcomes.index(outcome) for outcome in kept if outcome in work.outcomes)
        for step in _uncomputed(declared, statements, found[0], indices):
            accepted = f"results from before step {step}, which may end it, or outcomes without those of that step"
            work.problems.add("not-computed", form.place("formula"), found[1], accepted)
        yield Output(name, found[0], indices, found[1])


def _uncomputed(
    declared: Declared, statements: tuple[Statement, ...], node: Node, outcomes: tuple[int, ...]
) -> Iterator[str]:
    """Steps that may end a decision with one of these outcomes before all that the node reads is there."""
    needed = set(names_in(node)) - {"outcome"}
    ready: set[str] = set()
    possible = {0}
    for statement in statements:
        ready |= _written(statement) | {name for name in _read(statement) if name in declared.inputs}
        if isinstance(statement, Rules):
            reached = {max(before, rule.outcome) for before in possible for rule in statement.rules}
            if statement.stop and reached & set(outcomes) and not needed <= ready:
                yield statement.step
            if not statement.stop:
                possible |= reached


def _read(statement: Statement) -> set[str]:
    if isinstance(statement, Rules):
        return {name for rule in statement.rules for name in names_in(rule.when)}
    if isinstance(statement, Formulas):
        return {name for _, node, _ in statement.items for name in names_in(node)}
    if isinstance(statement, Table):
        return {axis.name for axis in statement.axes}
    if isinstance(statement, Card):
        return {line.axis.name for line in statement.lines}
    return set()


def _written(statement: Statement) -> set[str]:
    if isinstance(statement, Formulas):
        return {name for name, _, _ in statement.items}
    if isinstance(statement, Table):
        return {name for name, _ in statement.gives}
    if isinstance(statement, Card):
        return {statement.name}
    return set(statement.gives) if isinstance(statement, Model) else set()


def _reads(
    declared: Declared, statements: tuple[Statement, ...], outputs: tuple[Output, ...]
) -> tuple[tuple[str, ...], ...]:
    """The inputs that each statement, and at last the outputs, are the first to read."""
    asked = [name for name, item in declared.inputs.items() if item.source != "score"]
    last = {name for output in outputs for name in names_in(output.node)}
    reads: list[tuple[str, ...]] = []
    for names in (*map(_read, statements), last):
        reads.append(tuple(name for name in asked if name in names))
        asked = [name for name in asked if name not in names]
    return tuple(reads)


def _lint(work: Work, declared: Declared, program: Program) -> None:
    used = {name for statement in program.statements for name in _read(statement)}
    used |= {name for output in program.outputs for name in names_in(output.node)}
    for name in declared.inputs:
        if name not in used:
            work.warnings.add("unused", declared.input_places[name], name, "an input that some step reads")
    for name, form in declared.parameters.items():
        if name not in work.constants.used:
            work.warnings.add("unused", form.place(), name, "a parameter that something reads")
    for name, place in work.defined.items():
        if name not in used:
            work.warnings.add("unused", place, name, "a result that a later step or an output reads")
    reachable = {0} | {rule.outcome for part in program.statements if isinstance(part, Rules) for rule in part.rules}
    for index, outcome in enumerate(program.outcomes):
        if index not in reachable:
            work.warnings.add("unused", Place(MAIN, 1, "outcomes"), outcome, "an outcome that some rule leads to")
