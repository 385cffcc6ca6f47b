"""Who may do what: one table from routes to scopes, and the guard that holds it.

A route that is not in the table cannot be served: `check` fails the making of the app.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from litestar import Litestar, Request
from litestar.routes import HTTPRoute
from litestar.types import Scope

from obligor.app.service_protocol import Principal, Service
from obligor.kernel import Forbidden, InvariantBroken, NotFound, Unauthorised
from obligor.web.gate import READING, UNCOUNTED, Gate
from obligor.web.problems import RateLimited
from obligor.web.quota import Bucket
from obligor.web.session import Sessions, cookies

__all__ = ["API", "CONSOLE", "PUBLIC", "bucket_of", "check", "guard", "principal_of"]

PUBLIC = ""
Table = Mapping[tuple[str, str], str]
Guard = Callable[[Request[Any, Any, Any]], Awaitable[None]]

API: Table = {
    ("GET", "/livez"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/v1/alerts"): "read",
    ("GET", "/v1/alerts/{alert_id}"): "read",
    ("GET", "/v1/applications/{application_id}"): "read",
    ("GET", "/v1/book"): "read",
    ("GET", "/v1/checkpoint"): "read",
    ("GET", "/v1/decisions"): "read",
    ("GET", "/v1/decisions/{decision_id}"): "read",
    ("GET", "/v1/events/{event_id}"): "read",
    ("GET", "/v1/features"): "read",
    ("GET", "/v1/features/{feature}"): "read",
    ("GET", "/v1/loans"): "read",
    ("GET", "/v1/loans/{loan_id}"): "read",
    ("GET", "/v1/overview"): "read",
    ("GET", "/v1/receipts/{event_id}"): "read",
    ("GET", "/v1/strategies"): "read",
    ("GET", "/v1/strategies/{sha256}"): "read",
    ("GET", "/v1/summary"): "read",
    ("POST", "/v1/applications"): "applications:write",
    ("POST", "/v1/audits"): "read",
    ("POST", "/v1/drawdowns"): "drawdowns:write",
    ("POST", "/v1/events"): "events:write",
    ("POST", "/v1/models"): "admin",
    ("POST", "/v1/replays"): "read",
}

CONSOLE: Table = {
    ("GET", "/"): "read",
    ("GET", "/alerts"): "read",
    ("GET", "/alerts.json"): "read",
    ("GET", "/alerts/{name}"): "read",
    ("GET", "/applications/{name}"): "read",
    ("GET", "/book"): "read",
    ("GET", "/book.json"): "read",
    ("GET", "/decisions"): "read",
    ("GET", "/decisions.json"): "read",
    ("GET", "/decisions/{name}"): "read",
    ("GET", "/enter"): PUBLIC,
    ("GET", "/events/{name}"): "read",
    ("GET", "/features"): "read",
    ("GET", "/features.json"): "read",
    ("GET", "/features/{name}"): "read",
    ("GET", "/find"): "read",
    ("GET", "/loans"): "read",
    ("GET", "/loans.json"): "read",
    ("GET", "/loans/{name}"): "read",
    ("GET", "/overview.json"): "read",
    ("GET", "/receipts/{name}"): "read",
    ("GET", "/sign-in"): PUBLIC,
    ("GET", "/static/{name}"): PUBLIC,
    ("GET", "/strategies"): "read",
    ("GET", "/strategies.json"): "read",
    ("GET", "/strategies/{name}"): "read",
    ("POST", "/alerts/{name}"): "events:write",
    ("POST", "/sign-in"): PUBLIC,
    ("POST", "/sign-out"): PUBLIC,
}


def check(app: Litestar, table: Table) -> None:
    """Compare the table with what is served, both ways, and see that the guard stands before every handler.

    Raises:
        InvariantBroken: a route has no scope, a scope no route, or a handler another guard.
    """
    served = set(_served(app))
    if bare := sorted(served - set(table)):
        raise InvariantBroken(f"routes without an entry in the table of scopes: {bare}")
    if idle := sorted(set(table) - served):
        raise InvariantBroken(f"scopes for routes that are not served: {idle}")
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if not app.before_request or handler.resolve_before_request() is not app.before_request:
                raise InvariantBroken(f"{route.path} is not behind the guard")


def _served(app: Litestar) -> Iterable[tuple[str, str]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            raise InvariantBroken(f"{route.path} is no HTTP route")
        yield from ((method, route.path_format) for method in route.methods if method != "OPTIONS")


def guard(service: Service, sessions: Sessions, table: Table, gate: Gate) -> Guard:
    """What runs before every handler: it finds the principal, counts the request and compares scopes.

    API keys come as `Authorization: Bearer`; the console's pages also take a session. The principal is in
    `scope["user"]` afterwards, the bucket that was counted against in `scope["bucket"]`. It stands in the
    application's `before_request`: Litestar's own guards cost a copy of the handler for every request.
    """
    quotas = gate.quotas

    def count(scope: Scope, bucket: Bucket | None) -> None:
        if bucket is None:
            return
        scope["bucket"] = bucket  # type: ignore[typeddict-unknown-key]
        if seconds := bucket.take(quotas.now()):
            gate.rate_limited += 1
            raise RateLimited(f"{bucket.quota} requests a minute may be sent, no more", seconds)

    def stranger(scope: Scope) -> Bucket | None:
        client = scope["client"]
        return quotas.of_stranger(client[0] if client else "")

    async def authorise(request: Request[Any, Any, Any]) -> None:
        scope = request.scope
        method = scope["method"]
        if method == "OPTIONS":
            return
        template = scope["path_template"]
        needed = table[method, template]
        if needed == PUBLIC:
            if template not in UNCOUNTED:
                count(scope, stranger(scope))
            return
        token = _bearer(scope)
        principal: Principal | None
        if token is None and not template.startswith("/v1/"):
            principal = sessions.principal(cookies(scope))
        else:
            principal = service.authenticate(token) if token else None
        if principal is None:
            count(scope, stranger(scope))
            raise Unauthorised("a valid API key is needed: Authorization: Bearer <key>")
        kind = "reads" if method == "GET" or template in READING else "writes"
        count(scope, quotas.of_key(principal, kind))
        _let_in(scope, principal, needed)

    return authorise


def _let_in(scope: Scope, principal: Principal, needed: str) -> None:
    if needed not in principal.scopes:
        raise Forbidden(f"this key lacks the scope {needed}")
    # PostgreSQL has no text with a NUL; asked for one, it would fail and not find nothing.
    if "\0" in scope["path"]:
        raise NotFound("no name has a NUL in it")
    scope["user"] = principal


def _bearer(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, token = value.partition(b" ")
            return token.strip().decode("latin-1") if kind.lower() == b"bearer" else ""
    return None


def principal_of(scope: Scope) -> Principal:
    """Who sent the request, once the guard has let it through."""
    principal = scope.get("user")
    if not isinstance(principal, Principal):
        raise InvariantBroken("a request came past the guard without a principal")
    return principal


def bucket_of(scope: Scope) -> Bucket | None:
    """What the request was counted against; None where there is no quota."""
    bucket = scope.get("bucket")
    return bucket if isinstance(bucket, Bucket) else None
