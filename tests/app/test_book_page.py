"""The book as a whole over HTTP, counted by hand from a small lender, on both stores."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from tests.app.conftest import either_store
from tests.app.test_crowds import drawable
from tests.applicants import BUREAU

store = either_store


def at(day, hour=12):
    return f"{day.isoformat()}T{hour:02d}:00:00+08:00"


@pytest.fixture
def lent(lender):
    """Three loans of 7 January 2026, by number: the first instalment of 1 was paid on time, that of 2
    was paid 40 days late, that of 3 never; the later ones of none.

    A fourth application was declined, a fifth still waits for the bureau.
    """
    loans = {}
    for number in (1, 2, 3):
        application = drawable(lender, number, 500_000)
        drawn = lender.draw(
            application_id=application, amount_minor=500_000, currency="CNY", at=at(date(2026, 1, 6))
        )
        loan = drawn["loan_id"]
        told = lender.event(
            "loan.disbursed", {"loan_id": loan, "disbursed_on": "2026-01-07"}, at(date(2026, 1, 7))
        )
        line = told["schedule"][0]
        loans[number] = (
            loan,
            date.fromisoformat(line["due_on"]),
            line["principal_minor"] + line["interest_minor"],
        )
    declined = lender.apply(person={"reference": "too-much"}, amount_minor=100_000)
    answer = {**BUREAU, "bureau_worst_dpd_24m": 120}
    told = lender.event(
        "source.answered",
        {"application_id": declined["application_id"], "name": "bureau", "facts": answer},
        at(date(2026, 1, 5)),
    )
    assert told["outcome"] == "decline"
    lender.apply(person={"reference": "waits"}, amount_minor=100_000)
    for number, late in ((1, 0), (2, 40)):
        loan, due, amount = loans[number]
        body = {
            "loan_id": loan,
            "amount_minor": amount,
            "currency": "CNY",
            "value_on": (due + timedelta(late)).isoformat(),
        }
        lender.event("repayment.received", body, at(due + timedelta(late)))
    due = loans[3][1]
    for on in (due + timedelta(31), due + timedelta(91)):
        lender.event("day.closed", {"day": on.isoformat()})
    lender.event("day.closed", {"day": "2026-06-30"})
    lender.settle()
    return {number: loan for number, (loan, _, _) in loans.items()}


def test_the_funnel_counts_each_application_once(lender, lent):
    funnel = lender.get("/v1/book")["funnel"]
    assert funnel["asked_minor"] == 3 * 500_000 + 2 * 100_000
    assert funnel["disbursed_minor"] == 3 * 500_000
    counts = ("applications", "decided", "approved", "referred", "declined", "contracts", "drawn", "loans")
    assert [funnel[name] for name in counts] == [5, 4, 3, 0, 1, 3, 3, 3]


def test_a_vintage_shows_who_fell_behind_and_when(lender, lent):
    """Due on 7 February: 31 days past due on 10 March, month on book 2, and 91 on 9 May, 4.

    Due on 7 March, for those who had paid in February: 31 days on 7 April, 3, and 91 on 6 June, 5.
    """
    book = lender.get("/v1/book")
    assert book["as_of"] == "2026-07-01"
    (january,) = book["vintages"]
    assert (january["month"], january["loans"], january["disbursed_minor"]) == ("2026-01", 3, 1_500_000)
    assert january["late_30"] == [0, 0, 2, 3, 3, 3]
    assert january["late_90"] == [0, 0, 0, 0, 1, 3]


def test_each_cell_leads_to_the_loans_that_it_counts(lender, lent):
    (january,) = lender.get("/v1/book")["vintages"]
    for over in (30, 90):
        for on, count in enumerate(january[f"late_{over}"]):
            found = lender.get("/v1/loans", month="2026-01", over=over, mob=on)
            assert found["total"] == count
    late = {row["loan_id"] for row in lender.get("/v1/loans", over=30, mob=2)["rows"]}
    assert late == {lent[2], lent[3]}
    assert [row["loan_id"] for row in lender.get("/v1/loans", over=90, mob=4)["rows"]] == [lent[3]]
    assert lender.get("/v1/loans", over=90)["total"] == 3
    assert {row["loan_id"] for row in lender.get("/v1/loans", mob=2)["rows"]} == late


def test_the_book_of_an_earlier_day_is_what_it_was_then(lender, lent):
    before = lender.get("/v1/book", as_of="2026-01-04")
    assert before["funnel"]["applications"] == 0
    assert before["vintages"] == before["bands"] == []
    march = lender.get("/v1/book", as_of="2026-03-31")
    assert march["vintages"][0]["late_30"] == [0, 0, 2]
    assert lender.get("/v1/book", as_of="2026-03-09")["vintages"][0]["late_30"] == [0, 0]
    days = ["2026-01-05", "2026-01-06", "2026-01-07"]
    funnels = [lender.get("/v1/book", as_of=day)["funnel"] for day in days]
    assert [(one["contracts"], one["loans"]) for one in funnels] == [(3, 0), (3, 0), (3, 3)]


def test_bands_hold_every_decision_and_lead_to_their_rows(lender, lent):
    lender.event("day.closed", {"day": "2027-01-30"})
    book = lender.get("/v1/book")
    assert book["observed_to"] == "2026-01-31"
    bands = book["bands"]
    assert [after["low"] for _, after in pairwise(bands)] == [one["high"] + 1 for one in bands[:-1]]
    assert sum(band["observed"] for band in bands) == 3
    assert sum(band["bad"] for band in bands) >= 1
    for band in bands:
        bounds = {"score_from": band["low"], "score_to": band["high"]}
        assert lender.get("/v1/decisions", stage="prelend", **bounds)["total"] == band["decided"]
        watched = {**bounds, "day_to": book["observed_to"]}
        assert lender.get("/v1/loans", **watched)["total"] == band["observed"]
        assert lender.get("/v1/loans", **watched, over=90, mob=12)["total"] == band["bad"]
    assert lender.get("/v1/decisions", stage="prelend", signed=True)["total"] == 3
    assert lender.get("/v1/decisions", stage="prelend", signed=False)["total"] == 1


def test_every_published_strategy_is_shown_with_what_it_decided(lender, lent):
    rows = lender.get("/v1/strategies")["rows"]
    assert {row["stage"] for row in rows} >= {"prelend", "drawdown", "monitor", "classify"}
    assert all(row["active"] for row in rows)
    prelend = next(row for row in rows if row["stage"] == "prelend")
    view = lender.get(f"/v1/strategies/{prelend['sha256']}")
    assert view["decided"] == prelend["decided"] == 4
    assert view["outcomes"] == [["approve", 3], ["refer", 0], ["decline", 1]]
    rules = {rule["reason"]["code"]: rule for step in view["steps"] for rule in step["rules"]}
    assert (rules["BU01"]["count"], rules["BU01"]["outcome"]) == (1, "decline")
    label = f"{view['name']} {view['version']}"
    assert lender.get("/v1/decisions", strategy=label, reason="BU01")["total"] == 1
    tables = {step["table"]["file"] for step in view["steps"] if step["table"]}
    assert tables >= {"grade.csv", "price.csv", "limit.csv"}
    assert lender.http.get(f"/v1/strategies/{'0' * 64}").status_code == 404


def test_every_feature_says_who_reads_it(lender):
    found = lender.get("/v1/features")
    assert len(found["rows"]) == len({row["name"] for row in found["rows"]}) > 0
    row = next(one for one in found["rows"] if one["name"] == "devices_90d")
    view = lender.get("/v1/features/devices_90d")
    assert (view["en"], view["window_days"]) == (row["en"], 90)
    strategies = [one for one in view["used_by"] if one["kind"] == "strategy" and one["active"]]
    for one in strategies:
        inputs = lender.get(f"/v1/strategies/{one['sha256']}")["inputs"]
        assert {"devices_90d"} <= {given["name"] for given in inputs if given["source"] == "feature"}
    assert strategies
    assert lender.http.get("/v1/features/none_such").status_code == 404


def test_the_tables_come_back_the_same_from_the_events(lender, lent):
    before = lender.get("/v1/book"), lender.get("/v1/strategies")
    lender.service.journal.rebuild(["book"])
    assert (lender.get("/v1/book"), lender.get("/v1/strategies")) == before
