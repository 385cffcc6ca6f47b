"""Tables, grids and scorecards: from CSV cells to statements, with every cell checked where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from obligor.kernel import MAX_INTEGER
from obligor.strategy import cube
from obligor.strategy.cells import Cell, resolve, resolve_literal
from obligor.strategy.form import Form
from obligor.strategy.ir import Axis, Card, Hit, Line, Table
from obligor.strategy.problems import Flaw, Place
from obligor.strategy.schema import TYPES
from obligor.strategy.source import Row, Sheet
from obligor.strategy.syntax import parse_literal, parse_unary
from obligor.strategy.types import MAX_SCALE, Kind, Type, Value, number
from obligor.strategy.work import Work

__all__ = ["read_card", "read_grid", "read_table"]

SHOWN = 5
NOTE = "note"
CARD_COLUMNS = ("characteristic", "bin", "points")
MOST_POINTS = 1_000_000

# A cell's text and its place.
Text = tuple[str, Place]


def read_table(work: Work, form: Form, step: str) -> Table | None:
    """A decision table: a column per input, a column per result, a row per rule, perhaps a column `note`."""
    form.only("step", "table", "hit", "gives", "about")
    gives = _gives(form)
    hit = Hit(form.choice("hit", [policy.value for policy in Hit], "unique"))
    sheet = work.sheet(form, "table")
    if sheet is None or not gives or not _columns_fit(work, form, sheet, gives):
        _lose(work, form, gives)
        return None
    titles = sheet.header.cells
    axes = [
        _axis(work, (title, sheet.place(sheet.header, column)), _column(sheet, column))
        for column, title in enumerate(titles)
        if title not in {*gives, NOTE}
    ]
    values = [
        [_value(work, text, gives[name]) for text in _column(sheet, titles.index(name))] for name in gives
    ]
    where = [Place(sheet.file, row.line, f"row {index + 1}") for index, row in enumerate(sheet.rows)]
    drawn = _Drawn(step, sheet, hit, axes, list(zip(*values, strict=True)), where)
    return _finished(work, form, drawn, gives)


def _columns_fit(work: Work, form: Form, sheet: Sheet, gives: Mapping[str, Type]) -> bool:
    titles = sheet.header.cells
    before = len(work.problems.found)
    for column, title in enumerate(titles):
        if title in titles[:column]:
            work.problems.add("csv", sheet.place(sheet.header, column), title, "each column once")
    for name in gives:
        if name not in titles:
            listed = ", ".join(titles)
            form.wrong("gives", name, f"a column of {sheet.file}: {listed}", "csv")
    return len(work.problems.found) == before


def read_grid(work: Work, form: Form, step: str) -> Table | None:
    """A two-dimensional table: tests down the first column and along the header, one result in the cells."""
    form.only("step", "grid", "down", "across", "gives", "about")
    gives = _gives(form)
    down, across = form.said("down"), form.said("across")
    sheet = work.sheet(form, "grid")
    if len(gives) > 1:
        form.wrong("gives", ", ".join(gives), "one result: a grid has one value in a cell")
    if sheet is None or len(gives) != 1 or not down.text or not across.text:
        _lose(work, form, gives)
        return None
    columns = range(1, len(sheet.header.cells))
    heads = [(sheet.header.cells[column], sheet.place(sheet.header, column)) for column in columns]
    vertical = _axis(work, (down.text, down.place), _column(sheet, 0))
    horizontal = _axis(work, (across.text, across.place), heads)
    # The table has a row for every cell of the grid, row by row.
    axes = [
        vertical and _spread(vertical, [line for line in range(len(sheet.rows)) for _ in columns]),
        horizontal and _spread(horizontal, [column - 1 for _ in sheet.rows for column in columns]),
    ]
    kind = next(iter(gives.values()))
    inner = [_corner(sheet, row, column) for row in sheet.rows for column in columns]
    values = [(_value(work, text, kind),) for text in inner]
    drawn = _Drawn(step, sheet, Hit.UNIQUE, axes, values, [place for _, place in inner], len(columns))
    return _finished(work, form, drawn, gives)


def _corner(sheet: Sheet, row: Row, column: int) -> Text:
    return row.cells[column], Place(sheet.file, row.line, sheet.place(row, column).cell.partition(" ")[0])


def _spread(axis: Axis, order: Sequence[int]) -> Axis:
    cells, texts = tuple(axis.cells[index] for index in order), tuple(axis.texts[index] for index in order)
    return Axis(axis.name, axis.type, cells, texts)


def read_card(work: Work, form: Form, step: str) -> Card | None:
    """A scorecard: rows of characteristic, bin and points; the result is the base and the points' sum."""
    form.only("step", "scorecard", "base", "gives", "about")
    name = form.said("gives")
    base = form.whole("base", -MOST_POINTS, MOST_POINTS, 0) or 0
    sheet = work.sheet(form, "scorecard")
    if not name.text or sheet is None:
        if name.text:
            work.lose(name.text, name.place)
        return None
    titles = sheet.header.cells
    if titles[:3] != CARD_COLUMNS or titles[3:] not in {(), (NOTE,)}:
        accepted = f"the columns {', '.join(CARD_COLUMNS)}, perhaps {NOTE}"
        work.problems.add("csv", sheet.place(sheet.header, 0), ",".join(titles), accepted)
        work.lose(name.text, name.place)
        return None
    groups: dict[str, list[Row]] = {}
    for row in sheet.rows:
        groups.setdefault(row.cells[0], []).append(row)
    lines = [_line(work, sheet, title, rows) for title, rows in groups.items()]
    good = [line for line in lines if line is not None]
    if len(good) < len(lines):
        work.lose(name.text, name.place)
        return None
    lo, hi = (base + sum(pick(line.points) for line in good) for pick in (min, max))
    work.define(name.text, number(lo, hi), name.place)
    return Card(step, sheet.file, name.text, base, tuple(good))


def _line(work: Work, sheet: Sheet, title: str, rows: Sequence[Row]) -> Line | None:
    head = sheet.place(rows[0], 0)
    axis = _axis(work, (title, head), [(row.cells[1], sheet.place(row, 1)) for row in rows])
    kind = number(-MOST_POINTS, MOST_POINTS)
    points = [_value(work, (row.cells[2], sheet.place(row, 2)), kind) for row in rows]
    if axis is None or any(isinstance(value, Flaw) for value in points):
        return None
    table = Table("", sheet.file, Hit.UNIQUE, (axis,), (), tuple(() for _ in rows))
    where = [Place(sheet.file, row.line, f"row {row.line - sheet.header.line}") for row in rows]
    if not _covered(work, table, head, where):
        return None
    return Line(axis, tuple(value for value in points if isinstance(value, int)))


# ---- what the three have in common


class _Drawn(msgspec.Struct):
    """A table as it was read: its axes and rows, flaws where they have problems, and the rows' places."""

    step: str
    sheet: Sheet
    hit: Hit
    axes: Sequence[Axis | None]
    rows: Sequence[tuple[Value | Flaw, ...]]
    where: Sequence[Place]
    width: int = 0


def _gives(form: Form) -> dict[str, Type]:
    return {name: _result_type(entry) for name, entry in form.named("gives").items()}


def _result_type(form: Form) -> Type:
    form.only("type", "scale", "values", "nullable", "unit", "about")
    kind = form.choice("type", TYPES)
    scale = (form.whole("scale", 1, MAX_SCALE) or 0) if kind == "decimal" else 0
    values = form.texts("values") if kind == "category" else ()
    # The bounds are those of the cells, found when they are read.
    return Type(TYPES[kind], scale, 0, 0, values, form.flag("nullable"))


def _lose(work: Work, form: Form, gives: Mapping[str, Type]) -> None:
    for name in gives:
        work.lose(name, form.place("gives"))


def _column(sheet: Sheet, column: int) -> list[Text]:
    return [(row.cells[column], sheet.place(row, column)) for row in sheet.rows]


def _axis(work: Work, name: Text, cells: Sequence[Text]) -> Axis | None:
    """The tests of a column; None where one of them, or the column's name, has a problem."""
    title, place = name
    names = work.names()
    if title in names.broken:
        return None
    if title not in names.scope:
        message = f"no input or earlier result is called {title!r}"
        work.flaw(Flaw("unknown-name", message, title), place, title)
        return None
    kind = names.scope[title]
    tests = [_cell(work, text, kind) for text in cells]
    good = tuple(cell for cell in tests if cell is not None)
    return Axis(title, kind, good, tuple(text for text, _ in cells)) if len(good) == len(tests) else None


def _cell(work: Work, text: Text, kind: Type) -> Cell | None:
    try:
        return resolve(parse_unary(text[0]), kind, work.constants)
    except Flaw as flaw:
        work.flaw(flaw, text[1], text[0])
        return None


def _value(work: Work, text: Text, kind: Type) -> Value | Flaw:
    """A result's cell; the flaw, already noted, where it is none."""
    try:
        value = resolve_literal(parse_literal(text[0]), kind, work.constants)
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise Flaw("overflow", "a result holds at most 2^53 units of its scale")
    except Flaw as flaw:
        work.flaw(flaw, text[1], text[0])
        return flaw
    return value


def _finished(work: Work, form: Form, drawn: _Drawn, gives: Mapping[str, Type]) -> Table | None:
    """The table, if nothing is wrong with it; its results are names from here on."""
    axes = tuple(axis for axis in drawn.axes if axis is not None)
    rows = tuple(tuple(value for value in row if not isinstance(value, Flaw)) for row in drawn.rows)
    whole = len(axes) == len(drawn.axes) and all(len(row) == len(gives) for row in rows)
    table = Table(drawn.step, drawn.sheet.file, drawn.hit, axes, (), rows, drawn.width)
    if not whole or not _covered(work, table, Place(drawn.sheet.file, 1, _area(drawn.sheet)), drawn.where):
        _lose(work, form, gives)
        return None
    kinds = [_seen(kind, [row[index] for row in rows]) for index, kind in enumerate(gives.values())]
    for name, kind in zip(gives, kinds, strict=True):
        work.define(name, kind, form.place("gives"))
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
        accepted = (
            f"nothing that {where[first].cell} (line {where[first].line}) matches too, under hit {table.hit}"
        )
        work.problems.add("overlap", where[other], example, accepted)
    for index in found.unreachable:
        texts = ", ".join(axis.texts[index] for axis in table.axes)
        work.problems.add(
            "unreachable", where[index], texts, "a row that some input can reach before others do"
        )
    return len(work.problems.found) == before
