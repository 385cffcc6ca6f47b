"""Nodes as Polars expressions over whole columns, with the same value in every row that the row function has.

Numbers and dates are Int64 columns in units of their scale, booleans are Boolean, categories are codes of a
pool. Every division is one of integers, rounded here. A row that another step has ended already goes on being
computed with values that its types do not allow for: it may become null or wrap, and nothing of it is read.
So both sides of an `if` are computed everywhere, and what is chosen is what the row function would compute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import count
from typing import NamedTuple

import polars as pl

from obligor.kernel import InvariantBroken
from obligor.strategy.cells import Cell
from obligor.strategy.ir import Node, Op
from obligor.strategy.types import INT64, Kind

__all__ = ["Pool", "Term", "Vectors", "integer", "select"]

# More values than this are looked up, fewer compared one by one.
FEW = 16


class Term(NamedTuple):
    """An expression, and how many rounds of columns have to be there before it can be computed."""

    expr: pl.Expr
    level: int = 0


class Pool:
    """All categories of a strategy, each with a code; a strategy's outcomes come first, in their order."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(dict.fromkeys(values))
        self.codes = {value: code for code, value in enumerate(self.values)}
        # One code more than there are values stands for a text that is none of them.
        self.unknown = len(self.values)
        self.dtype: type[pl.DataType] = pl.UInt8 if self.unknown < 2**8 else pl.UInt32

    def literal(self, value: str) -> pl.Expr:
        """A category's code as a constant."""
        return pl.lit(self.codes[value], dtype=self.dtype)


def integer(value: int) -> pl.Expr:
    """A constant of 64 bits; without its type Polars would take 32 where the value fits."""
    return pl.lit(value, dtype=pl.Int64)


def select(condition: pl.Expr, yes: pl.Expr, no: pl.Expr) -> pl.Expr:
    """One of two columns, by a condition; where that is null, the second."""
    return pl.when(condition).then(yes).otherwise(no)


class Vectors:
    """Builds expressions in rounds: what is used twice becomes a column, which later rounds read."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.env: dict[str, Term] = {}
        self.rounds: list[list[pl.Expr]] = []
        self._numbers = count()

    def keep(self, term: Term, name: str | None = None) -> Term:
        """Make a column of a term. It is read from the next round on."""
        if name is None and term.expr.meta.is_column():
            return term
        name = name or f"x_{next(self._numbers)}"
        while len(self.rounds) <= term.level:
            self.rounds.append([])
        self.rounds[term.level].append(term.expr.alias(name))
        return Term(pl.col(name), term.level + 1)

    def node(self, node: Node) -> Term:
        """The term of a node."""
        if node.op is Op.CONST:
            return Term(self._constant(node))
        if node.op is Op.VAR:
            return self.env[node.name]
        args = [self.node(arg) for arg in node.args]
        level = max(arg.level for arg in args)
        if node.op is Op.DIV:
            return self._divide(node, *args)
        if node.op is Op.POW:
            return self._power(node, *args)
        if node.op is Op.MATCH:
            return self.match(args[0], node.args[0].type.nullable, node.cell)
        if node.op in {Op.MIN, Op.MAX}:
            return self._extreme(node.op, args)
        if node.op is Op.DEFAULT:
            return Term(pl.coalesce(args[0].expr, args[1].expr), level)
        return Term(self._plain(node, [arg.expr for arg in args]), level)

    def _constant(self, node: Node) -> pl.Expr:
        value = node.value
        if isinstance(value, bool) or value is None:
            return pl.lit(value, dtype=pl.Boolean if isinstance(value, bool) else None)
        return self.pool.literal(value) if isinstance(value, str) else integer(value)

    def _plain(self, node: Node, args: Sequence[pl.Expr]) -> pl.Expr:
        match node.op, args:
            case Op.ADD, (a, b):
                return a + b
            case Op.SUB, (a, b):
                return a - b
            case Op.MUL, (a, b):
                return a * b
            case Op.ABS, (a,):
                return a.abs()
            case Op.AND, (a, b):
                return a & b
            case Op.OR, (a, b):
                return a | b
            case Op.NOT, (a,):
                return ~a
            case Op.IF, (condition, a, b):
                return select(condition, a, b)
            case Op.KNOWN, (a,):
                return a.is_not_null()
            case Op.COMPARE, (a, b):
                return compare(node.name, a, b)
            case _:
                raise InvariantBroken(f"no columns for {node.op}")

    def _extreme(self, op: Op, args: Sequence[Term]) -> Term:
        def two(a: Term, b: Term) -> Term:
            a, b = self.keep(a), self.keep(b)
            # Not min_horizontal: it passes over nulls.
            chosen = compare("<=" if op is Op.MIN else ">=", a.expr, b.expr)
            return Term(select(chosen, a.expr, b.expr), max(a.level, b.level))

        return reduce(two, args)

    # ---- division, rounded in integers

    def _divide(self, node: Node, n: Term, d: Term) -> Term:
        level = max(n.level, d.level)
        if node.name == "floor":
            return Term(n.expr // d.expr, level)
        if node.name == "ceiling":
            return Term(-((-n.expr) // d.expr), level)
        divisor = node.args[1]
        if divisor.op is Op.CONST and isinstance(divisor.value, int):
            return self.half_even(n, divisor.value)
        n, d = self.keep(n), self.keep(d)
        q = self.keep(Term(n.expr // d.expr, max(n.level, d.level)))
        below = self.keep(Term(n.expr - q.expr * d.expr, q.level))
        above = d.expr - below.expr
        up = (below.expr > above) | ((below.expr == above) & ((q.expr & integer(1)) == integer(1)))
        return Term(q.expr + _unit(up), below.level)

    def half_even(self, n: Term, d: int) -> Term:
        """The integer nearest to n / d for a constant d > 0; of two equally near the even one."""
        n = self.keep(n)
        q = self.keep(Term(n.expr // integer(d), n.level))
        rest = n.expr - q.expr * integer(d)
        # The rest is above the half, or it is the half and the quotient odd.
        over = rest + (q.expr & integer(1)) if d % 2 == 0 else rest
        return Term(q.expr + _unit(over > integer(d // 2)), q.level)

    def _power(self, node: Node, base: Term, exponent: Term) -> Term:
        """Square and multiply from the highest bit that any exponent has, as the row function does.

        Before its own highest bit a row squares 1, which stays 1 to the bit. Products that are not chosen may
        wrap; those that are chosen fit, by the bounds of the power.
        """
        one, most = int(node.value or 1), node.args[1].type.hi
        base, exponent = self.keep(base), self.keep(exponent)
        value = Term(integer(one))
        highest = most.bit_length() - 1
        for place in range(highest, -1, -1):
            if place < highest:
                value = self.keep(self.half_even(self._product(value, value), one))
                more = self.keep(self.half_even(self._product(value, base), one))
            else:
                more = base
            has = (exponent.expr & integer(1 << place)) != integer(0)
            level = max(value.level, more.level, exponent.level)
            value = self.keep(Term(select(has, more.expr, value.expr), level))
        return value

    @staticmethod
    def _product(a: Term, b: Term) -> Term:
        return Term(a.expr * b.expr, max(a.level, b.level))

    # ---- tests

    def match(self, value: Term, nullable: bool, cell: Cell) -> Term:
        """Whether values pass a cell's tests."""
        if cell.anything:
            return Term(pl.lit(True))
        value = self.keep(value)
        x = value.expr
        if cell.values:
            passed = self.among(x, cell.values)
        else:
            passed = any_of(within(x, lo, hi) for lo, hi in cell.ranges)
        return Term(passed.fill_null(cell.null) if nullable else passed, value.level)

    def among(self, codes: pl.Expr, values: Sequence[str]) -> pl.Expr:
        """Whether codes are those of some categories."""
        if len(values) > FEW:
            return codes.is_in([self.pool.codes[value] for value in values])
        return any_of(codes == self.pool.literal(value) for value in values)


def _unit(condition: pl.Expr) -> pl.Expr:
    return select(condition, integer(1), integer(0))


def any_of(conditions: Iterable[pl.Expr]) -> pl.Expr:
    """Whether one of some conditions holds; false of none."""
    found = list(conditions)
    return reduce(lambda a, b: a | b, found) if found else pl.lit(False)


def within(x: pl.Expr, lo: int, hi: int) -> pl.Expr:
    """Whether numbers lie in a closed range; its ends at 64 bits are open."""
    if lo == hi:
        return x == integer(lo)
    parts = [x >= integer(lo)] if lo > -INT64 else []
    parts += [x <= integer(hi)] if hi < INT64 else []
    if not parts:
        return x.is_not_null()
    return reduce(lambda a, b: a & b, parts)


_COMPARE: Mapping[str, str] = {"=": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def compare(sign: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """A comparison of two columns of one type; null where either is."""
    found: pl.Expr = getattr(a, _COMPARE[sign])(b)
    return found


def dtype_of(kind: Kind, pool: Pool) -> type[pl.DataType]:
    """The type of the columns that hold values of a kind."""
    if kind is Kind.CATEGORY:
        return pool.dtype
    return pl.Boolean if kind is Kind.BOOLEAN else pl.Int64
