"""Three ways to say how loans go: one by luck, the chance before luck, and many at once. They agree."""

from datetime import date

import numpy as np
import pytest

from obligor.world import Settings, Shock
from obligor.world.history import terms_of
from obligor.world.lives import default_probability, lives

START = date(2024, 1, 1)
SETTINGS = Settings()


@pytest.mark.parametrize("index", [-0.8, 0.0, 1.0])
@pytest.mark.parametrize("months", [6, 12, 24])
def test_many_lives_default_as_often_as_the_forward_pass_says(index: float, months: int) -> None:
    count = 20_000
    rng = np.random.default_rng(3)
    found = lives(np.full(count, index), 36, START, SETTINGS, rng)
    share = np.mean((found.defaulted > 0) & (found.defaulted <= months))
    days = [date(2024, month, 1) for month in range(1, 13)]
    chances = [
        default_probability(index, terms_of("instalment", 36, day), START, SETTINGS, months=months)
        for day in days
    ]
    truth = float(np.mean(chances))
    assert abs(share - truth) < 4.0 * np.sqrt(truth * (1.0 - truth) / count)


def test_a_life_ends_once_and_pays_no_more_lines_than_it_has() -> None:
    rng = np.random.default_rng(5)
    found = lives(rng.normal(0.0, 0.8, 20_000), 12, START, SETTINGS, rng)
    assert not ((found.defaulted > 0) & (found.prepaid > 0)).any()
    assert found.lines.min() >= 0
    assert found.lines.max() <= 12
    through = (found.defaulted == 0) & (found.prepaid == 0)
    assert np.mean(found.lines[through] == 12) > 0.99
    assert (found.lines[found.defaulted > 0] < 12).all()


def test_a_downturn_raises_defaults_about_as_much_as_hazards() -> None:
    terms = terms_of("instalment", 12, START)
    calm = default_probability(0.0, terms, START, SETTINGS)
    hard = default_probability(0.0, terms, START, Settings(shock=Shock(0, 13, 3.0)))
    assert 2.3 < hard / calm < 3.0


def test_who_is_further_behind_is_likelier_to_default_and_a_year_more_than_half_of_one() -> None:
    terms = terms_of("instalment", 24, START)

    def chance(behind: int, months: int) -> float:
        return default_probability(0.0, terms, START, SETTINGS, months=months, paid=6, behind=behind)

    half, year = [chance(b, 6) for b in range(4)], [chance(b, 12) for b in range(4)]
    assert half == sorted(half)
    assert len(set(half)) == 4
    assert all(short <= long for short, long in zip(half, year, strict=True))
    assert half[3] > 0.5 > half[0]


def test_a_loan_that_has_come_some_way_has_the_chance_of_the_walk_from_there() -> None:
    """The chain rule by hand: after three steps paid, the first missed step, then rolls."""
    terms = terms_of("instalment", 24, START)
    assert default_probability(0.0, terms, START, SETTINGS, months=3, paid=6) == 0.0
    assert default_probability(0.0, terms, START, SETTINGS, months=4, paid=6) > 0.0
    assert default_probability(0.0, terms, START, SETTINGS, months=1, paid=6, behind=3) > 0.6
