"""What a condition says about the variables it reads, once it is known to be true or false."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from obligor.strategy.ir import Node, Op
from obligor.strategy.types import Kind, Type

__all__ = ["Scope", "assume"]

Scope = Mapping[str, Type]
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}
_ORDERED = {Kind.NUMBER, Kind.DATE}


def assume(condition: Node, *, truth: bool, scope: Scope) -> Scope:
    """The scope where a condition holds (or does not): null is gone, bounds are drawn in.

    What cannot be said in bounds of single variables is left out, so the result is always sound.
    """
    if condition.op is Op.NOT:
        return assume(condition.args[0], truth=not truth, scope=scope)
    if condition.op is (Op.AND if truth else Op.OR):
        for part in condition.args:
            scope = assume(part, truth=truth, scope=scope)
        return scope
    if condition.op is Op.KNOWN and truth:
        return _without_null(condition.args[0], scope)
    if condition.op is Op.COMPARE:
        left, right = condition.args
        operator = condition.name if truth else _NEGATED[condition.name]
        scope = _compared(left, operator, right, scope)
        return _compared(right, _FLIPPED[operator], left, scope)
    if condition.op is Op.MATCH:
        return _matched(condition, scope) if truth else _unmatched(condition, scope)
    return scope


def _set(scope: Scope, name: str, kind: Type) -> Scope:
    return {**scope, name: kind}


def _without_null(node: Node, scope: Scope) -> Scope:
    if node.op is Op.VAR and node.name in scope:
        return _set(scope, node.name, scope[node.name].known())
    return scope


def _compared(node: Node, operator: str, other: Node, scope: Scope) -> Scope:
    """Draw in the bounds of `node`, if it is a variable (perhaps scaled up), by those of `other`."""
    if node.type.kind is Kind.CATEGORY and other.op is Op.CONST:
        return _chosen(node, {str(other.value)}, scope, inside=operator == "=")
    lo, hi = other.type.lo, other.type.hi
    if node.op is Op.MUL and node.args[1].op is Op.CONST and node.args[1].type.kind is Kind.NUMBER:
        factor = node.args[1].type.lo
        if factor <= 0:
            return scope
        # An integer v with v * factor in [lo, hi] lies between these; strictness is settled below.
        if operator == "<":
            hi, operator = -(-hi // factor), "<"
        elif operator == ">":
            lo, operator = lo // factor, ">"
        else:
            lo, hi = -(-lo // factor), hi // factor
        node = node.args[0]
    if node.op is not Op.VAR or node.type.kind not in _ORDERED or node.name not in scope:
        return scope
    kind = scope[node.name]
    if operator in {"<", "<="}:
        kind = kind.within(kind.lo, hi - (operator == "<"))
    elif operator in {">", ">="}:
        kind = kind.within(lo + (operator == ">"), kind.hi)
    elif operator == "=":
        kind = kind.within(lo, hi)
    elif lo == hi:
        kind = kind.within(kind.lo + (kind.lo == lo), kind.hi - (kind.hi == lo))
    return _set(scope, node.name, kind)


def _matched(condition: Node, scope: Scope) -> Scope:
    node, cell = condition.args[0], condition.cell
    if node.op is not Op.VAR or node.name not in scope:
        return scope
    kind = scope[node.name]
    if not cell.null:
        kind = kind.known()
    if cell.ranges and kind.kind in _ORDERED and not cell.null:
        kind = kind.within(cell.ranges[0][0], cell.ranges[-1][1])
    scope = _set(scope, node.name, kind)
    return _chosen(node, set(cell.values), scope, inside=True) if cell.values else scope


def _unmatched(condition: Node, scope: Scope) -> Scope:
    cell = condition.cell
    # Null may be among what does not match, and then nothing else is known.
    if cell.values and not cell.anything:
        return _chosen(condition.args[0], set(cell.values), scope, inside=False)
    return scope


def _chosen(node: Node, values: set[str], scope: Scope, *, inside: bool) -> Scope:
    """A category is, or is not, one of some values."""
    if node.op is not Op.VAR or node.name not in scope:
        return scope
    kind = scope[node.name]
    left = tuple(value for value in kind.values if (value in values) == inside)
    return _set(scope, node.name, msgspec.structs.replace(kind, values=left)) if left else scope
