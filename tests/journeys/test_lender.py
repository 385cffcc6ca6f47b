"""The console over a real lender: what people read is what the books say."""

import contextlib
import re
from datetime import date
from html import unescape

import httpx
import pytest

from obligor.proof import verify_receipt
from obligor.web.wording import Words
from tests.app.conftest import Lender, scorecard  # noqa: F401  a fixture
from tests.applicants import BUREAU
from tests.journeys.looks import barriers, keep, overflow

pytestmark = pytest.mark.browser
WORDS = Words("en", "Asia/Shanghai")


@pytest.fixture(scope="module")
def lender(tmp_path_factory, scorecard):  # noqa: F811
    with contextlib.closing(Lender(tmp_path_factory.mktemp("lender") / "var", scorecard)) as made:
        yield made


def live(lender):
    """A loan that fell behind and whose money reached a broker over two accounts; and a person declined."""
    lender.event("cap.set", {"cap": "product/instalment", "limit_minor": 9_000_000, "currency": "CNY"})
    asked = lender.apply(person={"reference": "one", "name": "Person One"})
    decided = lender.event(
        "source.answered",
        {"application_id": asked["application_id"], "name": "bureau", "facts": BUREAU},
        "2026-01-05T11:00:00+08:00",
    )
    assert decided["outcome"] == "approve", decided
    about = {"application_id": asked["application_id"]}
    lender.event("offer.made", about, "2026-01-05T12:00:00+08:00")
    lender.event("offer.accepted", about, "2026-01-06T12:00:00+08:00")
    contract = {**about, "contract_id": "C-1", "document_sha256": "ab" * 32}
    lender.event("contract.signed", contract, "2026-01-06T13:00:00+08:00")
    for account in ("A-1", "A-2"):
        opened = {"account_id": account, "person_id": asked["person_id"], "currency": "CNY"}
        lender.event("account.opened", opened, "2026-01-06T14:00:00+08:00")
    drawn = lender.draw(
        **about, amount_minor=decided["limit_minor"], currency="CNY", at="2026-01-07T10:00:00+08:00"
    )
    loan = drawn["loan_id"]
    paid_out = lender.event(
        "loan.disbursed",
        {"loan_id": loan, "account_id": "A-1", "disbursed_on": "2026-01-07"},
        "2026-01-07T13:00:00+08:00",
    )
    moved = {"transfer_id": "T-1", "direction": "out", "amount_minor": 400_000, "currency": "CNY"}
    lender.event(
        "transfer.posted", {**moved, "account_id": "A-1", "counterparty": "A-2"}, "2026-01-08T09:00:00+08:00"
    )
    broker = {"counterparty": "broker-1", "counterparty_class": "securities_broker"}
    lender.event("transfer.posted", {**moved, "account_id": "A-2", **broker}, "2026-01-09T09:00:00+08:00")
    first = paid_out["schedule"][0]
    payment = {
        "loan_id": loan,
        "amount_minor": first["principal_minor"] + first["interest_minor"],
        "currency": "CNY",
    }
    lender.event(
        "repayment.received", {**payment, "value_on": first["due_on"]}, f"{first['due_on']}T12:00:00+08:00"
    )
    for day in ("2026-03-10", "2026-03-20", "2026-04-30"):
        lender.event("day.closed", {"day": day})
    again = lender.apply(person={"reference": "two"}, at="2026-04-30T10:00:00+08:00")
    bad = {**BUREAU, "bureau_worst_dpd_24m": 120, "bureau_score": 380}
    refused = lender.event(
        "source.answered",
        {"application_id": again["application_id"], "name": "bureau", "facts": bad},
        "2026-04-30T10:01:00+08:00",
    )
    assert refused["outcome"] == "decline", refused
    lender.settle()
    return {"application": asked, "approved": decided, "declined": refused, "loan": loan}


@pytest.fixture(scope="module")
def told(lender):
    return live(lender)


@pytest.fixture
def server_url(lender, told):
    return lender.url


@pytest.fixture
def api_key(lender):
    return lender.token


def text(tab, selector="main"):
    return re.sub(r"\s+", " ", tab.locator(selector).inner_text())


@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_of_a_real_book_fit_and_axe_finds_nothing(sign_in, lender, told, axe, width):
    tab = sign_in(viewport={"width": width, "height": 900})
    alert = lender.get("/v1/alerts", kind="fund_use")["rows"][0]
    for name, path in {
        "overview": "/",
        "decisions": "/decisions",
        "decision": f"/decisions/{told['approved']['decision_id']}",
        "declined": f"/decisions/{told['declined']['decision_id']}",
        "loans": "/loans",
        "loan": f"/loans/{told['loan']}",
        "alerts": f"/alerts/{alert['alert_id']}",
        "application": f"/applications/{told['application']['application_id']}",
    }.items():
        tab.goto(lender.url + path)
        keep(tab, f"lender-{name}-{width}")
        assert overflow(tab) == (0, []), name
        assert barriers(tab, axe) == [], name
    assert tab.complaints == []


def test_the_loan_page_says_what_the_books_say(sign_in, lender, told):
    tab = sign_in()
    tab.goto(f"{lender.url}/loans/{told['loan']}?on=2026-03-20")
    view = lender.get(f"/v1/loans/{told['loan']}", on="2026-03-20")
    assert (
        view["days_past_due"]
        == (date(2026, 3, 20) - date.fromisoformat(view["schedule"][1]["due_on"])).days
        > 0
    )
    shown = text(tab)
    for amount in (
        view["principal_minor"],
        view["arrears_minor"],
        view["repaid_minor"],
        view["amount_minor"],
    ):
        assert WORDS.money(amount, "CNY") in shown
    assert f"{view['days_past_due']} days past due" in shown
    assert "named + held + exit = disbursed" in shown
    assert tab.locator("#schedule tbody tr").count() == len(view["schedule"]) + 1
    assert "not balanced" not in shown


def test_the_overview_counts_what_happened(sign_in, lender, told):
    tab = sign_in()
    tab.goto(f"{lender.url}/?days=365")
    view = lender.get("/v1/overview", days=365)
    figures = tab.locator(".flow .fig").all_inner_texts()
    flow = view["flow"]
    names = ("applications", "decided", "approved", "drawn", "repaid")
    assert figures == [WORDS.count(flow[name]) for name in names] == ["2", "2", "1", "1", "1"]
    assert "sum zero" in text(tab)


def test_the_alert_shows_the_way_of_the_money(sign_in, lender, told):
    tab = sign_in()
    (row,) = lender.get("/v1/alerts", kind="fund_use")["rows"]
    tab.goto(f"{lender.url}/alerts/{row['alert_id']}")
    assert "4,000.00 of 12,000.00 reached: Securities broker" in text(tab, "#detail h2 >> nth=0")
    assert tab.locator("#detail table >> nth=0").locator("tbody tr").count() == 3
    assert tab.locator("figure.chart svg path").count() == 3
    tab.check("input[value=confirmed]")
    tab.fill("#note", "The borrower names the broker.")
    tab.click("button:text('Record')")
    tab.locator("#detail .stamp b", has_text="Confirmed").wait_for()
    cleared = lender.get(f"/v1/alerts/{row['alert_id']}")["cleared"]
    assert cleared["note"] == "The borrower names the broker."
    assert verify_receipt(
        lender.http.get(f"/v1/receipts/{cleared['event_id']}").content, vkey=lender.service.vkey
    ).ok


def test_every_receipt_box_holds(sign_in, lender, told):
    tab = sign_in()
    for decision in (told["approved"], told["declined"]):
        tab.goto(f"{lender.url}/decisions/{decision['decision_id']}")
        assert text(tab, "#receipt header p") == "6 of 6 steps hold"
        assert "Replayed equal" in text(tab)


def test_no_link_of_a_real_book_is_dead(lender, told):
    with httpx.Client(base_url=lender.url, headers={"accept": "text/html"}, trust_env=False) as page:
        page.post("/sign-in", data={"key": lender.token}, headers={"sec-fetch-site": "same-origin"})
        waiting, seen = ["/", "/decisions", "/loans", "/alerts?state=any"], set()
        while waiting and len(seen) < 80:
            path = waiting.pop(0).partition("#")[0]
            if path in seen or not path or path.startswith(("/sign-out", "/find")):
                continue
            seen.add(path)
            answer = page.get(path)
            assert answer.status_code == 200, path
            if answer.headers["content-type"].startswith("text/html"):
                found = re.findall(r'href="([^"]*)"', answer.text)
                waiting += [unescape(one) for one in found if one.startswith("/")]
    assert len(seen) > 40
