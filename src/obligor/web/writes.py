"""What changes something: applications, drawdowns, events. Guard, types, then the service's answer."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, post
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import EVENT_SCOPES, Principal, Service
from obligor.app.wire import EVENT_BODIES, ApplicationRequest, DrawdownRequest, EventRequest
from obligor.kernel import Forbidden, InvalidInput, Violation, decode
from obligor.web.access import principal_of
from obligor.web.answer import Answer
from obligor.web.body import JSON, NDJSON, Headers, headers_of, idempotency, json_body, lines, media_type

__all__ = ["LINES_AT_ONCE", "handlers"]

# Lines that go to the journal together; the next ones are read while these are written.
LINES_AT_ONCE = 500

_JSON = frozenset({JSON})
_EVENTS = _JSON | NDJSON
Sent = Request[Any, Any, Any]


def _checked_event(payload: dict[str, Any], principal: Principal) -> None:
    """Check an event's body by its type, and that this principal may send such a one."""
    kind = payload["type"]
    body = EVENT_BODIES.get(kind)
    if body is None:
        raise InvalidInput.field("type", kind, "one of " + ", ".join(sorted(EVENT_BODIES)))
    try:
        decode(payload["body"], body)
    except InvalidInput as problem:
        violations = [msgspec.structs.replace(v, field=f"body.{v.field}") for v in problem.violations]
        raise InvalidInput(problem.detail, violations) from None
    if (needed := EVENT_SCOPES.get(kind)) and needed not in principal.scopes:
        raise Forbidden(f"this key lacks the scope {needed}")


def handlers(service: Service) -> list[HTTPRouteHandler]:
    """The handlers of the writing routes."""

    async def take(request: Sent, headers: Headers, kind: str, form: type[msgspec.Struct]) -> Answer:
        data, payload = await json_body(request, headers)
        decode(payload, form)
        principal = principal_of(request.scope)
        if kind == "event":
            _checked_event(payload, principal)
        reply = await asyncio.wrap_future(
            service.submit(principal, kind, payload, idempotency(headers, data))
        )
        return Answer(reply.body, JSON, reply.status)

    async def take_lines(request: Sent, headers: Headers) -> Answer:
        principal = principal_of(request.scope)
        waiting = []
        count = 0
        async for part in lines(request, headers, LINES_AT_ONCE):
            waiting.append(asyncio.wrap_future(service.submit_lines(principal, part, count + 1)))
            count += len(part)
        if not count:
            raise InvalidInput("no lines", [Violation("$", "(empty)", "one JSON object on each line")])
        answers = [line for answered in await asyncio.gather(*waiting) for line in answered]
        return Answer(b"\n".join(answers) + b"\n", "application/x-ndjson")

    @post("/v1/applications")
    async def post_application(request: Sent) -> Answer:
        headers = headers_of(request)
        media_type(headers, _JSON)
        return await take(request, headers, "application", ApplicationRequest)

    @post("/v1/drawdowns")
    async def post_drawdown(request: Sent) -> Answer:
        headers = headers_of(request)
        media_type(headers, _JSON)
        return await take(request, headers, "drawdown", DrawdownRequest)

    @post("/v1/events")
    async def post_event(request: Sent) -> Answer:
        headers = headers_of(request)
        if media_type(headers, _EVENTS) in NDJSON:
            return await take_lines(request, headers)
        return await take(request, headers, "event", EventRequest)

    return [post_application, post_drawdown, post_event]
