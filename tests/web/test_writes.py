"""What is sent in: refused with every reason, or handed to the service as it came."""

import json

import pytest

from obligor.kernel import Conflict, Forbidden, Gone, NotFound, Unavailable
from tests.web.fake import Reply

PROBLEM = "application/problem+json"


def post(client, body, path="/v1/applications", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers={"content-type": "application/json", **headers})


def is_problem(answer, status, code):
    assert answer.headers["content-type"] == PROBLEM
    said = answer.json()
    assert (answer.status_code, said["status"], said["code"]) == (status, status, code)
    assert said["type"] == f"urn:obligor:problem:{code}"
    assert said["title"]
    assert said["detail"]
    return said


def test_a_good_request_reaches_the_service_as_it_came(client, service, application):
    answer = post(client, application)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["status"] == "decided"
    assert service.taken == [("all", "application", application)]


def test_the_services_status_and_bytes_go_out_untouched(client, service, application):
    service.answer = Reply(202, b'{"status":"needs","needs":["bureau"]}')
    answer = post(client, application)
    assert (answer.status_code, answer.content) == (202, b'{"status":"needs","needs":["bureau"]}')


BAD = {
    "an unknown field": ({"colour": "red"}, "colour", "one of"),
    "an unknown field inside": (
        {"person": {"reference": "c", "shoe_size": 41}},
        "person.shoe_size",
        "one of",
    ),
    "negative money": ({"amount_minor": -1}, "amount_minor", "from 1 to"),
    "fractional money": ({"amount_minor": 100.5}, "amount_minor", "from 1 to"),
    "money as text": ({"amount_minor": "100"}, "amount_minor", "from 1 to"),
    "an unknown currency": ({"currency": "XXQ"}, "currency", "ISO 4217"),
    "a time without its zone": ({"at": "2026-11-20T16:28:03"}, "at", "zone"),
    "the year 10000": ({"at": "10000-01-01T00:00:00Z"}, "at", "zone"),
    "the year 2500": ({"at": "2500-01-01T00:00:00Z"}, "at", "1900 to 2200"),
    "a term of nothing": ({"term_months": 0}, "term_months", ">= 1"),
    "a list where a scalar is due": ({"fields": {"housing": ["rent"]}}, "fields.housing", ""),
}


@pytest.mark.parametrize("case", BAD)
def test_each_bad_field_is_named_with_what_would_do(client, service, application, case):
    change, field, accepted = BAD[case]
    said = is_problem(post(client, application | change), 422, "invalid")
    found = {violation["field"]: violation for violation in said["violations"]}
    assert field in found
    assert accepted in found[field]["accepted"]
    assert found[field]["value"]
    assert service.taken == []
    assert post(client, application).status_code == 201


def test_all_violations_are_listed_at_once(client, application):
    wrong = application | {"amount_minor": -5, "currency": "??", "colour": "red"}
    del wrong["product"]
    said = is_problem(post(client, wrong), 422, "invalid")
    fields = {violation["field"] for violation in said["violations"]}
    assert fields == {"amount_minor", "currency", "colour", "product"}


RAW = {
    "NaN": (b'{"amount_minor": NaN}', 400, "malformed"),
    "1e999": (b'{"amount_minor": 1e999}', 400, "malformed"),
    "half of a body": (b'{"amount_minor": ', 400, "malformed"),
    "no JSON": (b"amount_minor=1", 400, "malformed"),
    "nothing": (b"", 400, "malformed"),
    "bytes that are no UTF-8": (b'{"product": "\xff"}', 400, "malformed"),
    "a key twice": (b'{"product": "a", "product": "b"}', 422, "invalid"),
    "an array": (b"[]", 422, "invalid"),
    "10 MB": (b'{"product": "' + b"x" * 10_000_000 + b'"}', 413, "too-large"),
    "nesting of 10,000": (b"[" * 10_000 + b"]" * 10_000, 413, "too-large"),
}


@pytest.mark.parametrize("case", RAW)
def test_bytes_that_are_no_request_are_refused_and_the_next_good_one_works(
    client, service, application, case
):
    body, status, code = RAW[case]
    said = is_problem(post(client, body), status, code)
    assert said["violations"][0]["accepted"]
    assert service.taken == []
    assert post(client, application).status_code == 201


def test_size_is_held_while_the_body_streams_in(client, service):
    sent = []

    def endless():
        for _ in range(100):
            sent.append(1)
            yield b" " * 100_000

    answer = client.post("/v1/applications", content=endless(), headers={"content-type": "application/json"})
    is_problem(answer, 413, "too-large")
    assert service.taken == []


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", 'application/json;charset="UTF-8"']
)
def test_json_may_say_that_it_is_utf8(client, application, kind):
    assert post(client, application, **{"content-type": kind}).status_code == 201


# ---- Idempotency


def test_the_same_key_with_the_same_body_gets_the_stored_answer(client, service, application):
    key = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first, again = post(client, application, **key), post(client, application, **key)
    assert first.content == again.content
    assert len(service.taken) == 1


def test_the_same_key_with_another_body_is_refused(client, service, application):
    key = {"idempotency-key": "one"}
    assert post(client, application, **key).status_code == 201
    answer = post(client, application | {"term_months": 24}, **key)
    is_problem(answer, 422, "idempotency-key-reused")
    assert len(service.taken) == 1


def test_a_key_may_stand_in_quotes(client, service, application):
    post(client, application, **{"idempotency-key": '"one"'})
    assert list(service.stored) == ["one"]


EVENT = {
    "type": "repayment.received",
    "source": "core",
    "source_ref": "p-1",
    "body": {"loan_id": "l-1", "amount_minor": 1_200_00, "currency": "CNY"},
}


# ---- Events


def test_an_events_body_is_checked_by_its_type(client, service):
    assert post(client, EVENT, "/v1/events").status_code == 201
    wrong = EVENT | {"body": {"loan_id": "l-1", "amount_minor": 0, "currency": "CNY", "tip": 5}}
    said = is_problem(post(client, wrong, "/v1/events"), 422, "invalid")
    assert {violation["field"] for violation in said["violations"]} == {"body.amount_minor", "body.tip"}
    assert len(service.taken) == 1


def test_an_event_of_no_known_type_is_told_which_there_are(client):
    said = is_problem(post(client, EVENT | {"type": "loan.gifted"}, "/v1/events"), 422, "invalid")
    assert "repayment.received" in said["violations"][0]["accepted"]


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (NotFound("there is no loan 'l-1'"), 404, "not-found"),
        (Conflict("a repayment cannot come before the money went out"), 409, "conflict"),
        (Gone("the person was erased"), 410, "erased"),
        (Forbidden("not this one"), 403, "forbidden"),
        (Unavailable("the disk is full"), 503, "unavailable"),
    ],
)
def test_a_refusal_of_the_service_keeps_its_code_and_words(client, service, refusal, status, code):
    service.answer = refusal
    said = is_problem(post(client, EVENT, "/v1/events"), status, code)
    assert said["detail"] == refusal.detail


def test_a_failure_says_nothing_of_itself(client, service, caplog):
    service.answer = RuntimeError("secret 110101199003070011")
    answer = post(client, EVENT, "/v1/events")
    said = is_problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "110101" not in answer.text
    number = said["instance"].rpartition(":")[2]
    assert number in caplog.text


# ---- Lines


def lines(client, body):
    return client.post("/v1/events", content=body, headers={"content-type": "application/x-ndjson"})


def test_lines_go_on_in_parts_and_each_is_answered_in_order(client, service):
    body = b"".join(b'{"n": %d}\n' % n for n in range(1201))
    answer = lines(client, body)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [len(part) for part in service.lines] == [500, 500, 201]
    assert [json.loads(line)["line"] for line in answer.text.splitlines()] == list(range(1, 1202))
    assert b"\n".join(line for part in service.lines for line in part) + b"\n" == body


def test_the_last_line_may_lack_its_end(client, service):
    assert len(lines(client, b'{"a":1}\n{"b":2}').text.splitlines()) == 2
    assert service.lines == [[b'{"a":1}', b'{"b":2}']]


def test_no_lines_are_refused(client):
    is_problem(lines(client, b""), 422, "invalid")


def test_too_many_lines_are_refused_and_the_answer_says_what_was_taken(client, service):
    said = is_problem(lines(client, b"{}\n" * 10_001), 413, "too-large")
    assert "10000 were taken" in said["violations"][0]["accepted"]
    assert sum(map(len, service.lines)) == 10_000


def test_a_line_without_an_end_is_refused(client, service):
    is_problem(lines(client, b'{"x": "' + b"y" * 1_500_000), 413, "too-large")
    assert service.lines == []


def test_more_bytes_than_a_file_of_lines_may_have_are_refused_before_they_are_read(client, service):
    headers = {"content-type": "application/x-ndjson", "content-length": str(33_000_000)}
    answer = client.post("/v1/events", content=b"{}", headers=headers)
    is_problem(answer, 413, "too-large")
    assert service.lines == []
