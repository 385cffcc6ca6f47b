"""What watches the journal says what it has to say once, and never leaves it out."""

from concurrent.futures import Future

import pytest

from obligor.kernel import Unavailable
from tests.app.test_crowds import drawable

AT = "2026-01-06T11:00:00+08:00"


@pytest.fixture
def loan(lender):
    """A loan of 1,200,000 whose money went to an account that is seen."""
    application_id = drawable(lender, 1, 1_200_000)
    person = lender.get(f"/v1/applications/{application_id}")["person_id"]
    lender.event("account.opened", {"account_id": "a-1", "person_id": person, "currency": "CNY"}, AT)
    asked = {"application_id": application_id, "amount_minor": 1_200_000, "currency": "CNY", "at": AT}
    drawn = lender.draw(**asked)
    lender.event("loan.disbursed", {"loan_id": drawn["loan_id"], "account_id": "a-1"}, AT)
    return drawn["loan_id"]


def failing_once(journal, monkeypatch):
    """The journal refuses the next command of a processor, as it does while the store is out of reach."""
    submit, failed = journal.submit, []

    def refuse_one(command):
        if failed or command.cursor is None:
            return submit(command)
        failed.append(command)
        refused = Future()
        refused.set_exception(Unavailable("the store is out of reach"))
        return refused

    monkeypatch.setattr(journal, "submit", refuse_one)
    return failed


def spend(lender, number, counterparty):
    lender.event(
        "transfer.posted",
        {
            "account_id": "a-1",
            "transfer_id": f"t-{number}",
            "direction": "out",
            "amount_minor": 300_000,
            "currency": "CNY",
            "counterparty": counterparty,
            "counterparty_class": "gambling",
        },
        AT,
    )


def test_an_alert_that_could_not_be_written_is_not_lost_to_a_later_one(lender, loan, monkeypatch):
    failed = failing_once(lender.service.journal, monkeypatch)
    spend(lender, 1, "casino-1")
    spend(lender, 2, "casino-2")
    lender.settle()
    assert len(failed) == 1
    alerts = lender.get("/v1/alerts", kind="fund_use")["rows"]
    assert [alert["loan_id"] for alert in alerts] == [loan, loan]


def test_a_close_that_was_interrupted_is_finished(lender, loan, monkeypatch):
    failed = failing_once(lender.service.journal, monkeypatch)
    lender.event("day.closed", {"day": "2026-03-01"})
    lender.settle()
    assert len(failed) == 1
    assert lender.get(f"/v1/loans/{loan}")["five_tier"] == "special_mention"
    assert len(lender.get("/v1/alerts", loan=loan)["rows"]) == 1


def test_a_loan_that_is_open_again_is_watched_again(lender, loan):
    """Its last payment did not come after all: the next close tells of arrears, not the next start."""
    paid = {"loan_id": loan, "amount_minor": 2_000_000, "currency": "CNY"}
    payment = lender.event("repayment.received", paid, AT)
    assert lender.get(f"/v1/loans/{loan}")["status"] == "closed"
    lender.event("repayment.reversed", {"loan_id": loan, "event_id": payment["event_id"]}, AT)
    lender.event("day.closed", {"day": "2026-03-01"})
    lender.settle()
    assert lender.get(f"/v1/loans/{loan}")["five_tier"] == "special_mention"
    assert len(lender.get("/v1/alerts", loan=loan)["rows"]) == 1
