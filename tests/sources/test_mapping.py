"""A mapping that is wrong is refused with every mistake and its line; nothing that leaks becomes an input."""

from __future__ import annotations

from pathlib import Path

import pytest

from obligor import sources
from obligor.kernel import InvalidInput, Malformed, NotFound
from obligor.sources import Mapping
from tests.sources.books import MAPPING, changed

SHIPPED = Path(sources.__file__).parent.parent / "packs" / "mappings"


def _problems(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        Mapping.parse(text, "corner.yaml")
    for violation in caught.value.violations:
        assert violation.field in caught.value.detail
    return [f"{one.field}: {one.accepted}" for one in caught.value.violations]


def _line(text: str, piece: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if piece in line)


def test_the_small_mapping_is_sound() -> None:
    mapping = Mapping.parse(MAPPING)
    assert mapping.name == "corner"
    assert list(mapping.characteristics)[:2] == ["requested_minor", "purpose"]


def test_the_shipped_mapping_is_sound_and_uses_no_column_of_the_lenders_own_score() -> None:
    mapping = Mapping.load("lendingclub")
    inputs = {field.column for field in mapping.fields.values()} | {mapping.spec.amount.column}
    assert not inputs & set(mapping.spec.not_inputs)
    assert {"grade", "sub_grade", "int_rate", "installment", "last_pymnt_d"} <= set(mapping.spec.not_inputs)
    assert mapping.product(36) == "lendingclub-36"
    for one in mapping.characteristics.values():
        assert one.en
        assert one.zh


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("column: income,", "column: score,", "fields.income_minor.column"),
        ("column: income,", "column: paid_interest,", "fields.income_minor.column"),
        ("column: income,", "column: rate,", "fields.income_minor.column"),
        ("purpose: {column: goal,", "purpose: {column: state,", "purpose.column"),
        ("amount: {column: asked,", "amount: {column: last_amount,", "amount.column"),
    ],
)
def test_a_column_that_is_learnt_after_the_decision_cannot_be_an_input(old: str, new: str, path: str) -> None:
    text = changed((old, new))
    (problem,) = _problems(text)
    assert problem.startswith(f"corner.yaml:{_line(text, new)} {path}: a column ")


@pytest.mark.parametrize(
    ("old", "new", "path", "word"),
    [
        (
            "type: money, unit: major",
            "type: money, unit: percent",
            "fields.income_minor.unit",
            "major, minor",
        ),
        ("type: money, unit: major", "type: money", "fields.income_minor.unit", "needs"),
        ("type: money, unit: major", "type: int", "fields.income_minor.type", "money"),
        ("type: months_between", "type: months_between, unit: days", "fields.history_months.unit", "no unit"),
        ("type: decimal, scale: 3", "type: decimal", "fields.dti.scale", "needs"),
        ("{car: true, home: false}", "{car: maybe, home: false}", "wants_car.values.car", "true or false"),
        ("minimum: 0, maximum: 50", "minimum: 60, maximum: 50", "fields.debts.maximum", "at least"),
        ("  history_months:", "  history:", "fields.history", "_months"),
        ("  debts: {column", "  score: {column", "fields.score", "another name"),
        ("code: C06", "code: C05", "characteristics.debts.code", "dti_bp has this one"),
        ("  debts: {code", "  hats: {code", "characteristics.hats", "a field"),
        ("  debts: {code", "  known_since: {code", "characteristics.known_since", "months_between"),
        ("zh: 汽车", "zh: 汽车, risk: rising", "characteristics.wants_car.risk", "no order"),
        ("open: [running]", "open: [lost]", "outcome.status.open", "each status once"),
        ("known_on: 2020-06-30", "known_on: 2020-07-30", "training.known_on", "2020-07-01"),
        ("known_on: 2020-06-30", "known_on: 2020-06-30, minimum_age_months: 6", "minimum_age_months", "12"),
        ("known_on: 2020-06-30", "known_on: 2020-06-30, within_months: 2", "training.days_past_due", "fewer"),
        ("issued_to: 2020-07-31", "issued_to: 2020-06-30", "deciding.issued_to", "from 2020-07-01 on"),
    ],
)
def test_a_wrong_type_unit_name_or_window_is_named(old: str, new: str, path: str, word: str) -> None:
    text = changed((old, new))
    (problem,) = [one for one in _problems(text) if path in one]
    assert word in problem


@pytest.mark.parametrize(
    ("old", "new", "path", "word"),
    [
        ("product: annuity", "product: gift", "product", "annuity"),
        ("issued: {column: made}", "issued: {precision: month}", "issued", "a column of dates"),
        ("issued: {column: made}", "issued: {column: made, day: 2020-01-01}", "issued", "a column of dates"),
        (
            "term: {column: months, strip: [m]}",
            "term: {column: months, months: 12}",
            "term",
            "a column of terms",
        ),
        ("  last_payment: {column: last_paid}\n", "", "outcome.last_payment", "repaid needs"),
        (
            "history:\n  funded: {column: lent}\n  rate: {column: rate, unit: fraction}\n",
            "",
            "repaid",
            "history",
        ),
        ("training: {known_on: 2020-06-30}\n", "", "training", "known_on"),
        ("{issued_from: 2020-07-01, issued_to: 2020-07-31}", "{one_row_in: 2}", "deciding", "issued_from"),
    ],
)
def test_a_section_that_another_one_needs_is_asked_for(old: str, new: str, path: str, word: str) -> None:
    (problem,) = [one for one in _problems(changed((old, new))) if f" {path}: " in one]
    assert word in problem


def test_a_table_without_dates_has_no_windows_and_no_lives() -> None:
    found = _problems(changed(("issued: {column: made}", "issued: {day: 2020-01-01}")))
    assert [one.split(" ")[1].rstrip(":") for one in found] == [
        "repaid",
        "training",
        "deciding",
        "fields.history_months.type",
    ]


def test_yes_and_no_are_texts_and_true_and_false_are_not() -> None:
    text = changed(("{car: true, home: false}", "{yes: true, no: false}"))
    assert Mapping.parse(text).fields["wants_car"].values == {"yes": True, "no": False}


@pytest.mark.parametrize("name", ["hmeq", "lendingclub", "taiwan"])
def test_a_shipped_mapping_keeps_what_the_law_or_the_lender_decided_out(name: str) -> None:
    mapping = Mapping.load(name)
    inputs = {field.column for field in mapping.fields.values()} | {mapping.spec.amount.column}
    assert not inputs & {*mapping.spec.not_inputs, "SEX", "AGE", "MARRIAGE", "addr_state", "zip_code"}


def test_a_book_of_cards_takes_under_sixty_lines_and_its_codes_are_no_months() -> None:
    text = (SHIPPED / "taiwan.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    late = [field for name, field in Mapping.load("taiwan").fields.items() if name.startswith("past_due")]
    assert len(late) == 6
    assert all(set(field.special) == {-2, -1, 0} for field in late)


def test_every_mistake_is_listed_at_once_with_its_line() -> None:
    text = changed(
        ("currency: USD", "currency: DOL"),
        ("{column: made}", "{column: made, hour: 1}"),
        ("type: money,", "type: gold,"),
        ("observed_on: 2021-12-31", "observed_on: soon"),
    )
    found = _problems(text)
    assert [one.partition(": ")[0] for one in found] == [
        f"corner.yaml:{_line(text, 'DOL')} currency",
        f"corner.yaml:{_line(text, 'hour')} issued.hour",
        f"corner.yaml:{_line(text, 'soon')} outcome.observed_on",
        f"corner.yaml:{_line(text, 'gold')} fields.income_minor.type",
    ]


def test_a_key_that_stands_twice_is_refused_and_not_silently_dropped() -> None:
    text = MAPPING + "channel: phone\n"
    (problem,) = _problems(text)
    assert problem == f"corner.yaml:{len(text.splitlines())} channel: each key once"


def test_text_that_is_no_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(Malformed) as caught:
        Mapping.parse("mapping: [corner\nversion: 1\n", "corner.yaml")
    assert caught.value.violations[0].field == "corner.yaml:2"
    with pytest.raises(InvalidInput):
        Mapping.parse("", "corner.yaml")


def test_characteristics_are_declared_as_scoring_takes_them() -> None:
    text = changed(("  debts: {code", "  dti: {code: C08, en: Debt, zh: 负债}\n  debts: {code"))
    found = {one.name: one for one in Mapping.parse(text).declarations()}
    kinds = {name: one.kind for name, one in found.items()}
    assert kinds == {
        "requested_minor": "int",
        "purpose": "category",
        "income_minor": "int",
        "job_months": "int",
        "dti_bp": "int",
        "dti": "decimal",
        "debts": "int",
        "wants_car": "bool",
    }
    assert found["debts"].specials == (98,)
    assert found["dti"].scale == 3
    assert (found["income_minor"].risk, found["job_months"].risk) == ("falling", "monotone")
    assert found["dti_bp"].reason.code == "C05"


def test_an_unknown_name_says_which_mappings_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="lendingclub"):
        Mapping.load("no-such-lender")
    with pytest.raises(NotFound, match=r"nowhere\.yaml"):
        Mapping.load(tmp_path / "nowhere.yaml")
    with pytest.raises(NotFound):
        Mapping.load("../mappings/lendingclub")


def test_a_mapping_is_loaded_from_a_path_too(tmp_path: Path) -> None:
    file = tmp_path / "corner.yaml"
    file.write_text(MAPPING, encoding="utf-8")
    assert Mapping.load(str(file)).sha256 == Mapping.parse(MAPPING).sha256
