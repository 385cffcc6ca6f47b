"""The console: pages for people over the same queries as the API, each with its JSON twin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import Found, Service
from obligor.app.views import AlertFilters, Context, DecisionFilters, LoanFilters
from obligor.kernel import NotFound
from obligor.web import answer, pages, rulebook
from obligor.web.access import principal_of
from obligor.web.answer import Answer, cookie, redirect
from obligor.web.forms import Forms
from obligor.web.problems import Problem
from obligor.web.query import day, filters, parameters, split_page
from obligor.web.reads import DAYS, Reading, window
from obligor.web.receipts import look
from obligor.web.render import LANGUAGES, Renderer, url
from obligor.web.session import LANGUAGE, Sessions, cookies
from obligor.web.static import Static
from obligor.web.wording import Words

__all__ = ["Console"]

T = TypeVar("T")
Sent = Request[Any, Any, Any]
YEAR = 365 * 24 * 3600
HTML = "text/html; charset=utf-8"

# Where the parts of the system have their pages.
PLACES = {
    "alert": "/alerts/{}",
    "application": "/applications/{}",
    "decision": "/decisions/{}",
    "event": "/events/{}",
    "loan": "/loans/{}",
    "person": "/decisions?person={}",
}


# The letters that a page shows before a short id.
_SHOWN = re.compile("^(?:D|A|L|P|AL|E)-(?=[0-9A-Za-z]{8}$)")


class _Query(dict[str, str]):
    """An address's parameters; one that is not there is None, as templates ask for many."""

    def __missing__(self, name: str) -> None:
        return None


class Asked(msgspec.Struct, frozen=True):
    """A request for a page: who asks, for what, in which language; `name` is the id in the path."""

    tenant: str
    path: str
    query: dict[str, str]
    lang: str
    name: str
    twin: bool
    scopes: frozenset[str]
    user: str


class Console:
    """The pages' handlers."""

    def __init__(self, service: Service, sessions: Sessions, read: Reading) -> None:
        self._service = service
        self._sessions = sessions
        self._read = read
        self._static = Static()
        self._render = Renderer(self._static)
        self._forms = Forms(service, sessions, self._bare)

    # ---- Every page

    def _asked(self, request: Sent) -> Asked:
        scope = request.scope
        principal = principal_of(scope)
        query = parameters(scope["query_string"])
        lang = language(query.pop("lang", None), scope["headers"], cookies(scope))
        path = scope["path"]
        name = str(scope["path_params"].get("name", ""))
        return Asked(
            principal.tenant,
            path.removesuffix(".json"),
            query,
            lang,
            name.removesuffix(".json"),
            path.endswith(".json"),
            principal.scopes,
            principal.name,
        )

    async def _page(
        self,
        request: Sent,
        template: str,
        current: str,
        query: Callable[[Asked], T],
        fill: Callable[[Words, Asked, T], Mapping[str, Any]],
    ) -> Answer:
        """A page, made in a thread: the query and what every page says of itself, then template or twin."""
        asked = self._asked(request)
        if asked.twin:
            return answer.json(await self._read(query, asked))

        def made() -> bytes:
            context = self._service.context(asked.tenant)
            found = query(asked)
            words = Words(asked.lang, context.zone, context.as_of)
            frame = self._frame(request, asked, context, current)
            return self._render(template, words, {**frame, **fill(words, asked, found), "view": found})

        return self._html(request, await self._read(made))

    def _frame(self, request: Sent, asked: Asked, context: Context, current: str) -> dict[str, Any]:
        """What the frame of a page shows: the bar, the menu, the links to its twin and to itself."""
        twin = "/overview.json" if asked.path == "/" else f"{asked.path}.json"
        return {
            "asked": _Query(asked.query),
            "context": context,
            "current": current,
            "form_token": self._sessions.form_token(cookies(request.scope)),
            "here": url(asked.path, asked.query),
            "path": asked.path,
            "scopes": asked.scopes,
            "twin": url(twin, asked.query),
            "user": asked.user,
        }

    def _html(self, request: Sent, body: bytes, status: int = 200) -> Answer:
        """HTML; a language that was chosen in the address is remembered."""
        headers = [(b"vary", b"cookie, accept-language")]
        chosen = parameters(request.scope["query_string"]).get("lang")
        if chosen in LANGUAGES:
            secure = request.scope["scheme"] == "https"
            headers.append(cookie(LANGUAGE, chosen, secure=secure, seconds=YEAR))
        return Answer(body, HTML, status, headers)

    def _bare(self, request: Sent, template: str, status: int = 200, **values: Any) -> Answer:
        """A page outside of the frame: sign-in and errors, for who may not see whose books these are."""
        scope = request.scope
        query = dict(parameters(scope["query_string"])) if scope["query_string"] else {}
        lang = language(query.pop("lang", None), scope["headers"], cookies(scope))
        path = scope["path"]
        values = {"here": url(path, query), "path": path, "asked": _Query(query), **values}
        return self._html(request, self._render(template, Words(lang), values), status)

    def error_page(self, request: Sent, problem: Problem) -> Answer | None:
        """A problem as a page for people, or None where the sender is a program."""
        scope = request.scope
        path = scope["path"]
        if path.startswith("/v1/") or path.endswith((".json", "z")) or not _wants_html(scope["headers"]):
            return None
        if problem.status == 401 and scope["method"] == "GET":
            there = url("/sign-in", next=_address(scope))
            if any(name == b"hx-request" for name, _ in scope["headers"]):
                return Answer(b"", HTML, 401, [(b"hx-redirect", there.encode())])
            return redirect(there)
        try:
            return self._bare(request, "error.html", problem.status, problem=problem)
        except Exception:  # noqa: BLE001  a page about an error must not be the second one
            return None

    # ---- The pages

    def handlers(self) -> list[HTTPRouteHandler]:  # noqa: C901  one closure a page
        """The handlers of every console route."""
        service = self._service

        @get(["/", "/overview.json"])
        async def overview(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                return service.overview(asked.tenant, day(asked.query), window(asked.query))

            return await self._page(request, "overview.html", "overview", query, pages.overview(DAYS))

        @get(["/decisions", "/decisions.json"])
        async def decisions(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                page = split_page(asked.query)
                return service.decisions(asked.tenant, filters(page.filters, DecisionFilters), page.after)

            return await self._page(request, "decisions.html", "decisions", query, pages.nothing)

        @get("/decisions/{name:str}")
        async def decision(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                return service.decision(asked.tenant, asked.name)

            def fill(words: Words, asked: Asked, found: Any) -> Mapping[str, Any]:
                return {
                    **pages.decision(words, found),
                    "receipt": look(service, asked.tenant, found.event_id),
                }

            return await self._page(request, "decision.html", "decisions", query, fill)

        @get("/applications/{name:str}")
        async def application(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                return service.application(asked.tenant, asked.name)

            return await self._page(request, "application.html", "decisions", query, pages.nothing)

        @get(["/loans", "/loans.json"])
        async def loans(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                page = split_page(asked.query)
                return service.loans(asked.tenant, filters(page.filters, LoanFilters), page.after)

            return await self._page(request, "loans.html", "loans", query, pages.nothing)

        @get("/loans/{name:str}")
        async def loan(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                return service.loan(asked.tenant, asked.name, day(asked.query))

            return await self._page(request, "loan.html", "loans", query, pages.loan)

        @get(["/alerts", "/alerts.json"])
        async def alerts(request: Sent) -> Answer:
            return await self._page(request, "alerts.html", "alerts", self._queue, self._chosen)

        @get("/alerts/{name:str}")
        async def alert(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                if asked.twin:
                    return service.alert(asked.tenant, asked.name)
                return self._queue(asked)

            return await self._page(request, "alerts.html", "alerts", query, self._chosen)

        @get("/events/{name:str}")
        async def event(request: Sent) -> Answer:
            def query(asked: Asked) -> Any:
                return service.event(asked.tenant, asked.name)

            def fill(_: Words, asked: Asked, found: Any) -> Mapping[str, Any]:
                return {"receipt": look(service, asked.tenant, found.event_id)}

            return await self._page(request, "event.html", "", query, fill)

        @get("/receipts/{name:str}")
        async def receipt(request: Sent) -> Answer:
            asked = self._asked(request)
            body = await self._read(service.receipt, asked.tenant, asked.name)
            said = f'attachment; filename="receipt-{asked.name}.json"'.encode("ascii", "replace")
            return Answer(body, "application/json", 200, [(b"content-disposition", said)])

        @get("/find")
        async def find(request: Sent) -> Answer:
            asked = self._asked(request)
            text = _SHOWN.sub("", asked.query.get("q", "").strip())
            found: Found | None = await self._read(service.find, asked.tenant, text) if text else None
            if found is None:
                raise NotFound("nothing here has this id")
            return redirect(PLACES[found.kind].format(found.id))

        @get("/static/{name:str}")
        async def static(request: Sent) -> Answer:
            scope = request.scope
            version = parameters(scope["query_string"]).get("v")
            packed = b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b"")
            return self._static.answer(scope["path_params"]["name"], version, packed)

        return [
            overview,
            decisions,
            decision,
            application,
            loans,
            loan,
            alerts,
            alert,
            event,
            receipt,
            find,
            static,
            *rulebook.handlers(service, self._page),
            *self._forms.handlers(),
        ]

    # ---- The queue of alerts, with one of them open beside it

    def _queue(self, asked: Asked) -> Any:
        page = split_page(asked.query)
        wanted = dict(page.filters)
        if wanted.get("state") == "any":
            del wanted["state"]
        else:
            wanted.setdefault("state", "open")
        return self._service.alerts(asked.tenant, filters(wanted, AlertFilters), page.after)

    def _chosen(self, words: Words, asked: Asked, found: Any) -> Mapping[str, Any]:
        chosen = asked.name or (found.rows[0].alert_id if found.rows else None)
        alert = self._service.alert(asked.tenant, chosen) if chosen else None
        return pages.alert(words, alert)


def language(chosen: str | None, headers: Any, sent: Mapping[str, str]) -> str:
    """The language of a page: from its address, else remembered, else what the browser asks for first."""
    for wanted in (chosen, sent.get(LANGUAGE)):
        if wanted in LANGUAGES:
            return str(wanted)
    accepted = next((value for name, value in headers if name == b"accept-language"), b"")
    return "zh" if accepted.lower().startswith(b"zh") else "en"


def _wants_html(headers: Any) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in headers)


def _address(scope: Any) -> str:
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])
