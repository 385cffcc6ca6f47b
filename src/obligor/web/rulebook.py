"""The pages of the book as a whole, and of what decides about it: features and strategies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler

from obligor.app.service_protocol import Service
from obligor.app.views import Book, FeatureView, StrategyView
from obligor.web.answer import Answer
from obligor.web.pages import nothing
from obligor.web.query import day
from obligor.web.wording import Words

__all__ = ["handlers"]

Sent = Request[Any, Any, Any]
Page = Callable[..., Awaitable[Answer]]
# Months on book that a vintage table has a column for, as far as the oldest vintage has come.
MONTHS_ON_BOOK = (1, 2, 3, 4, 6, 9, 12, 15, 18, 24, 30, 36, 48, 60)
# Vintages that a table shows; the twin has all.
VINTAGES_SHOWN = 48
# Shares of a vintage at which the heat scale ends, in percent.
HEAT_TOP = {30: 24.0, 90: 12.0}


def handlers(service: Service, page: Page) -> list[HTTPRouteHandler]:
    """The handlers of these pages; `page` makes one of a template and a query."""

    @get(["/book", "/book.json"])
    async def book(request: Sent) -> Answer:
        def query(asked: Any) -> Any:
            return service.book(asked.tenant, day(asked.query, "as_of"))

        return await page(request, "book.html", "book", query, _book)

    @get(["/features", "/features.json"])
    async def features(request: Sent) -> Answer:
        return await page(
            request, "features.html", "features", lambda asked: service.features(asked.tenant), nothing
        )

    @get("/features/{name:str}")
    async def feature(request: Sent) -> Answer:
        def query(asked: Any) -> Any:
            return service.feature(asked.tenant, asked.name)

        return await page(request, "feature.html", "features", query, _feature)

    @get(["/strategies", "/strategies.json"])
    async def strategies(request: Sent) -> Answer:
        return await page(
            request, "strategies.html", "strategies", lambda asked: service.strategies(asked.tenant), nothing
        )

    @get("/strategies/{name:str}")
    async def strategy(request: Sent) -> Answer:
        def query(asked: Any) -> Any:
            return service.strategy(asked.tenant, asked.name)

        return await page(request, "strategy.html", "strategies", query, _strategy)

    return [book, features, feature, strategies, strategy]


def _book(_words: Words, _asked: Any, view: Book) -> Mapping[str, Any]:
    oldest = max((len(one.late_30) for one in view.vintages), default=0)
    shown = view.vintages[:VINTAGES_SHOWN]
    return {
        "columns": [on for on in MONTHS_ON_BOOK if on < oldest],
        "tables": [(over, [(one, getattr(one, f"late_{over}")) for one in shown]) for over in (30, 90)],
        "heat_top": HEAT_TOP,
        "most": max((band.decided for band in view.bands), default=0),
    }


def _feature(_words: Words, _asked: Any, view: FeatureView) -> Mapping[str, Any]:
    """The declaration as lines: name and value, what is nested in a name of its own."""
    return {"declared": [line for line in _lines("", view.declared) if not line[0].startswith("description")]}


def _lines(before: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [line for name, part in value.items() for line in _lines(f"{before}.{name}".strip("."), part)]
    if isinstance(value, list | tuple):
        return [(before, ", ".join("null" if one is None else str(one) for one in value))]
    return [(before, "null" if value is None else str(value) if value != {} else "–")]


def _strategy(_words: Words, _asked: Any, view: StrategyView) -> Mapping[str, Any]:
    return {"rules": sum(len(step.rules) for step in view.steps)}
