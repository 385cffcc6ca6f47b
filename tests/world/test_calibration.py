"""The book that a world makes, against DOMAIN's table as far as a few thousand people allow.

Two lenders play the same people: one grants everything, one grants what an oracle ranks best.
"""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from obligor.kernel import add_months
from obligor.scoring import auc
from obligor.world import World
from tests.world.lender import Lender, Loan

pytestmark = pytest.mark.slow

START = date(2025, 1, 1)
PEOPLE, DAYS, SEED = 2000, 731, 17


def a_year_old(lender: Lender) -> dict[str, Loan]:
    end = START + timedelta(days=DAYS)
    return {key: loan for key, loan in lender.loans.items() if add_months(loan.disbursed_on, 12) <= end}


@pytest.fixture(scope="module")
def all_granted() -> Lender:
    lender = Lender(World(SEED, PEOPLE, START))
    lender.keep = False
    return lender.play(DAYS)


@pytest.fixture(scope="module")
def truth(all_granted: Lender) -> dict[str, Any]:
    return all_granted.world.truth()


@pytest.fixture(scope="module")
def best_granted() -> Lender:
    """An oracle's lender: the truth of an application, kept by the test, cut at 4 % true probability."""
    world = World(SEED, PEOPLE, START)

    def grants(application: dict[str, Any]) -> bool:
        return world.true_pd_ppm(application["reference"]) < 40_000

    lender = Lender(world, grants)
    lender.keep = False
    return lender.play(DAYS)


def rolls(lender: Lender) -> np.ndarray:
    counts = np.zeros((5, 6))
    for before, after in pairwise(lender.stock):
        for loan, state in before["states"].items():
            counts[state, after["states"].get(loan, 5)] += 1
    return counts / counts.sum(axis=1, keepdims=True)


def test_monthly_rolls_are_those_of_the_table(all_granted: Lender) -> None:
    rates = rolls(all_granted)
    assert 0.02 <= rates[0, 1] <= 0.04
    assert 0.25 <= rates[1, 2] <= 0.40
    assert 0.55 <= rates[2, 3] <= 0.70
    assert 0.72 <= rates[3, 4] <= 0.88


def test_more_than_90_days_in_12_months_is_three_to_five_percent_for_who_grants_everything(
    all_granted: Lender,
) -> None:
    bad = np.mean([loan.worst_12m > 90 for loan in a_year_old(all_granted).values()])
    assert 0.028 <= bad <= 0.052


def test_an_oracles_cut_off_more_than_halves_it(all_granted: Lender, best_granted: Lender) -> None:
    everything, best = (
        np.mean([loan.worst_12m > 90 for loan in a_year_old(lender).values()])
        for lender in (all_granted, best_granted)
    )
    share = len(best_granted.loans) / len(all_granted.loans)
    assert best < 0.55 * everything
    assert 0.4 < share < 1.0


def test_the_oracle_ranks_as_well_as_an_application_can_and_no_better(truth: dict[str, Any]) -> None:
    honest = [a for a in truth["applications"] if not a["fraud"]]
    found = auc([a["would_have_been"]["bad_12m"] for a in honest], [-a["pd_12m_ppm"] for a in honest])
    assert 0.72 <= found <= 0.80


def test_a_few_in_a_thousand_never_pay(all_granted: Lender) -> None:
    old = a_year_old(all_granted).values()
    assert 0.001 <= np.mean([loan.paid == 0 for loan in old]) <= 0.006


def test_recoveries_are_about_a_tenth_of_what_was_written_off(all_granted: Lender) -> None:
    ripe = [
        loan
        for loan in all_granted.loans.values()
        if loan.written_off and loan.disbursed_on < START + timedelta(days=200)
    ]
    claims = sum(loan.cumulative[-1] - loan.paid for loan in ripe)
    assert 0.03 <= sum(loan.recovered for loan in ripe) / claims <= 0.16


def test_misuse_hops_and_sight_hold_in_a_bigger_world(truth: dict[str, Any]) -> None:
    summary, cases = truth["summary"], truth["misuse"]
    hops = Counter(case["hops"] for case in cases)
    assert 0.03 <= summary["misusers"] / summary["borrowers"] <= 0.05
    assert (hops[2] + hops[3]) / len(cases) >= 0.5
    assert 0.2 <= np.mean([case["sink_label"] is None for case in cases]) <= 0.4
