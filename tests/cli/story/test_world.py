"""The simulated lender's story, small: it plays, checks itself, and is the same for a seed."""

import json
from pathlib import Path
from typing import Any

import pytest

from obligor.cli.story import main
from obligor.cli.story.summary import Summary

SMALL = ["world", "--people", "500", "--months", "3", "--seed", "3", "--json"]
COSTS = {"cpu_seconds", "seconds", "decisions_per_cpu_second", "cpu"}


def played(out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    code = main([*SMALL, "--out", str(out), *more])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    return code, json.loads(lines[0])


def test_a_small_world_replays_audits_and_balances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, told = played(tmp_path, capsys)
    assert set(Summary.__struct_fields__) <= set(told)
    assert told["applications"] > 10
    assert told["replay"]["decisions"] >= told["applications"]
    assert told["replay"]["mismatches"] == 0
    assert told["audit"] == {"entries": told["events"], "ok": True}
    assert told["books"]["postings_sum_minor"] == 0
    assert told["loans"] > 0
    assert told["supervision"]["unlabelled"] == pytest.approx(0.30, abs=0.01)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Simulated data" in page
    assert "Supervision of loan money" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    kept = json.loads((tmp_path / "summary.json").read_bytes())
    assert {**told, "problems": kept["problems"]} == kept


@pytest.mark.slow
def test_equal_seeds_tell_equal_stories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = [played(tmp_path / name, capsys)[1] for name in ("one", "two")]
    first, second = ({key: one[key] for key in one if key not in COSTS} for one in told)
    assert first == second


@pytest.mark.slow
def test_a_lender_that_is_kept_is_refused_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, told = played(tmp_path, capsys, "--keep")
    assert told["events"] > 0
    assert (tmp_path / "lender" / "obligor.yaml").is_file()
    assert main([*SMALL, "--out", str(tmp_path), "--keep"]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "field"), [(["--people", "3"], "--people"), (["--months", "0"], "--months")]
)
def test_a_world_out_of_range_is_refused_by_name(
    words: list[str], field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["world", *words]) == 2
    assert field in capsys.readouterr().err
