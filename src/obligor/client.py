"""A client of the HTTP API, for programs.

The same words as the API, asynchronous, with retries that are safe.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from obligor.kernel import Conflict, ObligorError

__all__ = ["ApiError", "Client"]

# The pool looks at every connection for every request: more of them are slower.
CONNECTIONS = 16
LINES_AT_ONCE = 2000
TRIES = 6


class ApiError(ObligorError):
    """An answer that is no success: `status`, and the problem's `code`, `detail` and `violations`."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.violations = problem.get("violations", [])
        wanted = "; ".join(f"{v['field']}: {v['accepted']}" for v in self.violations)
        detail = str(problem.get("detail", problem.get("title", "")))
        super().__init__(f"{status} {self.code}: {detail}{f' ({wanted})' if wanted else ''}")


class Client:
    """One connection pool to a server, under one API key.

    A write that got no answer is sent again under the same idempotency key, so that it happens once.
    """

    def __init__(self, url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60, read=600),
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            transport=transport,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def apply(self, request: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """`POST /v1/applications`."""
        return dict(await self._post("/v1/applications", request, key))

    async def draw(self, request: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """`POST /v1/drawdowns`."""
        return dict(await self._post("/v1/drawdowns", request, key))

    async def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """`POST /v1/events` with one event; its `source_ref` makes it safe to repeat."""
        return dict(await self._post("/v1/events", event, None))

    async def events(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """`POST /v1/events` with many events as NDJSON; an answer for each, in order, refusals among them."""
        answers: list[dict[str, Any]] = []
        for begin in range(0, len(events), LINES_AT_ONCE):
            lines = b"\n".join(map(msgspec.json.encode, events[begin : begin + LINES_AT_ONCE]))
            response = await self._send("POST", "/v1/events", lines, {"content-type": "application/x-ndjson"})
            answers.extend(map(msgspec.json.decode, response.content.splitlines()))
        return answers

    async def accepted(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """`events`, where nothing may be refused.

        Raises:
            Conflict: a line was, and why.
        """
        answers = await self.events(events)
        for event, answer in zip(events, answers, strict=True):
            if answer["status"] == "refused":
                raise Conflict(f"{event['type']} was refused: {answer['problem']}")
        return answers

    async def get(self, path: str, **query: Any) -> Any:
        """Any reading route, as JSON."""
        given = {name: value for name, value in query.items() if value is not None}
        response = await self._send("GET", path, None, {}, given)
        return msgspec.json.decode(response.content)

    async def post(self, path: str, body: Any = None) -> Any:
        """Any other writing route, as JSON."""
        return await self._post(path, body, None)

    async def raw(self, path: str) -> bytes:
        """Any reading route, as it comes: a receipt, a checkpoint."""
        return (await self._send("GET", path, None, {})).content

    async def together(self, requests: Iterable[Any]) -> list[Any]:
        """Await several requests at once, in order."""
        return list(await asyncio.gather(*requests))

    async def _post(self, path: str, body: Any, key: str | None) -> Any:
        headers = {"content-type": "application/json", "idempotency-key": key or str(uuid.uuid4())}
        response = await self._send("POST", path, msgspec.json.encode(body), headers)
        return msgspec.json.decode(response.content)

    async def _send(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        query: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        for attempt in range(TRIES):
            try:
                response = await self._http.request(
                    method, path, content=content, headers=dict(headers), params=query
                )
            except httpx.TransportError:
                if attempt == TRIES - 1:
                    raise
            else:
                if response.is_success:
                    return response
                if response.status_code not in (429, 503) or attempt == TRIES - 1:
                    raise ApiError(response.status_code, _problem(response))
            await asyncio.sleep(0.05 * 2**attempt)
        raise AssertionError


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return {"code": "unknown", "detail": response.reason_phrase}
    return problem if isinstance(problem, dict) else {"code": "unknown", "detail": str(problem)}
