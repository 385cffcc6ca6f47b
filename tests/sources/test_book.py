"""A table becomes applications whose facts are those of the training frame, or is refused for what it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from obligor.kernel import InvalidInput, NotFound
from obligor.sources import Book, Label, Mapping
from tests.sources.books import HEADER, MAPPING, ROWS, changed, opened, write


def _problems(directory: Path, mapping: str = MAPPING, rows: tuple[str, ...] = ROWS) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        opened(directory, mapping, rows)
    return [f"{one.field}: {one.value}: {one.accepted}" for one in caught.value.violations]


def test_applications_come_in_order_of_time_with_facts_in_wire_form(tmp_path: Path) -> None:
    first, second = opened(tmp_path).applications()
    assert (first.row, second.row) == (5, 6)
    assert first.at == datetime(2020, 7, 2, 8, tzinfo=UTC)
    assert second.at == datetime(2020, 7, 2, 12, tzinfo=UTC)
    assert first.payload == {
        "person": {"reference": "corner/person/B1", "kind": "person"},
        "product": "annuity",
        "channel": "branch",
        "amount_minor": 100000,
        "currency": "USD",
        "term_months": 12,
        "purpose": "vehicle",
        "fields": {
            "income_minor": 4000000,
            "job_months": 24,
            "dti_bp": 525,
            "history_months": 251,
            "debts": 1,
            "dti": "5.250",
            "known_since": "1999-07-03",
            "wants_car": True,
        },
        "reference": "corner/B1",
        "at": "2020-07-02T08:00:00Z",
    }
    assert second.payload["fields"]["debts"] == 98, "a special code is kept, whatever the bounds"


def test_a_month_is_whole_once_its_day_has_come(tmp_path: Path) -> None:
    facts = [one.payload["fields"]["history_months"] for one in opened(tmp_path).applications()]
    assert facts == [251, 24], "1999-07-03 to 2020-07-02 lacks a day of 252 months"


def test_the_training_frame_holds_what_was_known_and_nothing_else(tmp_path: Path) -> None:
    book = opened(tmp_path)
    assert book.label_counts() == {
        Label.GOOD: 2,
        Label.BAD: 1,
        Label.INDETERMINATE: 1,
        Label.IMMATURE: 3,
        Label.OFF_POLICY: 0,
    }
    assert book.base_rate() == (1, 4)
    frame = book.training_frame()
    assert frame.columns == [*book.mapping.characteristics, "bad"]
    assert frame.rows() == [
        (100000, "vehicle", 3000000, 24, 1250, 2, True, 0),
        (200000, "housing", None, None, 0, None, False, 0),
        (120000, "vehicle", 1800000, 12, 4000, 3, True, 1),
    ]


def test_a_frames_facts_are_those_of_the_application(tmp_path: Path) -> None:
    book = opened(tmp_path)
    window = (date(2019, 1, 1), date(2019, 3, 31))
    sent = [
        {
            **one.payload["fields"],
            "requested_minor": one.payload["amount_minor"],
            "purpose": one.payload["purpose"],
        }
        for one in book.applications(window)
    ]
    frame = book.training_frame().drop("bad")
    assert frame.to_dicts() == [{name: facts[name] for name in frame.columns} for facts in sent]


def test_an_outcome_that_came_later_was_not_known_earlier(tmp_path: Path) -> None:
    book = opened(tmp_path)
    early = book.label_counts(date(2020, 3, 4))
    assert early[Label.BAD] == 0, "twelve months of A3 end on 2020-03-05"
    assert book.label_counts(date(2020, 3, 5))[Label.BAD] == 1
    assert book.label_counts(date(2020, 1, 10))[Label.GOOD] == 1
    assert book.label_counts(date(2020, 1, 9))[Label.GOOD] == 0


def test_parquet_and_csv_give_the_same_book(tmp_path: Path) -> None:
    book = opened(tmp_path)
    typed = pl.read_csv(tmp_path / "corner.csv", try_parse_dates=True)
    typed.write_parquet(tmp_path / "corner.parquet")
    other = Book.open(tmp_path / "corner.parquet", Mapping.parse(MAPPING))
    assert list(other.applications()) == list(book.applications())
    assert other.training_frame().equals(book.training_frame())


def test_dates_of_months_are_read_and_spread_over_the_month(tmp_path: Path) -> None:
    months = tuple(_by_month(row) for row in ROWS)
    assert months[0].startswith("A1,Jan-2019,")
    text = changed(("{column: made}", '{column: made, precision: month, format: "%b-%Y"}'))
    first, second = opened(tmp_path, text, months).applications()
    assert first.at == datetime(2020, 7, 1, 8, tzinfo=UTC)
    assert second.at == datetime(2020, 7, 15, 8, tzinfo=UTC)


def _by_month(row: str) -> str:
    key, day, rest = row.split(",", 2)
    return f"{key},{date.fromisoformat(day):%b-%Y},{rest}"


def test_an_unknown_column_is_named_with_its_line_and_the_columns_there_are(tmp_path: Path) -> None:
    text = changed(("column: income,", "column: wages,"), ("score: {kind", "scores: {kind"))
    first, second = _problems(tmp_path, text)
    assert first.startswith(
        'corner.yaml:15 fields.income_minor.column: "wages": one of the table\'s columns: loan'
    )
    assert "not_inputs.scores" in second


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("30000.00", "plenty", 'fields.income_minor.column: "plenty": a number (in 1 row(s), first in'),
        ("30000.00", "-5", 'fields.income_minor.minimum: "-500": at least 0, or another unit'),
        ("12.5%", "1250%", 'fields.dti_bp.maximum: "125000": at most 10000, or another unit'),
        (",2 y,12.5%", ",3 y,12.5%", 'fields.job_months.levels: "3 y": one of the levels that are listed'),
        (",car,30000", ",boat,30000", 'purpose.values: "boat": one of the values'),
        ("2001-03-01", "2020-03-01", 'fields.history_months.column: "2020-03-01": a date that was known'),
        ("2001-03-01,2,", "2001-03-01,2.5,", 'fields.debts.column: "2.5": whole numbers'),
        ("2001-03-01,2,", "2001-03-01,51,", 'fields.debts.maximum: "51": at most 50'),
        ("A2,", "A1,", 'row_id: "A1": an id of its own'),
        ("2019-01-10", "10.01.2019", 'issued.column: "10.01.2019": a date like %Y-%m-%d'),
        ("2019-01-10", "", "issued.column: null: a date"),
        ("12 m,car,30000", "0 m,car,30000", 'term.column: "0": a term from 1 to 600 months'),
        ('"1,000.00",12 m,car,30', "0,12 m,car,30", 'amount.column: "0": an amount of at least 1'),
        (",done,1000.00,66.18", ",gone,1000.00,66.18", 'outcome.status: "gone": a status that is listed'),
        (",done,1000.00,66.18", ",done,998.00,66.18", 'repaid.principal: "99800": for a repaid loan'),
        (",lost,285.08,", ",lost,1285.08,", 'repaid.principal: "128508": no more than the amount funded'),
        ("100.00,20.00", "10.00,20.00", 'repaid.recovery_costs: "2000": no more than the recoveries'),
        ("66.18,0,0,0,2020", "66.18,0,5,0,2020", 'repaid.recoveries: "500": 0 for a loan that is not bad'),
        ("0,0,0,2020-01-10", "0,0,0,", 'outcome.last_payment: "false": a date of last payment'),
        ("0,0,0,2020-01-10", "0,0,0,2018-01-10", 'outcome.last_payment: "2018-01-10": a date from'),
        ("0,0,0,2020-01-10", "0,0,0,2022-01-10", 'outcome.last_payment: "2022-01-10": a date by'),
        ("66.18,0,0,0,2020", "nan,0,0,0,2020", 'repaid.interest.column: "NaN": a finite number'),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_promise_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    place, row = next((place, row) for place, row in enumerate(ROWS) if old in row)
    rows = (*ROWS[:place], row.replace(old, new, 1), *ROWS[place + 1 :])
    assert rows != ROWS
    assert [one for one in _problems(tmp_path, rows=rows) if expected in one]


def test_a_column_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    opened(tmp_path)
    typed = pl.read_csv(tmp_path / "corner.csv").with_columns(income=pl.lit(value=True), made=pl.lit(7))
    typed.write_parquet(tmp_path / "corner.parquet")
    with pytest.raises(InvalidInput) as caught:
        Book.open(tmp_path / "corner.parquet", Mapping.parse(MAPPING))
    found = {one.field.partition(" ")[2]: one.accepted for one in caught.value.violations}
    assert found["fields.income_minor.column"].startswith("a column of numbers")
    assert found["issued.column"].startswith("a column of dates or of text")


def test_a_window_without_loans_is_refused(tmp_path: Path) -> None:
    empty = changed(
        ("issued_from: 2020-07-01, issued_to: 2020-07-31", "issued_from: 2020-08-01, issued_to: 2020-08-31")
    )
    (problem,) = _problems(tmp_path, empty)
    assert "deciding" in problem
    early = changed(("known_on: 2020-06-30", "known_on: 2019-06-30"))
    (problem,) = _problems(tmp_path, early)
    assert "training" in problem


def test_a_product_for_each_term_has_to_name_every_term(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, changed(("product: annuity", "product: {24: annuity}")))
    assert "a term that has a product: 24 months (in 7 row(s), first in row 1)" in problem


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    mapping = Mapping.parse(MAPPING)
    with pytest.raises(NotFound):
        Book.open(tmp_path / "nothing.csv", mapping)
    (tmp_path / "book.txt").write_text("x")
    with pytest.raises(InvalidInput):
        Book.open(tmp_path / "book.txt", mapping)
    (tmp_path / "book.parquet").write_text("this is no parquet")
    with pytest.raises(InvalidInput):
        Book.open(tmp_path / "book.parquet", mapping)
    with pytest.raises(InvalidInput):
        Book.open(write(tmp_path, rows=(), header=""), mapping)


def test_a_row_outside_the_window_has_no_life(tmp_path: Path) -> None:
    book = opened(tmp_path)
    assert book.rows == 7
    assert book.outcome(5) is False
    assert book.outcome(6) is True
    with pytest.raises(NotFound):
        book.terms(0)


def test_nothing_of_the_lenders_own_score_or_the_outcome_is_sent(tmp_path: Path) -> None:
    for one in opened(tmp_path).applications():
        text = str(one.payload)
        for leak in ("rate", "score", "done", "lost", "1000.02"):
            assert leak not in text
    assert "score" in HEADER


def test_a_table_that_does_not_say_how_loans_were_repaid_knows_them_once_they_are_old_enough(
    tmp_path: Path,
) -> None:
    text = MAPPING[: MAPPING.index("history:")] + MAPPING[MAPPING.index("outcome:") :]
    text = text[: text.index("repaid:\n")] + text[text.index("not_inputs:") :]
    book = opened(tmp_path, text.replace("  last_payment: {column: last_paid}\n", ""))
    assert book.dated
    assert not book.lived
    assert book.label_counts() == {
        Label.GOOD: 2,
        Label.BAD: 1,
        Label.INDETERMINATE: 1,
        Label.IMMATURE: 3,
        Label.OFF_POLICY: 0,
    }
    assert book.label_counts(date(2021, 7, 31))[Label.IMMATURE] == 0
    assert [one.row for one in book.applications()] == [5, 6]


def test_a_table_without_dates_is_learnt_from_where_it_is_not_decided(tmp_path: Path) -> None:
    text = MAPPING[: MAPPING.index("history:")] + MAPPING[MAPPING.index("outcome:") :]
    text = text[: text.index("repaid:\n")] + text[text.index("not_inputs:") :]
    text = text.replace("  last_payment: {column: last_paid}\n", "")
    text = text.replace("training: {known_on: 2020-06-30}\n", "").replace(
        "{column: made}", "{day: 2021-12-31}"
    )
    text = text.replace("{issued_from: 2020-07-01, issued_to: 2020-07-31}", "{one_row_in: 3}")
    text = text.replace("  history_months: {column: known_since, type: months_between}\n", "")
    book = opened(tmp_path, text)
    assert not book.dated
    decided = [one.row for one in book.applications()]
    assert decided == [2, 5]
    assert book.deciding_frame()["bad"].to_list() == [1, 0]
    assert book.training_frame()["bad"].to_list() == [0, 0, 0, 1], "rows 0, 1, 4 and 6; row 3 is open"
    assert book.base_rate() == (1, 5)
    assert book.hindsight_frame().equals(book.training_frame())


def test_hindsight_knows_how_every_loan_before_the_window_ended(tmp_path: Path) -> None:
    book = opened(tmp_path)
    assert book.hindsight_frame()["bad"].to_list() == [0, 0, 1, 0]
    assert book.training_frame()["bad"].to_list() == [0, 0, 1]
    assert book.ended_frame()["bad"].to_list() == [0, 0, 1, 0, 0, 1]
