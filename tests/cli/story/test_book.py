"""A lender's book is played to its end, every claim about it is checked, and each check can fail."""

from __future__ import annotations

import asyncio
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date, timedelta

import msgspec
import pytest

from obligor.cli.playing import BookPlayer, Deadline, Progress
from obligor.cli.playing.book import settings_of
from obligor.cli.story import book, chronicle
from obligor.cli.story.book_page import page_of
from obligor.cli.story.local import Lender
from obligor.cli.story.report import html
from obligor.cli.story.summary import Audit, Books, Meter, Replay, failures, summed
from obligor.events import ApplicationDecided, LoanDisbursed, ModelActivated, ModelRegistered
from obligor.kernel import Conflict
from obligor.sources import Book, Mapping
from tests.cli.story import tables

FIELDS = [
    *("story", "applications", "approved", "auc_as_known", "auc_hindsight", "bad_rate_approved"),
    *("bad_rate_declined_truth", "disbursed_minor", "repaid_minor", "written_off_minor", "loans"),
    *("overdue_90", "alerts", "funds", "replay", "audit", "books", "events"),
    *("decisions_per_cpu_second", "cpu_seconds", "seconds"),
]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The village bank after its story: table, player, service and summary."""
    directory = tmp_path_factory.mktemp("village")
    table = Book.open(tables.write(directory), Mapping.load(tables.mapped(directory)))
    with Lender(settings_of(table.mapping)) as lender:

        async def play():
            async with lender.client() as client:
                player = BookPlayer(client, table, Progress(quiet=True), at_once=book.AT_ONCE)
                assert await player.play(Deadline(None))
            return player

        player = asyncio.run(play())
        yield table, player, lender.service


@pytest.fixture(scope="module")
def told(played):
    _, player, service = played
    return summed("book", service, Meter(), auc_as_known=player.auc(), table_equals_book=True)


def _events(service, *kinds):
    return list(service.journal.reader().events("main", types=[kind.TYPE for kind in kinds]))


def test_every_month_is_decided_by_a_model_of_what_was_knowable_when_it_began(played):
    _, player, service = played
    known = [event.body.known_on for event in _events(service, ModelRegistered)]
    assert known == [date(2019, 12, 31), date(2020, 1, 31), date(2020, 2, 29)]
    registered = {event.body.sha256: event.body.known_on for event in _events(service, ModelRegistered)}
    assert [event.body.sha256 for event in _events(service, ModelActivated)] == [
        model.sha256 for model in player.models
    ]
    decided = {event.body.application_id: event.body for event in _events(service, ApplicationDecided)}
    assert len(decided) == len(player.decided)
    for row, one in player.decided.items():
        known_on = registered[decided[one.application_id].model_sha256]
        assert known_on == one.on.replace(day=1) - timedelta(days=1), row


def test_all_of_the_window_are_decided_and_the_approved_are_lent_what_they_were_lent(played):
    table, player, service = played
    assert len(player.decided) == table.deciding == 70
    assert set(player.loans) == {row for row, one in player.decided.items() if one.approved}
    assert 0 < len(player.loans) < 70
    lent = {event.body.loan_id: event.body.amount_minor for event in _events(service, LoanDisbursed)}
    assert lent == {loan: table.terms(row).amount_minor for row, loan in player.loans.items()}


def test_each_loan_comes_to_what_the_table_says_and_a_cent_of_difference_is_found(played, monkeypatch):
    table, player, service = played
    assert book.differing(table, player, service) == []
    row, honest = next(iter(player.loans)), Book.totals
    for name in ("principal_minor", "interest_minor", "recoveries_minor", "costs_minor", "written_off_minor"):

        def totals(self, wanted, name=name):
            found = honest(self, wanted)
            return replace(found, **{name: getattr(found, name) + (wanted == row)})

        monkeypatch.setattr(Book, "totals", totals)
        assert book.differing(table, player, service) == [row], name


def test_the_summary_counts_what_the_journal_holds(played, told):
    table, player, service = played
    assert told.applications == 70
    assert told.approved == told.loans == len(player.loans)
    assert told.disbursed_minor == sum(table.terms(row).amount_minor for row in player.loans)
    assert told.repaid_minor == sum(table.totals(row).repaid_minor for row in player.loans)
    assert told.overdue_90 == sum(table.outcome(row) for row in player.loans)
    assert told.replay.decisions >= 70 + len(player.loans)
    assert told.audit.entries == told.events == service.summary("main").entries
    assert failures(told) == []


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"replay": Replay(decisions=9, mismatches=1)}, "differently"),
        ({"replay": Replay(decisions=0, mismatches=0)}, "no decision"),
        ({"audit": Audit(entries=9, ok=False)}, "audit"),
        ({"books": Books(postings_sum_minor=1)}, "postings"),
        ({"books": Books(postings_sum_minor=0, table_equals_book=False)}, "table"),
    ],
)
def test_whatever_does_not_hold_fails_the_story(told, changed, word):
    (problem,) = failures(msgspec.structs.replace(told, **changed))
    assert word in problem


def test_scores_that_rank_too_well_are_an_alarm_and_a_small_part_has_to_be_sure_of_it(told):
    found = msgspec.structs.replace(told, auc_as_known=0.73, auc_hindsight=0.72)
    assert [one.partition(" ")[0] for one in book.alarms(found, 0.72, 40, 160)] == ["auc_as_known"]
    assert book.alarms(found, 0.72, 40, 160, part=True) == []
    sure = msgspec.structs.replace(told, auc_as_known=0.95, auc_hindsight=None)
    assert len(book.alarms(sure, 0.72, 40, 160, part=True)) == 1


def test_the_chronicle_adds_up_to_the_summary(played, told):
    table, player, service = played
    found = chronicle.read(service.books("main"))
    assert [one.month for one in found.months] == ["2020-01", "2020-02", "2020-03"]
    assert sum(one.decided for one in found.months) == sum(one.decided for one in found.bands) == 70
    assert sum(one.approved for one in found.months) == told.approved
    money = found.money
    assert money.lent_minor == told.disbursed_minor
    assert money.principal_minor + money.written_off_minor + money.open_minor == money.lent_minor
    totals = [table.totals(row) for row in player.loans]
    assert money.principal_minor == sum(one.principal_minor for one in totals)
    assert money.earned_minor == sum(one.interest_minor for one in totals)
    assert money.recovered_minor == sum(one.recoveries_minor for one in totals)
    assert sum(one.count for one in found.alerts) == told.alerts > 0
    assert sum(one.rows for one in found.deciles) == told.loans


def test_a_vintages_curve_is_the_share_of_the_amount_that_went_bad_by_then(played):
    _, _, service = played
    found = {one.name: one for one in chronicle.read(service.books("main")).vintages}
    rows = service.books("main").rows(
        "SELECT disbursed_on, amount_minor, bad_on FROM p_loan WHERE tenant = ?"
    )
    for name, vintage in found.items():
        mine = [row for row in rows if row["disbursed_on"].startswith(name)]
        bad = sum(row["amount_minor"] for row in mine if row["bad_on"])
        assert vintage.amount_minor == sum(row["amount_minor"] for row in mine)
        assert vintage.bad_ppm[-1] == bad * 1_000_000 // vintage.amount_minor
        assert list(vintage.bad_ppm) == sorted(vintage.bad_ppm), "survivors never enter the denominator"
        assert vintage.bad_ppm[3] == 0, "nobody is over 90 days past due within three months"
    assert any(one.bad_ppm[-1] for one in found.values())


def test_the_report_is_one_document_that_needs_nothing_else(played, told):
    table, player, service = played
    found = chronicle.read(service.books("main"))
    page = html(page_of(table, player, told, found, ["a <b>wrong</b> thing"]))
    assert "Historical book, replayed" in page
    assert "a &lt;b&gt;wrong&lt;/b&gt; thing" in page
    assert not re.search(r"<script|<link|<img|url\(|@import|https?://(?!www\.w3\.org)", page)
    drawings = re.findall(r"<svg role=\"img\".*?</svg>(?=</figure>|</td>)", page, re.DOTALL)
    assert len(drawings) > 4
    for one in drawings:
        assert ET.fromstring(one).get("aria-label")
    assert "What does not hold" not in html(page_of(table, player, told, found, []))


def test_a_table_without_dates_is_played_up_to_decision_and_outcome(tmp_path, capsys):
    file, mapping = tables.write(tmp_path), tables.mapped(tmp_path, tables.UNDATED)
    asked = [
        "--data",
        str(file),
        "--mapping",
        str(mapping),
        "--out",
        str(tmp_path / "out"),
        "--json",
        "--keep",
    ]
    assert book.main(asked) == 0
    said = capsys.readouterr()
    assert said.err == ""
    last = json.loads(said.out)
    assert list(last) == FIELDS
    assert last["applications"] == 163
    assert 0 < last["approved"] < 163
    assert last["bad_rate_approved"] < last["bad_rate_declined_truth"]
    assert last["auc_as_known"] > 0.6
    assert last["auc_hindsight"] is None
    assert last["loans"] == last["disbursed_minor"] == last["books"]["postings_sum_minor"] == 0
    assert last["books"]["table_equals_book"] is None
    assert last["replay"] == {"decisions": 163, "mismatches": 0}
    assert json.loads((tmp_path / "out/summary.json").read_text()) == {**last, "problems": []}
    assert "no dates" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert (tmp_path / "out/lender/obligor.yaml").is_file()
    assert book.main(asked) == 2, "a lender that was kept is not written over"


def test_a_leak_ends_the_story_before_it_begins(tmp_path, capsys):
    knowing = [
        ",".join([*cells[:4], "9" if cells[8] == "lost" else "0", *cells[5:]])
        for cells in (row.split(",") for row in tables.rows())
    ]
    file, mapping = tables.write(tmp_path, knowing), tables.mapped(tmp_path)
    assert book.main(["--data", str(file), "--mapping", str(mapping), "--out", str(tmp_path / "out")]) == 2
    assert "AUC of 1.000" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_facts_that_know_too_much_together_end_the_story_with_an_alarm(tmp_path, capsys):
    text = tables.UNDATED.replace("column: debts", "column: interest") + "auc_alarm: 0.55\n"
    file, mapping = tables.write(tmp_path), tables.mapped(tmp_path, text)
    assert book.main(["--data", str(file), "--mapping", str(mapping), "--out", str(tmp_path / "out")]) == 1
    (problem,) = json.loads((tmp_path / "out/summary.json").read_text())["problems"]
    assert problem.startswith("auc_as_known is 0.")
    assert f"✗ {problem}" in capsys.readouterr().err
    assert "What does not hold" in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_a_story_begins_with_an_empty_directory(tmp_path):
    (tmp_path / "obligor.yaml").write_text("lender: Somebody\n", encoding="utf-8")
    with pytest.raises(Conflict), Lender({}, tmp_path):
        pass


def test_a_part_of_the_window_is_taken_evenly(played):
    from obligor.cli.playing.book import _some

    table, _, _ = played
    some = list(_some(table.applications(), table.deciding, 7))
    assert len(some) == 7
    assert {one.at.month for one in some} == {1, 2, 3}
    assert len(list(_some(table.applications(), table.deciding, None))) == 70
