"""What every answer has: a problem for what went wrong, headers, no caches; health and metrics beside."""

import asyncio
import re

import httpx
import pytest

from obligor.kernel import InvariantBroken, Refusal
from obligor.web import create_metrics_app, problems

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/v1/loans/none", 404, "not-found"),
        ("DELETE", "/v1/applications", 405, "method-not-allowed"),
        ("PUT", "/v1/decisions/x", 405, "method-not-allowed"),
        ("GET", "/v1/decisions?score_from=high", 422, "invalid"),
        ("GET", "/v1/decisions?colour=red", 422, "invalid"),
        ("GET", "/v1/decisions?stage=a&stage=b", 400, "malformed"),
        ("GET", "/v1/decisions?stage=%ff", 400, "malformed"),
        ("GET", "/v1/decisions?x=" + "y" * 5000, 400, "malformed"),
        ("GET", "/v1/decisions?after=%3Bdrop", 422, "invalid"),
        ("GET", "/v1/loans/x?on=2026-02-30", 422, "invalid"),
        ("GET", "/v1/loans/x?day=2026-02-01", 422, "invalid"),
        ("GET", "/v1/overview?days=7", 422, "invalid"),
    ],
)
def test_every_refusal_is_a_problem(client, method, path, status, code):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json()["code"] == code


def test_all_filters_that_are_wrong_are_named(client):
    said = client.get("/v1/decisions?score_from=high&day_to=soon&colour=red&outcome=approve").json()
    assert {violation["field"] for violation in said["violations"]} == {"score_from", "day_to", "colour"}


def test_a_405_says_what_is_allowed(client):
    assert client.delete("/v1/decisions").headers["allow"] == "GET, HEAD, OPTIONS"
    assert client.delete("/v1/applications").headers["allow"] == "OPTIONS, POST"


def test_head_is_get_without_the_body(client):
    head, got = client.head("/v1/decisions"), client.get("/v1/decisions")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]
    assert got.content


@pytest.mark.parametrize(
    "error", [RuntimeError("boom-text"), InvariantBroken("boom-text"), KeyError("boom-text")]
)
def test_a_failure_in_a_question_never_leaks_its_text(client, service, error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(service, "decisions", fail)
    for path, accept in (("/v1/decisions", "*/*"), ("/decisions.json", "*/*"), ("/decisions", "text/html")):
        answer = client.get(path, headers={"accept": accept})
        assert answer.status_code == 500
        assert "boom-text" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_failure_before_the_guard_is_a_problem_too(client, service, monkeypatch):
    def fail(_):
        raise RuntimeError("boom-text")

    monkeypatch.setattr(service, "authenticate", fail)
    answer = client.get("/v1/decisions")
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "boom-text" not in answer.text


def test_even_a_failure_of_the_handlers_of_failures_is_a_problem(client, monkeypatch):
    monkeypatch.setattr("obligor.web.app._Sent", None)
    answer = client.get("/v1/loans/none")
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)


def test_every_kind_of_refusal_has_a_status_and_a_title():
    def kinds(base):
        yield base
        for kind in base.__subclasses__():
            yield from kinds(kind)

    for kind in kinds(Refusal):
        if kind.__module__.startswith("obligor.kernel"):
            problem, _ = problems.of(kind("no"), "")
            assert 400 <= problem.status <= 599
            assert problem.title


def test_headers_that_keep_a_browser_safe_are_on_every_answer(client):
    for path in ("/", "/livez", "/nothing", "/v1/decisions", "/openapi.json", "/static/obligor.css"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
        assert "strict-transport-security" not in headers


def test_what_may_be_personal_is_kept_out_of_caches(client):
    for path in ("/v1/decisions", "/decisions", "/decisions.json", "/sign-in", "/v1/loans/none"):
        assert client.get(path).headers["cache-control"] == "no-store"


def test_files_are_kept_for_ever_under_the_name_of_their_content(client):
    page = client.get("/sign-in").text
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert "immutable" in client.get(address).headers["cache-control"]
    assert client.get("/static/obligor.css?v=old").headers["cache-control"] == "no-cache"
    assert client.get("/static/nothing.css").status_code == 404
    assert client.get("/static/..%2Fapp.py").status_code == 404


# ---- Health and metrics


def test_alive_and_ready_are_two_things(client, service):
    client.headers.pop("authorization")
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"
    service.ready = False
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    assert answer.json()["detail"] == "not ready: kernels"
    assert answer.json()["checks"][0] == {"name": "kernels", "ok": False, "detail": "compiling"}


def test_metrics_count_by_route_and_never_by_path(app, client, service):
    async def ask(path):
        transport = httpx.ASGITransport(create_metrics_app(app, service))
        async with httpx.AsyncClient(transport=transport, base_url="http://m") as metrics:
            return await metrics.get(path)

    def counted(text):
        found = re.search(
            r'obligor_http_seconds_count{method="GET",route="/v1/loans/{loan_id}",status="404"} (\d+)', text
        )
        return int(found[1]) if found else 0

    before = counted(asyncio.run(ask("/metrics")).text)
    client.get("/v1/loans/a-personal-id")
    client.get("/v1/loans/another-one")
    found = asyncio.run(ask("/metrics"))
    assert found.headers["content-type"].startswith("text/plain; version=")
    assert "obligor_events_total 9001" in found.text
    assert counted(found.text) == before + 2
    assert "personal" not in found.text
    assert asyncio.run(ask("/v1/decisions")).status_code == 404
