"""What changes something: applications, drawdowns, events. A guard on the bytes, then the service."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import Service
from obligor.kernel import InvalidInput, Violation
from obligor.web.access import principal_of
from obligor.web.answer import Answer
from obligor.web.body import JSON, NDJSON, Headers, headers_of, idempotency, json_body, lines, media_type
from obligor.web.waiting import answer_of

__all__ = ["LINES_AT_ONCE", "handlers"]

# Lines that go to the journal together; the next ones are read while these are written.
LINES_AT_ONCE = 500

_JSON = frozenset({JSON})
_EVENTS = _JSON | NDJSON
Sent = Request[Any, Any, Any]


def handlers(service: Service) -> list[HTTPRouteHandler]:
    """The handlers of the writing routes."""

    async def take(request: Sent, headers: Headers, kind: str) -> Answer:
        data, payload = await json_body(request, headers)
        named = idempotency(headers, data)
        reply = await answer_of(service.submit(principal_of(request.scope), kind, payload, named))
        return Answer(reply.body, JSON, reply.status)

    async def take_lines(request: Sent, headers: Headers) -> Answer:
        principal = principal_of(request.scope)
        waiting = []
        count = 0
        async for part in lines(request, headers, LINES_AT_ONCE):
            waiting.append(answer_of(service.submit_lines(principal, part, count + 1)))
            count += len(part)
        if not count:
            raise InvalidInput("no lines", [Violation("$", "(empty)", "one JSON object on each line")])
        answers = [line for answered in await asyncio.gather(*waiting) for line in answered]
        return Answer(b"\n".join(answers) + b"\n", "application/x-ndjson")

    @post("/v1/applications")
    async def post_application(request: Sent) -> Answer:
        headers = headers_of(request)
        media_type(headers, _JSON)
        return await take(request, headers, "application")

    @post("/v1/drawdowns")
    async def post_drawdown(request: Sent) -> Answer:
        headers = headers_of(request)
        media_type(headers, _JSON)
        return await take(request, headers, "drawdown")

    @post("/v1/events")
    async def post_event(request: Sent) -> Answer:
        headers = headers_of(request)
        if media_type(headers, _EVENTS) in NDJSON:
            return await take_lines(request, headers)
        return await take(request, headers, "event")

    return [post_application, post_drawdown, post_event]
