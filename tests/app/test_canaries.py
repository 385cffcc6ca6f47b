"""Nothing about a person reaches a log, a metric, a trace, the process's stderr, or somebody else's answer.

Canaries stand in every text of a life that may be personal, and in every hostile place of a request. Who sent
one may hear of it again, in the violations of the same request; nobody else.
"""

import contextlib
import io
import json
import logging
import socket
import time

import httpx
import pytest

from obligor.app.logs import JsonLines
from obligor.app.tracing import Tracing
from obligor.journal import Command
from tests.app.conftest import Lender, application
from tests.app.crowd import Child
from tests.app.test_erasure import EVERY, live

PATH = "CANARYPATH8801"
QUERY = "CANARYQUERY8802"
HEADER = "CANARYHEADER8803"
KEY = "CANARYKEY8804"
TOKEN = "CANARYTOKEN8805"
BODY = "CANARYBODY8806"
LINE = "CANARYLINE8807"
COOKIE = "CANARYCOOKIE8808"
RAW = "CANARYRAW8809"
FAILURE = "CANARYFAILURE8810"
DIGITS = "110101199003070011"
HOSTILE = [PATH, QUERY, HEADER, KEY, TOKEN, BODY, LINE, COOKIE, RAW, FAILURE, DIGITS]


def leaks(text):
    lower = text.lower()
    return [canary for canary in [*EVERY, *HOSTILE] if canary.lower() in lower]


class Remote(Lender):
    """The words of a lender's client, said to a server in a process of its own."""

    def __init__(self, child, scorecard):
        self.url, self.token, self._count = child.url, child.key(), 0
        child.learn(scorecard, self.token)
        headers = {"authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def settle(self):
        time.sleep(0.5)


def raw(url, data):
    """Bytes that no client would send."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def hostile(lender):
    """Canaries wherever a sender can put text; none of it is to be granted."""
    http = lender.http
    asked = application(person={"reference": BODY})
    tries = [
        ("GET", f"/v1/loans/{PATH}", {}),
        ("GET", f"/{PATH}", {}),
        ("PUT", f"/v1/decisions/{PATH}", {}),
        ("GET", f"/v1/decisions?stage={QUERY}&{QUERY}=1", {}),
        ("GET", f"/find?q={QUERY}", {}),
        ("GET", f"/v1/loans/x?on={QUERY}", {}),
        ("GET", f"/enter?ticket={QUERY}", {}),
        ("GET", f"/v1/receipts/{PATH}?disclose={QUERY}", {}),
        ("GET", "/v1/decisions", {"headers": {"authorization": f"Bearer {TOKEN}"}}),
        ("GET", "/v1/decisions", {"headers": {"x-request-id": DIGITS, "traceparent": HEADER}}),
        ("GET", "/livez", {"headers": {"x-request-id": HEADER, "tracestate": HEADER, "user-agent": HEADER}}),
        ("GET", "/", {"headers": {"cookie": f"obligor_session={COOKIE}.{COOKIE}; {COOKIE}=1"}}),
        ("POST", "/v1/applications", {"content": b'{"person": "' + BODY.encode()}),
        ("POST", "/v1/applications", {"content": b"\xff" + BODY.encode()}),
        ("POST", "/v1/applications", {"json": {**asked, "amount_minor": BODY}}),
        ("POST", "/v1/applications", {"json": {**asked, BODY: BODY}}),
        ("POST", "/v1/applications", {"json": {**asked, "fields": {BODY: [BODY] * 50}}}),
        ("POST", "/v1/applications", {"content": f'{{"{BODY}": "{BODY * 100_000}"}}'.encode()}),
        ("POST", "/v1/applications", {"json": asked, "headers": {"idempotency-key": f"{KEY} {KEY}"}}),
        ("POST", "/v1/applications", {"json": asked, "headers": {"content-encoding": HEADER}}),
        ("POST", "/v1/applications", {"content": b"{}", "headers": {"content-type": f"text/{HEADER}"}}),
        ("POST", "/v1/drawdowns", {"json": {"application_id": BODY, "amount_minor": 1, "currency": "CNY"}}),
        ("POST", "/v1/events", {"json": {"type": BODY, "source": BODY, "source_ref": BODY, "body": {}}}),
        ("POST", "/v1/models", {"json": {"version": BODY, "model": {BODY: BODY}}}),
        ("POST", "/sign-in", {"data": {"key": TOKEN, BODY: BODY}}),
    ]
    seen = set()
    for method, path, given in tries:
        headers = {"content-type": "application/json"} if "content" in given else {}
        sent = {**given, "headers": {**headers, **given.get("headers", {})}}
        seen.add(http.request(method, path, **sent).status_code)
    kind = {"content-type": "application/x-ndjson"}
    lines = f'{{"type": "{LINE}"}}\n{LINE}\n{{"{LINE}": {{"a": "{LINE}"}}}}\n'.encode()
    assert http.post("/v1/events", content=lines, headers=kind).status_code == 200
    named = {"idempotency-key": KEY}
    assert http.post("/v1/applications", json=asked, headers=named).status_code in {201, 202}
    again = http.post("/v1/applications", json={**asked, "term_months": 6}, headers=named)
    assert again.status_code == 422
    for data in (
        f"{RAW} / {RAW}\r\n\r\n",
        f"GET /{RAW} HTTP/1.1\r\nhost: x\r\n{RAW}: {RAW * 10_000}\r\n\r\n",
        f"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: {RAW}\r\n\r\n{RAW}",
        f"GET /v1/loans/{RAW} HTTP/1.1\r\nhost: {RAW}\r\nupgrade: {RAW}\r\nconnection: upgrade\r\n\r\n",
        f"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{RAW}",
    ):
        raw(lender.url, data.encode())
    assert {400, 401, 404, 405, 413, 415, 422} <= seen


def others(lender):
    """What somebody else hears who makes mistakes of their own, and who looks at what is public."""
    said = []
    for method, path, given in (
        ("GET", "/v1/loans/none", {}),
        ("GET", "/nothing", {}),
        ("POST", "/v1/applications", {"json": {"a": 1}}),
        ("POST", "/v1/applications", {"content": b"{", "headers": {"content-type": "application/json"}}),
        ("GET", "/v1/decisions", {"headers": {"authorization": "Bearer none"}}),
        ("GET", "/v1/checkpoint", {}),
        ("GET", "/readyz", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/sign-in", {}),
    ):
        answer = lender.http.request(method, path, **given)
        said.append(answer.text + str(dict(answer.headers)))
    return "\n".join(said)


def test_a_servers_stderr_metrics_and_answers_to_others_hold_no_canary(tmp_path, scorecard):
    with Child(tmp_path / "var", log_level="debug", limits={"body_seconds": 1.0}) as child:
        lender = Remote(child, scorecard)
        live(lender)
        hostile(lender)
        lender.settle()
        answers = others(lender)
        metrics = httpx.get(child.metrics).text
        lender.http.close()
    logs = child.errors.read_text()
    assert leaks(answers) == []
    assert leaks(metrics) == []
    assert leaks(logs) == []
    lines = [json.loads(line) for line in logs.splitlines()]
    access = [line for line in lines if line["logger"] == "obligor.access"]
    assert len(access) > 40
    assert {"request_id", "trace_id", "method", "route", "status", "ms", "key"} <= set(access[0])
    assert {line["key"] for line in access} == {"tests", None}
    assert {line["route"] for line in access} >= {"/v1/loans/{loan_id}", "/v1/applications", ""}


@pytest.fixture
def watched():
    """Everything that this process logs, at DEBUG, as the server writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root, own = logging.getLogger(), logging.getLogger("obligor.access")
    before = root.level, own.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before[0])


@pytest.fixture
def spans():
    """Every span of this process, as an exporter gets it."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs obligor[otel]")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider), exporter


def test_logs_and_traces_of_a_life_hold_no_canary_even_when_something_fails(
    lender, watched, spans, monkeypatch
):
    tracing, exporter = spans
    lender.app.tracing = lender.service._tracing = tracing
    live(lender)
    hostile(lender)

    def fail(*_):
        raise RuntimeError(FAILURE)

    monkeypatch.setattr(type(lender.service), "decisions", fail)
    failed = lender.http.get("/v1/decisions")
    assert failed.status_code == 500
    assert leaks(failed.text) == []
    with pytest.raises(RuntimeError):
        lender.service.journal.submit(Command(tenant="main", run=fail)).result()
    lender.settle()
    assert leaks(watched.getvalue()) == []
    assert "RuntimeError" in watched.getvalue()
    told = [span.to_json() for span in exporter.get_finished_spans()]
    assert leaks("\n".join(told)) == []
    names = {span.name for span in exporter.get_finished_spans()}
    assert {"POST /v1/applications", "command application", "queue", "fold", "commit"} <= names


def test_the_control_finds_a_planted_line(watched):
    """Our own words are written as they are: were there a canary in them, the tests above would see it."""
    logging.getLogger("obligor.web").warning("refused for %s", QUERY)
    logging.getLogger("obligor").info("seen", extra={"person": EVERY[0]})
    assert leaks(watched.getvalue()) == [EVERY[0], QUERY]


def test_what_a_library_says_is_not_written(watched):
    logging.getLogger("asyncio").error("Task exception was never retrieved: %r", ValueError(QUERY))
    try:
        raise ValueError(BODY)
    except ValueError:
        logging.getLogger("somebody.else").exception("failed with %s", HEADER)
    text = watched.getvalue()
    assert leaks(text) == []
    first, second = map(json.loads, text.splitlines())
    assert first["logger"] == "asyncio"
    assert second["error"] == "ValueError"
    assert second["message"].startswith("test_canaries:")
