"""The page of a loan, on days between its events."""

from tests.app.test_crowds import drawable


def test_a_reversal_told_with_an_earlier_time_than_its_payment_breaks_no_page(lender):
    application_id = drawable(lender, 1, 500_000)
    drawn = lender.draw(
        application_id=application_id, amount_minor=500_000, currency="CNY", at="2026-01-06T11:00:00+08:00"
    )
    loan = drawn["loan_id"]
    disbursed = lender.event(
        "loan.disbursed", {"loan_id": loan, "disbursed_on": "2026-01-07"}, "2026-01-07T10:00:00+08:00"
    )
    line = disbursed["schedule"][0]
    amount = line["principal_minor"] + line["interest_minor"]
    paid = {"loan_id": loan, "amount_minor": amount, "currency": "CNY", "value_on": line["due_on"]}
    payment = lender.event("repayment.received", paid, "2026-02-20T10:00:00+08:00")
    back = {"loan_id": loan, "event_id": payment["event_id"]}
    lender.event("repayment.reversed", back, "2026-02-10T10:00:00+08:00")
    for day in ("2026-02-09", "2026-02-10", "2026-02-15", "2026-02-20", "2026-03-01"):
        shown = lender.get(f"/v1/loans/{loan}", on=day)
        assert shown["repaid_minor"] == 0, day
    assert lender.postings_sum() == 0
