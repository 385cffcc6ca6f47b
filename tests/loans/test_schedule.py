from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from obligor.kernel import InvalidInput
from obligor.loans import product, schedule


def test_instalments_fall_on_the_day_of_disbursement_or_the_months_last() -> None:
    lines = schedule(product("instalment"), 1_200_000, 1200, 4, date(2024, 1, 31), "CNY")
    assert [line.due_on for line in lines] == [
        date(2024, 2, 29),
        date(2024, 3, 31),
        date(2024, 4, 30),
        date(2024, 5, 31),
    ]


def test_thirty_day_months_bear_a_twelfth_of_the_year_whatever_their_length() -> None:
    lines = schedule(product("instalment"), 1_200_000, 1200, 12, date(2024, 1, 31), "CNY")
    assert lines[0].interest_minor == 12_000
    assert lines[1].interest_minor == round((1_200_000 - lines[0].principal_minor) * 0.01)
    assert len({line.principal_minor + line.interest_minor for line in lines[:-1]}) == 1


def test_a_business_day_rule_moves_the_due_date_and_not_the_interest() -> None:
    plain = product("instalment")
    moved = replace(plain, business_day="modified_following")
    on = date(2024, 8, 31)
    before = schedule(plain, 1_200_000, 1200, 12, on, "CNY")
    after = schedule(moved, 1_200_000, 1200, 12, on, "CNY", {date(2024, 12, 31)})
    assert before[2].due_on == date(2024, 11, 30)
    assert after[2].due_on == date(2024, 11, 29), "a Saturday at the month's end goes back"
    assert before[3].due_on == date(2024, 12, 31)
    assert after[3].due_on == date(2024, 12, 30), "so does a holiday"
    assert [line.interest_minor for line in before] == [line.interest_minor for line in after]


def test_a_bullet_pays_interest_each_month_and_the_principal_at_the_end() -> None:
    lines = schedule(product("bullet"), 1_000_000, 720, 3, date(2024, 1, 10), "CNY")
    assert [line.principal_minor for line in lines] == [0, 0, 1_000_000]
    assert [line.interest_minor for line in lines] == [6_200, 5_800, 6_200]  # 31, 29, 31 days of 360
    assert [line.due_on for line in lines] == [date(2024, 2, 12), date(2024, 3, 11), date(2024, 4, 10)]


def test_a_bullet_may_pay_everything_at_maturity() -> None:
    terms = replace(product("bullet"), bullet_interest="maturity")
    (line,) = schedule(terms, 1_000_000, 720, 3, date(2024, 1, 10), "CNY")
    assert (line.number, line.principal_minor, line.interest_minor) == (1, 1_000_000, 18_200)
    assert line.due_on == date(2024, 4, 10)


def test_instalments_are_rounded_to_the_products_multiple_and_the_last_takes_the_rest() -> None:
    terms = replace(product("instalment"), instalment_multiple_minor=100)
    lines = schedule(terms, 1_000_000, 1300, 7, date(2024, 1, 10), "CNY")
    level = {line.principal_minor + line.interest_minor for line in lines[:-1]}
    assert len(level) == 1
    assert level.pop() % 100 == 0
    assert sum(line.principal_minor for line in lines) == 1_000_000


def test_without_interest_the_amount_is_split_evenly() -> None:
    lines = schedule(product("instalment"), 100_000, 0, 3, date(2024, 1, 10), "CNY")
    assert [line.principal_minor for line in lines] == [33_333, 33_333, 33_334]
    assert not any(line.interest_minor for line in lines)


def test_all_that_the_product_does_not_allow_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        schedule(product("instalment"), 1, 99_999, 61, date(2024, 1, 10), "USD")
    violations = {v.field: v.accepted for v in refused.value.violations}
    assert set(violations) == {"amount_minor", "rate_bp", "term_months", "currency"}
    assert violations["amount_minor"] == "from 10000 to 100000000 for instalment"
    assert violations["currency"] == "CNY, the currency of instalment"
