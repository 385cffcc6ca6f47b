"""Who may do what."""

import pytest
from litestar import get
from litestar.testing import TestClient

from obligor.kernel import InvariantBroken
from obligor.web import create_app
from obligor.web.access import API, CONSOLE, PUBLIC, check
from obligor.web.app import Edge

OPEN = sorted(route for route, scope in {**API, **CONSOLE}.items() if scope == PUBLIC)


async def nobody(_) -> None:
    raise AssertionError


def test_a_route_without_a_scope_cannot_be_served():
    @get("/backdoor")
    async def backdoor() -> None:
        return None

    with pytest.raises(InvariantBroken, match="backdoor"):
        check(Edge([backdoor], openapi_config=None, before_request=nobody), {})


def test_an_application_without_a_guard_cannot_be_served():
    @get("/open")
    async def opened() -> None:
        return None

    with pytest.raises(InvariantBroken, match="not behind the guard"):
        check(Edge([opened], openapi_config=None), {("GET", "/open"): "read"})


def test_a_handler_past_the_guard_cannot_be_served():
    async def other(_) -> None:
        return None

    @get("/side", before_request=other)
    async def side() -> None:
        return None

    app = Edge([side], openapi_config=None, before_request=nobody)
    with pytest.raises(InvariantBroken, match="not behind the guard"):
        check(app, {("GET", "/side"): "read"})


def test_a_scope_without_a_route_is_noticed_too():
    with pytest.raises(InvariantBroken, match="gone"):
        check(Edge([], openapi_config=None, before_request=nobody), {("GET", "/gone"): "read"})


@pytest.mark.parametrize("console", [True, False])
def test_the_table_is_what_is_served(service, console):
    app = create_app(service, console=console)
    check(app, {**API, **CONSOLE} if console else API)


def test_what_needs_no_key_is_this_and_no_more():
    assert [path for _, path in OPEN] == [
        "/enter",
        "/livez",
        "/openapi.json",
        "/readyz",
        "/sign-in",
        "/static/{name}",
        "/sign-in",
        "/sign-out",
    ]


def test_without_the_console_there_are_no_pages(service):
    with TestClient(create_app(service, console=False), base_url="http://testserver.local") as client:
        answer = client.get("/decisions", headers={"accept": "text/html"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
