"""The web application: the API, and the console where it is wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from litestar import Request, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from obligor.app.limits import Limits
from obligor.app.service_protocol import Service
from obligor.app.tracing import Tracing
from obligor.kernel import Refusal
from obligor.web import answer, office, openapi, problems, reads, writes
from obligor.web.access import API, CONSOLE, Table, check, guard
from obligor.web.answer import Answer
from obligor.web.body import Disconnected
from obligor.web.console import Console
from obligor.web.direct import direct
from obligor.web.edge import Edge, metrics_app
from obligor.web.gate import Gate
from obligor.web.meter import Meter
from obligor.web.problems import Problem
from obligor.web.session import Sessions

__all__ = ["create_app", "create_metrics_app"]

log = logging.getLogger("obligor.web")
Sent = Request[Any, Any, Any]
ErrorPage = Callable[[Sent, Problem], Answer | None]


def create_app(
    service: Service, *, console: bool = True, limits: Limits | None = None, tracing: Tracing | None = None
) -> Edge:
    """The web application over a service, as Litestar makes it, within `limits`; `tracing` makes spans.

    Raises:
        InvariantBroken: a route has no scope, or the API's description does not know it.
    """
    sessions = Sessions(service)
    gate = Gate(limits or Limits())
    read = reads.Reading(gate.reads)
    pages, error_page = _console(service, sessions, read) if console else ([], None)
    table: Table = {**API, **CONSOLE} if console else API
    described = openapi.describe(API, API)
    authorise, failed = guard(service, sessions, table, gate), _handler(error_page)
    writing = writes.handlers(service, gate)

    def framed(request: Sent, error: Exception) -> Response[Any]:
        return _Sent(failed(request, error))

    @get("/openapi.json")
    async def get_openapi() -> Answer:
        return Answer(described, "application/json", cache=b"public, max-age=300")

    app = Edge(
        [
            *writing,
            *reads.handlers(service, read),
            *reads.health(service, read),
            *office.handlers(service, read),
            get_openapi,
            *pages,
        ],
        before_request=authorise,
        exception_handlers={Refusal: framed, HTTPException: framed, Exception: framed},
        on_shutdown=[read.close],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,
        debug=False,
    )
    app.gate, app.tracing = gate, tracing
    app.direct = direct(writing, authorise, failed)
    app.meter = Meter(gate)
    check(app, table)
    return app


def _console(
    service: Service, sessions: Sessions, read: reads.Reading
) -> tuple[list[HTTPRouteHandler], ErrorPage]:
    made = Console(service, sessions, read)
    return made.handlers(), made.error_page


class _Sent(Response[bytes]):
    """An answer in the shape that Litestar wants from an exception handler."""

    def __init__(self, made: Answer) -> None:
        super().__init__(content=b"")
        self.made = made

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """The answer itself."""
        return self.made


def _handler(error_page: ErrorPage | None) -> Callable[[Sent, Exception], Answer]:
    def handle(request: Sent, error: Exception) -> Answer:
        if isinstance(error, Disconnected):
            return Answer(b"", "text/plain", 400)
        problem, headers = problems.of(error, request.scope.get("path_template", ""))
        page = error_page(request, problem) if error_page else None
        if page is None:
            body = answer.ENCODE(problem)
            page = Answer(body, problems.MEDIA_TYPE, problem.status)
        page.headers += [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        return page

    return handle


def create_metrics_app(app: Edge, service: Service) -> Any:
    """The ASGI application for the metrics' own port: GET /metrics and nothing else."""
    return metrics_app(service.metrics, app.meter.text)
