"""Simulated people are labelled so, can be nobody, and come in the shares that were asked for."""

from collections import Counter
from datetime import date

import numpy as np
import pytest

from obligor.kernel import InvalidInput
from obligor.world import Settings, World
from obligor.world import people as population
from obligor.world.counterparties import Counterparties
from obligor.world.identity import device_id, national_id, person_payload
from obligor.world.luck import Purpose

START = date(2025, 1, 1)
WEIGHTS = [2 ** (17 - i) % 11 for i in range(17)]


def crowd(count: int = 3000, **settings: float) -> tuple[population.Person, ...]:
    return population.draw(5, count, START, Settings(**settings), Purpose.PEOPLE)


def test_national_ids_are_unique_and_valid_but_for_a_region_that_does_not_exist() -> None:
    ids = [national_id(person) for person in crowd()]
    assert len(set(ids)) == len(ids)
    for number in ids:
        assert number.startswith("99")
        total = sum(int(digit) * weight for digit, weight in zip(number[:17], WEIGHTS, strict=True))
        assert number[17] == "10X98765432"[total % 11]


def test_names_phones_and_mail_can_belong_to_nobody() -> None:
    for person in crowd(200):
        told = person_payload(person, known=False)
        assert told["name"].startswith(("Simulated ", "模拟"))
        assert told["phone"].startswith("+86100")
        assert len(told["phone"]) == len("+8613800000000")
        assert told["email"].endswith(".invalid")
        assert (
            told["born_on"]
            == f"{national_id(person)[6:10]}-{national_id(person)[10:12]}-{national_id(person)[12:14]}"
        )


def test_a_known_person_may_come_with_the_national_id_alone() -> None:
    person = crowd(1)[0]
    assert person_payload(person, known=True) == {"national_id": national_id(person)}


def test_risk_has_mean_zero_and_variance_one() -> None:
    risk = np.array([person.risk for person in crowd(20_000)])
    assert abs(risk.mean()) < 0.03
    assert abs(risk.std() - 1.0) < 0.03


@pytest.mark.parametrize("share", [0.02, 0.04, 0.08])
def test_misusers_are_an_exact_share_and_at_least_half_take_two_hops_or_more(share: float) -> None:
    hops = Counter(person.hops for person in crowd(misuse=share))
    misusers = sum(count for number, count in hops.items() if number)
    assert misusers == round(share * (3000 - 9))
    assert (hops[2] + hops[3]) / misusers >= 0.5


def test_a_ring_shares_its_devices_and_its_address() -> None:
    rings = [person for person in crowd() if person.ring == 0]
    assert len(rings) == 6
    assert len({device_id(person, 0) for person in rings}) == 2
    assert len({person_payload(person, known=False)["address"] for person in rings}) == 1
    others = [person for person in crowd() if person.ring is None]
    assert len({device_id(person, 0) for person in others}) == len(others)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_a_known_share_of_counterparties_has_no_label_and_names_tell_nothing(share: float) -> None:
    places = [
        place for kind in Counterparties(5, 3000, Settings(unlabelled=share)).of.values() for place in kind
    ]
    assert abs(sum(place.label is None for place in places) / len(places) - share) < 1 / len(places)
    assert len({place.name for place in places}) == len(places)
    assert not any(place.kind in place.name for place in places)
    assert all(place.label in {None, place.kind} for place in places)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("misuse", 0.5),
        ("unlabelled", -0.1),
        ("applications_per_year", 0.0),
        ("backfill_months", 13),
        ("misuse_hops", (0.5, 0.5, 0.5)),
    ],
)
def test_settings_out_of_range_are_refused_by_name(field: str, wrong: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Settings(**{field: wrong})
    assert refusal.value.violations[0].field == f"settings.{field}"


@pytest.mark.parametrize(
    ("seed", "people", "start"), [(-1, 10, START), (1, 0, START), (1, 10, date(2199, 1, 1))]
)
def test_a_world_out_of_range_is_refused(seed: int, people: int, start: date) -> None:
    with pytest.raises(InvalidInput):
        World(seed, people, start)
