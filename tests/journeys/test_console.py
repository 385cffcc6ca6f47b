"""The console in a browser: how it looks, with scripts and without."""

import pytest

from obligor.kernel import derived_id
from tests.journeys.looks import barriers, keep, overflow

pytestmark = pytest.mark.browser


def paths(books):
    return {
        "overview": "/",
        "decisions": "/decisions?stage=prelend",
        "decision": "/decisions/" + next(row.decision_id for row in books.rows if row.overridden),
        "loans": "/loans",
        "loan": "/loans/" + books.loan_rows[5].loan_id,
        "alerts": "/alerts",
        "alert": "/alerts/" + books.alert_rows[1].alert_id,
        "application": "/applications/" + books.rows[2].application_id,
        "entry": "/events/" + derived_id("event", 8700),
        "empty": "/decisions?score_from=9999",
        "book": "/book",
        "features": "/features",
        "feature": "/features/inflow_90d_minor",
        "strategies": "/strategies",
        "strategy": "/strategies/" + "4a" * 32,
    }


@pytest.mark.parametrize(
    ("width", "scheme", "lang"),
    [(1440, "light", "en"), (390, "light", "en"), (1440, "dark", "zh"), (390, "dark", "zh")],
)
def test_pages_fit_and_axe_finds_nothing(sign_in, books, server_url, axe, width, scheme, lang):
    tab = sign_in(viewport={"width": width, "height": 900}, color_scheme=scheme)
    for name, path in paths(books).items():
        tab.goto(f"{server_url}{path}{'&' if '?' in path else '?'}lang={lang}")
        keep(tab, f"{name}-{lang}-{scheme}-{width}")
        assert overflow(tab) == (0, []), name
        if (width, scheme) in {(1440, "light"), (390, "dark")}:
            assert barriers(tab, axe) == [], name
    assert tab.complaints == []


def test_the_sign_in_and_an_error_are_for_everybody_too(browser, server_url, axe):
    tab = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    tab.goto(f"{server_url}/loans")
    assert tab.url.endswith("/sign-in?next=%2Floans")
    assert barriers(tab, axe) == []
    tab.fill("#key", "wrong")
    tab.click("button.go")
    assert tab.locator("[role=alert]").count() == 1
    assert barriers(tab, axe) == []
    assert overflow(tab) == (0, [])
    tab.context.close()


def test_everything_works_without_scripts(sign_in, books, server_url):
    tab = sign_in(java_script_enabled=False)
    tab.click(".nav >> text=Decisions")
    tab.select_option("select[name=outcome]", "refer")
    tab.click("button:text('Filter')")
    assert "outcome=refer" in tab.url
    shown = tab.locator("table.rows tbody tr").count()
    assert shown == sum(row.outcome == "refer" for row in books.rows)
    tab.locator("table.rows tbody tr td a").first.click()
    assert tab.locator(".verify li").count() == 6
    tab.click(".nav >> text=Alerts")
    tab.check("input[value=insufficient_evidence]")
    tab.fill("#note", "Two transfers in one minute.")
    tab.click("button:text('Record')")
    assert books.cleared[books.alert_rows[0].alert_id]["disposition"] == "insufficient_evidence"
    assert tab.locator("text=Two transfers in one minute.").count() == 1
    tab.click("text=中文")
    assert tab.locator("h1").inner_text() == "预警"


def test_a_filter_swaps_the_rows_and_moves_the_address(sign_in, books, server_url):
    tab = sign_in()
    tab.goto(f"{server_url}/decisions")
    tab.evaluate("window.sameDocument = true")
    tab.select_option("select[name=outcome]", "decline")
    tab.wait_for_url("**/decisions?*outcome=decline*")
    tab.locator(".url b", has_text="outcome=decline").wait_for()
    declined = sum(row.outcome == "decline" for row in books.rows)
    assert tab.locator("#results h2 + p").last.inner_text() == f"25 of {declined}"
    assert tab.evaluate("window.sameDocument") is True
    tab.reload()
    assert tab.input_value("select[name=outcome]") == "decline"
    assert tab.complaints == []


def test_the_overview_follows_what_happens_until_it_is_stopped(sign_in, books, server_url):
    tab = sign_in()
    number = tab.locator(".flow .fig a").first
    assert number.inner_text() == "4,218"
    old = books.overview

    def later(*given):
        view = old(*given)
        return type(view)(
            **{
                **{n: getattr(view, n) for n in view.__struct_fields__},
                "flow": type(view.flow)(applications=5000),
            }
        )

    books.overview = later
    tab.locator(".flow .fig a", has_text="5,000").wait_for()
    tab.click("text=Stop following")
    assert tab.locator("#live[hx-get]").count() == 0
    assert tab.complaints == []


def test_keys_move_and_open(sign_in, books, server_url):
    tab = sign_in()
    tab.keyboard.press("g")
    tab.keyboard.press("d")
    tab.wait_for_url("**/decisions?stage=prelend")
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    tab.keyboard.press("k")
    assert (
        tab.evaluate("document.activeElement.getAttribute('href')")
        == f"/decisions/{books.rows[0].decision_id}"
    )
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"**/decisions/{books.rows[0].decision_id}")
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.name") == "q"
    tab.keyboard.type(books.loan_rows[3].loan_id)
    tab.keyboard.press("Enter")
    tab.wait_for_url(f"**/loans/{books.loan_rows[3].loan_id}")


def test_a_receipt_is_downloaded_and_holds(sign_in, books, server_url, tmp_path):
    from obligor.proof import verify_receipt

    tab = sign_in()
    row = books.rows[0]
    tab.goto(f"{server_url}/decisions/{row.decision_id}")
    with tab.expect_download() as waiting:
        tab.click("text=Download receipt")
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.name == f"receipt-{row.event_id}.json"
    assert verify_receipt(file.read_bytes(), vkey=books.vkey).ok


def test_a_ticket_signs_in_by_its_link(browser, server_url):
    tab = browser.new_context(locale="en-US").new_page()
    tab.goto(f"{server_url}/enter?ticket=once")
    tab.wait_for_url(f"{server_url}/")
    assert tab.locator("h1").inner_text().startswith("Friday")
    assert tab.evaluate("document.cookie") == ""
    tab.context.close()


def test_the_first_tab_stop_skips_to_the_content(sign_in):
    tab = sign_in()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
