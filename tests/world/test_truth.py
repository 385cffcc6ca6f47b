"""Ground truth: what it holds, that it is right, and that nothing of it gets out."""

import json
from collections import Counter, defaultdict
from datetime import date
from typing import Any

import numpy as np
import pytest

from obligor.kernel import NotFound
from obligor.scoring import auc
from obligor.world import World
from obligor.world.counterparties import PROHIBITED
from tests.world.lender import Lender


@pytest.fixture(scope="module")
def truth(played: Lender) -> dict[str, Any]:
    return json.loads(json.dumps(played.world.truth()))


def test_truth_is_labelled_and_covers_everything_that_was_played(
    played: Lender, truth: dict[str, Any]
) -> None:
    assert truth["label"].startswith("simulated")
    assert len(truth["persons"]) == 450
    assert [a["application_id"] for a in truth["applications"]] == list(played.applications)
    assert {loan["loan_id"] for loan in truth["loans"]} == set(played.loans)
    assert truth["summary"]["requests"] == len(played.requests)


def test_the_oracle_tells_of_one_application_what_the_truth_tells_of_all(
    played: Lender, truth: dict[str, Any]
) -> None:
    for application in truth["applications"][:50]:
        assert played.world.true_pd_ppm(application["reference"]) == application["pd_12m_ppm"]
    for unknown in ("sim-application-9999999", "sim-application-", "other-0000001"):
        with pytest.raises(NotFound):
            played.world.true_pd_ppm(unknown)


def test_no_payload_holds_a_word_or_a_key_of_the_truth(played: Lender) -> None:
    secret = (
        "misus",
        "fraud",
        "ring_",
        '"ring',
        "hidden",
        "risk",
        "pd_12m",
        "hazard",
        "luck",
        "prohibited",
        "truth",
    )
    for request in played.requests:
        text = json.dumps(request.payload, ensure_ascii=False)
        assert not [word for word in secret if word in text.lower()]


def test_an_unlabelled_place_is_never_given_away(played: Lender, truth: dict[str, Any]) -> None:
    labels = {place["name"]: place["label"] for place in truth["counterparties"]}
    told = defaultdict(set)
    for request in played.requests:
        if request.payload.get("type") == "transfer.posted":
            body = request.payload["body"]
            told[body["counterparty"]].add(body["counterparty_class"])
    shown = {name: classes for name, classes in told.items() if name in labels}
    assert any(labels[name] is None for name in shown)
    for name, classes in shown.items():
        # A stranger's account is told without a class even where its bank would know one.
        assert classes <= {labels[name], None}


def test_names_of_places_and_devices_do_not_sort_the_guilty_from_the_rest(truth: dict[str, Any]) -> None:
    names = sorted(truth["counterparties"], key=lambda place: place["name"])
    ranks = [i for i, place in enumerate(names) if place["prohibited"]]
    assert abs(np.mean(ranks) / len(names) - 0.5) < 0.12


def test_second_accounts_do_not_give_misusers_away(truth: dict[str, Any]) -> None:
    two = [person for person in truth["persons"] if len(person["accounts"]) == 2]
    misusers = [person for person in two if person["misuser_hops"]]
    assert misusers
    assert len(misusers) < 0.5 * len(two)


def test_misuse_is_carried_out_as_told(played: Lender, truth: dict[str, Any]) -> None:
    labels = {place["name"]: (place["class"], place["label"]) for place in truth["counterparties"]}
    reached: dict[str, int] = defaultdict(int)
    for request in played.requests:
        if request.payload.get("type") == "transfer.posted":
            body = request.payload["body"]
            if labels.get(body["counterparty"], ("", None))[0] in PROHIBITED:
                reached[body["counterparty_class"]] += body["amount_minor"]
    assert truth["misuse"]
    for case in truth["misuse"]:
        assert case["sink_class"] in PROHIBITED
        assert case["sink_label"] in {None, case["sink_class"]}
        assert 0 <= case["visible_minor"] <= case["reached_minor"] <= case["moved_minor"]
        if case["leaves_sight"]:
            assert case["reached_minor"] == 0
        if case["sink_label"] is None:
            assert case["visible_minor"] == 0
    visible = sum(case["visible_minor"] for case in truth["misuse"])
    assert 0 < visible <= sum(amount for label, amount in reached.items() if label)


def test_borrowers_misuse_in_the_share_that_was_set(truth: dict[str, Any]) -> None:
    summary = truth["summary"]
    assert 0.02 <= summary["misusers"] / summary["borrowers"] <= 0.08
    assert 0 < summary["misusers_visible"] < summary["misusers"]


def test_at_least_half_of_misuse_takes_two_hops_or_more(truth: dict[str, Any]) -> None:
    hops = Counter(case["hops"] for case in truth["misuse"])
    assert hops[2] + hops[3] >= 0.45 * hops.total()


def test_there_are_honest_look_alikes_and_their_money_reaches_nothing_prohibited(
    truth: dict[str, Any],
) -> None:
    shuttles = [case for case in truth["look_alikes"] if case["kind"] == "shuttle"]
    assert shuttles
    assert all(case["hops"] == 2 for case in shuttles)
    assert all(case["visible_minor"] == 0 and case["sink_class"] not in PROHIBITED for case in shuttles)


def test_a_ring_draws_takes_out_cash_and_never_pays(played: Lender, truth: dict[str, Any]) -> None:
    ring = {person["reference"] for person in truth["persons"] if person["ring"] is not None}
    taken = [loan for loan in truth["loans"] if loan["person"] in ring]
    assert len(taken) >= 3
    assert all(loan["paid_minor"] == 0 for loan in taken)
    assert all(loan["first_missed_on"] for loan in taken)
    assert {case["sink_class"] for case in truth["rings"]} == {"cash_withdrawal"}
    assert sum(case["reached_minor"] for case in truth["rings"]) > 0
    applications = [a for a in truth["applications"] if a["person"] in ring]
    assert all(a["fraud"] and a["pd_12m_ppm"] == 1_000_000 for a in applications)
    days = sorted(a["applied_on"] for a in applications)
    assert days[-1] <= "2025-02-28"


def test_fraud_is_a_small_share_of_bookings(truth: dict[str, Any]) -> None:
    ring = {person["reference"] for person in truth["persons"] if person["ring"] is not None}
    assert 0.0 < sum(loan["person"] in ring for loan in truth["loans"]) / len(truth["loans"]) < 0.02


def test_the_declined_would_have_been_worse_for_an_oracle_and_are_told_for_everybody(
    truth: dict[str, Any],
) -> None:
    honest = [a for a in truth["applications"] if not a["fraud"]]
    bad = [a["would_have_been"]["bad_12m"] for a in honest]
    assert sum(bad) > 5
    assert auc(bad, [-a["pd_12m_ppm"] for a in honest]) > 0.65
    assert abs(np.mean([a["pd_12m_ppm"] for a in honest]) / 1e6 - np.mean(bad)) < 0.015


def test_what_would_have_been_does_not_hang_on_what_the_lender_did(truth: dict[str, Any]) -> None:
    """The first application of everybody, under a lender who grants all and one who declines all."""
    other = Lender(World(11, 450, date(2025, 1, 1)), lambda _: False)
    other.keep = False
    other.play(60)
    told = other.world.truth()["applications"]
    mine: dict[str, Any] = {}
    for application in truth["applications"]:
        mine.setdefault(application["person"], application)
    theirs: dict[str, Any] = {}
    for application in told:
        theirs.setdefault(application["person"], application)
    assert len(theirs) > 100
    for person, application in theirs.items():
        assert application["would_have_been"] == mine[person]["would_have_been"]
        assert application["pd_12m_ppm"] == mine[person]["pd_12m_ppm"]
