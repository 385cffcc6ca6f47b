"""The routes that are asked most go past the framework, and nobody can tell."""

import json

import pytest

from obligor.kernel import Conflict, Unavailable
from tests.web.fake import Reply

JSON = {"content-type": "application/json"}
BODY = {"type": "offer.accepted", "source": "t", "source_ref": "r", "body": {"application_id": "a"}}

# Requests as (path, query, body, headers).
REQUESTS = {
    "a good one": ("/v1/events", "", BODY, JSON),
    "lines": ("/v1/events", "", BODY, {"content-type": "application/x-ndjson"}),
    "a drawdown": ("/v1/drawdowns", "", {"application_id": "a"}, JSON),
    "with a query": ("/v1/events", "?x=1", BODY, JSON),
    "with an idempotency key": ("/v1/events", "", BODY, {**JSON, "idempotency-key": '"k-1"'}),
    "with a wrong one": ("/v1/events", "", BODY, {**JSON, "idempotency-key": "k 1"}),
    "of another type": ("/v1/events", "", BODY, {"content-type": "text/plain"}),
    "no JSON": ("/v1/applications", "", b"{", JSON),
    "a key twice": ("/v1/applications", "", b'{"a":1,"a":2}', JSON),
    "too large": ("/v1/applications", "", b'"' + b"x" * 1_000_001 + b'"', JSON),
    "without a key": ("/v1/events", "", BODY, {**JSON, "authorization": ""}),
    "with a stranger's key": ("/v1/events", "", BODY, {**JSON, "authorization": "Bearer nobody"}),
    "with a key that only reads": ("/v1/events", "", BODY, {**JSON, "authorization": "Bearer reader"}),
}
# What a request of another time or place may say otherwise.
OWN = {"x-request-id", "ratelimit"}


def seen(answer):
    headers = {name: value for name, value in answer.headers.items() if name not in OWN}
    return answer.status_code, headers, answer.content


def send(client, request):
    path, query, body, headers = request
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return seen(client.post(path + query, content=content, headers=headers))


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_the_direct_way_answers_as_the_framework_does(client, app, service, monkeypatch, request_):
    service.answer = Reply(201, b'{"event_id":"e"}')
    direct = send(client, request_)
    monkeypatch.setattr(app, "direct", {})
    assert send(client, request_) == direct


@pytest.mark.parametrize("error", [Conflict("no"), Unavailable("later"), RuntimeError("a bug")], ids=repr)
def test_what_the_service_refuses_is_told_alike(client, app, service, monkeypatch, error):
    service.answer = error
    (status, _, told), _ = send(client, REQUESTS["a good one"]), monkeypatch.setattr(app, "direct", {})
    (framed, _, again) = send(client, REQUESTS["a good one"])
    assert status == framed >= 400
    assert json.loads(told)["code"] == json.loads(again)["code"]


def test_the_writing_routes_are_those_that_go_past_the_framework(app):
    assert set(app.direct) == {
        ("POST", "/v1/applications"),
        ("POST", "/v1/drawdowns"),
        ("POST", "/v1/events"),
    }


def test_other_methods_of_these_addresses_are_told_what_they_take(client):
    answer = client.get("/v1/events")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
