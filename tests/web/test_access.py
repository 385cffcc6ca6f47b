"""Who may do what."""

import pytest
from litestar import get
from litestar.testing import TestClient

from obligor.kernel import InvariantBroken
from obligor.web import create_app
from obligor.web.access import API, CONSOLE, PUBLIC, check
from obligor.web.app import Edge

GUARDED = sorted(route for route, scope in API.items() if scope != PUBLIC)
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


def path_of(template):
    return template.replace("{", "").replace("}", "")


@pytest.mark.parametrize(("method", "template"), GUARDED)
def test_no_key_no_answer(client, method, template):
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic YWxs"},
        {"authorization": ""},
    ):
        client.headers.pop("authorization", None)
        answer = client.request(method, path_of(template), headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthorised"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "template"), GUARDED)
def test_a_key_without_the_scope_may_not(client, method, template):
    other = "writer" if API[method, template] == "read" else "reader"
    answer = client.request(method, path_of(template), headers={"authorization": f"Bearer {other}"})
    assert answer.status_code == 403
    assert API[method, template] in answer.json()["detail"]


def test_a_session_opens_no_api_route(page):
    assert page.get("/decisions.json").status_code == 200
    assert page.get("/v1/decisions").status_code == 401


def test_a_revoked_key_is_unknown_at_once(client, service):
    assert client.get("/v1/decisions").status_code == 200
    service.revoked.add("all")
    assert client.get("/v1/decisions").status_code == 401


def test_without_the_console_there_are_no_pages(service):
    with TestClient(create_app(service, console=False), base_url="http://testserver.local") as client:
        answer = client.get("/decisions", headers={"accept": "text/html"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
