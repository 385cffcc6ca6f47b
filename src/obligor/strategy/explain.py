"""A trace in words: what each step of a decision asked, hit and gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from obligor.kernel import Fact
from obligor.strategy.facts import render
from obligor.strategy.ir import Card, Formulas, Model, Program, Rules, Statement, Table

__all__ = ["Detail", "Explained", "explain"]


class Detail(msgspec.Struct, frozen=True):
    """One line of a step: a rule, a formula, a column or a characteristic, with its text and its value."""

    name: str
    text: str
    value: Fact


class Explained(msgspec.Struct, frozen=True):
    """A step as it was run. `kind` is rules, formulas, table, grid, scorecard or model.

    `row` counts from 1: the row of the table that was hit (of a grid: its cell, row by row). For rules,
    `details` are those that fired, of `tried`.
    """

    step: str
    kind: str
    file: str | None
    row: int | None
    tried: int
    details: tuple[Detail, ...]


def explain(program: Program, trace: Sequence[Any]) -> tuple[Explained, ...]:
    """The steps of a trace that this very program left."""
    statements = {statement.step: statement for statement in program.statements}
    return tuple(_step(statements[entry[0]], entry) for entry in trace)


def _step(statement: Statement, entry: Sequence[Any]) -> Explained:
    if isinstance(statement, Rules):
        rules = {rule.code: rule for rule in statement.rules}
        details = tuple(Detail(code, rules[code].text, True) for code in entry[1])
        return Explained(statement.step, "rules", None, None, len(rules), details)
    if isinstance(statement, Formulas):
        results = (
            Detail(name, text, render(entry[1][name], node.type)) for name, node, text in statement.items
        )
        return Explained(statement.step, "formulas", None, None, 0, tuple(results))
    if isinstance(statement, Model):
        parts = tuple(Detail(name, "points", points) for name, points in entry[4])
        head = (Detail("score", statement.role, entry[1]), Detail("base", "points", entry[3]))
        return Explained(statement.step, "model", None, None, 0, (*head, *parts))
    if isinstance(statement, Card):
        lines = tuple(
            Detail(line.axis.name, _bin(line.axis.texts, line.points, entry[2][line.axis.name]), points)
            for line in statement.lines
            for points in (entry[2][line.axis.name],)
        )
        total = Detail(statement.name, f"base {statement.base}", entry[1])
        return Explained(statement.step, "scorecard", statement.file, None, 0, (total, *lines))
    return _table(statement, entry)


def _bin(texts: Sequence[str], points: Sequence[int], given: int) -> str:
    """The bins that give these points: one, unless several give the same."""
    return " or ".join(text for text, value in zip(texts, points, strict=True) if value == given)


def _table(table: Table, entry: Sequence[Any]) -> Explained:
    row = entry[1] - 1
    tests = tuple(Detail(axis.name, axis.texts[row], None) for axis in table.axes)
    given = tuple(Detail(name, "→", render(entry[2][name], kind)) for name, kind in table.gives)
    return Explained(
        table.step,
        "grid" if table.width else "table",
        table.file,
        entry[1],
        len(table.rows),
        (*tests, *given),
    )
