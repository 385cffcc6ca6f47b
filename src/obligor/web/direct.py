"""The routes that are asked most, past the framework: guard, handler, answer.

Litestar knows these routes like all others. What it does around a handler costs as much as the handler of
a request that writes, and these need nothing of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send

from obligor.web.access import Guard
from obligor.web.answer import Answer

__all__ = ["Direct", "direct"]

Sent = Request[Any, Any, Any]
Direct = Callable[[Scope, Receive, Send], Awaitable[None]]


def direct(
    handlers: Iterable[HTTPRouteHandler], authorise: Guard, failed: Callable[[Sent, Exception], Answer]
) -> Mapping[tuple[str, str], Direct]:
    """An ASGI application for each method and path of handlers that take the request alone.

    They are behind the same guard, and `failed` answers for what they raise, as it does for all routes.
    """
    return {
        (method, path): _straight(path, handler.fn, authorise, failed)
        for handler in handlers
        for method in handler.http_methods
        for path in handler.paths
    }


def _straight(
    path: str,
    handle: Callable[[Sent], Awaitable[Answer]],
    authorise: Guard,
    failed: Callable[[Sent, Exception], Answer],
) -> Direct:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_template"] = path  # as the framework's router has it
        request = Request[Any, Any, Any](scope, receive, send)
        try:
            await authorise(request)
            answer = await handle(request)
        except Exception as error:  # noqa: BLE001  each becomes the problem that it is
            answer = failed(request, error)
        await answer(scope, receive, send)

    return serve
