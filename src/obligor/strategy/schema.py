"""What a strategy declares: its document against the shape it must have, every deviation with its line.

The shape, all of it:

    strategy, version, stage: texts        about: text
    outcomes: [mildest, …, hardest]
    parameters: {name: {value, unit, cite, about}}
    inputs: {name: {type, source, nullable, unit, min, max, scale, values, other, about}}
    steps: [{step, and one of rules | formulas | table | grid | scorecard | model}]
    outputs: {name: {value, outcomes, scale, about}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from obligor.strategy.form import IDENTIFIER, Form
from obligor.strategy.problems import Flaw, Place, Problems
from obligor.strategy.source import Tree
from obligor.strategy.types import MAX_SCALE, Kind, Type, date_value, scaled

__all__ = ["TYPES", "Declared", "Input", "declare"]

SOURCES = re.compile(r"application|feature|limits|score|source:[a-z][a-z0-9_]{0,62}")
TYPES = {
    "integer": Kind.NUMBER,
    "decimal": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "category": Kind.CATEGORY,
    "date": Kind.DATE,
}


class Input(msgspec.Struct, frozen=True):
    """A fact that a strategy may read.

    `type` is integer, decimal, boolean, category or date. `minimum` and `maximum` are in units of the scale
    (dates: days since 1970-01-01), None where the type has no order. `other`, if set, stands for every
    category that is not listed. `source` says who knows it: application, feature, limits, score, source:NAME.
    """

    type: str
    source: str
    nullable: bool = False
    unit: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    scale: int = 0
    values: tuple[str, ...] = ()
    other: str | None = None

    @property
    def kind(self) -> Type:
        """The type that formulas see."""
        lo, hi = (0, 1) if self.type == "boolean" else (self.minimum or 0, self.maximum or 0)
        return Type(TYPES[self.type], self.scale, lo, hi, self.values, self.nullable)


class Declared(msgspec.Struct, frozen=True):
    """A strategy's document, its parts still as forms where formulas have to be checked.

    `broken` are inputs with problems: what reads them has none of its own.
    """

    name: str
    version: str
    stage: str
    about: str
    outcomes: tuple[str, ...]
    parameters: Mapping[str, Form]
    inputs: Mapping[str, Input]
    input_places: Mapping[str, Place]
    broken: frozenset[str]
    steps: tuple[Form, ...]
    outputs: Mapping[str, Form]


def declare(document: Tree, problems: Problems) -> Declared:
    """Read a strategy's document."""
    form = Form(document, "", problems)
    form.only("strategy", "version", "stage", "about", "outcomes", "parameters", "inputs", "steps", "outputs")
    inputs: dict[str, Input] = {}
    places: dict[str, Place] = {}
    broken: set[str] = set()
    for name, entry in form.named("inputs").items():
        before = len(problems.found)
        inputs[name], places[name] = _input(entry), entry.place()
        if len(problems.found) > before:
            broken.add(name)
    return Declared(
        name=_name(form, "strategy"),
        version=form.text("version"),
        stage=_name(form, "stage"),
        about=form.text("about", required=False),
        outcomes=form.texts("outcomes"),
        parameters=form.named("parameters", required=False),
        inputs=inputs,
        input_places=places,
        broken=frozenset(broken),
        steps=tuple(form.forms("steps")),
        outputs=form.named("outputs", required=False),
    )


def _name(form: Form, key: str) -> str:
    text = form.text(key)
    if text and not IDENTIFIER.fullmatch(text):
        form.wrong(key, text, "a name of a-z, 0-9 and _, a letter first")
    return text


def _input(form: Form) -> Input:
    form.only("type", "source", "nullable", "unit", "min", "max", "scale", "values", "other", "about")
    before = len(form.problems.found)
    kind = form.choice("type", TYPES)
    if len(form.problems.found) > before:
        # What else the input needs depends on its type.
        return Input(type="boolean", source="application")
    source = form.text("source")
    if source and not SOURCES.fullmatch(source):
        form.wrong("source", source, "application, feature, limits, score or source:NAME")
    scale = (form.whole("scale", 1, MAX_SCALE) or 0) if kind == "decimal" else 0
    if kind == "decimal" and not form.has("scale"):
        form.wrong("scale", "nothing", "scale: how many decimal places are kept")
    minimum = maximum = None
    if kind in {"integer", "decimal", "date"}:
        minimum, maximum = (_bound(form, key, kind, scale) for key in ("min", "max"))
        if minimum is not None and maximum is not None and minimum > maximum:
            form.wrong("max", form.text("max"), "at least the min")
    values = form.texts("values") if kind == "category" else ()
    other = form.choice("other", values, "") if kind == "category" and values else ""
    ordered = kind in {"integer", "decimal", "date"}
    for key, fits in (("min", ordered), ("max", ordered), ("scale", kind == "decimal")):
        if form.has(key) and not fits:
            form.wrong(key, key, f"nothing: a type {kind} has no {key}")
    for key in ("values", "other"):
        if form.has(key) and kind != "category":
            form.wrong(key, key, f"nothing: a type {kind} has no {key}")
    return Input(
        type=kind,
        source=source,
        nullable=form.flag("nullable"),
        unit=form.text("unit", required=False) or None,
        minimum=minimum,
        maximum=maximum,
        scale=scale,
        values=values,
        other=other or None,
    )


def _bound(form: Form, key: str, kind: str, scale: int) -> int | None:
    text = form.text(key)
    if not text:
        return None
    try:
        return date_value(text) if kind == "date" else scaled(text, scale)
    except Flaw as flaw:
        form.problems.flaw(flaw, form.place(key), text)
        return None
