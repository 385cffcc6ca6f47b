"""Facts as they are written and as strategies compute with them."""

import pytest

from obligor.kernel import InvalidInput
from tests.strategy.making import FACTS, make, swapped


def test_written_facts_become_typed_values_and_go_back() -> None:
    strategy = make()
    typed = strategy.parse_facts(FACTS)
    assert typed == {
        "age": 40,
        "income": 600_000,
        "ratio": 150,
        "work": "own",
        "joined": 18_321,
        "member": False,
        "bureau": 700,
    }
    assert strategy.render_facts(typed) == FACTS


def test_facts_that_are_no_inputs_are_left_out_and_absent_ones_stay_absent() -> None:
    assert make().parse_facts({"age": 3, "colour": "red"}) == {"age": 3}


@pytest.mark.parametrize(
    ("written", "typed"), [("1.5", 150), ("1.50", 150), ("1.500", 150), (2, 200), ("0", 0)]
)
def test_decimals_are_exact(written: object, typed: int) -> None:
    assert make().parse_facts({"ratio": written}) == {"ratio": typed}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", -1),
        ("age", 121),
        ("age", True),
        ("age", 40.0),
        ("age", "40"),
        ("age", None),
        ("age", [40]),
        ("ratio", "1.505"),
        ("ratio", "1,5"),
        ("ratio", "10.01"),
        ("ratio", 1.5),
        ("ratio", "1e1"),
        ("ratio", True),
        ("ratio", ""),
        ("work", "retired"),
        ("work", None),
        ("work", 3),
        ("work", []),
        ("joined", "2020-02-30"),
        ("joined", "1999-12-31"),
        ("joined", "20200229"),
        ("joined", 18_321),
        ("joined", None),
        ("member", 1),
        ("member", "true"),
        ("bureau", 299),
        ("bureau", "none"),
    ],
)
def test_a_value_that_an_input_does_not_take_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        make().parse_facts(FACTS | {name: value})
    (violation,) = caught.value.violations
    assert violation.field == name
    assert violation.accepted


def test_every_wrong_fact_is_told() -> None:
    with pytest.raises(InvalidInput) as caught:
        make().parse_facts(FACTS | {"age": -1, "work": "x", "bureau": 1})
    assert {violation.field for violation in caught.value.violations} == {"age", "work", "bureau"}
    accepted = {violation.field: violation.accepted for violation in caught.value.violations}
    assert accepted == {
        "age": "a whole number from 0 to 120",
        "work": "one of salaried, own, none",
        "bureau": "a whole number from 300 to 850, or null",
    }


def test_the_values_of_wrong_facts_are_not_in_the_detail() -> None:
    with pytest.raises(InvalidInput) as caught:
        make().parse_facts(FACTS | {"age": 987_654})
    assert "987654" not in caught.value.detail


def test_other_categories_may_be_taken_for_one_of_the_list() -> None:
    strategy = make(
        swapped(
            ("strategy.yaml", "values: [salaried, own, none]}", "values: [salaried, own, none], other: none}")
        )
    )
    assert strategy.parse_facts({"work": "retired"}) == {"work": "none"}
    assert strategy.parse_facts({"work": "own"}) == {"work": "own"}
    with pytest.raises(InvalidInput):
        strategy.parse_facts({"work": 3})
