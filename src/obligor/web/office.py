"""What a lender's office asks of the running system.

Totals, the audit, the replay, and a model to score with.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import Service
from obligor.web import answer
from obligor.web.access import principal_of
from obligor.web.answer import Answer
from obligor.web.body import JSON, headers_of, json_body, media_type
from obligor.web.reads import Reading, whole

__all__ = ["handlers"]

Sent = Request[Any, Any, Any]


def handlers(service: Service, read: Reading) -> list[HTTPRouteHandler]:
    """The handlers of the office's routes."""

    @get("/v1/summary")
    async def get_summary(request: Sent) -> Answer:
        return await whole(request, read, service.summary)

    @post("/v1/audits")
    async def post_audit(request: Sent) -> Answer:
        return await whole(request, read, service.audit)

    @post("/v1/replays")
    async def post_replay(request: Sent) -> Answer:
        return await whole(request, read, service.replay)

    @post("/v1/models")
    async def post_model(request: Sent) -> Answer:
        headers = headers_of(request)
        media_type(headers, frozenset({JSON}))
        data, _ = await json_body(request, headers)
        made = await read(service.register_model, principal_of(request.scope).tenant, data)
        return answer.json(made, 201)

    return [get_summary, post_audit, post_replay, post_model]
