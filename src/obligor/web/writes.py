"""What changes something: applications, drawdowns, events. A guard on the bytes, then the service."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import nullcontext
from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import Service
from obligor.kernel import InvalidInput, Violation
from obligor.web.access import bucket_of, principal_of
from obligor.web.answer import Answer
from obligor.web.body import JSON, NDJSON, Headers, headers_of, idempotency, json_body, lines, media_type
from obligor.web.gate import Gate
from obligor.web.waiting import answer_of

__all__ = ["LINES_AT_ONCE", "handlers"]

# Lines that go to the journal together; the next ones are read while these are written.
LINES_AT_ONCE = 500
# Such parts that wait for the journal, of one sender and of all; who sends more is not read from meanwhile.
PARTS_OF_ONE = 2
PARTS_OF_ALL = 8

_JSON = frozenset({JSON})
_EVENTS = _JSON | NDJSON
Sent = Request[Any, Any, Any]


def handlers(service: Service, gate: Gate) -> list[HTTPRouteHandler]:
    """The handlers of the writing routes."""
    room = asyncio.Semaphore(PARTS_OF_ALL)

    async def take(request: Sent, headers: Headers, kind: str) -> Answer:
        data, payload = await json_body(request, headers)
        named = idempotency(headers, data)
        # Once whole, a request is counted by its connection, where that is one of ours.
        with nullcontext() if "load" in request.scope else gate.writes:
            reply = await answer_of(service.submit(principal_of(request.scope), kind, payload, named))
        return Answer(reply.body, JSON, reply.status)

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
            idempotency(headers, b"")
            return await _take_lines(service, room, request, headers)
        return await take(request, headers, "event")

    return [post_application, post_drawdown, post_event]


async def _take_lines(service: Service, room: asyncio.Semaphore, request: Sent, headers: Headers) -> Answer:
    """Take lines part by part; a sender is read from no faster than the journal takes them."""
    principal, bucket = principal_of(request.scope), bucket_of(request.scope)
    waiting: deque[asyncio.Future[list[bytes]]] = deque()
    answers: list[bytes] = []
    count = 0

    def leave(told: asyncio.Future[list[bytes]]) -> None:
        room.release()
        # Whoever sent it may be gone; nobody else is to be told of its failure.
        told.exception()

    async for part in lines(request, headers, LINES_AT_ONCE):
        if len(waiting) == PARTS_OF_ONE:
            answers += await waiting.popleft()
        await room.acquire()
        try:
            told = answer_of(service.submit_lines(principal, part, count + 1))
        except BaseException:
            room.release()
            raise
        told.add_done_callback(leave)
        waiting.append(told)
        if bucket is not None:
            bucket.owe(len(part) - (count == 0))
        count += len(part)
    if not count:
        raise InvalidInput("no lines", [Violation("$", "(empty)", "one JSON object on each line")])
    for told in waiting:
        answers += await told
    return Answer(b"\n".join(answers) + b"\n", "application/x-ndjson")
