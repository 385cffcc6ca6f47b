"""Each kind of mistake is refused with its file, its line and its cell."""

import pytest

from obligor.kernel import InvalidInput
from obligor.strategy import Strategy, StrategyError, load
from tests.strategy.making import FILES, make, problems, refused, swapped

M, B, L, P = "strategy.yaml", "bands.csv", "limits.csv", "points.csv"
RULE = "- {code: K01, when: age < 18}"

# What was changed, then the one problem it makes: its code, file, line, and a piece of its cell.
MISTAKES = {
    "a gap in a table": ([(B, ">= 600,[1..2),high,1300\n", "")], "gap", B, 1, "A1:D5"),
    "a gap at null": ([(B, "null,-,low,2000\n", "")], "gap", B, 1, "A1:D5"),
    "a gap in a grid": ([(L, "none,0,10000\n", "")], "gap", L, 1, "A1:C3"),
    "a gap in a scorecard": ([(P, "member,false,0\n", "")], "gap", P, 4, "A4 (characteristic)"),
    "an overlap": ([(B, "[1..2)", "[1..2]")], "overlap", B, 6, "row 5"),
    "an overlap in a scorecard": ([(P, ">= 30", ">= 29")], "overlap", P, 3, "row 2"),
    "an unreachable row": (
        [(B, ">= 2,low,1500", ">= 2,low,1500\n> 850,-,low,1")],
        "unreachable",
        B,
        7,
        "row 6",
    ),
    "an unguarded null": ([(M, "known(bureau) and bureau <", "bureau <")], "unguarded-null", M, 45, "when"),
    "an unknown name": ([(M, "age < 18", "aeg < 18")], "unknown-name", M, 20, "steps[0].rules[0].when"),
    "an unknown column": ([(B, "bureau,ratio", "bureau,ration")], "unknown-name", B, 1, "B1"),
    "an unknown function": ([(M, "age < 18", "sqrt(age) < 4")], "unknown-name", M, 20, "when"),
    "an unknown parameter in a cell": ([(B, "< 600,", "< lowest,")], "unknown-name", B, 3, "A3 (bureau)"),
    "an unknown category in a cell": ([(L, "none,0", "nil,0")], "unknown-category", L, 4, "A4"),
    "an unknown category in a formula": (
        [(M, "age < 18", 'work = "nil"')],
        "unknown-category",
        M,
        20,
        "when",
    ),
    "an unknown category as a result": ([(B, "low,2000", "mid,2000")], "unknown-category", B, 2, "C2 (band)"),
    "a type clash in a formula": ([(M, "age < 18", 'age < "18"')], "type", M, 20, "when"),
    "a type clash in a cell": ([(B, "< 600,", '"""low""",')], "type", B, 3, "A3 (bureau)"),
    "a condition that is a number": ([(M, "age < 18", "age - 18")], "type", M, 20, "when"),
    "too many places in a cell": ([(B, "[1..2)", "[1.005..2)")], "type", B, 5, "B5 (ratio)"),
    "an empty range in a cell": ([(B, "[1..2)", "[2..1)")], "type", B, 5, "B5 (ratio)"),
    "an order of categories": ([(M, "age < 18", 'work < "own"')], "type", M, 20, "when"),
    "a possible overflow": (
        [(M, "limit / income", "income * income * income")],
        "overflow",
        M,
        40,
        "formulas.share.formula",
    ),
    "a result beyond 2^53": (
        [(M, "limit / income", "income * income * 10 ")],
        "overflow",
        M,
        40,
        "formulas.share.formula",
    ),
    "a division by a possible zero": (
        [(M, "limit / income", "income / limit")],
        "division-by-zero",
        M,
        40,
        "formulas.share.formula",
    ),
    "a division without a scale": (
        [(M, "{formula: limit / income, scale: 4}", "limit / income")],
        "scale",
        M,
        40,
        "formulas.share",
    ),
    "a missing reason code": (
        [(M, "{code: K01, when: age < 18}", "{when: age < 18}")],
        "missing-reason",
        M,
        20,
        "",
    ),
    "a bad reason code": ([(M, "code: K01", "code: too young")], "missing-reason", M, 20, "code"),
    "a reason code given twice": ([(M, "code: K02", "code: K01")], "schema", M, 21, "steps[0].rules[1].code"),
    "rules without an outcome": ([(M, "    outcome: refer\n", "")], "schema", M, 44, "rules[0].outcome"),
    "an unknown outcome": ([(M, "outcome: refer\n", "outcome: perhaps\n")], "schema", M, 43, "outcome"),
    "a result used before it is there": ([(M, "age < 18", "share > 1")], "unknown-name", M, 20, "when"),
    "a name given twice": ([(M, "tenure: joined", "age: joined")], "name", M, 41, "formulas.age"),
    "an output that may not be computed": (
        [(M, "{formula: share, outcomes: [approve, refer]}", "{formula: share}")],
        "not-computed",
        M,
        51,
        "outputs.share.formula",
    ),
    "a formula that cannot be read": ([(M, "age < 18", "age < ")], "syntax", M, 20, "when"),
    "a cell that cannot be read": ([(B, "[1..2)", "[1..2")], "syntax", B, 5, "B5 (ratio)"),
    "an empty cell": ([(B, "[1..2)", "")], "syntax", B, 5, "B5 (ratio)"),
    "an unfinished quote in a CSV": ([(B, "null,-,low", 'null,"-,low')], "csv", B, 6, "-"),
    "a ragged CSV row": ([(B, "[1..2),high", "high")], "csv", B, 5, "-"),
    "a column that is not there": ([(B, "band,rate_bp", "band,rate")], "csv", M, 26, "gives"),
    "a wrong scorecard header": ([(P, "bin,points", "test,points")], "csv", P, 1, "A1"),
    "a scorecard's points that are no number": (
        [(P, ">= 30,20", ">= 30,twenty")],
        "unknown-name",
        P,
        3,
        "C3",
    ),
    "a file that is not there": (
        [(M, "table: bands.csv", "table: bounds.csv")],
        "file",
        M,
        23,
        "steps[1].table",
    ),
    "an unknown key": ([(M, "    stop: true\n", "    halt: true\n")], "schema", M, 18, "steps[0].halt"),
    "an unknown type": ([(M, "type: boolean", "type: bool")], "schema", M, 13, "inputs.member.type"),
    "a number without bounds": ([(M, "min: 0, max: 120", "min: 0")], "schema", M, 8, "inputs.age"),
    "bounds the wrong way round": (
        [(M, "min: 0, max: 120", "min: 9, max: 1")],
        "schema",
        M,
        8,
        "inputs.age.max",
    ),
    "a source that nobody knows": ([(M, "source:bureau", "bureau")], "schema", M, 14, "inputs.bureau.source"),
    "a word of formulas as a name": (
        [(M, "tenure: joined", "known: joined")],
        "name",
        M,
        41,
        "formulas.known",
    ),
    "a key given twice": ([(M, "stage: prelend", "stage: prelend\nstage: prelend")], "yaml", M, 4, "stage"),
    "YAML that cannot be read": ([(M, "outcomes: [approve", "outcomes: [[approve")], "yaml", M, 5, "-"),
    "a YAML alias": ([(M, 'version: "1"', "version: &v 1\nabout: *v")], "yaml", M, 3, "-"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_file_line_and_cell(mistake) -> None:
    changes, code, file, line, cell = mistake
    found = problems(swapped(*changes))
    kinds = {(problem.code, problem.place.file, problem.place.line) for problem in found}
    assert (code, file, line) in kinds, found
    place = next(problem.place for problem in found if (problem.code, problem.place.line) == (code, line))
    assert cell in place.cell, place


# These take something away that other parts need, and so make more than one problem.
SEVERAL = {
    "a file that is not there",
    "rules without an outcome",
    "a name given twice",
    "a word of formulas as a name",
    "an unknown key",
}
SINGLE = [name for name in MISTAKES if name not in SEVERAL]


@pytest.mark.parametrize("name", SINGLE)
def test_a_mistake_makes_one_problem_and_no_others_in_its_wake(name) -> None:
    found = problems(swapped(*MISTAKES[name][0]))
    assert len({problem.place.file for problem in found}) == 1, found
    assert len(found) == 1, found


def test_the_sample_itself_has_no_problems_and_no_warnings() -> None:
    assert make().warnings == ()


def test_all_mistakes_are_told_at_once() -> None:
    files = swapped((M, "age < 18", "aeg < 18"), (B, "low,2000", "mid,2000"), (L, "none,0", "none,zero"))
    assert {problem.place.file for problem in problems(files)} == {M, B, L}


def test_a_problem_is_a_refusal_that_says_what_would_be_accepted() -> None:
    with pytest.raises(StrategyError) as caught:
        make(swapped((L, "none,0", "nil,0")))
    error = caught.value
    assert isinstance(error, InvalidInput)
    assert error.code == "invalid-strategy"
    (violation,) = error.violations
    assert violation.field == "limits.csv:4 A4 (work)"
    assert violation.value == '"nil"'
    assert "salaried, own, none" in violation.accepted


def test_a_gap_is_shown_as_the_values_that_no_row_matches() -> None:
    (problem,) = problems(swapped((B, ">= 600,[1..2),high,1300\n", "")))
    assert problem.text == "bureau [600..850], ratio [1.00..1.99]"


def test_a_gap_at_null_says_so() -> None:
    (problem,) = problems(swapped((B, "null,-,low,2000\n", "")))
    assert problem.text == "bureau null"
    assert "null has to be answered" in problem.message


def test_an_overlap_names_both_rows_and_an_example() -> None:
    (problem,) = problems(swapped((B, "[1..2)", "[1..2]")))
    assert problem.text == "bureau [600..850], ratio 2.00"
    assert "row 4 (line 5)" in problem.message


def test_a_file_that_no_step_names_is_a_mistake() -> None:
    (problem,) = problems(dict(FILES) | {"spare.csv": "a,b\n1,2\n"})
    assert (problem.code, problem.place.file) == ("file", "spare.csv")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xfe", "file"),
        (b"x" * 1_048_577, "file"),
        (b"- a\n- b\n", "yaml"),
        (b"", "yaml"),
        (b"a: " + b"[" * 50 + b"]" * 50, "yaml"),
        (b"a: " + b"[" * 5000 + b"]" * 5000, "yaml"),
        (b"\x00", "yaml"),
        ("größe: 1".encode(), "yaml"),
    ],
)
def test_a_document_that_is_none_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(StrategyError) as caught:
        Strategy({M: data})
    assert caught.value.problems[0].code == code


def test_a_directory_without_a_strategy_is_refused(tmp_path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StrategyError, match=r"strategy\.yaml"):
            load(path)


def test_a_table_that_is_too_large_to_check_is_refused() -> None:
    rows = [f"{300 + n},{100_000 + n},{n / 100:.2f},1,low\n" for n in range(100)]
    files = dict(FILES) | {"bands.csv": "bureau,income,ratio,rate_bp,band\n" + "".join(rows)}
    (problem,) = problems(files)
    assert problem.code == "table-size"


@pytest.mark.parametrize("depth", [41, 400, 1300])
@pytest.mark.parametrize("nest", ["({})", "not ({})", "not {}", "if t then {} else t"])
def test_deep_nesting_is_a_problem_and_not_a_crash(depth: int, nest: str) -> None:
    text = "t"
    for _ in range(depth):
        text = nest.format(text)
    assert refused(text) == "syntax"
