"""Counting what supervision found: the baseline by hand, the join with a truth made by hand."""

from datetime import date
from typing import Any

import pytest

from obligor.cli.story.misuse import FIRST_HOP_DAYS, FirstHop, Supervision, supervised
from obligor.cli.story.summary import Funds
from obligor.cli.story.world import unmet
from obligor.funds import Classes, load_classes

CLASSES = load_classes()
LOAN = 1_000_000
LEAST = CLASSES.least(LOAN, "CNY")
LENT_ON = date(2024, 3, 1)
DAY = date(2024, 3, 4)


@pytest.fixture
def baseline() -> FirstHop:
    found = FirstHop(CLASSES, "CNY")
    found.disburse("loan", "account", LOAN, LENT_ON)
    return found


def paid(amount: int, label: str | None, to: str = "broker", **more: Any) -> dict[str, Any]:
    body = {"account_id": "account", "direction": "out", "amount_minor": amount}
    return body | {"counterparty": to, "counterparty_class": label} | more


def test_the_least_amount_is_the_floor_or_the_share_whichever_is_more() -> None:
    assert LOAN * CLASSES.least_share_bp // 10_000 == LEAST
    assert CLASSES.least(1_000, "CNY") == CLASSES.floor("CNY")
    plain = Classes(version=1, floor_minor={}, floor_minor_elsewhere=7, classes={})
    assert plain.least(LOAN, "CNY") == 7
    thirds = Classes(version=1, floor_minor={}, floor_minor_elsewhere=1, least_share_bp=3_333, classes={})
    assert thirds.least(100, "CNY") == 34


def test_the_baseline_alerts_at_the_least_amount_and_not_below(baseline: FirstHop) -> None:
    baseline.transfer(paid(LEAST - 1, "securities_broker"), DAY)
    assert not baseline.alerted
    baseline.transfer(paid(1, "securities_broker"), DAY)
    assert baseline.alerted == {"loan"}


@pytest.mark.parametrize(
    "body",
    [
        paid(LOAN, "retail"),
        paid(LOAN, None),
        paid(LOAN, "securities_broker", direction="in"),
        paid(LOAN, "securities_broker", account_id="another"),
    ],
)
def test_the_baseline_sees_one_hop_to_a_label_and_nothing_else(
    baseline: FirstHop, body: dict[str, Any]
) -> None:
    baseline.transfer(body, DAY)
    assert not baseline.alerted
    assert not baseline.first


def test_the_baseline_looks_for_a_while_and_sums_by_counterparty(baseline: FirstHop) -> None:
    baseline.transfer(paid(LEAST // 2 + 1, "gambling", to="one"), DAY)
    baseline.transfer(paid(LEAST // 2 + 1, "gambling", to="two"), DAY)
    assert not baseline.alerted
    late = date.fromordinal(LENT_ON.toordinal() + FIRST_HOP_DAYS + 1)
    baseline.transfer(paid(LOAN, "gambling", to="one"), late)
    assert not baseline.alerted


def test_its_narrowest_reading_is_the_very_first_transfer(baseline: FirstHop) -> None:
    baseline.transfer(paid(100, "retail"), DAY)
    baseline.transfer(paid(LOAN, "gambling"), DAY)
    assert baseline.alerted == {"loan"}
    assert not baseline.first
    again = FirstHop(CLASSES, "CNY")
    again.disburse("loan", "account", LOAN, LENT_ON)
    again.transfer(paid(LOAN, "gambling"), DAY)
    assert again.first == {"loan"}


def trail(loan: str, person: str, **more: Any) -> dict[str, Any]:
    told = {"loan_id": loan, "person": person, "moved_minor": 900, "visible_minor": 900, "hops": 1}
    return told | {"first_hop_seen": True} | more


TRUTH: dict[str, Any] = {
    "misuse": [
        trail("l1", "ann"),
        trail("l2", "ben", hops=2),
        trail("l3", "cy", visible_minor=0, first_hop_seen=False),
        trail("l4", "dan", moved_minor=0, visible_minor=0),
    ],
    "loans": [
        {"loan_id": f"l{i}", "person": who}
        for i, who in enumerate(("ann", "ben", "cy", "dan", "eve", "rin"), 1)
    ],
    "persons": [{"reference": who, "ring": None} for who in ("ann", "ben", "cy", "dan", "eve")]
    + [{"reference": "rin", "ring": 0}],
    "counterparties": [{"label": "retail"}, {"label": None}],
}


def test_alerts_are_joined_with_the_truth_by_loan_and_counted_by_borrower() -> None:
    baseline = FirstHop(CLASSES, "CNY")
    baseline.alerted = {"l1", "l5"}
    funds, more = supervised(TRUTH, ["l1", "l2", "l2", "l4", "l6"], baseline)
    assert funds == Funds(
        misusers=3,
        misusers_visible=2,
        found=2,
        found_first_hop_baseline=1,
        honest_alerted=1,  # dan moved nothing; rin, of a ring, is no honest borrower
        honest_borrowers=2,
    )
    assert (more.alerts, more.alerts_right, more.misused_loans) == (5, 3, 3)
    assert more.honest_alerted_first_hop == 1
    assert (more.two_hops_or_more, more.first_hop_seen, more.unlabelled) == (0.3333, 0.6667, 0.5)


def counted(**more: Any) -> Funds:
    told = {"misusers": 90, "misusers_visible": 40, "found": 30, "found_first_hop_baseline": 12}
    return Funds(**(told | {"honest_alerted": 10, "honest_borrowers": 2_000} | more))


SUPERVISION = Supervision(
    honest_alerted_first_hop=30,
    found_first_transfer=9,
    honest_alerted_first_transfer=1,
    alerts=50,
    alerts_right=40,
    misused_loans=100,
    two_hops_or_more=0.6,
    first_hop_seen=0.6,
    sink_seen=0.25,
    unlabelled=0.3,
)


def test_what_supervision_has_to_reach_is_said_where_it_does_not() -> None:
    assert not unmet(counted(), SUPERVISION)
    for worse, word in (
        ({"found": 27}, "fewer"),
        ({"honest_alerted": 21}, "honest"),
        ({"found_first_hop_baseline": 30}, "as many"),
        ({"honest_alerted": 30, "honest_borrowers": 20_000}, "no more"),
    ):
        told = unmet(counted(**worse), SUPERVISION)
        assert len(told) == 1
        assert word in told[0]
