"""A lender in this process: the same commands on the same journal as behind HTTP, without the HTTP."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
import yaml

from obligor.app.limits import Limits
from obligor.app.service import Service
from obligor.app.service_protocol import SCOPES, Principal
from obligor.app.settings import FILE, load
from obligor.client import ApiError, Client
from obligor.kernel import Clock, Conflict, Entropy, Refusal, sha256_hex
from obligor.web import create_app, problems
from obligor.web.waiting import answer_of

__all__ = ["Lender", "LocalClient"]

NAME = "story"
# Lines that go to the journal together, and how many such parts wait for it.
LINES_AT_ONCE = 2000
PARTS = 2
POLL_SECONDS = 0.002
# Nobody else is served: whoever asks may wait as long as it takes.
PATIENT = Limits(wait_most_ms=600_000, requests_most=1_000_000, quota_writes=0, quota_reads=0)


class Lender:
    """A service over a data directory, for the time of a `with`; a temporary directory if none is named.

    `settings` are written to the directory's own file, as `obligor up` would read it, so that a directory
    that is kept can be served afterwards.

    Raises:
        Conflict: the directory has a lender already. InvalidInput: settings that will not do.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        directory: Path | None = None,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self._opened = ExitStack()
        if directory is None:
            temporary = tempfile.TemporaryDirectory(prefix="obligor-story-")
            directory = Path(self._opened.enter_context(temporary))
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if (directory / FILE).exists():
                raise Conflict(f"{directory} has a lender already: a story begins with an empty directory")
            text = yaml.safe_dump(dict(settings), allow_unicode=True, sort_keys=False)
            (directory / FILE).write_text(text, encoding="utf-8")
            self.service = Service(directory, load(directory, {}), clock, entropy)
            self._opened.callback(self.service.close)
            self.service.start()
        except BaseException:
            self._opened.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def client(self) -> LocalClient:
        """A client with every scope."""
        return LocalClient(self.service)


class LocalClient(Client):
    """A `Client` whose requests go straight to a service in this process.

    Applications, drawdowns and events take the service's own way in: no bytes on a socket, and whoever asks
    for many things `together` has them committed in large groups. Everything else is asked of the web
    application itself, in memory. Answers and errors are those of the API. Once a day's close was sent, an
    answer comes when all that follows from it, such as classes and alerts, is in the journal.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        tenant, name = service.settings.tenant, f"{NAME}-{len(service.keys.list()) + 1}"
        token = service.keys.create(name, tenant, SCOPES, quota=0)
        self._principal = Principal(tenant=tenant, name=name, scopes=frozenset(SCOPES), quota=0)
        super().__init__("http://local", token, transport=_InMemory(service))

    async def apply(self, request: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """As `POST /v1/applications`."""
        return await self._submit("application", request, key)

    async def draw(self, request: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """As `POST /v1/drawdowns`."""
        return await self._submit("drawdown", request, key)

    async def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """As `POST /v1/events` with one event."""
        answer = await self._submit("event", event, None)
        await self._closed([event])
        return answer

    async def events(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """As `POST /v1/events` with many events; an answer for each, in order, refusals among them."""
        waiting: list[asyncio.Future[list[bytes]]] = []
        answers: list[dict[str, Any]] = []
        for begin in range(0, len(events), LINES_AT_ONCE):
            if len(waiting) == PARTS:
                answers += map(msgspec.json.decode, await waiting.pop(0))
            lines = list(map(msgspec.json.encode, events[begin : begin + LINES_AT_ONCE]))
            waiting.append(answer_of(self._service.submit_lines(self._principal, lines, begin + 1)))
        for told in waiting:
            answers += map(msgspec.json.decode, await told)
        await self._closed(events)
        return answers

    async def settled(self) -> None:
        """Wait until those who watch the journal have seen all that was committed so far."""
        while self._service.behind():  # noqa: ASYNC110  they work on threads that tell nobody
            await asyncio.sleep(POLL_SECONDS)

    async def _closed(self, events: Iterable[Mapping[str, Any]]) -> None:
        if any(event.get("type") == "day.closed" for event in events):
            await self.settled()

    async def _submit(self, kind: str, request: Mapping[str, Any], key: str | None) -> dict[str, Any]:
        payload = dict(request)
        named = None if key is None else (key, sha256_hex(msgspec.json.encode(payload)))
        try:
            reply = await answer_of(self._service.submit(self._principal, kind, payload, named))
        except Refusal as refused:
            problem, _ = problems.of(refused, kind)
            raise ApiError(problem.status, msgspec.json.decode(msgspec.json.encode(problem))) from None
        answer: dict[str, Any] = msgspec.json.decode(reply.body)
        return answer


class _InMemory(httpx.AsyncBaseTransport):
    """The web application, made when it is first asked: most stories ask it little."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @cached_property
    def _transport(self) -> httpx.ASGITransport:
        application: Any = create_app(self._service, console=False, limits=PATIENT)
        return httpx.ASGITransport(application)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)
