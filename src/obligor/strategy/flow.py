"""What statements read and write, and so what has to be known before each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from obligor.strategy.ir import Card, Formulas, Model, Node, Output, Rules, Statement, Table, names_in

__all__ = ["first_reads", "reached", "read_by", "uncomputed", "written_by"]


def read_by(statement: Statement) -> set[str]:
    """The variables that a statement reads."""
    if isinstance(statement, Rules):
        return {name for rule in statement.rules for name in names_in(rule.when)}
    if isinstance(statement, Formulas):
        return {name for _, node, _ in statement.items for name in names_in(node)}
    if isinstance(statement, Table):
        return {axis.name for axis in statement.axes}
    if isinstance(statement, Card):
        return {line.axis.name for line in statement.lines}
    return set()


def written_by(statement: Statement) -> set[str]:
    """The variables that a statement defines."""
    if isinstance(statement, Formulas):
        return {name for name, _, _ in statement.items}
    if isinstance(statement, Table):
        return {name for name, _ in statement.gives}
    if isinstance(statement, Card):
        return {statement.name}
    return set(statement.gives) if isinstance(statement, Model) else set()


def reached(statement: Rules, possible: set[int]) -> set[int]:
    """The outcomes after a rule of the step fired, from those that were possible before."""
    return {max(before, rule.outcome) for before in possible for rule in statement.rules}


def first_reads(
    inputs: Sequence[str], statements: Sequence[Statement], outputs: Sequence[Output]
) -> tuple[tuple[str, ...], ...]:
    """The inputs that each statement, and at last the outputs, are the first to read."""
    asked = list(inputs)
    last = {name for output in outputs for name in names_in(output.node)}
    reads: list[tuple[str, ...]] = []
    for names in (*map(read_by, statements), last):
        reads.append(tuple(name for name in asked if name in names))
        asked = [name for name in asked if name not in names]
    return tuple(reads)


def uncomputed(statements: Sequence[Statement], node: Node, outcomes: Sequence[int]) -> Iterator[str]:
    """Steps that may end a decision with one of these outcomes before all that the node reads is there."""
    needed = set(names_in(node)) - {"outcome"}
    ready: set[str] = set()
    possible = {0}
    for statement in statements:
        # A result is there once it is written; an input, once a step has read it.
        ready |= written_by(statement) | read_by(statement)
        if isinstance(statement, Rules):
            after = reached(statement, possible)
            if statement.stop and after & set(outcomes) and not needed <= ready:
                yield statement.step
            if not statement.stop:
                possible |= after
