"""The worked examples of time value, compared elsewhere with numpy-financial."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from obligor.loans import amortise, level_instalment

CENTS_PER_CURRENCY_UNIT = 10**10  # ten digits: the examples' own precision


@pytest.fixture(scope="module")
def examples(shared: Path) -> dict[str, dict]:
    found = json.loads((shared / "vectors/worked-examples.json").read_text())
    return {example["id"]: example for example in found["examples"]}


def test_an_annuity_over_sixty_months_at_eight_percent(examples: dict[str, dict]) -> None:
    example = examples["annuity-8-60"]
    unit = CENTS_PER_CURRENCY_UNIT
    amount, periods = int(example["pv"]) * unit, example["periods"]
    fractions = [(1, 12)] * periods
    assert abs(level_instalment(amount, 800, fractions) + _scaled(example["expected"]["pmt"])) <= 1
    parts = amortise(amount, 800, fractions)
    for row in example["expected"]["rows"]:
        done = row["period"]
        principal, interest = parts[done - 1]
        balance = amount - sum(part for part, _ in parts[:done])
        # The last payment takes the rounding of sixty; it is below a ten-thousandth of a cent.
        assert abs(principal + _scaled(row["ppmt"])) <= 200
        assert abs(interest + _scaled(row["ipmt"])) <= 200
        assert abs(balance - _scaled(row["balance_after"])) <= 200


def test_an_annuity_without_interest_is_an_even_split(examples: dict[str, dict]) -> None:
    example = examples["annuity-zero-rate"]
    amount = int(example["pv"]) * 100
    level = level_instalment(amount, 0, [(1, 12)] * example["periods"])
    assert level == -100 * int(example["expected"]["pmt"])


def test_twelve_months_at_a_nominal_rate_grow_by_the_effective_rate(examples: dict[str, dict]) -> None:
    """An instalment after a whole year of compounding equals one grown by the effective rate at once."""
    example = examples["effective-rate"]
    monthly = 1 + Fraction(example["nominal_annual"]) / example["compounding_per_year"]
    assert abs(monthly**12 - 1 - Fraction(example["expected_effective"])) < Fraction(1, 10**12)


def _scaled(text: str) -> int:
    return round(Fraction(text) * CENTS_PER_CURRENCY_UNIT)
