"""The outermost layer: who is let in, what every response carries, what is counted and logged, and HEAD."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from litestar import Litestar

from obligor.app.tracing import Tracing
from obligor.web import problems
from obligor.web.answer import ENCODE, Answer
from obligor.web.correlation import Correlation, correlate
from obligor.web.direct import Direct
from obligor.web.gate import Gate
from obligor.web.load import Load
from obligor.web.meter import Meter

__all__ = ["HEADERS", "Edge", "metrics_app"]

ACCESS = logging.getLogger("obligor.access")

# Everything comes from and goes to this origin; nothing is inline, nothing is evaluated.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: list[tuple[bytes, bytes]] = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
SECURE = [*HEADERS, (b"strict-transport-security", b"max-age=31536000")]


class Edge(Litestar):
    """The application with its outermost layer."""

    __slots__ = ("direct", "gate", "meter", "tracing")
    direct: Mapping[tuple[str, str], Direct]
    gate: Gate
    meter: Meter
    tracing: Tracing | None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a connection; an ASGI application."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif self.tracing is None:
            await self._serve(scope, receive, send, correlate(scope["headers"]))
        else:
            await self._traced(self.tracing, scope, receive, send)

    async def _traced(self, tracing: Tracing, scope: Any, receive: Any, send: Any) -> None:
        ids, method = correlate(scope["headers"]), scope["method"]
        with tracing.request(ids.trace_id, ids.parent_id, method) as span:
            place = span.get_span_context()
            ids.trace_id, ids.span_id = b"%032x" % place.trace_id, b"%016x" % place.span_id
            status = await self._serve(scope, receive, send, ids)
            route = scope.get("path_template", "")
            span.update_name(f"{method} {route}".strip())
            span.set_attributes(
                {"http.request.method": method, "http.route": route, "http.response.status_code": status}
            )

    async def _serve(self, scope: Any, receive: Any, send: Any, ids: Correlation) -> int:
        began = time.perf_counter()
        status = 0
        method = scope["method"]
        if head := method == "HEAD":
            scope["method"] = "GET"

        async def send_on(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._more(scope, ids)]
                self.meter.note(method, scope.get("path_template", ""), status, time.perf_counter() - began)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            # What its connection has counted was let in already.
            load = None if "load" in scope else self.gate.load(scope["method"], scope["path"])
            if load is not None and load.full():
                await _refuse(load, scope, receive, send_on)
            elif (straight := self.direct.get((scope["method"], scope["path"]))) is not None:
                await straight(scope, receive, send_on)
            else:
                await super().__call__(scope, receive, send_on)
        except Exception as error:
            if status:
                raise
            problem, _ = problems.of(error, "")
            await Answer(ENCODE(problem), problems.MEDIA_TYPE, 500)(scope, receive, send_on)
        finally:
            if (counted := scope.pop("load", None)) is not None:
                counted.__exit__(None, None, None)
            if ACCESS.isEnabledFor(logging.INFO):
                _log(scope, method, status, ids, time.perf_counter() - began)
        return status

    def _more(self, scope: Any, ids: Correlation) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""
        found = ids.headers()
        if (bucket := scope.get("bucket")) is not None:
            found += [(b"ratelimit-policy", bucket.policy), (b"ratelimit", bucket.told())]
        return found + (SECURE if scope["scheme"] == "https" else HEADERS)


async def _refuse(load: Load, scope: Any, receive: Any, send: Any) -> None:
    """Tell who comes to a server that has more to do than it can; the body is not read."""
    load.refused += 1
    problem, headers = problems.of(problems.Overloaded(load.wait()), "")
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    await Answer(ENCODE(problem), problems.MEDIA_TYPE, problem.status, sent)(scope, receive, send)


def _log(scope: Any, method: str, status: int, ids: Correlation, seconds: float) -> None:
    """One line for a request: no path, no query, no body, no address."""
    principal = scope.get("user")
    told = {
        "request_id": ids.request_id.decode(),
        "trace_id": ids.trace_id.decode(),
        "method": method,
        "route": scope.get("path_template", ""),
        "status": status,
        "ms": round(seconds * 1000, 3),
        "key": principal.name if principal is not None else None,
    }
    ACCESS.info("request", extra=told)


def metrics_app(*sources: Any) -> Any:
    """An ASGI application for the metrics' own port; each source gives Prometheus text."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        found = scope["path"] == "/metrics" and scope["method"] in {"GET", "HEAD"}
        body = (
            b"".join(source() for source in sources) if found else b"not found: only GET /metrics is here\n"
        )
        kind = b"text/plain; version=0.0.4; charset=utf-8" if found else b"text/plain; charset=utf-8"
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return serve
