"""Every route and every role: exactly those that the table of scopes names get in."""

import pytest

from obligor.app.service_protocol import EVENT_SCOPES, SCOPES
from obligor.web import session
from obligor.web.access import API, CONSOLE, PUBLIC
from tests.contract.fitting import fitted

ROUTES = {**API, **CONSOLE}
NAMING = [route for route, scope in ROUTES.items() if "{" in route[1] and scope != PUBLIC]
UNKNOWN = "01900000-0000-7000-8000-000000000000"
DENIED = {401, 403}
JSON = {"accept": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
MALFORMED = {
    "empty": "",
    "a scheme alone": "Bearer",
    "another scheme": "Basic {}",
    "no scheme": "{}",
    "half a key": "Bearer {:.20}",
    "a key and more": "Bearer {}x",
    "two keys": "Bearer {0} {0}",
    "a key in quotes": 'Bearer "{}"',
    "another case": "Bearer {}",
    "not ASCII": "Bearer {}\u00e9",
}


@pytest.fixture(scope="module")
def keys(lender):
    """A key for each scope alone, one for all, and one that was revoked."""
    made = {scope: lender.key(scope) for scope in SCOPES}
    made["all"] = lender.key()
    made["revoked"] = lender.key(name="revoked")
    lender.service.keys.revoke("revoked")
    return made


def ask(lender, method, template, headers, name=UNKNOWN, cookie=None):
    """A request that means nothing: what matters is whether anybody looks at it."""
    path = template
    for parameter in [part for part in template.split("/") if part.startswith("{")]:
        path = path.replace(parameter, name)
    sent = {}
    if method == "POST":
        form = not template.startswith("/v1/")
        sent = {"content": b"" if form else b"{}"}
        headers = {**(FORM if form else {"content-type": "application/json"}), **headers}
    if cookie is not None:
        headers = {**headers, "cookie": f"{session.COOKIE}={cookie}"}
    lender.stranger.cookies.clear()
    return lender.stranger.request(method, path, headers={**JSON, **headers}, **sent)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


def test_the_served_description_names_the_scope_of_each_route(lender):
    served = lender.client().get("/openapi.json").json()["paths"]
    told = {
        (method.upper(), path): operation.get("x-scope", PUBLIC)
        for path, item in served.items()
        for method, operation in item.items()
    }
    assert told == API


@pytest.mark.parametrize(("method", "template"), ROUTES, ids=map(" ".join, ROUTES))
def test_those_that_the_table_names_get_in_and_nobody_else(lender, keys, method, template):
    needed = ROUTES[method, template]
    let_in = {
        role for role, token in keys.items() if is_in(ask(lender, method, template, bearer(token)), template)
    }
    if is_in(ask(lender, method, template, {}), template):
        let_in.add("nobody")
    if needed == PUBLIC:
        assert let_in == {*keys, "nobody"}
    elif (method, template) == ("POST", "/alerts/{name}"):
        assert let_in == set(), "it takes a form of a session as well"
    else:
        assert let_in == {needed, "all"}


def is_in(answer, template):
    """Whether a request got past the guard. Who may not is told so, and nothing else."""
    assert answer.status_code < 500, answer.text
    if answer.status_code not in DENIED:
        return True
    if template in {"/sign-in", "/enter"}:
        return answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in {"unauthorised", "forbidden"}
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
    return False


@pytest.mark.parametrize("malformed", MALFORMED)
def test_what_is_not_quite_a_key_is_none(lender, malformed):
    token = lender.token.swapcase() if malformed == "another case" else lender.token
    sent = {"authorization": MALFORMED[malformed].format(token).encode()}
    for method, template in API:
        answer = ask(lender, method, template, sent)
        assert (answer.status_code == 401) == (API[method, template] != PUBLIC)


def test_of_two_keys_in_one_request_neither_adds_to_the_other(lender, keys):
    both = [("authorization", f"Bearer {keys[scope]}") for scope in ("read", "admin")]
    assert lender.stranger.get("/v1/summary", headers=both).status_code == 200
    assert lender.stranger.post("/v1/models", headers=both).status_code == 403


@pytest.mark.parametrize(("method", "template"), NAMING, ids=map(" ".join, NAMING))
def test_who_may_not_look_cannot_tell_what_is_there(lender, stock, keys, method, template):
    live = (
        stock.known(template.partition("{")[2].rstrip("}"))
        if template.startswith("/v1/")
        else stock.known("loan_id")
    )
    for headers in ({}, bearer(keys["revoked"]), bearer(keys["erase"])):
        known, unknown = (ask(lender, method, template, headers, name) for name in (live, UNKNOWN))
        assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


# ---- The console's sessions


def signed_in(lender, *scopes, name=None):
    """The cookie of a session."""
    told = lender.stranger.post("/sign-in", data={"key": lender.key(*scopes, name=name)}, headers=FORM)
    assert told.status_code == 303
    return told.cookies[session.COOKIE]


def test_a_session_opens_the_pages_that_its_key_may_see_and_no_route_of_the_api(lender):
    cookie = signed_in(lender, "read")
    for (method, template), needed in ROUTES.items():
        if template in {"/sign-in", "/enter", "/sign-out"}:
            continue
        answer = ask(lender, method, template, {}, cookie=cookie)
        allowed = needed == PUBLIC or ((method, template) in CONSOLE and needed == "read")
        assert (answer.status_code not in DENIED) == allowed, (method, template)


def test_a_session_that_is_over_or_not_ours_opens_nothing(lender, monkeypatch):
    good = signed_in(lender, "read")
    said, _, mac = good.partition(".")
    monkeypatch.setattr(session, "SECONDS", -1)
    expired = signed_in(lender, "read")
    foreign = session.Sessions(lender.service).begin(lender.service.authenticate(lender.token))
    for cookie in (
        expired,
        foreign,
        said,
        f"{said}.",
        f"{said}.{mac[:-1]}",
        f"{said}x.{mac}",
        f".{mac}",
        "",
        ".",
    ):
        for (method, template), needed in CONSOLE.items():
            if needed != PUBLIC:
                assert ask(lender, method, template, {}, cookie=cookie).status_code == 401, (cookie, template)


def test_a_session_ends_with_its_key(lender):
    cookie = signed_in(lender, name="leaver")
    assert ask(lender, "GET", "/loans", {}, cookie=cookie).status_code == 200
    lender.service.keys.revoke("leaver")
    assert ask(lender, "GET", "/loans", {}, cookie=cookie).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused_whoever_is_signed_in(lender, stock, headers):
    cookie = signed_in(lender)
    for path in ("/alerts/" + stock.kept("alert"), "/sign-out", "/sign-in"):
        assert ask(lender, "POST", path, headers, cookie=cookie).status_code == 403
    assert ask(lender, "GET", "/loans", {}, cookie=cookie).status_code == 200


# ---- Events that take a scope of their own


@pytest.mark.parametrize("kind", EVENT_SCOPES)
def test_an_event_that_takes_a_scope_of_its_own_is_refused_without_it(lender, stock, kind):
    body = {"cap.set": {"cap": "partner/x", "limit_minor": 1, "currency": "CNY"}}.get(kind, {})
    body |= {"classes": ["identity"], "ground": "asked"} if kind == "person.erased" else {}
    sent = fitted(stock, "/v1/events", {"type": kind, "source": "m", "body": body})
    before = lender.size()
    with lender.client(lender.key("events:write")) as http:
        alone = http.post("/v1/events", json=sent)
        assert (alone.status_code, EVENT_SCOPES[kind] in alone.json()["detail"]) == (403, True)
        line = http.post("/v1/events", json=sent, headers={"content-type": "application/x-ndjson"}).json()
        assert (line["status"], line["problem"]["code"]) == ("refused", "forbidden")
    with lender.client(lender.key(EVENT_SCOPES[kind])) as http:
        assert http.post("/v1/events", json=sent).status_code == 403
    assert lender.size() == before
    with lender.client(lender.key("events:write", EVENT_SCOPES[kind])) as http:
        assert http.post("/v1/events", json=sent).status_code == 201
