"""What a decision recorded is what the journal says: features at its place, headroom, versions."""

from obligor.features import History
from tests.app.conftest import either_store
from tests.applicants import BUREAU, FIELDS

store = either_store


def test_recorded_features_are_those_of_the_history_up_to_the_decision(lender):
    reader = lender.service.journal.reader()
    catalogue = lender.service.means.catalogue
    person = None
    for number in range(4):
        at = f"2026-01-{5 + number:02d}T10:00:00+08:00"
        asked = lender.apply(person={"reference": "facts"}, device_id=f"device-{number % 2}", at=at)
        person = asked["person_id"]
        lender.event("device.seen", {"person_id": person, "device_id": f"other-{number}"}, at)
        if number == 0:
            account = {"account_id": "F-1", "person_id": person, "currency": "CNY"}
            lender.event("account.opened", account, at)
        moved = {"account_id": "F-1", "transfer_id": f"F-{number}", "direction": "in", "currency": "CNY"}
        moved |= {"amount_minor": 100_000 + number, "counterparty": "employer"}
        lender.event("transfer.posted", moved, at)
        answer = {"application_id": asked["application_id"], "name": "bureau", "facts": BUREAU}
        decided = lender.event("source.answered", answer, f"2026-01-{5 + number:02d}T11:00:00+08:00")
        event = reader.event("main", decided["decision_event_id"])
        history = History(person)
        for known in reader.events("main", subject=person, upto=event.known_seq):
            history.add(known)
        expected = catalogue.oracle(history, event.at, event.body.known_upto)
        recorded = {name: value for name, value in event.body.facts.items() if name in expected}
        assert recorded == {name: expected[name] for name in recorded}
        assert recorded["applications_30d"] == number + 1
        assert recorded["devices_90d"] == min(number + 1, 2) + number + 1
        assert recorded["inflow_90d_minor"] == sum(100_000 + n for n in range(number + 1))


def test_a_restarted_server_records_the_same_features(tmp_path, scorecard):
    from tests.app.conftest import Lender

    first = Lender(tmp_path / "var", scorecard)
    asked = first.apply(person={"reference": "again"}, device_id="d-1", fields={**FIELDS, **BUREAU})
    assert asked["status"] == "decided"
    first.close()
    second = Lender(tmp_path / "var", scorecard)
    try:
        again = second.apply(person={"reference": "again"}, device_id="d-2", fields={**FIELDS, **BUREAU})
        assert again["person_id"] == asked["person_id"]
        facts = second.service.journal.reader().event("main", again["decision_event_id"]).body.facts
        assert (facts["applications_30d"], facts["devices_90d"]) == (2, 2)
    finally:
        second.close()


def test_a_quiet_loan_is_warned_about_once_a_month(lender):
    from tests.app.test_crowds import drawable

    application_id = drawable(lender, 1, 500_000)
    at = "2026-01-06T11:00:00+08:00"
    drawn = lender.draw(application_id=application_id, amount_minor=500_000, currency="CNY", at=at)
    lender.event("loan.disbursed", {"loan_id": drawn["loan_id"], "disbursed_on": "2026-01-06"}, at)
    for day in ("2026-01-10", "2026-01-11", "2026-01-12", "2026-02-01"):
        lender.event("day.closed", {"day": day})
    lender.settle()
    rows = lender.get("/v1/alerts", loan=drawn["loan_id"])["rows"]
    assert len({(row["kind"], row["severity"], row["at"][:7]) for row in rows}) == len(rows)


def test_a_scoring_strategy_without_a_model_says_how_to_give_it_one(tmp_path):
    from tests.app.conftest import Lender, application

    bare = Lender(tmp_path / "var", None)
    try:
        refused = bare.http.post("/v1/applications", json=application())
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert "/v1/models" in refused.json()["detail"]
    finally:
        bare.close()
