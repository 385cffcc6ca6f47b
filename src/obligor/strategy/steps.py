"""Parameters and steps of a document, each formula and rule checked in the order in which they are run."""

from __future__ import annotations

import re

from obligor.strategy.cells import Constant
from obligor.strategy.check import check_condition, check_formula
from obligor.strategy.flow import reached
from obligor.strategy.form import IDENTIFIER, Form
from obligor.strategy.ir import Formulas, Model, Node, Rule, Rules, Statement
from obligor.strategy.narrow import assume
from obligor.strategy.problems import Flaw, Place
from obligor.strategy.schema import Declared
from obligor.strategy.source import MAIN, Doc, Leaf, Tree
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

__all__ = ["read_formula", "read_parameters", "read_step"]

CODE = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")
SCORE_PARTS = ("score", "pd_ppm")
STEP_KINDS = ("rules", "formulas", "table", "grid", "scorecard", "model")


def read_parameters(work: Work, declared: Declared) -> None:
    """Define a strategy's parameters."""
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
        value, scale = number_text(tree.text)
        return Constant(Type(Kind.NUMBER, scale, value, value), value)
    if tree.op == "boolean":
        truth = tree.text == "true"
        return Constant(boolean(truth, truth), truth)
    if tree.op == "date":
        day = date_value(tree.text)
        return Constant(Type(Kind.DATE, 0, day, day), day)
    if tree.op in {"string", "name"}:
        return Constant(category(tree.text), tree.text)
    raise Flaw("type", "a parameter is a number, a date, true, false or a text")


def read_step(work: Work, declared: Declared, form: Form) -> Statement | None:
    """A step's statement; None where it has a problem."""
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
    statement = Rules(step, tuple(rules), stop)
    if stop:
        # Whoever comes past this step has met none of its conditions.
        for rule in rules:
            work.scope = assume(rule.when, truth=False, scope=work.scope)
    else:
        work.possible = work.possible | reached(statement, work.possible)
    return statement if len(rules) == len(forms) else None


def _rule(work: Work, form: Form, common: str | None) -> Rule | None:
    form.only("code", "when", "outcome", "explain", "about")
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
        work.warnings.add(
            "constant-condition", said.place, said.text, f"a condition; this one {always} holds"
        )
    return Rule(code, condition, work.outcomes.index(outcome), explain, said.text)


def _formulas(work: Work, form: Form, step: str) -> Formulas | None:
    form.only("step", "formulas", "about")
    items: list[tuple[str, Node, str]] = []
    entries = form.entries("formulas")
    for name, doc in entries.items():
        place = Place(MAIN, doc.line, f"{form.path}.formulas.{name}")
        found = read_formula(work, doc, place)
        if found is None:
            work.lose(name, place)
        else:
            work.define(name, found[0].type, place)
            items.append((name, *found))
    return Formulas(step, tuple(items)) if len(items) == len(entries) and items else None


def read_formula(work: Work, doc: Doc, place: Place) -> tuple[Node, str] | None:
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
