"""The outermost layer: what every response carries, what is counted, and HEAD."""

from __future__ import annotations

import time
from typing import Any

from litestar import Litestar
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from obligor.web import problems
from obligor.web.answer import ENCODE, Answer

__all__ = ["Edge", "Meter"]

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


class Meter:
    """Requests by route, method and status, with the time each took. Routes are templates, never paths."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "obligor_http_seconds",
            "Time from a request's first byte to its answer's start",
            ("method", "route", "status"),
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=self._registry,
        )
        self._known: dict[tuple[str, str, int], Any] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (method, route, status)
        child = self._known.get(key)
        if child is None:
            child = self._known[key] = self._seconds.labels(method, route, str(status))
        child.observe(seconds)

    def text(self) -> bytes:
        """What was counted, as Prometheus reads it."""
        return generate_latest(self._registry)


class Edge(Litestar):
    """The application with its outermost layer."""

    __slots__ = ("meter",)
    meter: Meter

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a connection; an ASGI application."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        began = time.perf_counter()
        answered = False
        method = scope["method"]
        if head := method == "HEAD":
            scope["method"] = "GET"

        async def send_on(message: Any) -> None:
            nonlocal answered
            answered = True
            if message["type"] == "http.response.start":
                more = SECURE if scope["scheme"] == "https" else HEADERS
                message["headers"] = [*message["headers"], *more]
                route = scope.get("path_template", "")
                self.meter.note(method, route, message["status"], time.perf_counter() - began)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        try:
            await super().__call__(scope, receive, send_on)
        except Exception as error:
            if answered:
                raise
            problem, _ = problems.of(error, "")
            await Answer(ENCODE(problem), problems.MEDIA_TYPE, 500)(scope, receive, send_on)


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
