"""How loans are paid: the walk over due dates, its probabilities, and the order that hazards give."""

from datetime import date

import numpy as np
import pytest

from obligor.kernel import add_months
from obligor.world import Settings, Shock
from obligor.world.behaviour import (
    Nature,
    Now,
    Terms,
    move,
    nature,
    onset,
    prepayment,
    roll,
    stage,
    weather,
)
from obligor.world.history import terms_of
from obligor.world.lives import default_probability, outlook

START = date(2025, 1, 1)
SETTINGS = Settings()


def lucky(*rows: tuple[float, float, float], index: float = 0.0) -> Nature:
    """Luck for the first steps, and no trouble afterwards."""
    padded = [*rows, *[(1.0, 0.5, 0.5)] * (60 - len(rows))]
    return Nature(index, False, tuple(number for row in padded for number in row))


MISSES = (0.0, 0.5, 0.5)
PAYS = (0.99, 0.5, 0.5)


def test_who_always_pays_is_never_late() -> None:
    became = outlook(lucky(), terms_of("instalment", 12, START), START, SETTINGS)
    assert (became.worst_dpd, became.bad, became.first_missed_on) == (0, False, None)


@pytest.mark.parametrize(
    ("missed", "worst", "bad"),
    # Due on the first of February, March, April, May: who cures pays a few days before the next due date.
    [
        (1, range(22, 31), False),
        (2, range(50, 60), False),
        (3, range(80, 91), False),
        (4, range(91, 400), True),
    ],
)
def test_days_past_due_follow_from_instalments_missed(missed: int, worst: range, bad: bool) -> None:
    became = outlook(lucky(*[MISSES] * missed), terms_of("instalment", 12, START), START, SETTINGS)
    assert became.worst_dpd in worst
    assert became.bad is bad
    assert became.first_missed_on == date(2025, 2, 1)


def test_a_default_after_twelve_months_is_not_a_bad_of_twelve_months() -> None:
    late = lucky(*[PAYS] * 10, *[MISSES] * 8)
    terms = terms_of("instalment", 24, START)
    assert not outlook(late, terms, START, SETTINGS, 12).bad
    assert outlook(late, terms, START, SETTINGS, 18).bad


@pytest.mark.parametrize("product", ["instalment", "bullet"])
@pytest.mark.parametrize("index", [0.0, 1.5])
def test_the_true_probability_is_the_frequency(product: str, index: float) -> None:
    terms = terms_of(product, 12, START)
    truth = default_probability(index, terms, START, SETTINGS)
    bads = np.array(
        [outlook(nature(3, i, 0, index), terms, START, SETTINGS).bad for i in range(3000)], dtype=float
    )
    assert abs(bads.mean() - truth) < 3.5 * max(1e-4, np.sqrt(truth * (1 - truth) / len(bads)))


def test_a_distant_single_due_date_is_harder_than_one_instalment() -> None:
    assert onset(0.0, 6, 6, 0.02) > onset(0.0, 6, 1, 0.02)


def test_hazards_rise_with_the_index_and_with_a_downturn() -> None:
    terms = terms_of("instalment", 12, START)
    calm = [default_probability(index, terms, START, SETTINGS) for index in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    assert calm == sorted(calm)
    assert len(set(calm)) == 5
    shock = Settings(shock=Shock(0, 12, 3.0))
    assert default_probability(0.0, terms, START, shock) > 2.0 * calm[2]


def test_hazards_order_outcomes_of_equal_luck() -> None:
    terms = terms_of("instalment", 12, START)
    for person in range(400):
        worse = outlook(nature(3, person, 0, 1.5), terms, START, SETTINGS)
        better = outlook(nature(3, person, 0, -1.5), terms, START, SETTINGS)
        if better.first_missed_on is not None and worse.first_missed_on is not None:
            assert worse.first_missed_on <= better.first_missed_on


def test_holidays_raise_the_hazard_by_a_tenth_to_a_fifth() -> None:
    ordinary = weather(date(2025, 6, 10), START, SETTINGS)
    for month in (2, 10):
        assert 1.10 <= weather(date(2025, month, 10), START, SETTINGS) / ordinary <= 1.20


def test_roll_rates_rise_from_stage_to_stage_within_the_table() -> None:
    first, second, third = (roll(0.0, behind) for behind in (1, 2, 3))
    assert 0.25 <= first <= 0.50
    assert 0.55 <= second <= 0.70
    assert 0.65 <= third <= 0.85


def test_prepayment_is_the_table_at_month_12_and_24() -> None:
    assert round(prepayment(12), 3) == 0.013
    assert round(prepayment(24), 3) in {0.021, 0.022, 0.023}


def test_a_stage_is_months_since_the_oldest_unpaid_due_date() -> None:
    due = date(2025, 6, 15)
    assert [stage(add_months(due, -months), due) for months in (1, 2, 3, 6)] == [1, 2, 3, 6]
    assert stage(due, due) == 1


def test_who_never_pays_misses_every_step() -> None:
    fraud = nature(3, 1, 0, -2.0, fraud=True)
    assert all(move(fraud, Now(step, step + 1, 1, step, 0.0)).kind == "miss" for step in range(40))
    became = outlook(fraud, Terms(START, (date(2025, 4, 1),)), START, SETTINGS)
    assert became.bad
