"""A key of another tenant sees nothing of ours, cannot tell that it is there, and changes nothing of it."""

import json

import pytest

from obligor.web.access import API, CONSOLE
from tests.app.conftest import application
from tests.contract.fitting import EVENTS, fitted

UNKNOWN = "01900000-0000-7000-8000-000000000000"
# Files and the catalogue of features are the deployment's, and no tenant's.
SHARED = ("/static/", "/features/", "/v1/features/")
ONE = [
    path
    for method, path in (*API, *CONSOLE)
    if method == "GET" and "{" in path and not path.startswith(SHARED)
]
MANY = ["/v1/decisions", "/v1/loans", "/v1/alerts", "/decisions.json", "/loans.json", "/alerts.json"]
# What each type of event needs beside the ids that are fitted to it.
GIVEN = {
    "account.opened": {"currency": "CNY"},
    "alert.cleared": {"disposition": "confirmed", "officer": "o-1"},
    "application.overridden": {"outcome": "decline", "officer": "o-1", "authority": "a", "reason_code": "r"},
    "case.assigned": {"officer": "o-1"},
    "case.closed": {"officer": "o-1", "outcome": "done"},
    "consent.granted": {"purpose": "bureau"},
    "contract.signed": {"contract_id": "c-1", "document_sha256": "ab" * 32},
    "device.seen": {"device_id": "d-1"},
    "fee.charged": {"amount_minor": 1},
    "person.erased": {"classes": ["identity"], "ground": "asked"},
    "recovery.received": {"amount_minor": 1},
    "repayment.received": {"amount_minor": 1},
    "source.answered": {"facts": {}},
    "transfer.posted": {"direction": "in", "amount_minor": 1, "counterparty": "shop-1"},
}
# These name nothing of ours.
FREE = {"cap.set", "day.closed"}


@pytest.fixture(scope="module")
def other(lender):
    """A client of another tenant, whose key may do everything there."""
    with lender.client(lender.key(tenant="other")) as http:
        yield http


def without(answer, name):
    """An answer with the id that it repeats taken out."""
    return answer.status_code, answer.content.replace(name.encode(), b"*"), answer.headers["content-type"]


def live(stock, path):
    """An id of ours that a path is about."""
    kind = path.split("/")[-2].removesuffix("s")
    return stock.known({"receipt": "event_id", "strategie": "sha256"}.get(kind, f"{kind}_id"))


@pytest.mark.parametrize("path", ONE)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_what_is_ours_is_to_them_what_there_is_not(lender, stock, other, path, accept):
    ours = live(stock, path)
    before, _, after = path.partition(path[path.index("{") : path.index("}") + 1])
    headers = {"accept": accept}
    assert lender.http.get(before + ours + after, headers=headers).status_code == 200
    seen = [without(other.get(before + name + after, headers=headers), name) for name in (ours, UNKNOWN)]
    assert seen[0] == seen[1]
    assert seen[0][0] == 404


@pytest.mark.parametrize("path", MANY)
def test_their_lists_are_empty(lender, stock, other, path):
    stock.kept("alert")
    assert lender.http.get(path).json()["rows"]
    told = other.get(path).json()
    assert (told["rows"], told["total"], told["next"]) == ([], 0, None)
    assert not any(told["choices"].values())


def test_their_totals_their_search_and_their_log_know_nothing_of_ours(lender, stock, other):
    loan, application_id = stock.kept("loan"), stock.kept("decided")
    told = other.get("/v1/summary").json()
    assert [told[name] for name in ("decisions", "loans", "alerts", "postings", "model")] == [
        0,
        0,
        0,
        0,
        None,
    ]
    for text in (loan, loan[-8:], application_id, application_id[-8:], f"L-{loan[-8:]}"):
        assert other.get("/find", params={"q": text}).status_code == 404
    for filters in ({"person": stock.kept("person")}, {"application": application_id}):
        assert other.get("/v1/decisions", params=filters).json()["total"] == 0
    note = other.get("/v1/checkpoint").text
    assert note.startswith("obligor.local/other/")
    assert lender.http.get("/v1/checkpoint").text.split("\n")[2] not in note
    assert other.post("/v1/replays").json()["decisions"] == 0


def test_a_cursor_of_ours_shows_them_nothing(lender, stock, other):
    for _ in range(51):
        stock.loan()
    cursor = lender.http.get("/v1/loans").json()["next"]
    assert lender.http.get("/v1/loans", params={"after": cursor}).json()["rows"]
    assert other.get("/v1/loans", params={"after": cursor}).json()["rows"] == []


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind not in FREE])
def test_an_event_about_what_is_ours_fails_as_one_about_what_there_is_not(lender, stock, other, kind):
    sent = {"type": kind, "source": "theirs", "body": dict(GIVEN.get(kind, {}))}
    sent = fitted(stock, "/v1/events", sent)
    before = lender.size()
    # Ids that the sender makes up are no ids of ours.
    theirs = {"contract_id", *(["account_id"] if kind == "account.opened" else [])}
    about = next(name for name in sent["body"] if name.endswith("_id") and name not in theirs)
    ours = sent["body"][about]
    unknown = {**sent, "body": {**sent["body"], about: UNKNOWN}}
    seen = [
        without(other.post("/v1/events", json=body), name)
        for body, name in ((sent, ours), (unknown, UNKNOWN))
    ]
    assert seen[0] == seen[1]
    assert seen[0][0] == 404
    line = other.post("/v1/events", json=sent, headers={"content-type": "application/x-ndjson"}).json()
    assert (line["status"], line["problem"]["code"]) == ("refused", "not-found")
    assert lender.size() == before
    assert lender.http.post("/v1/events", json=sent).status_code == 201


def test_a_drawdown_and_a_model_of_theirs_do_not_reach_us(lender, stock, other):
    before, model = lender.size(), lender.http.get("/v1/summary").json()["model"]
    asked = {"amount_minor": 1_000, "currency": "CNY"}
    names = (stock.kept("signed"), UNKNOWN)
    before = lender.size()
    seen = [without(other.post("/v1/drawdowns", json={**asked, "application_id": n}), n) for n in names]
    assert seen[0] == seen[1]
    assert seen[0][0] == 404
    assert other.post("/v1/models", json={"version": "9", "model": stock.model}).status_code == 404
    assert lender.http.get("/v1/summary").json()["model"] == model
    assert lender.size() == before


def test_names_that_senders_choose_are_each_tenants_own(lender, stock, other):
    """An idempotency key, a source's reference and a person's reference say nothing across tenants."""
    key = {"idempotency-key": "the-same"}
    cap = {"cap": "partner/same", "limit_minor": 1, "currency": "CNY"}
    sent = {"type": "cap.set", "source": "same", "source_ref": "same", "body": cap}
    ours = lender.http.post("/v1/events", json=sent, headers=key).json()
    changed = {**sent, "body": {**cap, "limit_minor": 2, "currency": "EUR"}}
    theirs = other.post("/v1/events", json=changed, headers=key)
    assert theirs.status_code == 201
    assert "duplicate" not in theirs.json()
    assert theirs.json()["event_id"] != ours["event_id"]
    assert other.post("/v1/applications", json=application(person={"reference": "same"})).status_code == 409
    assert json.loads(lender.http.post("/v1/audits").content)["ok"]
    assert other.post("/v1/audits").json()["ok"]
