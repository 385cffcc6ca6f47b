"""The console's pages, as a browser without scripts sees them."""

import re
from datetime import timedelta
from html import unescape

import pytest
from msgspec.structs import replace

from obligor.app.views import DpdPoint
from obligor.kernel import Unavailable, derived_id
from obligor.web.access import CONSOLE
from obligor.web.pages import _overdue
from tests.web.fake_more import FakeService

HREF = re.compile(r'(?:href|action|src|hx-get)="([^"]*)"')
PLAIN = re.compile(r"<[^>]+>")


def pages_of(service):
    return {
        "overview": "/",
        "overview of a day": "/?days=1&on=2026-11-19",
        "decisions": "/decisions",
        "filtered": "/decisions?outcome=refer&score_from=610&overridden=true",
        "next page": "/decisions?after=25",
        "nothing fits": "/decisions?score_from=900",
        "approved": "/decisions/" + next(r.decision_id for r in service.rows if r.outcome == "approve"),
        "overridden": "/decisions/" + next(r.decision_id for r in service.rows if r.overridden),
        "application": "/applications/" + service.rows[0].application_id,
        "loans": "/loans",
        "loans of a state": "/loans?state=31-60",
        "loan": "/loans/" + service.loan_rows[5].loan_id,
        "loan on a day": "/loans/" + service.loan_rows[5].loan_id + "?on=2026-10-20",
        "alerts": "/alerts",
        "cleared": "/alerts?state=cleared",
        "alert": "/alerts/" + service.alert_rows[0].alert_id,
        "early warning": "/alerts/" + service.alert_rows[1].alert_id,
        "entry": "/events/" + derived_id("event", 8700),
        "book": "/book",
        "book of a day": "/book?as_of=2026-06-30",
        "features": "/features",
        "feature": "/features/inflow_90d_minor",
        "feature nobody reads": "/features/devices_90d",
        "strategies": "/strategies",
        "strategy": "/strategies/" + "4a" * 32,
        "late loans": "/loans?month=2026-05&over=30&mob=3",
        "signed": "/decisions?signed=true",
    }


NAMES = list(pages_of(FakeService()))


def text_of(answer):
    return re.sub(r"\s+", " ", unescape(PLAIN.sub(" ", answer.text)))


def addresses(answer):
    return {unescape(found) for found in HREF.findall(answer.text)}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_whole_and_says_whose_books_they_are(page, service, name, lang):
    path = pages_of(service)[name]
    answer = page.get(path + ("&" if "?" in path else "?") + f"lang={lang}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    text = text_of(answer)
    assert "Demo Lender" in text
    assert ("Simulated data" if lang == "en" else "模拟数据") in text
    assert ("as of 20 Nov 2026, 16:30:11" if lang == "en" else "截至 2026年11月20日 16:30:11") in text
    assert f'<html lang="{"en" if lang == "en" else "zh-CN"}"' in answer.text
    assert "None" not in text
    assert "N/A" not in text


@pytest.mark.parametrize("name", NAMES)
def test_no_page_needs_what_the_policy_forbids(page, service, name):
    text = page.get(pages_of(service)[name]).text
    assert not re.findall(r"<[^>]+\s(?:style|on\w+)=", text)
    assert not re.findall(r"<style", text)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", text))
    assert not re.findall(r'(?:href|src|action)="(?:https?:)?//', text)


def test_no_link_is_dead(page, service):
    """Everything that any page leads to, pages of pages included."""
    waiting, seen = set(pages_of(service).values()), set()
    while waiting:
        path = waiting.pop()
        bare = path.partition("#")[0]
        if not bare or bare in seen or bare in {"/sign-out", "/find"}:
            continue
        seen.add(bare)
        answer = page.get(bare)
        assert answer.status_code == 200, path
        if len(seen) < 60 and "text/html" in answer.headers["content-type"]:
            waiting |= {found for found in addresses(answer) if found.startswith("/")}
    assert len(seen) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_points_to_within_itself_is_there(page, service, name):
    answer = page.get(pages_of(service)[name])
    ids = re.findall(r'\sid="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids))
    assert {found[1:] for found in addresses(answer) if found.startswith("#")} <= set(ids)


@pytest.mark.parametrize("name", NAMES)
def test_every_page_has_its_json_twin(page, service, name):
    answer = page.get(pages_of(service)[name])
    twin = unescape(re.search(r'rel="alternate" type="application/json" href="([^"]*)"', answer.text)[1])
    found = page.get(twin)
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"


def test_the_twin_is_what_the_api_answers(page, client, service):
    row, loan = service.rows[0], service.loan_rows[0]
    for twin, path in (
        ("/overview.json", "/v1/overview"),
        ("/decisions.json?outcome=refer", "/v1/decisions?outcome=refer"),
        (f"/decisions/{row.decision_id}.json", f"/v1/decisions/{row.decision_id}"),
        (f"/loans/{loan.loan_id}.json?on=2026-10-20", f"/v1/loans/{loan.loan_id}?on=2026-10-20"),
        (f"/alerts/{service.alert_rows[0].alert_id}.json", f"/v1/alerts/{service.alert_rows[0].alert_id}"),
        ("/book.json?as_of=2026-06-30", "/v1/book?as_of=2026-06-30"),
        ("/features.json", "/v1/features"),
        ("/features/devices_90d.json", "/v1/features/devices_90d"),
        ("/strategies.json", "/v1/strategies"),
        (f"/strategies/{'4a' * 32}.json", f"/v1/strategies/{'4a' * 32}"),
    ):
        assert page.get(twin).json() == client.get(path, headers={"authorization": "Bearer all"}).json()


def test_the_nav_shows_only_what_there_is(page):
    menu = page.get("/").text.partition('<nav class="nav"')[2].partition("</nav>")[0]
    for path in HREF.findall(menu):
        assert ("GET", path.partition("?")[0]) in CONSOLE or path in {"/openapi.json", "/sign-out"}


def test_the_address_is_the_state(page):
    answer = page.get("/decisions?outcome=refer&product=bullet-6&score_from=600")
    text = answer.text
    assert '<option value="refer" selected>' in text
    assert '<option value="bullet-6" selected>' in text
    assert 'name="score_from" size="4" inputmode="numeric" value="600"' in text
    assert "<b>outcome=refer</b>&amp;<b>product=bullet-6</b>&amp;<b>score_from=600</b>" in text
    assert 'rel="bookmark"' in text


def test_empty_fields_of_a_form_are_no_filters(page):
    answer = page.get("/decisions?stage=&outcome=decline&score_from=&day_to=")
    assert answer.status_code == 200
    assert "<b>outcome=decline</b>" in answer.text


def test_a_filter_that_cannot_be_is_explained_on_a_page(page):
    answer = page.get("/decisions?score_from=high")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert "score_from" in answer.text


def test_paging_keeps_the_filter(page):
    first = page.get("/decisions?stage=prelend")
    following = next(found for found in addresses(first) if "after=" in found)
    assert "stage=prelend" in following
    ids = [
        set(re.findall(r'href="/decisions/([0-9a-f-]{36})"', text))
        for text in (first.text, page.get(following).text)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_the_score_adds_up_on_the_page(page, service):
    row = next(r for r in service.rows if r.overridden)
    answer = page.get(f"/decisions/{row.decision_id}")
    table = answer.text.partition('class="wf"')[2].partition("</table>")[0]
    points = [
        int(text.replace("−", "-").replace(",", ""))
        for text in re.findall(r'<td class="num">(?:<a[^>]*>)?([+−]?[\d,]+)<', table)
    ]
    assert points[0] + sum(points[1:-1]) == points[-1] == row.score


def test_reasons_are_told_in_both_languages(page, service):
    row = next(r for r in service.rows if r.outcome == "decline")
    text = page.get(f"/decisions/{row.decision_id}").text
    assert '<span lang="en">Many credit enquiries in six months</span>' in text
    assert '<span lang="zh-CN">近6个月征信查询次数偏多</span>' in text


def test_the_receipt_is_verified_step_by_step_and_can_be_taken_away(page, service):
    row = service.rows[0]
    text = text_of(page.get(f"/decisions/{row.decision_id}"))
    assert "6 of 6 steps hold" in text
    assert f"obligor verify receipt-{row.event_id}.json" in text
    file = page.get(f"/receipts/{row.event_id}")
    assert file.headers["content-disposition"] == f'attachment; filename="receipt-{row.event_id}.json"'
    assert file.content == service.receipt("main", row.event_id)


def test_a_receipt_that_does_not_hold_says_which_step(page, service, monkeypatch):
    good = service.receipt("main", service.rows[0].event_id)
    bad = good.replace(b'"index":2', b'"index":3')
    assert bad != good
    monkeypatch.setattr(service, "receipt", lambda *_: bad)
    text = text_of(page.get(f"/decisions/{service.rows[0].decision_id}"))
    assert "does not hold" in text
    assert "6 of 6" not in text


def test_a_receipt_that_is_not_there_yet_is_said_so(page, service):
    service.unsigned.add(service.rows[0].event_id)
    answer = page.get(f"/decisions/{service.rows[0].decision_id}")
    assert answer.status_code == 200
    assert "not signed yet" in text_of(answer)


def test_the_funds_of_a_loan_add_up_on_the_page(page, service):
    text = text_of(page.get(f"/loans/{service.loan_rows[5].loan_id}"))
    assert "named + held + exit = disbursed" in text
    assert "31,400.00" in text
    assert "1,120.55" in text
    assert "3,479.45" in text


def test_an_empty_lender_is_told_how_to_begin(shared_client):
    from tests.web.conftest import SWITCH

    SWITCH.now = FakeService(size=0)
    shared_client.cookies.clear()
    shared_client.headers.clear()
    shared_client.headers["accept"] = "text/html"
    shared_client.post("/sign-in", data={"key": "all"})
    for path, said in (
        ("/", "make run"),
        ("/decisions", "POST /v1/applications"),
        ("/loans", "loan.disbursed"),
        ("/alerts", "No open alert"),
        ("/book", "make run"),
        ("/strategies", "No strategy has been published yet"),
    ):
        answer = shared_client.get(path)
        assert answer.status_code == 200
        assert said in text_of(answer)


def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(page):
    answer = page.get("/loans/none")
    assert answer.status_code == 404
    assert "There is no such thing here" in answer.text
    assert page.get("/loans/none.json").headers["content-type"] == "application/problem+json"
    program = page.get("/loans/none", headers={"accept": "*/*"})
    assert program.headers["content-type"] == "application/problem+json"


def test_a_store_that_is_out_of_reach_is_a_page_too(page, service, monkeypatch):
    def fail(*_):
        raise Unavailable("the disk is full")

    monkeypatch.setattr(service, "overview", fail)
    answer = page.get("/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "the disk is full" in answer.text


def test_an_id_is_found_whole_or_as_it_is_shown(page, service):
    row = service.rows[0]
    answer = page.get("/find", params={"q": f" {row.decision_id} "}, follow_redirects=False)
    assert answer.headers["location"] == f"/decisions/{row.decision_id}"
    seen = []
    service.find = lambda _, text: seen.append(text)
    assert page.get("/find", params={"q": "AL-8F3K2QXV"}).status_code == 404
    page.get("/find", params={"q": "LC-1077501"})
    assert seen == ["8F3K2QXV", "LC-1077501"]


def test_days_past_due_grow_by_one_a_day_between_what_happened(service):
    loan = service.loan("main", service.loan_rows[5].loan_id)
    first = loan.disbursed_on
    path = tuple(
        DpdPoint(on=first + timedelta(days=day), days_past_due=value, principal_minor=1)
        for day, value in ((0, 0), (45, 14), (50, 5), (60, 15), (62, 0), (90, 0))
    )
    corners = _overdue(replace(loan, path=path), first)
    assert corners == [
        *[
            (0, 0),
            (0, 0),
            (31, 0),
            (45, 14),
            (49, 18),
            (50, 5),
            (59, 14),
            (60, 15),
            (61, 16),
            (62, 0),
            (90, 0),
        ],
    ]


# ---- Languages


def test_a_language_is_kept_once_chosen(page):
    assert "总览" not in page.get("/").text
    assert "总览" in page.get("/?lang=zh").text
    assert "总览" in page.get("/").text
    assert "Overview" in page.get("/?lang=en").text


def test_a_browser_gets_its_own_language_first(page):
    assert "登录" in page.get("/sign-in", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"}).text


def test_no_language_but_ours_is_taken(page):
    answer = page.get("/?lang=xx")
    assert "Overview" in answer.text
    assert "set-cookie" not in answer.headers
