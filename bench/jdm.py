"""A strategy as a JDM graph for zen-engine: the same cells, points and formulas, step by step, word for word.

It knows what the benchmark's strategy needs: rules that stop nothing, unique and first-hit tables, cards, and
formulas without roundings of their own (zen has decimals; ours are rounded where it is said). A scorecard
becomes nested conditions in one expression node: zen finds that cheaper than a table for each of its lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from obligor.strategy import Strategy
from obligor.strategy.facts import render
from obligor.strategy.ir import Card, Formulas, Hit, Rules, Statement, Table

__all__ = ["graph"]


def graph(strategy: Strategy) -> dict[str, Any]:
    """The graph of a strategy, a node for each step in a chain, and at last the outcome."""
    nodes: list[dict[str, Any]] = [_node("in", "inputNode", None)]
    nodes += [_step(statement) for statement in strategy.program.statements]
    nodes += [_outcome(strategy), _node("out", "outputNode", None)]
    names = [node["id"] for node in nodes]
    edges = [
        {"id": f"{source}-{target}", "sourceId": source, "targetId": target, "type": "edge"}
        for source, target in pairwise(names)
    ]
    return {"nodes": nodes, "edges": edges}


def _node(name: str, kind: str, content: Mapping[str, Any] | None) -> dict[str, Any]:
    node = {"id": name, "name": name, "type": kind, "position": {"x": 0, "y": 0}}
    return node if content is None else {**node, "content": content}


def _step(statement: Statement) -> dict[str, Any]:
    if isinstance(statement, Rules):
        return _rules(statement)
    if isinstance(statement, Table):
        return _table(statement)
    if isinstance(statement, Card):
        lines = [(f"points_{line.axis.name}", _line(line.axis.name, line)) for line in statement.lines]
        total = " + ".join([str(statement.base), *(f"$.{name}" for name, _ in lines)])
        return _expressions(statement.step, [*lines, (statement.name, total)])
    if isinstance(statement, Formulas):
        names: list[str] = []
        items = []
        for name, _, text in statement.items:
            found = expression(text)
            # Within a node, earlier results are read through `$`.
            for earlier in names:
                found = re.sub(rf"\b{earlier}\b", f"$.{earlier}", found)
            items.append((name, found))
            names.append(name)
        return _expressions(statement.step, items)
    raise NotImplementedError(type(statement).__name__)


def _expressions(name: str, items: Sequence[tuple[str, str]]) -> dict[str, Any]:
    listed = [{"id": f"{name}{n}", "key": key, "value": value} for n, (key, value) in enumerate(items)]
    return _node(f"s_{name}", "expressionNode", {"passThrough": True, "expressions": listed})


def _rules(rules: Rules) -> dict[str, Any]:
    content = {
        "hitPolicy": "collect",
        "passThrough": True,
        "outputPath": f"fired_{rules.step}",
        "inputs": [{"id": "i0", "name": "condition"}],
        "outputs": [{"id": "o0", "name": "code", "field": "code"}],
        "rules": [
            {"_id": rule.code, "i0": expression(rule.text), "o0": f'"{rule.code}"'} for rule in rules.rules
        ],
    }
    return _node(f"s_{rules.step}", "decisionTableNode", content)


def _table(table: Table) -> dict[str, Any]:
    inputs = [{"id": f"i{n}", "name": axis.name, "field": axis.name} for n, axis in enumerate(table.axes)]
    outputs = [{"id": f"o{n}", "name": name, "field": name} for n, (name, _) in enumerate(table.gives)]
    rows = []
    for index, values in enumerate(table.rows):
        cells = {f"i{n}": _cell(axis.texts[index]) for n, axis in enumerate(table.axes)}
        given = {
            f"o{n}": str(render(value, kind))
            for n, (value, (_, kind)) in enumerate(zip(values, table.gives, strict=True))
        }
        rows.append({"_id": f"{table.step}{index}", **cells, **given})
    # At most one row matches in a unique table, so the first hit is it.
    assert table.hit in {Hit.UNIQUE, Hit.FIRST}
    content = {"hitPolicy": "first", "passThrough": True, "inputs": inputs, "outputs": outputs, "rules": rows}
    return _node(f"s_{table.step}", "decisionTableNode", content)


def _cell(text: str) -> str:
    return "" if text == "-" else text


def _line(name: str, line: Any) -> str:
    """The points of a characteristic as conditions in a row; the last bin needs none."""
    known = [(text, p) for text, p in zip(line.axis.texts, line.points, strict=True) if text != "null"]
    missing = [p for text, p in zip(line.axis.texts, line.points, strict=True) if text == "null"]
    found = str(known[-1][1])
    for text, points in reversed(known[:-1]):
        if text.startswith(("[", "(")):
            test = f"{name} in {text}"
        elif text.startswith('"'):
            test = f"{name} in [{text}]"
        else:
            test = f"{name} {text}"
        found = f"{test} ? {points} : ({found})"
    return f"{name} == null ? {missing[0]} : ({found})" if missing else found


def expression(text: str) -> str:
    """A formula or condition in zen's language."""
    text = re.sub(r"known\((\w+)\)", r"\1 != null", text)
    text = re.sub(r"default\((\w+), (\w+)\)", r"(\1 ?? \2)", text)
    text = re.sub(r"(?<![<>!=])=(?!=)", "==", text)
    text = re.sub(r"\b(min|max)\(", r"\1([", text).replace("**", "^")
    return _closed(text)


def _closed(text: str) -> str:
    """Close the brackets that `min([` and `max([` opened."""
    found, depth, lists = "", 0, []
    for index, letter in enumerate(text):
        if letter == "(":
            depth += 1
            if text[index + 1 : index + 2] == "[" and text[:index].endswith(("min", "max")):
                lists.append(depth)
        elif letter == ")":
            if lists and lists[-1] == depth:
                lists.pop()
                found += "]"
            depth -= 1
        found += letter
    return found


def _outcome(strategy: Strategy) -> dict[str, Any]:
    """The hardest outcome of a rule that fired."""
    found = f'"{strategy.outcomes[0]}"'
    for index, outcome in enumerate(strategy.outcomes[1:], 1):
        steps = [
            part.step
            for part in strategy.program.statements
            if isinstance(part, Rules) and {rule.outcome for rule in part.rules} == {index}
        ]
        fired = " or ".join(f"len(fired_{step}) > 0" for step in steps)
        found = f'({fired}) ? "{outcome}" : ({found})'
    return _expressions("outcome", [("outcome", found)])
