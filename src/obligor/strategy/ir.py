"""The checked program: typed nodes and statements, the same for every emitter and for the interpreter.

| op | arguments | more | meaning |
|---|---|---|---|
| const | | value | |
| var | | name | an input or an earlier result |
| add, sub, mul | a, b | | exact; both of one scale, for mul of any |
| div | n, d | name: the rounding | n / d to an integer, d > 0 |
| pow | base, exponent | value: 1 at its scale | square and multiply, half-even after each step |
| min, max | a, b, … | | of one scale |
| abs | a | | |
| compare | a, b | name: = != < <= > >= | of one scale |
| match | a | cell | a cell's unary tests; null is allowed |
| and, or | a, b | | |
| not | a | | |
| if | condition, a, b | | only one side is computed |
| known | a | | a is not null |
| default | a, b | | a, or b where a is null |

Scales are gone here: `check` has put multiplications and divisions by powers of ten where they are due.
All integers fit 64 bits and no divisor is zero or negative, by interval arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from obligor.strategy.cells import Cell
from obligor.strategy.types import Type, Value

__all__ = [
    "Axis",
    "Card",
    "Formulas",
    "Hit",
    "Line",
    "Model",
    "Node",
    "Op",
    "Output",
    "Program",
    "Rounding",
    "Rule",
    "Rules",
    "Statement",
    "Table",
    "names_in",
]


NO_CELL = Cell(null=False)


class Op(StrEnum):
    """What a node does; the table above says how."""

    CONST = "const"
    VAR = "var"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    POW = "pow"
    MIN = "min"
    MAX = "max"
    ABS = "abs"
    COMPARE = "compare"
    MATCH = "match"
    AND = "and"
    OR = "or"
    NOT = "not"
    IF = "if"
    KNOWN = "known"
    DEFAULT = "default"


class Rounding(StrEnum):
    """How a division becomes an integer."""

    HALF_EVEN = "half_even"
    FLOOR = "floor"
    CEILING = "ceiling"


class Node(msgspec.Struct, frozen=True):
    """One operation, its arguments, the type of its result; the table above says what else it holds."""

    op: Op
    type: Type
    args: tuple[Node, ...] = ()
    value: Value = None
    name: str = ""
    cell: Cell = NO_CELL


def names_in(node: Node) -> Iterator[str]:
    """The variables that a node reads."""
    if node.op is Op.VAR:
        yield node.name
    for arg in node.args:
        yield from names_in(arg)


class Hit(StrEnum):
    """Which rows of a table count: one alone matches, all that match agree, or the first that matches."""

    UNIQUE = "unique"
    ANY = "any"
    FIRST = "first"


class Rule(msgspec.Struct, frozen=True):
    """A condition that gives a reason and moves the outcome to at least `outcome` (an index).

    `explain`: where it fires, the model's reasons follow its own.
    """

    code: str
    when: Node
    outcome: int
    explain: bool
    text: str


class Rules(msgspec.Struct, frozen=True):
    """All rules are tried; where one fires and `stop` is set, the decision ends after the step."""

    step: str
    rules: tuple[Rule, ...]
    stop: bool


class Formulas(msgspec.Struct, frozen=True):
    """Named results, computed in order."""

    step: str
    items: tuple[tuple[str, Node, str], ...]


class Axis(msgspec.Struct, frozen=True):
    """One variable of a table with the cell of each row, and the texts they came from."""

    name: str
    type: Type
    cells: tuple[Cell, ...]
    texts: tuple[str, ...]


class Table(msgspec.Struct, frozen=True):
    """Rows of tests with the values that they give. Every combination of values is matched by some row.

    `width`: a grid's number of columns, whose rows are its cells, row by row; 0 for a plain table.
    """

    step: str
    file: str
    hit: Hit
    axes: tuple[Axis, ...]
    gives: tuple[tuple[str, Type], ...]
    rows: tuple[tuple[Value, ...], ...]
    width: int = 0


class Line(msgspec.Struct, frozen=True):
    """One characteristic of a scorecard: points by bin."""

    axis: Axis
    points: tuple[int, ...]


class Card(msgspec.Struct, frozen=True):
    """A sum of points: `name` = base + the points of each line's bin."""

    step: str
    file: str
    name: str
    base: int
    lines: tuple[Line, ...]


class Model(msgspec.Struct, frozen=True):
    """The model scores; `gives` maps inputs of source `score` to the parts of its answer."""

    step: str
    role: str
    gives: tuple[str, ...]


Statement = Rules | Formulas | Table | Card | Model


class Output(msgspec.Struct, frozen=True):
    """A result that leaves: its value under the outcomes in `outcomes` (indices), null under the others."""

    name: str
    node: Node
    outcomes: tuple[int, ...]
    text: str


class Program(msgspec.Struct, frozen=True):
    """A strategy, checked. `outcomes` go from the mildest, which holds unless a rule fires, to the hardest.

    `reads` holds for each statement the inputs that it is the first to read, in the order of their
    declaration; the outputs' are the last.
    """

    inputs: Mapping[str, Type]
    outcomes: tuple[str, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[Output, ...]
    reads: tuple[tuple[str, ...], ...]
