"""Whatever of the DMN Technology Compatibility Kit falls into the subset gives what the kit expects."""

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from obligor.strategy import Outcome, Strategy, StrategyError
from tests.strategy.making import formula

KINDS = {"number": "decimal", "string": "category", "boolean": "boolean"}
POLICIES = {"UNIQUE", "ANY", "FIRST"}
# About the declared type of a decision against its expression's, which formulas do not have.
OTHER = {"0082-feel-coercion"}


def local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def children(element: ET.Element, *path: str) -> list[ET.Element]:
    found = [element]
    for name in path:
        found = [child for parent in found for child in parent if local(child) == name]
    return found


def text_of(element: ET.Element) -> str:
    return "".join(children(element, "text")[0].itertext()).strip() if children(element, "text") else ""


def scalar(element: ET.Element | None) -> Any:
    """A value of a test file: numbers exact, texts, booleans, None; lists and contexts as they are not."""
    if element is None:
        return None
    kind = next((value for key, value in element.attrib.items() if key.endswith("}type")), "")
    if any(value == "true" for key, value in element.attrib.items() if key.endswith("}nil")):
        return None
    text = element.text or ""
    if kind.endswith(("decimal", "integer", "double")):
        return Fraction(text)
    if kind.endswith("boolean"):
        return text == "true"
    return text


class Case:
    """A test: inputs by name and the expected results by decision."""

    def __init__(self, element: ET.Element) -> None:
        self.inputs: dict[str, Any] = {}
        self.plain = True
        for node in children(element, "inputNode"):
            values = children(node, "value")
            self.plain &= len(values) == 1
            self.inputs[node.attrib["name"]] = scalar(values[0]) if values else None
        self.results: dict[str, Any] = {}
        for node in children(element, "resultNode"):
            values, parts = children(node, "expected", "value"), children(node, "expected", "component")
            if values:
                self.results[node.attrib["name"]] = scalar(values[0])
            elif parts:
                self.results[node.attrib["name"]] = {
                    part.attrib["name"]: scalar(next(iter(children(part, "value")), None)) for part in parts
                }


def models(shared: Path) -> Iterator[tuple[str, ET.Element, list[Case]]]:
    for path in sorted((shared / "vectors" / "dmn-tck").glob("cl*/*/*.dmn")):
        cases = [
            Case(element)
            for tests in sorted(path.parent.glob("*-test-*.xml"))
            for element in ET.parse(tests).getroot()
            if local(element) == "testCase"
        ]
        if path.parent.name in OTHER:
            continue
        yield path.parent.name, ET.parse(path).getroot(), cases


# ---- decision tables


def names_of(table: ET.Element) -> list[tuple[str, str]]:
    return [
        (text_of(expression), expression.attrib.get("typeRef", ""))
        for expression in children(table, "input", "inputExpression")
    ]


def plain(name: str) -> str:
    return "v_" + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def converted(name: str, table: ET.Element, cases: list[Case]) -> Strategy | None:
    """A decision table as a strategy, its gaps answered with null; None where it is outside of the subset."""
    inputs = names_of(table)
    outputs = [
        (output.attrib.get("name", name), output.attrib.get("typeRef"))
        for output in children(table, "output")
    ]
    rules = [
        [text_of(entry) for entry in (*children(rule, "inputEntry"), *children(rule, "outputEntry"))]
        for rule in children(table, "rule")
    ]
    if (
        any(kind not in KINDS for _, kind in inputs)
        or table.attrib.get("hitPolicy", "UNIQUE") not in POLICIES
    ):
        return None
    declared, gives = [], []
    for column, (title, kind) in enumerate(inputs):
        words = {str(case.inputs.get(title)) for case in cases} | set(re.findall('"([^"]*)"', str(rules)))
        more = {"number": ", scale: 4, min: -1000000, max: 1000000", "boolean": ""}.get(
            kind, f", values: {sorted(words)}"
        )
        declared.append(
            f"  {plain(title)}: {{type: {KINDS[kind]}, source: application, nullable: true{more}}}"
        )
        assert column < len(rules[0])
    for column, (title, kind) in enumerate(outputs, start=len(inputs)):
        cells = [row[column] for row in rules]
        known = kind if kind in KINDS else "string" if cells[0].startswith('"') else "number"
        words = {word for cell in cells for word in re.findall('"([^"]*)"', cell)}
        more = {"number": ", scale: 4", "boolean": ""}.get(known, f", values: {sorted(words)}")
        gives.append(f"      {plain(title)}: {{type: {KINDS[known]}, nullable: true{more}}}")
    sheet = io.StringIO()
    writer = csv.writer(sheet)
    writer.writerow([plain(title) for title, _ in (*inputs, *outputs)])
    writer.writerows(rules)
    writer.writerow(["-"] * len(inputs) + ["null"] * len(outputs))
    main = "\n".join(
        [
            "strategy: tck\nversion: '1'\nstage: tck\noutcomes: [done]\ninputs:",
            *declared,
            "steps:\n  - step: table\n    table: t.csv\n    hit: first\n    gives:",
            *gives,
            "outputs:",
            *(f"  {plain(title)}: {{formula: {plain(title)}}}" for title, _ in outputs),
        ]
    )
    try:
        return Strategy({"strategy.yaml": main.encode(), "t.csv": sheet.getvalue().encode()})
    except StrategyError:
        return None


def decided(strategy: Strategy, case: Case) -> dict[str, Any]:
    facts = {
        plain(name): str(float(value)) if isinstance(value, Fraction) else value
        for name, value in case.inputs.items()
        if plain(name) in strategy.inputs
    }
    found = strategy.run(strategy.parse_facts(facts))
    assert isinstance(found, Outcome)
    return {
        name: Fraction(value, 10 ** strategy.outputs[name].scale) if type(value) is int else value
        for name, value in found.outputs.items()
    }


def test_decision_tables_of_the_kit(shared: Path) -> None:
    ran: dict[str, int] = {}
    for directory, model, cases in models(shared):
        for decision in children(model, "decision"):
            for table in children(decision, "decisionTable"):
                titles = {name for name, _ in names_of(table)}
                mine = [
                    case
                    for case in cases
                    if case.plain and decision.attrib["name"] in case.results and titles <= set(case.inputs)
                ]
                strategy = converted(decision.attrib["name"], table, mine) if mine else None
                if strategy is None:
                    continue
                for case in mine:
                    expected = case.results[decision.attrib["name"]]
                    wanted = expected if isinstance(expected, dict) else {decision.attrib["name"]: expected}
                    got = decided(strategy, case)
                    assert got == {plain(name): value for name, value in wanted.items()}, directory
                    ran[directory] = ran.get(directory, 0) + 1
    assert set(ran) >= {
        "0004-simpletable-U",
        "0005-simpletable-A",
        "0010-multi-output-U",
        "0108-first-hitpolicy",
    }
    assert sum(ran.values()) == 15, ran


# ---- expressions without inputs


def computed(text: str) -> Any:
    """A literal expression's value by our formulas; LookupError where it is outside of the subset."""
    for scale in (None, 8):
        try:
            strategy = formula(text, scale)
        except StrategyError as error:
            if scale is None and {problem.code for problem in error.problems} == {"scale"}:
                continue
            raise LookupError(text) from None
        facts = {"a": 0, "b": 0, "d": 0, "n": None, "c": "red", "k": None, "t": True, "u": 0, "v": 0}
        found = strategy.run(facts)
        assert isinstance(found, Outcome)
        value = found.outputs["x"]
        return Fraction(value, 10 ** strategy.outputs["x"].scale) if type(value) is int else value
    raise LookupError(text)


def test_expressions_of_the_kit(shared: Path) -> None:
    ran: dict[str, int] = {}
    outside = 0
    for directory, model, cases in models(shared):
        expected = {name: value for case in cases for name, value in case.results.items() if not case.inputs}
        for decision in children(model, "decision"):
            name = decision.attrib["name"]
            for expression in children(decision, "literalExpression"):
                text = text_of(expression)
                if name not in expected or not text or re.search(r"\b[abdnckuvx]\b", text):
                    continue
                try:
                    got = computed(text)
                except LookupError:
                    outside += 1
                    continue
                wanted = expected[name]
                if isinstance(wanted, Fraction) and isinstance(got, Fraction):
                    assert abs(wanted - got) <= Fraction(1, 10**8), (directory, text)
                else:
                    assert got == wanted, (directory, text)
                ran[directory] = ran.get(directory, 0) + 1
    assert {"0071-feel-between", "0072-feel-in", "0050-feel-abs-function", "0068-feel-equality"} <= set(ran)
    assert sum(ran.values()) >= 180, (ran, outside)


@pytest.mark.parametrize("text", ["1 in [2..4]", "2 in (1..3)", "5 in < 10", "10 between 5 and 12"])
def test_the_oracle_can_tell_right_from_wrong(text: str) -> None:
    assert computed(text) is (text != "1 in [2..4]")
