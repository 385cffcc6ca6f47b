"""Formulas get their types: from a syntax tree to nodes that are total, or the flaw that says why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from obligor.strategy import arithmetic
from obligor.strategy.cells import Constant, resolve
from obligor.strategy.ir import Node, Op, Rounding
from obligor.strategy.narrow import Scope, assume
from obligor.strategy.problems import Flaw
from obligor.strategy.syntax import Ast, Unary, parse_formula
from obligor.strategy.types import MAX_SCALE, Kind, Type, boolean, category, date_value, number_text

__all__ = ["Names", "check_condition", "check_formula"]

_NULL = Type(Kind.NULL, nullable=True)
LITERALS = frozenset({"number", "string", "boolean", "date", "null"})
EXACT = {"+": arithmetic.add, "-": arithmetic.subtract, "*": arithmetic.multiply}
ARITHMETIC = frozenset({*EXACT, "/", "**", "neg"})
ROUNDINGS = {"round": Rounding.HALF_EVEN, "floor": Rounding.FLOOR, "ceiling": Rounding.CEILING}
# The least and the most arguments of each.
FUNCTIONS = {
    "min": (2, 12),
    "max": (2, 12),
    "abs": (1, 1),
    "round": (1, 2),
    "floor": (1, 2),
    "ceiling": (1, 2),
    "default": (2, 2),
    "known": (1, 1),
}


class Names(NamedTuple):
    """What a formula may speak of. `broken` names have problems of their own, reported already."""

    scope: Scope
    constants: Mapping[str, Constant]
    broken: frozenset[str] = frozenset()


class Target(NamedTuple):
    """Where a division or a power is to be rounded to."""

    scale: int
    rounding: Rounding = Rounding.HALF_EVEN


def check_formula(text: str, names: Names, scale: int | None = None) -> Node:
    """A formula's nodes; with `scale`, divisions in it and its result are rounded to it, half-even.

    Raises:
        Flaw: anything that would not be total or does not fit together.
    """
    tree = parse_formula(text)
    target = None if scale is None else Target(scale)
    node = _Checker(text, names).check(tree, names.scope, target)
    if scale is None:
        return node
    if node.type.kind is not Kind.NUMBER:
        raise Flaw("type", f"a {node.type} has no scale")
    return arithmetic.rescale(_known(node), scale)


def check_condition(text: str, names: Names) -> Node:
    """The nodes of a condition.

    Raises:
        Flaw: as in `check_formula`, or it is no boolean.
    """
    return _boolean(check_formula(text, names))


def _known(node: Node) -> Node:
    if node.type.kind is Kind.NULL:
        raise Flaw("type", "null is no value to compute with: ask known(x), or give default(x, …)")
    if node.type.nullable:
        raise Flaw("unguarded-null", "may be null: guard it with known(x) and …, or give default(x, …)")
    return node


def _number(node: Node) -> Node:
    if node.type.kind is not Kind.NUMBER:
        raise Flaw("type", f"is a {node.type}, a number is expected")
    return _known(node)


def _boolean(node: Node) -> Node:
    if node.type.kind is not Kind.BOOLEAN:
        raise Flaw("type", f"is a {node.type}, a condition is expected")
    return _known(node)


def _unified(a: Node, b: Node) -> tuple[Node, Node, Type]:
    """Two possible values of one expression, and the type that covers both."""
    nullable = a.type.nullable or b.type.nullable
    kinds = {a.type.kind, b.type.kind} - {Kind.NULL}
    if len(kinds) > 1:
        raise Flaw("type", f"may be a {a.type} or a {b.type}: both have to be of one kind")
    if kinds == {Kind.NUMBER} and a.type.kind is b.type.kind:
        scale = max(a.type.scale, b.type.scale)
        a, b = (_nullable_rescale(node, scale) for node in (a, b))
    base = b.type if a.type.kind is Kind.NULL else a.type
    if Kind.NULL in {a.type.kind, b.type.kind}:
        return a, b, msgspec.structs.replace(base, nullable=True)
    values = (*a.type.values, *(value for value in b.type.values if value not in a.type.values))
    lo, hi = min(a.type.lo, b.type.lo), max(a.type.hi, b.type.hi)
    return a, b, Type(base.kind, base.scale, lo, hi, values, nullable)


def _nullable_rescale(node: Node, scale: int) -> Node:
    if node.type.nullable and node.type.scale != scale:
        raise Flaw(
            "type", f"may be null and has another scale: give default(x, …), or round to {scale} before"
        )
    return arithmetic.rescale(node, scale)


class _Checker:
    def __init__(self, text: str, names: Names) -> None:
        self.text = text
        self.names = names

    def check(self, tree: Ast, scope: Scope, target: Target | None = None) -> Node:
        """The node of a tree. `target` is where a division right here would be rounded to."""
        try:
            return self.node(tree, scope, target)
        except Flaw as flaw:
            if flaw.text is None:
                flaw.text = self.text[tree.start : tree.end]
            raise

    def node(self, tree: Ast, scope: Scope, target: Target | None) -> Node:
        if tree.op in LITERALS:
            return _literal(tree)
        if tree.op in ARITHMETIC:
            return self.operate(tree, scope, target)
        if tree.op == "name":
            return self.name(tree, scope)
        if tree.op == "call":
            return self.call(tree, scope, target)
        if tree.op == "if":
            condition = self.part(tree.args[0], scope, _boolean)
            yes = self.check(tree.args[1], assume(condition, truth=True, scope=scope), target)
            no = self.check(tree.args[2], assume(condition, truth=False, scope=scope), target)
            yes, no, kind = _unified(yes, no)
            return Node(Op.IF, kind, (condition, yes, no))
        return self.condition(tree, scope)

    def part(self, tree: Ast, scope: Scope, need: Callable[[Node], Node]) -> Node:
        """A part that has to be of some kind."""
        return self.must(tree, self.check(tree, scope), need)

    def must(self, tree: Ast, node: Node, need: Callable[[Node], Node]) -> Node:
        """A node that has to be of some kind, with the flaw at its text."""
        try:
            return need(node)
        except Flaw as flaw:
            flaw.text = self.text[tree.start : tree.end]
            raise

    def name(self, tree: Ast, scope: Scope) -> Node:
        name = tree.text
        if name in self.names.broken:
            raise Flaw
        if name in self.names.constants:
            found = self.names.constants[name]
            return Node(Op.CONST, found.type, value=found.value)
        if name not in scope:
            near = ", ".join(sorted(other for other in scope if other[:3] == name[:3])[:4])
            hint = f"; there are {near}" if near else ""
            raise Flaw("unknown-name", f"there is no input, parameter or earlier result {name!r}{hint}", name)
        return Node(Op.VAR, scope[name], name=name)

    # ---- arithmetic

    def operate(self, tree: Ast, scope: Scope, target: Target | None) -> Node:
        if tree.op == "neg":
            return arithmetic.subtract(arithmetic.constant(0), self.part(tree.args[0], scope, _number))
        a, b = (self.part(arg, scope, _known) for arg in tree.args)
        if tree.op == "-" and a.type.kind is b.type.kind is Kind.DATE:
            return arithmetic.subtract(_as_days(a), _as_days(b))
        for arg, node in zip(tree.args, (a, b), strict=True):
            self.must(arg, node, _number)
        if tree.op in EXACT:
            return EXACT[tree.op](a, b)
        if target is None:
            raise Flaw("scale", "say how precise it is: round(…, places), or give the formula a scale")
        if tree.op == "/":
            return arithmetic.divide(a, b, target.scale, target.rounding)
        return arithmetic.power(a, b, target.scale)

    # ---- conditions

    def condition(self, tree: Ast, scope: Scope) -> Node:
        if tree.op == "in":
            inner = self.check(tree.args[0], scope)
            cell = resolve(Unary(tree.items), inner.type, self.names.constants)
            return Node(Op.MATCH, boolean(), (inner if cell.null else _known(inner),), cell=cell)
        if tree.op == "between":
            value, low, high = tree.args
            lower = self.check(Ast(">=", tree.start, tree.end, (value, low)), scope)
            upper = self.check(Ast("<=", tree.start, tree.end, (value, high)), scope)
            return _both(Op.AND, lower, upper)
        if tree.op in {"and", "or"}:
            op = Op.AND if tree.op == "and" else Op.OR
            left = self.part(tree.args[0], scope, _boolean)
            # The right side is only computed where the left one has not settled it.
            right = self.part(tree.args[1], assume(left, truth=op is Op.AND, scope=scope), _boolean)
            return _both(op, left, right)
        if tree.op == "not":
            part = self.part(tree.args[0], scope, _boolean)
            return Node(Op.NOT, boolean(1 - part.type.hi, 1 - part.type.lo), (part,))
        return self.compare(tree, scope)

    def compare(self, tree: Ast, scope: Scope) -> Node:
        a, b = (self.part(arg, scope, _known) for arg in tree.args)
        if a.type.kind is not b.type.kind:
            raise Flaw("type", f"compares a {a.type} with a {b.type}")
        if a.type.kind in {Kind.CATEGORY, Kind.BOOLEAN} and tree.op not in {"=", "!="}:
            raise Flaw("type", f"a {a.type} has no order")
        if a.type.kind is Kind.CATEGORY and not set(a.type.values) & set(b.type.values):
            wide, narrow = (a, b) if len(a.type.values) >= len(b.type.values) else (b, a)
            listed = ", ".join(wide.type.values)
            raise Flaw(
                "unknown-category",
                f"{narrow.type.values[0]!r} is none of the categories that may be here: {listed}",
            )
        if a.type.kind is Kind.NUMBER:
            a, b = arithmetic.aligned(a, b)
        return Node(Op.COMPARE, _truth(tree.op, a.type, b.type), (a, b), name=tree.op)

    # ---- functions

    def call(self, tree: Ast, scope: Scope, target: Target | None) -> Node:
        if tree.text not in FUNCTIONS:
            listed = ", ".join(FUNCTIONS)
            raise Flaw("unknown-name", f"there is no function {tree.text!r}; there are {listed}", tree.text)
        least, most = FUNCTIONS[tree.text]
        if not least <= len(tree.args) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise Flaw("arity", f"{tree.text} takes {count} arguments, {len(tree.args)} are given")
        if tree.text in {"min", "max"}:
            parts = [self.must(arg, self.check(arg, scope, target), _number) for arg in tree.args]
            return arithmetic.extreme(Op(tree.text), *parts)
        if tree.text == "abs":
            return arithmetic.absolute(self.part(tree.args[0], scope, _number))
        if tree.text == "known":
            value = self.check(tree.args[0], scope)
            return Node(Op.KNOWN, boolean() if value.type.nullable else boolean(1, 1), (value,))
        if tree.text == "default":
            return self.default(tree, scope, target)
        return self.rounded(tree, scope)

    def rounded(self, tree: Ast, scope: Scope) -> Node:
        places = _places(tree.args[1]) if len(tree.args) > 1 else 0
        mode = ROUNDINGS[tree.text]
        inner = tree.args[0]
        if places >= 0:
            node = self.must(inner, self.check(inner, scope, Target(places, mode)), _number)
            return arithmetic.rescale(node, places, mode)
        # Rounding to tens, hundreds, …: a division's own divisor grows, so that rounding happens once.
        step = arithmetic.constant(10**-places)
        if inner.op == "/":
            n, d = (self.part(arg, scope, _number) for arg in inner.args)
            whole = arithmetic.divide(n, arithmetic.multiply(d, step), 0, mode)
        else:
            whole = arithmetic.divide(self.part(inner, scope, _number), step, 0, mode)
        return arithmetic.multiply(whole, step)

    def default(self, tree: Ast, scope: Scope, target: Target | None) -> Node:
        value, fallback = (self.check(arg, scope, target) for arg in tree.args)
        if value.type.kind is Kind.NULL:
            raise Flaw("type", "the first argument of default is a value that may be null")
        if not value.type.nullable:
            raise Flaw("never-null", "is never null: default has nothing to do")
        self.must(tree.args[1], fallback, _known)
        value, fallback, kind = _unified(value, fallback)
        return Node(Op.DEFAULT, kind.known(), (value, fallback))


def _literal(tree: Ast) -> Node:
    if tree.op == "number":
        return arithmetic.constant(*number_text(tree.text))
    if tree.op == "string":
        return Node(Op.CONST, category(tree.text), value=tree.text)
    if tree.op == "boolean":
        truth = tree.text == "true"
        return Node(Op.CONST, boolean(truth, truth), value=truth)
    if tree.op == "date":
        day = date_value(tree.text)
        return Node(Op.CONST, Type(Kind.DATE, lo=day, hi=day), value=day)
    return Node(Op.CONST, _NULL)


def _as_days(node: Node) -> Node:
    return msgspec.structs.replace(node, type=msgspec.structs.replace(node.type, kind=Kind.NUMBER))


def _places(tree: Ast) -> int:
    inner, sign = (tree.args[0], -1) if tree.op == "neg" else (tree, 1)
    text = inner.text
    if inner.op != "number" or not text.lstrip("-").isdigit() or abs(int(text)) > MAX_SCALE:
        raise Flaw("scale", f"decimal places are a whole number from -{MAX_SCALE} to {MAX_SCALE}")
    return sign * int(text)


def _both(op: Op, left: Node, right: Node) -> Node:
    pick = min if op is Op.AND else max
    kind = boolean(pick(left.type.lo, right.type.lo), pick(left.type.hi, right.type.hi))
    return Node(op, kind, (left, right))


def _truth(operator: str, a: Type, b: Type) -> Type:
    """What bounds alone say of a comparison."""
    if a.kind not in {Kind.NUMBER, Kind.DATE}:
        return boolean()
    if operator in {">", ">="}:
        operator, a, b = {">": "<", ">=": "<="}[operator], b, a
    if operator in {"<", "<="}:
        strict = operator == "<"
        always = a.hi < b.lo if strict else a.hi <= b.lo
        never = a.lo >= b.hi if strict else a.lo > b.hi
    else:
        same = a.lo == a.hi == b.lo == b.hi
        apart = a.hi < b.lo or b.hi < a.lo
        always, never = (same, apart) if operator == "=" else (apart, same)
    return boolean(int(always), int(not never))
