"""What the world says is exactly what the API takes."""

import json
from datetime import date, datetime, timedelta

from obligor.app.wire import EVENT_BODIES, ApplicationRequest, DrawdownRequest, EventRequest
from obligor.kernel import canonical, decode
from obligor.world import Request
from tests.world.lender import Lender

SHAPES = {"application": ApplicationRequest, "drawdown": DrawdownRequest, "event": EventRequest}


def test_every_request_is_valid_on_the_wire(played: Lender) -> None:
    seen = {request.payload["type"] for request in played.requests if request.kind == "event"}
    common = [request for request in played.requests if request.payload.get("type") == "transfer.posted"]
    rare = [request for request in played.requests if request.payload.get("type") != "transfer.posted"]
    for request in [*rare, *common[::5]]:
        payload = json.loads(json.dumps(request.payload))
        decode(payload, SHAPES[request.kind])
        if request.kind == "event":
            decode(payload["body"], EVENT_BODIES[payload["type"]])
    assert seen >= {
        "account.opened",
        "contract.signed",
        "device.seen",
        "offer.accepted",
        "repayment.received",
        "repayment.reversed",
        "source.answered",
        "source.failed",
        "transfer.posted",
    }


def test_every_request_has_canonical_bytes_so_no_float_and_no_odd_key_is_in_it(played: Lender) -> None:
    assert all(canonical.encode(request.payload) for request in played.requests)


def test_an_id_names_one_request_and_is_its_source_reference(played: Lender) -> None:
    ids = [request.id for request in played.requests]
    assert len(set(ids)) == len(ids)
    events = [request for request in played.requests if request.kind == "event"]
    assert all(request.payload["source_ref"] == request.id for request in events)
    transfers = [r.payload["body"]["transfer_id"] for r in events if r.payload["type"] == "transfer.posted"]
    assert len(set(transfers)) == len(transfers)


def test_a_request_happens_on_the_day_that_was_played_in_the_lenders_zone_too(played: Lender) -> None:
    first = date(2025, 1, 1)
    last = first + timedelta(days=len(played.per_day) - 1)
    for request in played.requests:
        at = datetime.fromisoformat(request.payload["at"])
        shanghai = at + timedelta(hours=8)
        assert at.date() <= last
        assert shanghai.date() == at.date()
        if request.kind != "event" or request.payload["type"] not in {"account.opened", "transfer.posted"}:
            assert at.date() >= first


def test_the_facts_of_an_application_have_the_names_and_types_of_the_contract(played: Lender) -> None:
    for request in _applications(played):
        fields = request.payload["fields"]
        assert set(fields) == {
            "income_month_minor",
            "employment",
            "months_employed",
            "housing",
            "rent_month_minor",
            "debt_month_minor",
            "age_years",
            "dependents",
        }
        assert fields["employment"] in {"salaried", "self_employed", "contract", "student", "none"}
        assert fields["housing"] in {"own", "mortgage", "rent", "family", "other"}
        assert (fields["months_employed"] is None) == (fields["employment"] in {"student", "none"})
        numbers = ("income_month_minor", "rent_month_minor", "debt_month_minor", "age_years", "dependents")
        assert all(type(fields[name]) is int and fields[name] >= 0 for name in numbers)
        assert 18 <= fields["age_years"] <= 62


def test_the_bureau_answers_with_its_four_facts(played: Lender) -> None:
    answers = [r.payload["body"] for r in played.requests if r.payload.get("type") == "source.answered"]
    assert {answer["name"] for answer in answers} == {"bureau"}
    scores = [answer["facts"].pop("bureau_score") for answer in json.loads(json.dumps(answers))]
    assert any(score is None for score in scores)
    assert all(score is None or 300 <= score <= 850 for score in scores)
    for answer in answers:
        rest = {name: value for name, value in answer["facts"].items() if name != "bureau_score"}
        assert set(rest) == {"bureau_inquiries_6m", "bureau_worst_dpd_24m", "bureau_open_loans"}
        assert all(type(value) is int and value >= 0 for value in rest.values())


def _applications(played: Lender) -> list[Request]:
    return [request for request in played.requests if request.kind == "application"]
