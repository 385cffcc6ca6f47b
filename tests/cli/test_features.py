"""`obligor features`: listed, explained, and computed from files."""

import json

import polars as pl

from obligor.cli import features
from obligor.features import table
from tests.features.crowd import crowd


def told(capsys, *words):
    code = features.main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_catalogue_is_listed(capsys):
    code, answer = told(capsys, "list", "--catalogue", "starter")
    assert (code, answer["name"], len(answer["features"])) == (0, "starter", 8)
    assert features.main(["list"]) == 0
    assert "paid_to_due_90d_bp" in capsys.readouterr().out


def test_a_feature_is_explained(capsys):
    assert features.main(["show", "gambling_share_90d_bp"]) == 0
    text = capsys.readouterr().out
    assert "direction is out and counterparty_class is gambling, over 90 days" in text
    assert "divided by sum of transfer amount_minor where direction is out" in text
    code, answer = told(capsys, "show", "devices_90d", "--catalogue", "starter")
    assert (code, answer["aggregation"], answer["window_days"]) == (0, "distinct", 90)


def test_an_unknown_feature_is_refused_with_those_there_are(capsys):
    assert features.main(["show", "nothing", "--catalogue", "starter"]) == 2
    assert "devices_90d" in capsys.readouterr().err


def test_a_backfill_from_files_has_a_row_for_each_of_the_spine(tmp_path, capsys):
    some = crowd(8, 10, 3)
    table(some.events).write_parquet(tmp_path / "events.parquet")
    some.spine.write_parquet(tmp_path / "spine.parquet")
    assert told(capsys, "keep", str(tmp_path / "events.parquet"), str(tmp_path / "kept"))[0] == 0
    for place in ("events.parquet", "kept"):
        words = ["--events", str(tmp_path / place), "--spine", str(tmp_path / "spine.parquet")]
        out = tmp_path / "out.parquet"
        code, answer = told(capsys, "backfill", *words, "--out", str(out), "--catalogue", "starter")
        assert (code, answer["rows"], answer["features"]) == (0, 30, 8)
        made = pl.read_parquet(out)
        assert made.select(some.spine.columns).equals(some.spine)
        assert made["applications_30d"].sum() > 0


def test_a_spine_that_is_not_there_is_refused(tmp_path, capsys):
    words = ["--events", str(tmp_path), "--spine", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    assert features.main(["backfill", *words]) == 2
    assert "none" in capsys.readouterr().err
