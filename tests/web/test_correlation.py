"""A request's id and trace: taken from the sender where they can be nothing else, told back, and logged."""

import json
import logging
import re

import pytest

from obligor.app.logs import JsonLines
from obligor.kernel import Unavailable
from obligor.web import problems
from obligor.web.correlation import correlate
from tests.web.conftest import APPLICATION
from tests.web.test_writes import post

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
UUID = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.mark.parametrize("sent", [UUID, UUID.replace("-", "")])
def test_a_well_formed_id_is_kept(client, sent):
    assert client.get("/livez", headers={"x-request-id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize(
    "sent",
    ["", "1", "110101199003070011", "Person One", UUID.upper(), UUID + "0", "x" * 1000, "8e03978e-40d5"],
)
def test_any_other_id_is_replaced(client, sent):
    told = client.get("/livez", headers={"x-request-id": sent}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", told)


def test_every_answer_has_an_id_of_its_own(client):
    paths = ("/livez", "/nothing", "/v1/decisions", "/v1/loans/none", "/")
    told = [client.get(path).headers["x-request-id"] for path in paths * 20]
    assert len(set(told)) == len(told)


def test_a_trace_goes_on_with_a_span_of_our_own(client):
    told = client.get("/livez", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"}).headers["traceparent"]
    match = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", told)
    assert match[1] == TRACE
    assert match[2] not in {SPAN, "0" * 16}


@pytest.mark.parametrize(
    "sent",
    [
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        "person-one",
    ],
)
def test_a_traceparent_that_is_none_is_passed_over(client, sent):
    assert "traceparent" not in client.get("/livez", headers={"traceparent": sent}).headers


def test_a_later_version_may_say_more():
    ids = correlate([(b"traceparent", f"01-{TRACE}-{SPAN}-01-more".encode())])
    assert (ids.trace_id, ids.parent_id) == (TRACE.encode(), SPAN.encode())


@pytest.fixture
def logged(caplog):
    """The lines of requests, as a server writes them."""
    caplog.set_level(logging.INFO, logger="obligor.access")

    def read():
        lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
        return [line for line in lines if line["logger"] == "obligor.access"]

    return read


def test_a_request_is_one_line_that_names_its_route_and_never_its_path(client, logged):
    sent = {"x-request-id": UUID, "traceparent": f"00-{TRACE}-{SPAN}-01"}
    client.get("/v1/loans/a-personal-id?on=2026-01-01", headers=sent)
    (line,) = logged()
    assert 0 <= line.pop("ms") < 10_000
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "obligor.access",
        "message": "request",
        "request_id": UUID,
        "trace_id": TRACE,
        "method": "GET",
        "route": "/v1/loans/{loan_id}",
        "status": 404,
        "key": "all",
    }


def test_every_way_a_request_ends_is_one_line(client, logged, service, monkeypatch):
    client.get("/nothing")
    client.get("/v1/decisions", headers={"authorization": "Bearer wrong"})
    client.delete("/v1/decisions")

    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr(service, "decisions", fail)
    client.get("/v1/decisions")
    client.head("/v1/alerts")
    assert [(line["method"], line["status"]) for line in logged()] == [
        ("GET", 404),
        ("GET", 401),
        ("DELETE", 405),
        ("GET", 500),
        ("HEAD", 200),
    ]


def test_without_the_wish_nothing_is_logged(client, caplog):
    caplog.set_level(logging.WARNING, logger="obligor.access")
    client.get("/livez")
    assert [record for record in caplog.records if record.name == "obligor.access"] == []


def test_a_crowd_of_refusals_is_logged_once_a_second(client, service, caplog, monkeypatch):
    monkeypatch.setattr(problems, "_QUIETLY", problems._Quietly())
    service.answer = Unavailable("the disk is full")
    for _ in range(50):
        assert post(client, APPLICATION).status_code == 503
    assert 1 <= sum("refused" in record.message for record in caplog.records) <= 5
