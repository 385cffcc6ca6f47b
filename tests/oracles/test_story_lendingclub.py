"""The story of a real book: how its scores rank, as known and in hindsight, and whose books its are."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from obligor.cli.playing.scorecard import from_book, hindsight
from obligor.cli.story import book as story
from obligor.sources import Book, Mapping

pytestmark = pytest.mark.slow
LEAST, HINDSIGHT_LEAST, MOST = 0.62, 0.68, 0.72


@pytest.fixture(scope="module")
def table(shared: Path) -> Path:
    file = shared / "data" / "lendingclub" / "loans_2007_2011.parquet"
    if not file.is_file():
        pytest.skip("needs the Lending Club table in ../shared/data/lendingclub")
    return file


def test_models_refitted_each_month_rank_the_loans_of_2011_and_do_not_leak(table: Path) -> None:
    """Scores of all 21,721 loans as the story gives them, against scikit-learn's AUC."""
    book = Book.open(table, Mapping.load("lendingclub"))
    frame = book.deciding_frame()
    months = np.array([one.at.month for one in book.applications()])
    bad = frame["bad"].to_numpy()
    score = np.zeros(len(bad), np.int64)
    for month in range(1, 13):
        model = from_book(book, date(2011, month, 1) - timedelta(days=1))
        mine = np.flatnonzero(months == month)
        score[mine] = model.score_frame(frame[mine])["score"].to_numpy()
    assert LEAST <= roc_auc_score(bad, -score) <= MOST
    later = hindsight(book).score_frame(frame)["score"].to_numpy()
    assert HINDSIGHT_LEAST <= roc_auc_score(bad, -later) <= MOST


@pytest.mark.timeout(3600)
def test_a_part_of_the_book_is_decided_lived_audited_and_equal_to_the_table(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--data", str(table), "--mapping", "lendingclub", "--limit", "1000", "--json"]
    assert story.main([*asked, "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["applications"] == 1_000
    assert 400 < told["approved"] < 900
    assert told["bad_rate_approved"] < told["bad_rate_declined_truth"]
    assert told["replay"]["decisions"] > 1_000
    assert told["replay"]["mismatches"] == 0
    assert told["audit"] == {"entries": told["events"], "ok": True}
    assert told["books"] == {"postings_sum_minor": 0, "table_equals_book": True}


@pytest.mark.timeout(3600)
def test_the_card_book_is_played_up_to_decision_and_outcome(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shared / "data" / "taiwan" / "taiwan.parquet"
    if not file.is_file():
        pytest.skip("needs the card table in ../shared/data/taiwan")
    asked = ["--data", str(file), "--mapping", "taiwan", "--limit", "2000", "--json"]
    assert story.main([*asked, "--out", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["applications"] == told["replay"]["decisions"] == 2_000
    assert 800 < told["approved"] < 1_800
    assert told["bad_rate_approved"] < told["bad_rate_declined_truth"] / 2
    assert told["loans"] == 0
    assert told["auc_hindsight"] is None
