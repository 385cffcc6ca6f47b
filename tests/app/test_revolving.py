"""A revolving line: what is open counts as drawn, what was repaid may be drawn again."""

import pytest

from tests.applicants import BUREAU

LIMIT = 1_000_000


@pytest.fixture
def opened(lender):
    """Open a line, or an instalment loan, with a signed contract; returns the application."""

    def begin(product):
        person = {"reference": f"{product}-1", "national_id": f"SIM-{product}"}
        asked = lender.apply(person=person, product=product, amount_minor=LIMIT)
        name = {"application_id": asked["application_id"]}
        lender.event("source.answered", {**name, "name": "bureau", "facts": BUREAU}, at(5, 11))
        given = {"outcome": "approve", "officer": "officer-07", "authority": "underwriter"}
        terms = {"reason_code": "OV-12", "limit_minor": LIMIT, "rate_bp": 1_200, "term_months": 6}
        lender.event("application.overridden", {**name, **given, **terms}, at(5, 12))
        lender.event("offer.made", name, at(5, 13))
        lender.event("offer.accepted", name, at(5, 14))
        lender.event(
            "contract.signed", {**name, "contract_id": "C-1", "document_sha256": "ab" * 32}, at(5, 15)
        )
        return name

    return begin


def at(day, hour=12):
    return f"2026-01-{day:02d}T{hour:02d}:00:00+08:00"


def drawn(lender, name, amount, day):
    wanted = {"amount_minor": amount, "currency": "CNY", "purpose": "shopping", "payee": "shop"}
    answer = lender.draw(**name, **wanted, at=at(day))
    if answer["loan_id"]:
        body = {"loan_id": answer["loan_id"], "disbursed_on": f"2026-01-{day:02d}"}
        lender.event("loan.disbursed", body, at(day, 13))
    return answer


def reasons(answer):
    return [reason["code"] for reason in answer["reasons"]]


def test_a_line_is_drawn_again_as_far_as_it_was_repaid_and_no_further(lender, opened):
    name = opened("line")
    first = drawn(lender, name, 700_000, 6)
    assert first["outcome"] == "release"
    assert reasons(drawn(lender, name, 300_001, 7)) == ["D02"]
    paid = {"loan_id": first["loan_id"], "amount_minor": 705_000, "currency": "CNY", "value_on": "2026-01-20"}
    told = lender.event("repayment.received", paid, at(20))
    free = LIMIT - 700_000 + told["allocation"]["principal_minor"]
    assert free > 300_001
    assert reasons(drawn(lender, name, free + 1, 21)) == ["D02"]
    assert drawn(lender, name, free, 21)["outcome"] == "release"
    assert reasons(drawn(lender, name, 10_000, 22)) == ["D02"]
    assert lender.postings_sum() == 0


def test_a_loan_that_does_not_revolve_is_not_drawn_again_when_it_was_repaid(lender, opened):
    name = opened("instalment")
    first = drawn(lender, name, LIMIT, 6)
    assert first["outcome"] == "release"
    paid = {"loan_id": first["loan_id"], "amount_minor": 500_000, "currency": "CNY", "value_on": "2026-01-20"}
    lender.event("repayment.received", paid, at(20))
    assert reasons(drawn(lender, name, 100_000, 21)) == ["D02"]
