"""Arithmetic nodes on scaled integers, with the bounds of their results by interval arithmetic (Moore 1966).

Every function refuses what could leave 64 bits or divide by zero for some values within the bounds of its
arguments; so the nodes it returns are total.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product as pairs

from obligor.kernel import round_half_even
from obligor.strategy.ir import Node, Op, Rounding
from obligor.strategy.problems import Flaw
from obligor.strategy.types import INT64, Type, format_scaled, number

__all__ = [
    "absolute",
    "add",
    "aligned",
    "constant",
    "divide",
    "extreme",
    "multiply",
    "power",
    "rescale",
    "subtract",
]

MAX_EXPONENT = 1200
# Within a formula; a result has MAX_SCALE at most.
MOST_PLACES = 18

_DIVIDE: dict[Rounding, Callable[[int, int], int]] = {
    Rounding.HALF_EVEN: round_half_even,
    Rounding.FLOOR: lambda n, d: n // d,
    Rounding.CEILING: lambda n, d: -(-n // d),
}


def constant(value: int, scale: int = 0) -> Node:
    """A known number."""
    return Node(Op.CONST, number(value, value, scale), value=value)


def _bounded(op: Op, what: str, lo: int, hi: int, scale: int, *args: Node) -> Node:
    _fits(what, lo, hi, scale)
    return Node(op, number(lo, hi, scale), args)


def _fits(what: str, lo: int, hi: int, scale: int) -> None:
    if scale > MOST_PLACES:
        raise Flaw("overflow", f"{what} has {scale} decimal places: round it to {MOST_PLACES} at most")
    if max(-lo, hi) > INT64:
        reach = lo if -lo > hi else hi
        raise Flaw(
            "overflow",
            f"{what} may reach {format_scaled(reach, scale)}: {abs(reach):.1e} units of scale {scale}, "
            f"where 64 bits hold {INT64:.1e}; narrow the bounds of what goes in, or round earlier",
        )


def aligned(*nodes: Node) -> tuple[Node, ...]:
    """The same numbers, all at the finest of their scales."""
    scale = max(node.type.scale for node in nodes)
    return tuple(rescale(node, scale) for node in nodes)


def rescale(node: Node, scale: int, rounding: Rounding = Rounding.HALF_EVEN) -> Node:
    """A number at another scale, rounded where the scale is coarser."""
    kind, step = node.type, scale - node.type.scale
    if step == 0:
        return node
    factor = 10 ** abs(step)
    if node.op is Op.CONST and isinstance(node.value, int):
        moved = node.value * factor if step > 0 else _DIVIDE[rounding](node.value, factor)
        _fits("the number", moved, moved, scale)
        return constant(moved, scale)
    if step > 0:
        return _bounded(
            Op.MUL, "the number", kind.lo * factor, kind.hi * factor, scale, node, constant(factor)
        )
    low, high = (_DIVIDE[rounding](bound, factor) for bound in (kind.lo, kind.hi))
    return Node(Op.DIV, number(low, high, scale), (node, constant(factor)), name=rounding.value)


def add(a: Node, b: Node) -> Node:
    """The sum, at the finer scale of the two."""
    a, b = aligned(a, b)
    return _bounded(Op.ADD, "the sum", a.type.lo + b.type.lo, a.type.hi + b.type.hi, a.type.scale, a, b)


def subtract(a: Node, b: Node) -> Node:
    """The difference, at the finer scale of the two."""
    a, b = aligned(a, b)
    if a.op is b.op is Op.CONST and isinstance(a.value, int) and isinstance(b.value, int):
        return constant(a.value - b.value, a.type.scale)
    lo, hi = a.type.lo - b.type.hi, a.type.hi - b.type.lo
    return _bounded(Op.SUB, "the difference", lo, hi, a.type.scale, a, b)


def multiply(a: Node, b: Node) -> Node:
    """The product, exact: the scales add up."""
    lo, hi = _corners(a.type, b.type)
    return _bounded(Op.MUL, "the product", lo, hi, a.type.scale + b.type.scale, a, b)


def _corners(a: Type, b: Type) -> tuple[int, int]:
    found = [x * y for x, y in pairs((a.lo, a.hi), (b.lo, b.hi))]
    return min(found), max(found)


def divide(a: Node, b: Node, scale: int, rounding: Rounding) -> Node:
    """The quotient a / b, rounded once, to a scale.

    Raises:
        Flaw: b may be zero, or the numerator at that scale may leave 64 bits.
    """
    if b.type.lo <= 0 <= b.type.hi:
        raise Flaw(
            "division-by-zero",
            "the divisor may be zero: knock the case out before, or guard it: if x > 0 then … / x else …",
        )
    if b.type.hi < 0:
        a, b = subtract(constant(0), a), subtract(constant(0), b)
    shift = scale - a.type.scale + b.type.scale
    # Only the integers matter from here on: the factor has no scale of its own.
    if shift > 0:
        a = _grown(a, 10**shift)
    elif shift < 0:
        b = _grown(b, 10**-shift)
    low_high = [_DIVIDE[rounding](n, d) for n, d in pairs((a.type.lo, a.type.hi), (b.type.lo, b.type.hi))]
    lo, hi = min(low_high), max(low_high)
    _fits("the quotient", lo, hi, scale)
    return Node(Op.DIV, number(lo, hi, scale), (a, b), name=rounding.value)


def _grown(node: Node, factor: int) -> Node:
    scale = node.type.scale
    if node.op is Op.CONST and isinstance(node.value, int):
        return Node(
            Op.CONST, number(node.value * factor, node.value * factor, scale), value=node.value * factor
        )
    lo, hi = node.type.lo * factor, node.type.hi * factor
    if max(-lo, hi) > INT64:
        raise Flaw(
            "overflow",
            f"the division may need {max(-lo, hi):.1e} units where 64 bits hold {INT64:.1e}: "
            "narrow the bounds of what goes in, round it earlier, or keep fewer decimal places",
        )
    return Node(Op.MUL, number(lo, hi, scale), (node, constant(factor)))


def power(base: Node, exponent: Node, scale: int) -> Node:
    """A power at a scale, by square and multiply, rounded half-even to the scale after each step.

    Total for a base of at least 0 and a whole exponent from 0 to 1200.

    Raises:
        Flaw: base or exponent may lie outside, or a step may leave 64 bits.
    """
    base = rescale(base, scale) if base.type.scale <= scale else base
    if base.type.scale != scale:
        raise Flaw("type", f"the base has more decimal places than the {scale} of the result: round it first")
    if base.type.lo < 0:
        raise Flaw("overflow", "the base of a power may be negative")
    if exponent.type.scale or exponent.type.lo < 0 or exponent.type.hi > MAX_EXPONENT:
        raise Flaw("overflow", f"the exponent of a power has to be a whole number from 0 to {MAX_EXPONENT}")
    exponents = range(exponent.type.lo, exponent.type.hi + 1)
    results = [_power(bound, n, scale) for bound in (base.type.lo, base.type.hi) for n in exponents]
    return Node(Op.POW, number(min(results), max(results), scale), (base, exponent), 10**scale)


def _power(base: int, n: int, scale: int) -> int:
    one: int = 10**scale
    value = one
    for bit in f"{n:b}":
        for factor in (value, base) if bit == "1" else (value,):
            value *= factor
            _fits("a step of the power", value, value, 0)
            value = round_half_even(value, one)
    return value


def extreme(op: Op, *args: Node) -> Node:
    """The least (Op.MIN) or the greatest (Op.MAX) of some numbers."""
    pick = min if op is Op.MIN else max
    args = aligned(*args)
    lo, hi = pick(arg.type.lo for arg in args), pick(arg.type.hi for arg in args)
    return Node(op, number(lo, hi, args[0].type.scale), args)


def absolute(a: Node) -> Node:
    """The number without its sign."""
    lo, hi = a.type.lo, a.type.hi
    least = 0 if lo <= 0 <= hi else min(abs(lo), abs(hi))
    return Node(Op.ABS, number(least, max(abs(lo), abs(hi)), a.type.scale), (a,))
