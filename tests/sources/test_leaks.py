"""A fact that knows more than an applicant could is found by what it tells, whatever its column is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from obligor.kernel import InvalidInput
from obligor.sources import Book, Mapping
from tests.cli.story import tables


def _opened(directory: Path, *pairs: tuple[str, str]) -> list[str]:
    """What is wrong with the village bank's mapping after some changes."""
    text = tables.MAPPING
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    try:
        Book.open(tables.write(directory), Mapping.load(tables.mapped(directory, text)))
    except InvalidInput as refused:
        return [f"{one.field}: {one.value}: {one.accepted}" for one in refused.violations]
    return []


def test_honest_facts_pass(tmp_path: Path) -> None:
    assert _opened(tmp_path) == []


def test_the_lenders_grade_is_found_by_the_rate_that_it_tells(tmp_path: Path) -> None:
    """Rates by grade, give or take a little: the fact need not be in the model to be found."""
    header, *rows = [tables.HEADER, *tables.rows()]
    graded = []
    for number, row in enumerate(rows):
        cells = row.split(",")
        cells[7] = f"{0.06 + 0.04 * 'ABCD'.index(cells[5]) + 0.001 * (number % 5):.3f}"
        graded.append(",".join(cells))
    text = tables.MAPPING.replace(
        "  debts: {column: debts", "  grade: {column: grade, type: category}\n  debts: {column: debts"
    )
    file = tables.write(tmp_path, graded)
    with pytest.raises(InvalidInput) as caught:
        Book.open(file, Mapping.load(tables.mapped(tmp_path, text)))
    found = {one.field.split(" ")[1]: one for one in caught.value.violations}
    assert "variance of history.rate" in found["fields.grade.column"].accepted
    assert found["fields.grade.column"].field.startswith("village.yaml:")
    assert header.split(",")[5] in found["fields.grade.column"].value


def test_the_instalment_is_found_in_major_units_too(tmp_path: Path) -> None:
    """Where all loans have one rate, nothing tells it; where it varies a little, the instalment is known."""
    varied = []
    for number, row in enumerate(tables.rows()):
        cells = row.split(",")
        asked, rate = int(cells[2]), 0.12 + 0.02 * (number % 2)
        cells[7] = f"{rate:.2f}"
        cells[6] = f"{asked / 100 * (rate / 12) / (1 - (1 + rate / 12) ** -12):.2f}"
        varied.append(",".join(cells))
    text = tables.MAPPING.replace(
        "{column: income, type: money, unit: major}", "{column: instalment, type: money, unit: major}"
    )
    with pytest.raises(InvalidInput, match="it is the instalment"):
        Book.open(tables.write(tmp_path, varied), Mapping.load(tables.mapped(tmp_path, text)))


def test_a_fact_that_tells_the_outcome_alone_is_refused_until_the_mapping_says_it_may(tmp_path: Path) -> None:
    leak = ("{column: debts, type: int}", "{column: last_amount, type: int}")
    freed = ("  last_payment: {column: last_amount, unit: minor}\n", "")
    told = [
        row if row.split(",")[8] == "done" else ",".join([*row.split(",")[:-1], "0"]) for row in tables.rows()
    ]
    text = tables.MAPPING.replace(*leak).replace(*freed)
    file = tables.write(tmp_path, told)
    with pytest.raises(InvalidInput) as caught:
        Book.open(file, Mapping.load(tables.mapped(tmp_path, text)))
    (problem,) = caught.value.violations
    assert problem.field.endswith("fields.debts.column")
    assert "AUC of 1.000, above auc_alarm, 0.8" in problem.accepted
    raised = tables.mapped(tmp_path, f"{text}auc_alarm: 1.0\n")
    assert Book.open(file, Mapping.load(raised)).rows == len(told)


def test_cells_that_only_the_bad_have_empty_are_told_of(tmp_path: Path) -> None:
    emptied = [
        ",".join([*cells[:3], "" if cells[8] == "lost" else cells[3], *cells[4:]])
        for cells in (row.split(",") for row in tables.rows())
    ]
    with pytest.raises(InvalidInput, match=r"missing in \d+% of the rows, of which 100% are bad"):
        Book.open(tables.write(tmp_path, emptied), Mapping.load(tables.mapped(tmp_path)))


@pytest.mark.parametrize(("unit", "wanted"), [("percent", "fraction"), ("fraction", "percent")])
def test_a_share_in_the_wrong_unit_is_named_with_the_right_one(
    tmp_path: Path, unit: str, wanted: str
) -> None:
    """The village's debts as a share: 0.3 is said to be percent, 30 to be a fraction."""
    scale = 0.1 if unit == "percent" else 10
    shares = []
    for row in tables.rows():
        cells = row.split(",")
        cells[4] = f"{(int(cells[4]) + 1) * scale:.2f}"
        shares.append(",".join(cells))
    text = tables.MAPPING.replace(
        "debts: {column: debts, type: int}", f"debts_bp: {{column: debts, type: rate, unit: {unit}}}"
    )
    text = text.replace("  debts: {code", "  debts_bp: {code")
    file = tables.write(tmp_path, shares)
    with pytest.raises(InvalidInput) as caught:
        Book.open(file, Mapping.load(tables.mapped(tmp_path, text)))
    (problem,) = caught.value.violations
    assert problem.field.endswith("fields.debts_bp.unit")
    assert problem.accepted.startswith(wanted)
    right = tables.mapped(tmp_path, text.replace(f"type: rate, unit: {unit}", f"type: rate, unit: {wanted}"))
    assert Book.open(file, Mapping.load(right)).rows == len(shares)
