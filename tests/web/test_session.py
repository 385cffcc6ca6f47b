"""Signing in and out, and forms that only our own pages can send."""

import pytest

from obligor.web.session import COOKIE, SECONDS, Sessions
from tests.web.fake import ALL, Principal
from tests.web.fake_more import FakeService

COOKIE_FLAGS = {"Path=/", "SameSite=Strict", "HttpOnly", f"Max-Age={SECONDS}"}


@pytest.fixture
def browser(client):
    client.headers.clear()
    client.headers["accept"] = "text/html"
    return client


def test_a_page_leads_to_the_sign_in_and_back(browser):
    answer = browser.get("/decisions?outcome=refer", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=%2Fdecisions%3Foutcome%3Drefer",
    )
    form = browser.get(answer.headers["location"])
    assert 'name="next" value="/decisions?outcome=refer"' in form.text
    there = browser.post(
        "/sign-in", data={"key": "reader", "next": "/decisions?outcome=refer"}, follow_redirects=False
    )
    assert there.headers["location"] == "/decisions?outcome=refer"
    assert browser.get(there.headers["location"]).status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    answer = browser.post("/sign-in", data={"key": "all"}, follow_redirects=False)
    flags = set(answer.headers["set-cookie"].split("; ")[1:])
    assert flags == COOKIE_FLAGS
    assert "all" not in answer.headers["set-cookie"].partition(".")[0].split("=", 1)[1][:3]


@pytest.mark.parametrize("key", ["", "wrong", "writer"])
def test_a_key_that_may_not_read_does_not_sign_in(browser, key):
    answer = browser.post("/sign-in", data={"key": key}, follow_redirects=False)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_a_sign_in_leads_to_no_other_site(browser, to):
    answer = browser.post("/sign-in", data={"key": "all", "next": to}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_ticket_works_once(browser):
    first = browser.get("/enter?ticket=once")
    assert first.status_code == 200
    assert 'http-equiv="refresh" content="0; url=/"' in first.text
    assert browser.get("/decisions", follow_redirects=False).status_code == 200
    browser.cookies.clear()
    assert browser.get("/enter?ticket=once").status_code == 401
    assert browser.get("/enter").status_code == 401


def test_signed_out_is_out_even_for_a_copy_of_the_cookie(page):
    copied = dict(page.cookies)
    assert page.post("/sign-out", data={"x": ""}, follow_redirects=False).headers["location"] == "/sign-in"
    page.cookies.update(copied)
    assert page.get("/decisions", follow_redirects=False).status_code == 303


def test_a_session_ends_with_its_key(page, service):
    assert page.get("/decisions", follow_redirects=False).status_code == 200
    service.revoked.add("all")
    assert page.get("/decisions", follow_redirects=False).status_code == 303


def test_a_session_ends_with_its_time():
    now = [1000.0]
    sessions = Sessions(FakeService(), lambda: now[0])
    sent = {COOKIE: sessions.begin(Principal("main", "all", ALL))}
    assert sessions.principal(sent) == Principal("main", "all", ALL)
    now[0] += SECONDS
    assert sessions.principal(sent) is None


def test_a_cookie_that_was_changed_anywhere_is_no_session():
    sessions = Sessions(FakeService())
    value = sessions.begin(Principal("main", "reader", frozenset({"read"})))
    assert sessions.principal({COOKIE: value}) is not None
    for index in range(len(value)):
        changed = value[:index] + ("A" if value[index] != "A" else "B") + value[index + 1 :]
        assert changed != value
        assert sessions.principal({COOKIE: changed}) is None or changed.rstrip("AB") == value
    for junk in ("", ".", "a.b", "é.é", value + "x", value.partition(".")[0]):
        assert sessions.principal({COOKIE: junk}) is None


def test_another_process_knows_no_session_of_this_one():
    value = Sessions(FakeService()).begin(Principal("main", "all", ALL))
    assert Sessions(FakeService()).principal({COOKIE: value}) is None


# ---- Forms that write


def token_of(page, service):
    text = page.get(f"/alerts/{service.alert_rows[0].alert_id}").text
    return text.partition('name="token" value="')[2].partition('"')[0]


def dispose(page, service, token, headers=None, **changes):
    data = {"token": token, "disposition": "not_suspicious", "note": "A supplier of the shop.", **changes}
    alert_id = service.alert_rows[0].alert_id
    return page.post(f"/alerts/{alert_id}", data=data, headers=headers or {}, follow_redirects=False)


def test_an_alert_is_closed_by_an_event_under_ones_own_name(page, service):
    alert_id = service.alert_rows[0].alert_id
    answer = dispose(page, service, token_of(page, service))
    assert answer.headers["location"] == f"/alerts/{alert_id}"
    ((who, kind, payload),) = service.taken
    assert (who, kind, payload["type"]) == ("all", "event", "alert.cleared")
    assert payload["body"] == {
        "alert_id": alert_id,
        "disposition": "not_suspicious",
        "officer": "all",
        "note": "A supplier of the shop.",
    }
    assert "A supplier of the shop." in page.get(f"/alerts/{alert_id}").text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_of_another_site_is_refused(page, service, headers):
    token = token_of(page, service)
    assert dispose(page, service, token, headers).status_code == 403
    assert page.post("/sign-out", data={"x": ""}, headers=headers).status_code == 403
    assert service.taken == []
    ours = {"origin": "http://testserver.local", "sec-fetch-site": "same-origin"}
    assert dispose(page, service, token, ours).status_code == 303


def test_a_form_of_another_session_is_refused(page, service):
    token = token_of(page, service)
    page.post("/sign-in", data={"key": "all"})
    assert dispose(page, service, token).status_code == 403
    assert dispose(page, service, "").status_code == 403
    assert service.taken == []


def test_a_disposition_needs_a_reason_and_a_known_word(page, service):
    token = token_of(page, service)
    assert dispose(page, service, token, note="  ").status_code == 422
    assert dispose(page, service, token, disposition="fine").status_code == 422
    assert service.taken == []


def test_who_may_only_read_is_shown_no_form_and_cannot_send_one(page, service):
    page.post("/sign-in", data={"key": "reader"})
    text = page.get(f"/alerts/{service.alert_rows[0].alert_id}").text
    assert 'name="disposition"' not in text
    assert dispose(page, service, "x").status_code == 403
    assert service.taken == []


def test_nothing_is_written_by_asking(page, service):
    for path in ("/sign-out", f"/alerts/{service.alert_rows[0].alert_id}?disposition=confirmed&note=x"):
        page.get(path)
    assert service.taken == []
    assert page.get("/decisions", follow_redirects=False).status_code == 200
