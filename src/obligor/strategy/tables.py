"""Tables, grids and scorecards: from CSV cells to statements, with every cell checked where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from obligor.kernel import MAX_INTEGER
from obligor.strategy import cube
from obligor.strategy.cells import Test, resolve, resolve_literal
from obligor.strategy.form import Form
from obligor.strategy.ir import Axis, Card, Hit, Line, Table
from obligor.strategy.problems import Flaw, Place
from obligor.strategy.schema import TYPES
from obligor.strategy.source import Row, Sheet
from obligor.strategy.syntax import parse_literal, parse_tests
from obligor.strategy.types import MAX_SCALE, Kind, Type, Value, number
from obligor.strategy.work import Work

__all__ = ["read_card", "read_grid", "read_table"]

SHOWN = 5
NOTE = "note"


def read_table(work: Work, form: Form, step: str) -> Table | None:
    """A decision table: a column per input, a column per result, a row per rule, perhaps a column `note`."""
    form.only("step", "table", "hit", "gives", "about")
    gives = _gives(form)
    hit = Hit(form.choice("hit", [policy.value for policy in Hit], "unique"))
    sheet = work.sheet(form, "table")
    if sheet is None or not gives:
        return _lost(work, gives)
    titles = sheet.header.cells
    for column, title in enumerate(titles):
        if title in titles[:column]:
            work.problems.add("csv", sheet.place(sheet.header, column), title, "each column once")
    for name in gives:
        if name not in titles:
            listed = ", ".join(titles)
            form.wrong("gives", name, f"a column of {sheet.file}: {listed}", "csv")
    inputs = [(column, title) for column, title in enumerate(titles) if title not in {*gives, NOTE}]
    axes = [
        _axis(work, title, [(row.cells[column], sheet.place(row, column)) for row in sheet.rows], sheet, column)
        for column, title in inputs
    ]
    columns = [titles.index(name) for name in gives if name in titles]
    if len(columns) < len(gives) or len(set(titles)) < len(titles):
        return _lost(work, gives)
    rows = [
        [_value(work, row.cells[column], sheet.place(row, column), gives[titles[column]]) for column in columns]
        for row in sheet.rows
    ]
    where = [Place(sheet.file, row.line, f"row {index + 1}") for index, row in enumerate(sheet.rows)]
    return _finished(work, step, sheet, hit, axes, gives, rows, where, 0)


def read_grid(work: Work, form: Form, step: str) -> Table | None:
    """A two-dimensional table: tests down the first column and along the header, one result in the cells."""
    form.only("step", "grid", "down", "across", "gives", "about")
    gives = _gives(form)
    down, across = form.text("down"), form.text("across")
    sheet = work.sheet(form, "grid")
    if len(gives) > 1:
        form.wrong("gives", ", ".join(gives), "one result: a grid has one value in a cell")
    if sheet is None or len(gives) != 1 or not down or not across:
        return _lost(work, gives)
    width = len(sheet.header.cells) - 1
    heads = [(sheet.header.cells[column + 1], sheet.place(sheet.header, column + 1)) for column in range(width)]
    sides = [(row.cells[0], sheet.place(row, 0)) for row in sheet.rows]
    # A row of the table for every cell of the grid, row by row.
    axes = [
        _spread(_axis(work, down, sides, sheet, 0), lambda cells: [cell for cell in cells for _ in heads]),
        _spread(_axis(work, across, heads, sheet, 0), lambda cells: [*cells] * len(sides)),
    ]
    kind = next(iter(gives.values()))
    rows: list[list[Value | Flaw]] = []
    where: list[Place] = []
    for row in sheet.rows:
        for column in range(1, width + 1):
            place = _corner(sheet, row, column)
            where.append(place)
            rows.append([_value(work, row.cells[column], place, kind)])
    return _finished(work, step, sheet, Hit.UNIQUE, axes, gives, rows, where, width)


def _corner(sheet: Sheet, row: Row, column: int) -> Place:
    return Place(sheet.file, row.line, sheet.place(row, column).cell.partition(" ")[0])


def _spread(axis: Axis | None, spread: Callable[[Sequence[object]], list[object]]) -> Axis | None:
    if axis is None:
        return None
    tests = tuple(test for test in spread(axis.tests) if isinstance(test, Test))
    return Axis(axis.name, axis.type, tests, tuple(str(text) for text in spread(axis.texts)))


def read_card(work: Work, form: Form, step: str) -> Card | None:
    """A scorecard: rows of characteristic, bin and points; the result is the base and the points' sum."""
    form.only("step", "scorecard", "base", "gives", "about")
    name, place = form.text("gives"), form.place("gives")
    base = form.whole("base", -1_000_000, 1_000_000, 0) or 0
    sheet = work.sheet(form, "scorecard")
    if not name:
        return None
    titles = ("characteristic", "bin", "points")
    if sheet is None or sheet.header.cells[:3] != titles or sheet.header.cells[3:] not in {(), (NOTE,)}:
        if sheet is not None:
            text = ",".join(sheet.header.cells)
            work.problems.add("csv", sheet.place(sheet.header, 0), text, f"the header {','.join(titles)}")
        work.lose(name, place)
        return None
    groups: dict[str, list[Row]] = {}
    for row in sheet.rows:
        groups.setdefault(row.cells[0], []).append(row)
    lines = [_line(work, sheet, title, rows) for title, rows in groups.items()]
    good = [line for line in lines if line is not None]
    if len(good) < len(lines):
        work.lose(name, place)
        return None
    lo, hi = (base + sum(pick(line.points) for line in good) for pick in (min, max))
    work.define(name, number(lo, hi), place)
    return Card(step, sheet.file, name, base, tuple(good))


def _line(work: Work, sheet: Sheet, title: str, rows: Sequence[Row]) -> Line | None:
    axis = _axis(work, title, [(row.cells[1], sheet.place(row, 1)) for row in rows], sheet, 0, rows[0])
    kind = number(-1_000_000, 1_000_000)
    points = [_value(work, row.cells[2], sheet.place(row, 2), kind) for row in rows]
    if axis is None or any(isinstance(value, Flaw) for value in points):
        return None
    table = Table("", sheet.file, Hit.UNIQUE, (axis,), (), tuple(() for _ in rows))
    where = [Place(sheet.file, row.line, f"row {row.line - 1}") for row in rows]
    head = sheet.place(rows[0], 0)
    if not _covered(work, table, head, where):
        return None
    return Line(axis, tuple(int(value) for value in points if isinstance(value, int)))


# ---- what the three have in common


def _gives(form: Form) -> dict[str, Type]:
    return {name: kind for name, entry in form.named("gives").items() if (kind := _result_type(entry))}


def _result_type(form: Form) -> Type | None:
    form.only("type", "scale", "values", "nullable", "unit", "about")
    kind = form.choice("type", TYPES)
    scale = (form.whole("scale", 1, MAX_SCALE) or 0) if kind == "decimal" else 0
    values = form.texts("values") if kind == "category" else ()
    nullable = form.flag("nullable")
    # The bounds are those of the cells, found when they are read.
    return Type(TYPES[kind], scale, -MAX_INTEGER, MAX_INTEGER, values, nullable)


def _lost(work: Work, gives: Mapping[str, Type]) -> None:
    for name in gives:
        work.lose(name, Place("", 0, ""))


def _axis(
    work: Work,
    name: str,
    cells: Sequence[tuple[str, Place]],
    sheet: Sheet,
    column: int,
    row: Row | None = None,
) -> Axis | None:
    """The tests of a column; None where one of them, or the column's name, has a problem."""
    head = sheet.place(row or sheet.header, column)
    names = work.names()
    if name in names.broken:
        return None
    if name not in names.scope:
        flaw = Flaw("unknown-name", f"no input or earlier result is called {name!r}", name)
        work.flaw(flaw, head, name)
        return None
    kind = names.scope[name]
    tests = [_test(work, text, place, kind) for text, place in cells]
    good = [test for test in tests if test is not None]
    if len(good) < len(tests):
        return None
    return Axis(name, kind, tuple(good), tuple(text for text, _ in cells))


def _test(work: Work, text: str, place: Place, kind: Type) -> Test | None:
    try:
        return resolve(parse_tests(text), kind, work.constants)
    except Flaw as flaw:
        work.flaw(flaw, place, text)
        return None


def _value(work: Work, text: str, place: Place, kind: Type) -> Value | Flaw:
    """A result's cell; the flaw, already noted, where it is none."""
    try:
        value = resolve_literal(parse_literal(text), kind, work.constants)
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise Flaw("overflow", "a result holds at most 2^53 units of its scale")
    except Flaw as flaw:
        work.flaw(flaw, place, text)
        return flaw
    return value


def _finished(
    work: Work,
    step: str,
    sheet: Sheet,
    hit: Hit,
    axes: Sequence[Axis | None],
    gives: Mapping[str, Type],
    rows: Sequence[Sequence[Value | Flaw]],
    where: Sequence[Place],
    width: int,
) -> Table | None:
    good = tuple(axis for axis in axes if axis is not None)
    values = tuple(tuple(value for value in row if not isinstance(value, Flaw)) for row in rows)
    if len(good) < len(axes) or any(len(row) < len(gives) for row in values):
        return _lost(work, gives)
    table = Table(step, sheet.file, hit, good, (), values, width)
    if not _covered(work, table, Place(sheet.file, 1, _area(sheet)), where):
        return _lost(work, gives)
    kinds = [_seen(kind, [row[index] for row in values]) for index, kind in enumerate(gives.values())]
    for name, kind in zip(gives, kinds, strict=True):
        work.define(name, kind, where[0])
    return msgspec.structs.replace(table, gives=tuple(zip(gives, kinds, strict=True)))


def _area(sheet: Sheet) -> str:
    last = sheet.place(sheet.rows[-1], len(sheet.header.cells) - 1).cell.partition(" ")[0]
    return f"A1:{last}"


def _seen(kind: Type, values: Sequence[Value]) -> Type:
    """The type of a column, its bounds those of the values in it."""
    nullable = any(value is None for value in values)
    if kind.kind is Kind.CATEGORY:
        return msgspec.structs.replace(kind, nullable=nullable)
    numbers = [int(value) for value in values if isinstance(value, int)] or [0]
    return msgspec.structs.replace(kind, lo=min(numbers), hi=max(numbers), nullable=nullable)


def _covered(work: Work, table: Table, head: Place, where: Sequence[Place]) -> bool:
    """Whether a table answers everything, once; what it does not is a problem."""
    before = len(work.problems.found)
    try:
        found = cube.report(table, cube.build(table))
    except Flaw as flaw:
        work.flaw(flaw, head, table.file)
        return False
    for gap in found.gaps[:SHOWN]:
        null = gap.endswith(" null") or " null," in gap
        advice = "a row for it: null has to be answered too" if null else "a row for it"
        work.problems.add("gap", head, gap, advice)
    if len(found.gaps) > SHOWN:
        rest = len(found.gaps) - SHOWN
        work.problems.add("gap", head, f"{rest} more combinations", "a row for each combination")
    for first, other, example in found.overlaps:
        accepted = f"no overlap with {where[first].cell} at line {where[first].line}, under hit {table.hit}"
        work.problems.add("overlap", where[other], example, accepted)
    for index in found.unreachable:
        texts = ", ".join(axis.texts[index] for axis in table.axes)
        work.problems.add("unreachable", where[index], texts, "a row that some input can reach before others do")
    return len(work.problems.found) == before
