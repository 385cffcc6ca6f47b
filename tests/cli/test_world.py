"""`obligor world check`: a table for people, an object for machines, a code that says whether all holds."""

import json

import pytest

from obligor.cli.world import main

SMALL = ["check", "--people", "500", "--months", "13", "--seed", "4"]


def test_it_prints_every_row_and_its_code_says_whether_all_hold(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([*SMALL, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["people"], told["months"], told["seed"]) == (500, 13, 4)
    assert len(told["rows"]) > 30
    for row in told["rows"]:
        low, high = row["accepted"]
        assert row["ok"] is (low <= row["value"] <= high)
        assert row["source"]
    assert told["ok"] is all(row["ok"] for row in told["rows"])
    assert code == (0 if told["ok"] else 1)


def test_a_few_people_are_not_credible_and_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("OUT ") for line in lines)
    assert any(line.startswith("ok ") for line in lines)


@pytest.mark.parametrize("months", ["0", "12", "121"])
def test_months_in_which_not_every_row_can_be_measured_are_refused(
    months: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--months", months]) == 2
    assert "months" in capsys.readouterr().err
