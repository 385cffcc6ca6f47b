"""`obligor strategy check` says what is wrong with a strategy, and whether its functions agree."""

import json
from pathlib import Path

import polars as pl
import pytest

from obligor.cli.strategy import main
from obligor.strategy import vectors
from tests.strategy.making import FILES


@pytest.fixture
def directory(tmp_path: Path) -> str:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path)


def told(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_a_check_prints_the_certificate(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", directory, "--rows", "300"]) == 0
    text = capsys.readouterr().out
    assert "row = columns: 0 of" in text
    assert "reached approve, refer, decline" in text
    assert main(["check", directory, "--rows", "300", "--json"]) == 0
    found = told(capsys)["certificate"]
    assert (found["rows"], found["differing"], found["strategy"]) == (300, 0, "sample")


def test_rows_that_were_seen_are_compared_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    seen = tmp_path / "seen.parquet"
    pl.DataFrame(
        {"days_past_due": [0, 40], "restructured": [True, False], "written_off": [False, False]}
    ).write_parquet(seen)
    assert main(["check", "starter/classify", "--rows", "100", "--seen", str(seen), "--json"]) == 0
    assert told(capsys)["certificate"]["given"] == 2
    pl.DataFrame({"days_past_due": [-1], "restructured": [True], "written_off": [False]}).write_parquet(seen)
    assert main(["check", "starter/classify", "--rows", "100", "--seen", str(seen)]) == 2
    assert "days_past_due[0]" in capsys.readouterr().err


def test_a_difference_gives_one_and_is_named(
    directory: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = vectors.compare
    monkeypatch.setattr(vectors, "compare", lambda sign, a, b: compare("<=" if sign == "<" else sign, a, b))
    assert main(["check", directory, "--rows", "300"]) == 1
    assert "differs: row" in capsys.readouterr().out


def test_a_strategy_with_problems_gives_two(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(directory) / "points.csv").write_text("characteristic,bin,points\nage,< 30,10\n", encoding="utf-8")
    assert main(["check", directory]) == 2
    assert "points.csv" in capsys.readouterr().err
