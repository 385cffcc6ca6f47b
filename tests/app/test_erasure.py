"""A person is erased: what was proven stays proven, the books do not move, and nothing of them is left."""

import msgspec

from obligor.app.service import Service
from obligor.app.settings import Settings
from obligor.cli.rebuild import digests
from obligor.events import FieldClass, body_type, classes_of
from obligor.proof import verify_receipt
from tests.app.conftest import either_store
from tests.applicants import BUREAU, FIELDS

store = either_store

CANARIES = {
    "reference": "CANARYREF7731",
    "national_id": "CANARYNID7732",
    "name": "Canary Person Seven",
    "phone": "CANARYPHONE7733",
    "email": "canary7734@example.test",
    "address": "Canary Street 7735",
}
WORDS = {
    "channel_reference": "CANARYAPP7736",
    "device": "CANARYDEVICE7737",
    "purpose": "canarypurpose7738",
    "field": "CANARYFIELD7739",
    "bureau": "CANARYBUREAU7740",
    "why": "CANARYWHY7741",
    "number": "CANARYACCOUNT7742",
    "counterparty": "CANARYCOUNTERPARTY7743",
    "memo": "CANARYMEMO7744",
    "payee": "CANARYPAYEE7745",
    "conditions": "CANARYCONDITIONS7746",
    "note": "CANARYNOTE7747",
    "platform": "CANARYPLATFORM7748",
    "consent": "canaryconsent7749",
    "source_ref": "CANARYSOURCEREF7750",
}
EVERY = [*CANARIES.values(), *WORDS.values()]


def live(lender):
    """A life with a canary in every text that may be personal; returns the person and what happened."""
    events = []

    def tell(kind, body, at="2026-01-06T12:00:00+08:00", **told):
        answer = lender.event(kind, body, at, **told)
        events.append(answer["event_id"])
        return answer

    asked = lender.apply(
        person=CANARIES,
        reference=WORDS["channel_reference"],
        device_id=WORDS["device"],
        purpose=WORDS["purpose"],
        consents=[WORDS["consent"]],
        fields={**FIELDS, "note_of_officer": WORDS["field"]},
    )
    events.append(asked["event_id"])
    application, person = asked["application_id"], asked["person_id"]
    facts = {**BUREAU, "bureau_remark": WORDS["bureau"]}
    decided = tell("source.answered", {"application_id": application, "name": "bureau", "facts": facts})
    assert decided["outcome"] == "approve"
    tell(
        "application.overridden",
        {
            "application_id": application,
            "outcome": "approve",
            "officer": "officer-07",
            "authority": "underwriter",
            "reason_code": "OV-1",
            "conditions": WORDS["conditions"],
        },
    )
    tell("offer.made", {"application_id": application})
    tell("offer.accepted", {"application_id": application})
    contract = {"application_id": application, "contract_id": "C-9", "document_sha256": "ef" * 32}
    tell("contract.signed", contract)
    account = {"account_id": "E-1", "person_id": person, "currency": "CNY", "number": WORDS["number"]}
    tell("account.opened", account)
    seen = {"person_id": person, "device_id": WORDS["device"], "platform": WORDS["platform"]}
    tell("device.seen", seen)
    drawn = lender.draw(
        application_id=application,
        amount_minor=800_000,
        currency="CNY",
        payee=WORDS["payee"],
        at="2026-01-06T12:00:00+08:00",
    )
    assert drawn["outcome"] == "release", drawn
    loan = drawn["loan_id"]
    tell("loan.disbursed", {"loan_id": loan, "account_id": "E-1", "disbursed_on": "2026-01-06"})
    tell(
        "transfer.posted",
        {
            "account_id": "E-1",
            "transfer_id": "X-1",
            "direction": "out",
            "amount_minor": 300_000,
            "currency": "CNY",
            "counterparty": WORDS["counterparty"],
            "counterparty_class": "securities_broker",
            "memo": WORDS["memo"],
        },
        "2026-01-07T12:00:00+08:00",
        ref=WORDS["source_ref"],
    )
    paid = {"loan_id": loan, "amount_minor": 50_000, "currency": "CNY", "value_on": "2026-02-03"}
    back = tell("repayment.received", paid, "2026-02-03T12:00:00+08:00")
    tell("repayment.reversed", {"loan_id": loan, "event_id": back["event_id"], "why": WORDS["why"]})
    lender.settle()
    (alert,) = lender.get("/v1/alerts", kind="fund_use")["rows"]
    cleared = {
        "alert_id": alert["alert_id"],
        "disposition": "confirmed",
        "officer": "o",
        "note": WORDS["note"],
    }
    tell("alert.cleared", cleared)
    return person, loan, decided["decision_id"], events


def found_in(directory):
    """The canaries that stand in plain text in any file of a directory."""
    found = set()
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found |= {word for word in EVERY if word.encode() in data}
    return found


def books(lender, loan):
    shown = lender.get(f"/v1/loans/{loan}", on="2026-03-01")
    return {
        name: shown[name]
        for name in (
            "outstanding_minor",
            "arrears_minor",
            "days_past_due",
            "repaid_minor",
            "postings_count",
            "schedule",
        )
    }


def test_an_erased_person_leaves_proofs_and_books_and_nothing_else(lender):
    other = lender.apply(person={"reference": "somebody-else"})
    person, loan, decision, events = live(lender)
    before = books(lender, loan)
    receipts = [lender.http.get(f"/v1/receipts/{event_id}").content for event_id in events]

    # Control: before the erasure the person can be read, so the search below looks for what was there.
    reader = lender.service.journal.reader()
    read = b"".join(msgspec.json.encode(event) for event in reader.events("main", subject=person))
    missing = [word for word in EVERY if word.encode() not in read and word != WORDS["source_ref"]]
    assert missing == []

    sent = {"person_id": person, "classes": ["identity", "conduct"], "ground": "request"}
    lender.event("person.erased", sent)

    for receipt in receipts:
        assert verify_receipt(receipt, vkey=lender.service.vkey).ok
    audited = lender.http.post("/v1/audits").json()
    assert audited["ok"], audited
    assert audited["erased"] > 0
    for event_id in events:
        anew = lender.http.get(f"/v1/receipts/{event_id}").content
        assert verify_receipt(anew, vkey=lender.service.vkey).ok

    assert books(lender, loan) == before
    assert lender.postings_sum() == 0
    shown = lender.get(f"/v1/decisions/{decision}")
    assert (shown["score"], shown["facts"], shown["replay"]["equal"]) == (None, [], None)
    replayed = lender.http.post("/v1/replays").json()
    assert (replayed["mismatches"], replayed["erased"]) == (0, 2)
    gone = lender.service.journal.reader()
    for event in gone.events("main", subject=person):
        for name, kind in classes_of(body_type(event.type)).items():
            if kind in (FieldClass.IDENTITY, FieldClass.CONDUCT):
                assert not getattr(event.body, name), (event.type, name)

    live_rows = digests(gone)
    lender.service.journal.rebuild()
    assert digests(lender.service.journal.reader()) == live_rows
    assert found_in(lender.directory) == set()

    # Somebody else is as they were, and the erased person comes back as a new one.
    assert lender.get(f"/v1/applications/{other['application_id']}")["person_id"] == other["person_id"]
    again = lender.apply(person=CANARIES)
    assert again["person_id"] != person


def test_an_erasure_holds_after_a_restart(tmp_path, scorecard):
    from tests.app.conftest import Lender

    first = Lender(tmp_path / "var", scorecard)
    person, loan, _, _ = live(first)
    first.event(
        "person.erased", {"person_id": person, "classes": ["identity", "conduct"], "ground": "request"}
    )
    before = books(first, loan)
    first.close()
    assert found_in(tmp_path / "var") == set()
    second = Service(tmp_path / "var", Settings(future_days_most=36_500))
    try:
        second.start()
        assert second.loan("main", loan).erased == ("conduct",)
        assert second.audit("main").ok
        assert second.loan("main", loan).repaid_minor == before["repaid_minor"]
    finally:
        second.close()


def test_a_stored_answer_goes_with_the_person_it_is_about(lender):
    from tests.app.conftest import application

    sent = application(person={"reference": "answered"}, fields={**FIELDS, **BUREAU})
    key = {"idempotency-key": "kept-answer"}
    first = lender.http.post("/v1/applications", json=sent, headers=key)
    assert first.json()["score"] is not None
    assert lender.http.post("/v1/applications", json=sent, headers=key).content == first.content
    erased = {"person_id": first.json()["person_id"], "classes": ["conduct"], "ground": "request"}
    lender.event("person.erased", erased)
    again = lender.http.post("/v1/applications", json=sent, headers=key)
    assert (again.status_code, again.json()["code"]) == (410, "erased")
