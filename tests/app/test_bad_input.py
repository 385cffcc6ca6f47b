"""Bad input gets a clear error that names field, value and what would do; the next good request works."""

import pytest

from tests.app.conftest import application


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    told = response.json()
    assert told["code"] == code
    assert told["status"] == status
    return told


def fields(told):
    return {violation["field"] for violation in told["violations"]}


@pytest.fixture
def post(lender):
    def send(body, path="/v1/applications", **headers):
        content = body if isinstance(body, bytes) else None
        return lender.http.post(
            path,
            json=None if content is not None else body,
            content=content,
            headers={"content-type": "application/json", **headers},
        )

    yield send
    # Whatever was sent before, the next good request works.
    assert send(application(person={"reference": "good"})).status_code in (201, 202)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"amount_minor": -5}, "amount_minor"),
        ({"amount_minor": 12.5}, "amount_minor"),
        ({"amount_minor": "12"}, "amount_minor"),
        ({"currency": "XXY"}, "currency"),
        ({"term_months": 0}, "term_months"),
        ({"at": "2026-01-05T10:00:00"}, "at"),
        ({"at": "10000-01-05T10:00:00Z"}, "at"),
        ({"product": "no-such-product"}, "product"),
        ({"person": {}}, "person"),
        ({"person": {"reference": "x", "shoe_size": 44}}, "person.shoe_size"),
        ({"fields": {"income_month_minor": 1}}, "fields.employment"),
    ],
)
def test_a_wrong_field_is_named_with_its_value_and_what_would_do(post, changes, field):
    told = problem(post(application(**changes)), 422, "invalid")
    assert field in fields(told)
    for violation in told["violations"]:
        assert violation["accepted"]


def test_every_wrong_field_is_named_at_once(post):
    told = problem(
        post(application(amount_minor=0, currency="??", term_months="x", nothing=1)), 422, "invalid"
    )
    assert {"amount_minor", "currency", "term_months", "nothing"} <= fields(told)


def event(kind, body, ref):
    return {"type": kind, "source": "tests", "source_ref": ref, "body": body}


def test_events_that_do_not_fit_what_has_happened_are_refused(lender, post):
    paid = {"loan_id": "nobody", "amount_minor": 5, "currency": "CNY"}
    told = problem(post(event("repayment.received", paid, "r1"), "/v1/events"), 404, "not-found")
    assert "nobody" in told["detail"]
    told = problem(post(event("made.up", {}, "r2"), "/v1/events"), 422, "invalid")
    assert "type" in fields(told)
    told = problem(
        post(
            event("cap.set", {"cap": "product/x", "limit_minor": -1, "currency": "CNY"}, "r3"), "/v1/events"
        ),
        422,
        "invalid",
    )
    assert "body.limit_minor" in fields(told)


def test_the_same_event_twice_is_taken_once(lender, post):
    sent = event(
        "cap.set", {"cap": "product/instalment", "limit_minor": 10_000_000, "currency": "CNY"}, "cap-1"
    )
    first = post(sent, "/v1/events")
    again = post(sent, "/v1/events")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["duplicate"] is True
    assert again.json()["event_id"] == first.json()["event_id"]


def test_a_repayment_before_the_disbursement_is_a_conflict(lender, post):
    from tests.app.test_crowds import drawable

    application_id = drawable(lender, 1, 500_000)
    loan = lender.draw(
        application_id=application_id, amount_minor=500_000, currency="CNY", at="2026-01-06T11:00:00+08:00"
    )["loan_id"]
    paid = {"loan_id": loan, "amount_minor": 5, "currency": "CNY"}
    told = problem(post(event("repayment.received", paid, "early"), "/v1/events"), 409, "conflict")
    assert "not disbursed" in told["detail"]


def test_lines_are_answered_alone(lender, post):
    lines = [
        b'{"type":"cap.set","source":"t","source_ref":"l1","body":{"cap":"product/a","limit_minor":1,"currency":"CNY"}}',
        b"{not json",
        b'{"type":"cap.set","source":"t","source_ref":"l2","body":{"cap":"nonsense","limit_minor":1,"currency":"CNY"}}',
        b'{"type":"cap.set","source":"t","source_ref":"l1","body":{"cap":"product/a","limit_minor":1,"currency":"CNY"}}',
    ]
    response = lender.http.post(
        "/v1/events", content=b"\n".join(lines), headers={"content-type": "application/x-ndjson"}
    )
    assert response.status_code == 200
    import json

    told = [json.loads(line) for line in response.text.splitlines()]
    assert [line["line"] for line in told] == [1, 2, 3, 4]
    assert [line["status"] for line in told] == ["accepted", "refused", "refused", "duplicate"]
    assert told[2]["problem"]["violations"][0]["field"] == "body.cap"


def test_a_strategy_with_a_gap_is_refused_with_file_line_and_cell(tmp_path):
    from obligor import strategy
    from obligor.app.packs import place

    for path in place("starter/prelend").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    grade = tmp_path / "grade.csv"
    rows = grade.read_text().splitlines()
    grade.write_text("\n".join([*rows[:3], *rows[4:]]) + "\n")
    with pytest.raises(strategy.StrategyError) as refused:
        strategy.load(tmp_path)
    assert any(violation.field.startswith("grade.csv") for violation in refused.value.violations), (
        refused.value
    )
