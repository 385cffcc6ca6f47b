from __future__ import annotations

import pytest

from obligor.kernel import InvalidInput, NotFound
from obligor.loans import parse, product, products

GOOD = """
name: test
label: {en: Test, zh: 测试}
repayment: annuity
currency: EUR
day_count: ACT/365
business_day: following
interest: scheduled
minimum_minor: 100
maximum_minor: 1000
minimum_term_months: 1
maximum_term_months: 12
maximum_rate_bp: 2400
fees: {late: 500, postage: null}
"""


def test_the_package_has_its_products_and_each_is_called_as_its_file() -> None:
    assert {"bullet", "instalment", "lendingclub-36", "lendingclub-60"} <= set(products())
    assert [product(name).name for name in products()] == list(products())


def test_the_starter_product_is_an_annuity_in_cny_and_lending_clubs_one_in_usd_by_30_360() -> None:
    assert (product("instalment").repayment, product("instalment").currency) == ("annuity", "CNY")
    club = product("lendingclub-60")
    assert (club.currency, club.day_count, club.interest) == ("USD", "30/360", "daily")
    assert (club.minimum_term_months, club.maximum_term_months) == (60, 60)


@pytest.mark.parametrize("name", ["nothing", "../products/instalment", "instalment.yaml", ""])
def test_an_unknown_product_is_not_found(name: str) -> None:
    with pytest.raises(NotFound, match="instalment"):
        product(name)


def test_a_product_of_the_lenders_own_is_read() -> None:
    found = parse(GOOD)
    assert found.fees == {"late": 500, "postage": None}
    assert found.allocation == ("fee", "interest", "principal")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("day_count: ACT/365", "day_count: ACT/364", "day_count"),
        ("business_day: following", "business_day: sometimes", "business_day"),
        ("currency: EUR", "currency: EURO", "currency"),
        ("maximum_minor: 1000", "maximum_minor: 99", "maximum_minor"),
        ("maximum_term_months: 12", "maximum_term_months: 0", "maximum_term_months"),
        ("repayment: annuity", "repayment: balloon", "repayment"),
        ("interest: scheduled", "interest: compound", "interest"),
        ("interest: scheduled", "interest: scheduled\nallocation: [interest, fee, principal]", "allocation"),
        ("interest: scheduled", "interest: scheduled\nallocation: [fee, fee, principal]", "allocation"),
        ("interest: scheduled", "interest: daily\nallocation: [fee, principal, interest]", "allocation"),
        ("minimum_minor: 100", "minimum_minor: 100\nsecret: 1", "secret"),
        ("late: 500", "late: -500", "fees.late"),
    ],
)
def test_a_wrong_product_is_refused_and_the_field_named(old: str, new: str, field: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput, match=r"mine\.yaml") as refused:
        parse(GOOD.replace(old, new), "mine.yaml")
    assert field in [violation.field for violation in refused.value.violations]


def test_every_violation_is_listed_and_broken_yaml_is_said() -> None:
    wrong = GOOD.replace("ACT/365", "no").replace("following", "no").replace("EUR", "no")
    with pytest.raises(InvalidInput) as refused:
        parse(wrong)
    assert {v.field for v in refused.value.violations} == {"day_count", "business_day", "currency"}
    with pytest.raises(InvalidInput, match="no YAML"):
        parse("name: [")
