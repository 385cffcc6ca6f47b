"""The pages of the book and of what decides about it: what they refuse, and what their numbers lead to."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

CELL = re.compile(r'<td class="h\d"><a class="n" href="([^"]+)">([\d.]+)</a></td>')


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "20260101"])
def test_a_day_that_is_none_is_refused(page, client, day):
    assert page.get(f"/book?as_of={day}", headers={"accept": "text/html"}).status_code == 422
    answer = client.get(f"/v1/book?as_of={day}", headers={"authorization": "Bearer all"})
    assert answer.status_code == 422
    assert answer.json()["violations"][0]["field"] == "as_of"


@pytest.mark.parametrize("path", ["/v1/book", "/v1/features", "/v1/strategies", "/v1/features/devices_90d"])
def test_a_parameter_that_is_not_known_is_refused(client, path):
    assert client.get(f"{path}?nonsense=1").status_code == 422


@pytest.mark.parametrize("path", ["features/none", "strategies/none"])
def test_what_is_not_there_is_said_so(page, client, path):
    assert page.get(f"/{path}").status_code == 404
    assert client.get(f"/v1/{path}", headers={"authorization": "Bearer all"}).status_code == 404


def test_a_cell_of_a_vintage_leads_to_its_loans_and_prints_its_share(page, service):
    view = service.book("main")
    cells = [(unescape(href), text) for href, text in CELL.findall(page.get("/book").text)]
    assert len(cells) > 100
    vintages = {one.month: one for one in view.vintages}
    for href, text in cells:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(href).query).items()}
        vintage = vintages[asked["month"]]
        count = getattr(vintage, f"late_{asked['over']}")[int(asked["mob"])]
        assert text == f"{count * 100 / vintage.loans:.1f}"


def test_a_month_that_has_not_ended_has_no_cell(page, service):
    newest = service.book("main").vintages[0]
    row = next(line for line in page.get("/book").text.splitlines() if f"month={newest.month}" in line)
    assert CELL.findall(row) == []
    assert "not yet" in row


def test_a_strategy_links_the_features_that_it_reads(page, service):
    text = page.get("/strategies/" + "4a" * 32).text
    assert 'href="/features/devices_90d"' in text
    assert 'href="/features/requested_minor"' not in text
    assert 'href="/decisions?strategy=prelend+4.2.0&amp;reason=E01"' in text.replace("%20", "+")


def test_the_key_b_goes_to_the_book(page):
    assert re.search(r'<a href="/book"[^>]*data-key="b"', page.get("/").text)
