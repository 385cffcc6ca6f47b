"""What can be asked for over the API: the views as JSON, receipts and checkpoints as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import Service
from obligor.app.views import AlertFilters, DecisionFilters, LoanFilters
from obligor.kernel import InvalidInput
from obligor.web import answer, problems
from obligor.web.access import principal_of
from obligor.web.answer import Answer
from obligor.web.load import Load
from obligor.web.query import day, filters, known, parameters, split_page

__all__ = ["DAYS", "Reading", "handlers", "health", "whole", "window"]

T = TypeVar("T")
Sent = Request[Any, Any, Any]
DAYS = (1, 30, 90, 365)


class Reading:
    """Threads for queries, so that a long one does not keep writers waiting."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="obligor-read")

    async def __call__(self, query: Callable[..., T], *given: Any) -> T:
        """The answer of a query that ran in a thread."""
        with self._load:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(query, *given))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def window(asked: dict[str, str]) -> int:
    """How many days the overview spans.

    Raises:
        InvalidInput: not one of those that can be had.
    """
    text = asked.get("days", "30")
    if text not in {str(days) for days in DAYS}:
        raise InvalidInput.field("days", text, "one of " + ", ".join(map(str, DAYS)))
    return int(text)


async def whole(request: Sent, read: Reading, query: Callable[[str], Any]) -> Answer:
    """What a query answers that asks nothing but whose it is."""
    known(parameters(request.scope["query_string"]))
    return answer.json(await read(query, principal_of(request.scope).tenant))


def handlers(service: Service, read: Reading) -> list[HTTPRouteHandler]:  # noqa: C901  one closure a route
    """The handlers of the reading routes."""

    def asked_of(request: Sent) -> tuple[str, dict[str, str]]:
        scope = request.scope
        return principal_of(scope).tenant, parameters(scope["query_string"])

    async def listed(request: Sent, query: Callable[..., Any], kind: type[Any]) -> Answer:
        tenant, asked = asked_of(request)
        page = split_page(asked)
        return answer.json(await read(query, tenant, filters(page.filters, kind), page.after))

    async def one(request: Sent, query: Callable[..., Any]) -> Answer:
        tenant, asked = asked_of(request)
        known(asked)
        (identity,) = request.scope["path_params"].values()
        return answer.json(await read(query, tenant, identity))

    @get("/v1/overview")
    async def get_overview(request: Sent) -> Answer:
        tenant, asked = asked_of(request)
        known(asked, "on", "days")
        return answer.json(await read(service.overview, tenant, day(asked), window(asked)))

    @get("/v1/decisions")
    async def get_decisions(request: Sent) -> Answer:
        return await listed(request, service.decisions, DecisionFilters)

    @get("/v1/decisions/{decision_id:str}")
    async def get_decision(request: Sent) -> Answer:
        return await one(request, service.decision)

    @get("/v1/applications/{application_id:str}")
    async def get_application(request: Sent) -> Answer:
        return await one(request, service.application)

    @get("/v1/loans")
    async def get_loans(request: Sent) -> Answer:
        return await listed(request, service.loans, LoanFilters)

    @get("/v1/loans/{loan_id:str}")
    async def get_loan(request: Sent) -> Answer:
        tenant, asked = asked_of(request)
        on = day(known(asked, "on"))
        return answer.json(await read(service.loan, tenant, request.scope["path_params"]["loan_id"], on))

    @get("/v1/book")
    async def get_book(request: Sent) -> Answer:
        tenant, asked = asked_of(request)
        return answer.json(await read(service.book, tenant, day(known(asked, "as_of"), "as_of")))

    @get("/v1/features")
    async def get_features(request: Sent) -> Answer:
        return await whole(request, read, service.features)

    @get("/v1/features/{feature:str}")
    async def get_feature(request: Sent) -> Answer:
        return await one(request, service.feature)

    @get("/v1/strategies")
    async def get_strategies(request: Sent) -> Answer:
        return await whole(request, read, service.strategies)

    @get("/v1/strategies/{sha256:str}")
    async def get_strategy(request: Sent) -> Answer:
        return await one(request, service.strategy)

    @get("/v1/alerts")
    async def get_alerts(request: Sent) -> Answer:
        return await listed(request, service.alerts, AlertFilters)

    @get("/v1/alerts/{alert_id:str}")
    async def get_alert(request: Sent) -> Answer:
        return await one(request, service.alert)

    @get("/v1/events/{event_id:str}")
    async def get_event(request: Sent) -> Answer:
        return await one(request, service.event)

    @get("/v1/receipts/{event_id:str}")
    async def get_receipt(request: Sent) -> Answer:
        tenant, asked = asked_of(request)
        disclose = tuple(filter(None, known(asked, "disclose").get("disclose", "").split(",")))
        event_id = request.scope["path_params"]["event_id"]
        return Answer(await read(service.receipt, tenant, event_id, disclose), "application/json")

    @get("/v1/checkpoint")
    async def get_checkpoint(request: Sent) -> Answer:
        tenant, asked = asked_of(request)
        known(asked)
        note = await read(service.checkpoint, tenant)
        return Answer(note.encode(), "text/plain; charset=utf-8")

    return [
        get_overview,
        get_decisions,
        get_decision,
        get_application,
        get_loans,
        get_loan,
        get_book,
        get_features,
        get_feature,
        get_strategies,
        get_strategy,
        get_alerts,
        get_alert,
        get_event,
        get_receipt,
        get_checkpoint,
    ]


def health(service: Service, read: Reading) -> list[HTTPRouteHandler]:
    """Whether the process lives, and whether requests should come to it."""

    @get("/livez")
    async def get_livez() -> Answer:
        return answer.json({"status": "ok"})

    @get("/readyz")
    async def get_readyz() -> Answer:
        checks = await read(service.readiness)
        said = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]
        if all(check.ok for check in checks):
            return answer.json({"status": "ready", "checks": said})
        problem = {
            "type": "urn:obligor:problem:unavailable",
            "title": problems.CODES["unavailable"],
            "status": 503,
            "detail": "not ready: " + ", ".join(check.name for check in checks if not check.ok),
            "code": "unavailable",
            "checks": said,
        }
        headers = [(b"retry-after", b"1")]
        return Answer(answer.ENCODE(problem), problems.MEDIA_TYPE, 503, headers)

    return [get_livez, get_readyz]
