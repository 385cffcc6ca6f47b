"""One applicant's whole life over HTTP: every step posted, every receipt verified, every day counted."""

import socket
from datetime import date, timedelta

from obligor.proof import verify_receipt
from tests.app.conftest import either_store
from tests.applicants import BUREAU

store = either_store


class Life:
    """A life as it goes on: its events, and what has to hold after each step."""

    def __init__(self, lender):
        self.lender = lender
        self.events = []

    def note(self, answer):
        self.events.append(answer["event_id"])
        if "decision_event_id" in answer:
            self.events.append(answer["decision_event_id"])
        assert self.lender.postings_sum() == 0
        return answer

    def tell(self, kind, body, at):
        return self.note(self.lender.event(kind, body, at))


def at(day, hour=12):
    return f"{day.isoformat()}T{hour:02d}:00:00+08:00"


def test_one_life_from_application_to_recovery_is_right_at_each_step(lender, monkeypatch):
    life = Life(lender)
    tell = life.tell
    for cap, limit in (
        ("obligor/*", 20_000_000),
        ("product/instalment", 50_000_000),
        ("partner/P-01", 9_000_000),
    ):
        tell("cap.set", {"cap": cap, "limit_minor": limit, "currency": "CNY"}, at(date(2026, 1, 1)))

    asked = life.note(
        lender.apply(
            person={"reference": "life-1", "national_id": "SIM990101", "name": "Person One"},
            amount_minor=2_500_000,
        )
    )
    assert (asked["status"], asked["needs"]) == ("needs", ["bureau"])
    application, person = asked["application_id"], asked["person_id"]

    # So much without a bureau score is referred: the answer comes with the source's.
    decided = tell(
        "source.answered",
        {"application_id": application, "name": "bureau", "facts": {**BUREAU, "bureau_score": None}},
        at(date(2026, 1, 5), 11),
    )
    assert decided["outcome"] == "refer"
    assert decided["reasons"][0]["code"] == "R02"
    view = lender.get(f"/v1/decisions/{decided['decision_id']}")
    assert view["score"] == view["scored"]["base"] + sum(part["points"] for part in view["scored"]["parts"])
    assert view["replay"] == {"equal": True, "differences": []}

    overridden = tell(
        "application.overridden",
        {
            "application_id": application,
            "outcome": "approve",
            "officer": "officer-07",
            "authority": "underwriter",
            "reason_code": "OV-12",
            "limit_minor": 1_200_000,
            "rate_bp": 1_390,
        },
        at(date(2026, 1, 5), 15),
    )
    assert overridden["decision_id"] == decided["decision_id"]
    offered = tell("offer.made", {"application_id": application}, at(date(2026, 1, 5), 16))
    assert (offered["amount_minor"], offered["rate_bp"]) == (1_200_000, 1_390)
    tell("offer.accepted", {"application_id": application}, at(date(2026, 1, 6)))
    contract = {"application_id": application, "contract_id": "C-1", "document_sha256": "ab" * 32}
    tell("contract.signed", contract, at(date(2026, 1, 6), 13))
    tell(
        "account.opened",
        {"account_id": "A-1", "person_id": person, "currency": "CNY", "number": "6200 0001"},
        at(date(2026, 1, 6), 14),
    )
    tell(
        "account.opened",
        {"account_id": "A-2", "person_id": person, "currency": "CNY"},
        at(date(2026, 1, 6), 14),
    )

    drawn = life.note(
        lender.draw(
            application_id=application,
            amount_minor=1_200_000,
            currency="CNY",
            partner="P-01",
            at=at(date(2026, 1, 7)),
        )
    )
    assert drawn["outcome"] == "release"
    loan = drawn["loan_id"]
    shares = [{"partner": "own", "share_bp": 3_000}, {"partner": "P-01", "share_bp": 7_000}]
    disbursed = tell(
        "loan.disbursed",
        {"loan_id": loan, "account_id": "A-1", "disbursed_on": "2026-01-07", "shares": shares},
        at(date(2026, 1, 7), 13),
    )
    schedule = disbursed["schedule"]
    assert sum(line["principal_minor"] for line in schedule) == 1_200_000

    # A third of the money goes over a second account to a broker.
    hop = {
        "account_id": "A-1",
        "transfer_id": "T-1",
        "direction": "out",
        "amount_minor": 400_000,
        "currency": "CNY",
    }
    tell("transfer.posted", {**hop, "counterparty": "A-2"}, at(date(2026, 1, 8)))
    to_broker = {**hop, "account_id": "A-2", "transfer_id": "T-2", "counterparty": "broker-1"}
    tell("transfer.posted", {**to_broker, "counterparty_class": "securities_broker"}, at(date(2026, 1, 9)))
    lender.settle()
    (alert,) = lender.get("/v1/alerts", kind="fund_use")["rows"]
    seen = lender.get(f"/v1/alerts/{alert['alert_id']}")
    assert seen["amount_minor"] == 400_000
    assert [hop["target"] for hop in seen["hops"]] == ["A-1", "A-2", "broker-1"]
    funds = lender.get(f"/v1/loans/{loan}")["funds"]
    assert (
        funds["sunk_minor"] + funds["held_minor"] + funds["exit_minor"]
        == funds["disbursed_minor"]
        == 1_200_000
    )
    assert funds["sunk_minor"] == 400_000
    tell(
        "alert.cleared",
        {"alert_id": alert["alert_id"], "disposition": "confirmed", "officer": "officer-09"},
        at(date(2026, 1, 10)),
    )

    # Three instalments on their day, one of them reversed and paid again, then nothing more.
    for number, line in enumerate(schedule[:3]):
        due, amount = date.fromisoformat(line["due_on"]), line["principal_minor"] + line["interest_minor"]
        paid = {"loan_id": loan, "amount_minor": amount, "currency": "CNY", "value_on": due.isoformat()}
        answer = tell("repayment.received", paid, at(due))
        if number == 1:
            tell("repayment.reversed", {"loan_id": loan, "event_id": answer["event_id"]}, at(due, 14))
            tell("repayment.received", paid, at(due, 15))
    first_missed = date.fromisoformat(schedule[3]["due_on"])
    for offset in range(-5, 130):
        day = first_missed + timedelta(days=offset)
        shown = lender.get(f"/v1/loans/{loan}", on=day.isoformat())
        assert shown["days_past_due"] == max(0, offset), day
    tell("day.closed", {"day": (first_missed + timedelta(days=10)).isoformat()}, None)
    tell("day.closed", {"day": (first_missed + timedelta(days=95)).isoformat()}, None)
    lender.settle()
    kinds = {row["kind"] for row in lender.get("/v1/alerts", loan=loan)["rows"]}
    assert {"arrears", "serious_arrears"} <= kinds
    assert lender.get(f"/v1/loans/{loan}")["five_tier"] == "substandard"
    assert lender.postings_sum() == 0

    lost_on = first_missed + timedelta(days=125)
    lost = tell("loan.written_off", {"loan_id": loan, "written_off_on": lost_on.isoformat()}, at(lost_on))
    assert lost["principal_minor"] == sum(line["principal_minor"] for line in schedule[3:])
    recovered = {"loan_id": loan, "amount_minor": 250_000, "cost_minor": 50_000, "currency": "CNY"}
    tell(
        "recovery.received",
        {**recovered, "value_on": (lost_on + timedelta(days=60)).isoformat()},
        at(lost_on + timedelta(days=60)),
    )
    end = lender.get(f"/v1/loans/{loan}")
    assert (end["status"], end["recovered_minor"], end["outstanding_minor"]) == ("written_off", 250_000, 0)

    year = lender.get("/v1/overview", on="2026-12-31", days=365)
    assert [sum(band[name] for band in year["bands"]) for name in ("decided", "observed", "bad")] == [1, 1, 1]

    # The partner carries 70 % of every posting, to the minor unit.
    for group in end["postings"]:
        assert sum(line["amount_minor"] for line in group["lines"]) == 0
        assert {line["partner"] for line in group["lines"]} <= {"own", "P-01"}

    replayed = lender.http.post("/v1/replays").json()
    assert (replayed["decisions"] - replayed["batches"], replayed["mismatches"]) == (2, 0)
    assert replayed["equal"] == replayed["decisions"] > 2
    audited = lender.http.post("/v1/audits").json()
    assert audited["ok"], audited
    receipts = [lender.http.get(f"/v1/receipts/{event_id}").content for event_id in life.events]

    def no_network(*_args, **_kwargs):
        raise AssertionError("verification asked for the network")

    monkeypatch.setattr(socket, "socket", no_network)
    for receipt in receipts:
        report = verify_receipt(receipt, vkey=lender.service.vkey)
        assert report.ok, report
