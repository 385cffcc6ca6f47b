"""`obligor model`: a model is trained, written, and validated on other people."""

import json
from datetime import date

import polars as pl
import pytest

from obligor.cli import model as command
from obligor.cli.model_report import html
from obligor.scoring import PointsModel, report
from tests.scoring.samples import applicants, paired

PEOPLE = ("--people", "1500")


def told(capsys, *argv):
    code = command.main(list(argv))
    out = capsys.readouterr()
    return code, json.loads(out.out) if code != 2 else out.err


@pytest.mark.parametrize("kind", ["logistic", "boosted"])
def test_a_model_is_trained_and_validated_on_simulated_people(tmp_path, capsys, kind):
    path, page = tmp_path / "model.json", tmp_path / "report.html"
    code, answer = told(capsys, "train", "--kind", kind, "--out", str(path), *PEOPLE, "--json")
    assert code == 0
    assert answer["label"] == "Simulated data"
    model = PointsModel.from_json(path.read_bytes(), sha256=answer["sha256"])
    assert model.artifact.training.known_on == date(2024, 1, 1)
    code, found = told(capsys, "validate", str(path), "--out", str(page), *PEOPLE, "--json")
    assert code == 0
    assert found["sha256"] == model.sha256
    assert 0.5 < found["auc"] < 0.9
    assert len(found["periods"]) > 12
    text = page.read_text(encoding="utf-8")
    assert "Simulated data" in text
    assert f"{found['auc']:.4f}" in text


def test_the_same_people_give_the_same_file(tmp_path, capsys):
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        told(capsys, "train", "--kind", "logistic", "--out", str(path), *PEOPLE, "--json")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    told(capsys, "train", "--kind", "logistic", "--out", str(paths[1]), *PEOPLE, "--seed", "9", "--json")
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_what_is_missing_is_said(tmp_path, capsys):
    code, error = told(capsys, "train", "--mapping", "lendingclub", "--json")
    assert code == 2
    assert "--data" in error
    code, error = told(capsys, "train", "--data", str(tmp_path / "loans.csv"), "--json")
    assert code == 2
    assert "--mapping" in error


def test_a_report_needs_nothing_else_and_says_what_it_found():
    months = pl.Series(["2024-01", "2024-02"] * 500)
    frame = applicants(1_000, seed=31).with_columns(month=months)
    found = report(paired(), frame, "bad", by="month")
    text = html(found, paired(), "Simulated data", "A note of <care>.")
    for needs in ("http://", "https://", "<script", "<link", "src="):
        assert needs not in text.replace("http://www.w3.org", "")
    assert "A note of &lt;care&gt;." in text
    assert "income × usage" in text
    for one in paired().characteristics:
        assert one.name in text
    assert text.count("<svg") >= 3
