"""A request's spans: whose they are, what is within what, and nobody pays for them who does not want them."""

import pytest

from obligor.app.tracing import Tracing, tracing_of
from tests.app.conftest import application

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.fixture
def exported(lender):
    """The spans of a lender's server, as an exporter gets them."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs obligor[otel]")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    lender.app.tracing = lender.service._tracing = Tracing(provider)

    def read(answer):
        trace = int(answer.headers["traceparent"].split("-")[1], 16)
        found = {span.name: span for span in exporter.get_finished_spans() if span.context.trace_id == trace}
        return found, answer.headers["traceparent"].split("-")

    lender.exporter = exporter
    return read


def within(inner, outer):
    return inner.parent.span_id == outer.context.span_id


def test_a_command_is_within_its_request_and_its_parts_are_within_it_in_order(lender, exported):
    sent = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    answer = lender.http.post("/v1/applications", json=application(), headers=sent)
    spans, (_, trace, span, _) = exported(answer)
    assert set(spans) == {"POST /v1/applications", "command application", "queue", "fold", "commit"}
    request, command = spans["POST /v1/applications"], spans["command application"]
    assert trace == TRACE
    assert f"{request.context.span_id:016x}" == span
    assert f"{request.parent.span_id:016x}" == SPAN
    assert within(command, request)
    assert all(within(spans[part], command) for part in ("queue", "fold", "commit"))
    assert request.start_time <= command.start_time == spans["queue"].start_time
    assert spans["queue"].end_time == spans["fold"].start_time <= spans["fold"].end_time
    assert spans["fold"].end_time == spans["commit"].start_time <= spans["commit"].end_time
    assert spans["commit"].end_time <= command.end_time
    assert dict(command.attributes) == {"obligor.code": str(answer.status_code)}
    assert dict(request.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/applications",
        "http.response.status_code": answer.status_code,
    }


def test_without_a_traceparent_a_request_begins_a_trace(lender, exported):
    answer = lender.http.get("/v1/decisions")
    spans, (_, _, span, _) = exported(answer)
    assert spans["GET /v1/decisions"].parent is None
    assert f"{spans['GET /v1/decisions'].context.span_id:016x}" == span


def test_what_is_refused_before_the_writer_has_no_parts(lender, exported):
    answer = lender.http.post("/v1/applications", json={"a": 1})
    spans, _ = exported(answer)
    assert set(spans) == {"POST /v1/applications"}
    assert spans["POST /v1/applications"].attributes["http.response.status_code"] == 422


def test_a_refused_command_has_its_code_and_no_commit(lender, exported):
    body = {"application_id": "none", "amount_minor": 1, "currency": "CNY"}
    spans, _ = exported(lender.http.post("/v1/drawdowns", json=body))
    assert spans["command drawdown"].attributes["obligor.code"] == "not-found"
    assert "commit" not in spans


def test_lines_are_a_span_too(lender, exported):
    kind = {"content-type": "application/x-ndjson"}
    spans, _ = exported(lender.http.post("/v1/events", content=b"{}\n", headers=kind))
    assert within(spans["command lines"], spans["POST /v1/events"])


def test_it_is_off_unless_it_is_wanted(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    tracing_of.cache_clear()
    assert tracing_of(False) is None
