"""Tables answer everything, once, by their hit policy; the cube that shows it is exact."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.strategy import Strategy, cube
from obligor.strategy.cells import matches, resolve
from obligor.strategy.ir import Axis, Hit, Table
from obligor.strategy.problems import Flaw
from obligor.strategy.syntax import parse_unary
from obligor.strategy.types import Kind, Type, category, number
from tests.strategy.making import FACTS, FILES, make, problems, swapped

B = "bands.csv"
SMALL = Type(Kind.NUMBER, 0, 0, 9, nullable=True)
COLOURS = category("red", "green", "blue")


def table(hit: str, *rows: str, kinds: tuple[Type, ...] = (SMALL, COLOURS)) -> Table:
    """A table from rows such as "<3 | red | 1": tests for each axis, then the result."""
    cells = [[part.strip() for part in row.split("|")] for row in rows]
    axes = tuple(
        Axis(
            f"x{index}",
            kind,
            tuple(resolve(parse_unary(row[index]), kind, {}) for row in cells),
            tuple(row[index] for row in cells),
        )
        for index, kind in enumerate(kinds)
    )
    values = tuple((int(row[-1]),) for row in cells)
    return Table("t", "t.csv", Hit(hit), axes, (("y", number(0, 99)),), values)


def report(*args: str, **kinds: tuple[Type, ...]) -> cube.Report:
    built = table(*args, **kinds)
    return cube.report(built, cube.build(built))


def test_a_complete_table_has_nothing_to_report() -> None:
    found = report("unique", "null|-|1", "<3|-|2", ">=3|red|3", ">=3|not(red)|4")
    assert found == cube.Report((), (), ())


def test_gaps_overlaps_and_unreachable_rows_are_found() -> None:
    found = report("unique", "<3|-|1", "[2..5]|red|2", ">=6|-|3", "null|blue|4")
    assert found.gaps == (
        'x0 [3..5], x1 "green"',
        'x0 [3..5], x1 "blue"',
        'x0 null, x1 "red"',
        'x0 null, x1 "green"',
    )
    assert found.overlaps == ((0, 1, 'x0 2, x1 "red"'),)
    assert found.unreachable == ()


def test_under_first_a_row_behind_others_is_unreachable() -> None:
    found = report("first", "<5|-|1", ">=5|red|2", "[5..9]|red|3", "-|-|4")
    assert found == cube.Report((), (), (2,))


def test_a_row_outside_of_the_bounds_is_unreachable() -> None:
    assert report("first", "> 9|-|1", "-|-|2").unreachable == (0,)


def test_under_any_rows_may_overlap_where_they_agree() -> None:
    assert report("any", "<5|-|1", "<7|-|1", ">=7|-|2", "null|-|0").overlaps == ()
    assert report("any", "<5|-|1", "<7|-|3", ">=7|-|2", "null|-|0").overlaps == (
        (0, 1, 'x0 [0..4], x1 "red","green","blue"'),
    )


@pytest.mark.parametrize("hit", ["unique", "any", "first"])
def test_the_first_row_that_matches_is_the_one_that_counts(hit: str) -> None:
    files = swapped(
        ("strategy.yaml", "hit: unique", f"hit: {hit}"),
        (
            B,
            ">= 600,[1..2),high,1300\n",
            ">= 600,[1..2),high,1300\n" if hit == "unique" else ">= 600,< 2,high,1200\n",
        ),
        (B, ">= 600,< 1,high,1200\n", ">= 600,< 1,high,1200\n"),
    )
    outcome = make(files).run(make(files).parse_facts(FACTS | {"ratio": "0.50"}))
    assert outcome.outputs["rate_bp"] == 1200
    assert outcome.trace[1][1] == 3


@pytest.mark.parametrize(("bureau", "row", "rate"), [(None, 1, 2000), (300, 2, 1800), (600, 4, 1300)])
def test_null_has_its_own_row(bureau: int | None, row: int, rate: int) -> None:
    found = make().run(make().parse_facts(FACTS | {"bureau": bureau}))
    assert found.trace[1][1] == row
    assert found.outputs["rate_bp"] == rate


def test_a_grid_is_the_table_of_its_cells() -> None:
    strategy = make()
    for work, income in itertools.product(("salaried", "own", "none"), (100_000, 499_999, 500_000)):
        facts = strategy.parse_facts(FACTS | {"work": work, "income": income})
        outcome = strategy.run(facts)
        row = ("salaried", "own", "none").index(work) * 2 + (income >= 500_000) + 1
        limit = {1: 100_000, 2: 900_000, 3: 90_000, 4: 800_000, 5: 0, 6: 10_000}[row]
        assert outcome.trace[2] == ["limits", row, {"limit": limit}]


def test_a_scorecard_adds_its_points_to_the_base() -> None:
    strategy = make()
    outcome = strategy.run(strategy.parse_facts(FACTS | {"age": 29, "member": True}))
    assert outcome.trace[3] == ["points", 115, {"age": 10, "member": 5}]


def test_a_note_column_is_for_people() -> None:
    files = dict(FILES)
    files[B] = "\n".join(
        f"{line},{'note' if number == 0 else 'why, if anybody asks' if number == 9 else 'because'}"
        for number, line in enumerate(files[B].splitlines())
    )
    assert (
        make(files).run(make(files).parse_facts(FACTS)).trace == make().run(make().parse_facts(FACTS)).trace
    )


def test_a_parameter_may_stand_in_a_cell() -> None:
    files = swapped((B, "< 600", "< floor_score"), (B, ">= 600", ">= floor_score"))
    strategy = make(files)
    assert strategy.run(strategy.parse_facts(FACTS | {"bureau": 500})).outputs["band"] == "high"
    assert strategy.run(strategy.parse_facts(FACTS | {"bureau": 499})).outputs["band"] == "low"


def test_spreadsheets_may_add_a_byte_order_mark_and_their_line_ends() -> None:
    files = {name: text.encode() for name, text in FILES.items()}
    files[B] = b"\xef\xbb\xbf" + files[B].replace(b"\n", b"\r\n") + b",,,\r\n"
    assert Strategy(files).sha256 == make().sha256


# ---- the cube against brute force

CELLS = st.sampled_from(
    ["-", "null", "0", "< 4", ">= 4", "[2..6)", "not(3)", "1, 5, null", "> 7", "not(null)"]
)
WORDS = st.sampled_from(["-", "red", "red,green", "not(blue)", "blue"])
ROWS = st.lists(st.tuples(CELLS, CELLS, WORDS, st.integers(0, 2)), min_size=1, max_size=7)


@given(rows=ROWS, hit=st.sampled_from(["unique", "any", "first"]))
def test_the_cube_says_of_every_combination_what_the_rows_say(rows: list, hit: str) -> None:
    kinds = (SMALL, SMALL, COLOURS)
    built = table(hit, *("|".join(map(str, row)) for row in rows), kinds=kinds)
    found = cube.build(built)
    told = cube.report(built, found)
    gaps = overlaps = 0
    counted: set[int] = set()
    domains = ([None, *range(10)], [None, *range(10)], COLOURS.values)
    for point in itertools.product(*domains):
        hits = [
            index
            for index in range(len(rows))
            if all(matches(axis.cells[index], value) for axis, value in zip(built.axes, point, strict=True))
        ]
        assert found.rows[_position(found, point)] == (hits[0] if hits else -1)
        gaps += not hits
        clash = len(hits) > 1 and (
            hit == "unique" or (hit == "any" and len({built.rows[i] for i in hits}) > 1)
        )
        overlaps += clash
        counted |= set(hits if hit == "any" else hits[:1])
    assert bool(told.gaps) == bool(gaps)
    assert bool(told.overlaps) == bool(overlaps)
    assert set(told.unreachable) == set(range(len(rows))) - counted


def _position(found: cube.Cube, point: tuple) -> int:
    position = 0
    for axis, value in zip(found.cuts, point, strict=True):
        if value is None:
            piece = axis.null
        elif axis.classes is not None:
            piece = axis.classes[value]
        else:
            piece = sum(start <= value for start in axis.starts)
        position = position * len(axis.pieces) + piece
    return position


def test_a_cube_of_many_axes_and_rows_is_checked_quickly() -> None:
    kind = number(0, 99)
    splits = [
        [f"[{n * size}..{n * size + size - 1}]" for n in range(100 // size)] for size in (10, 20, 25, 50)
    ]
    rows = ["|".join((*cells, "1")) for cells in itertools.product(*splits)]
    assert len(rows) == 400
    assert report("unique", *rows, kinds=(kind,) * 4) == cube.Report((), (), ())
    assert len(report("unique", *rows[1:], kinds=(kind,) * 4).gaps) == 1


def test_a_cube_that_is_too_large_is_refused() -> None:
    kind = number(0, 99)
    rows = [f"{n}|{n}|{n}|1" for n in range(100)]
    with pytest.raises(Flaw, match="combinations"):
        cube.build(table("first", *rows, kinds=(kind,) * 3))


def test_problems_of_a_grid_name_the_cell() -> None:
    found = problems(swapped(("limits.csv", "90000,800000", "90000,lots")))
    assert [(item.code, str(item.place)) for item in found] == [("unknown-name", "limits.csv:3 C3")]
