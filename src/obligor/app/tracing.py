"""Spans by OpenTelemetry, where it is installed and asked for; nothing of a person is in them.

A request's span is the parent of its command's, which has three parts: the wait for the writer, the fold of
the group, its commit. They are made on the writer's thread, from the times of the group that the command was
in, when it is settled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from obligor import __version__
from obligor.app.metrics import GroupTimes
from obligor.kernel import InvalidInput

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

__all__ = ["Tracing", "tracing_of"]

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
Done = Callable[[str], None]


class Tracing:
    """Makes spans with a provider's tracer."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import context, trace

        self._trace, self._context = trace, context
        self._tracer = provider.get_tracer("obligor", __version__)
        self._failed = trace.Status(trace.StatusCode.ERROR)

    @contextmanager
    def request(self, trace_id: bytes, parent_id: bytes, method: str) -> Iterator[Any]:
        """A request's span, which is current inside. Without a `parent_id` it begins a trace.

        The caller sets what it knows in the end: route, status, the key's name.
        """
        trace = self._trace
        parent = None
        if parent_id:
            place = trace.SpanContext(
                int(trace_id, 16), int(parent_id, 16), is_remote=True, trace_flags=trace.TraceFlags(1)
            )
            parent = trace.set_span_in_context(trace.NonRecordingSpan(place))
        span = self._tracer.start_span(method, context=parent, kind=trace.SpanKind.SERVER)
        # A failure's text could hold what the request says of a person: the status says enough.
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield span

    def command(self, kind: str, times: GroupTimes) -> Done:
        """Begin the span of a command, inside the one that is current; to be called with its code."""
        trace = self._trace
        began = time.time_ns()
        span = self._tracer.start_span(f"command {kind}", start_time=began)

        def done(code: str) -> None:
            inside = trace.set_span_in_context(span)
            span.set_attribute("obligor.code", code)
            if times.begun_at >= began:
                ends = [("queue", began, times.begun_at), ("fold", times.begun_at, times.folded_at)]
                if times.committed_at >= times.folded_at:
                    ends.append(("commit", times.folded_at, times.committed_at))
                for name, start, end in ends:
                    self._tracer.start_span(name, context=inside, start_time=start).end(end)
            span.end()

        return done

    @contextmanager
    def work(self, name: str) -> Iterator[None]:
        """A span around work of the system itself."""
        span = self._tracer.start_span(name)
        with self._trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            yield


@cache
def tracing_of(wanted: bool) -> Tracing | None:
    """The process's tracing to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; None when it is off.

    It is on when it is `wanted` or that endpoint is set, and OpenTelemetry is installed.

    Raises:
        InvalidInput: it is wanted and not installed.
    """
    if not wanted and not os.environ.get(ENDPOINT):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        if wanted:
            raise InvalidInput.field("tracing", True, "false, or obligor[otel] installed") from None
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": "obligor"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
