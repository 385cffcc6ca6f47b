"""Loan money is followed first in, first out, stays whole, and is told where it may not go."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from obligor.events import (
    AccountOpened,
    LoanClosed,
    LoanDisbursed,
    PersonErased,
    TransferPosted,
    TransferReversed,
)
from obligor.funds import Tracer
from obligor.kernel import Body, Conflict, Event, InvalidInput, NotFound, encode
from tests.funds.accounts import CLASSES, START, Bank


def test_own_money_that_came_first_is_spent_first() -> None:
    bank = Bank().open("a", opening=300)
    bank.lend("l", "a", 1000)
    bank.come("a", 200)
    assert bank.tracer.lots("a") == ((None, 300), ("l", 1000), (None, 200))
    bank.pay("a", "shop", 250, "retail")
    assert bank.sums("l") == (0, 1000, 0)
    bank.pay("a", "shop", 250, "retail")
    assert bank.sums("l") == (200, 800, 0)


def test_todds_example_of_first_in_first_out() -> None:
    """P 10 in, M 10 in, 10 out, K 10 in, 10 out leaves nothing of P and M, and all of K."""
    bank = Bank().open("a")
    bank.lend("P", "a", 10)
    bank.lend("M", "a", 10)
    bank.pay("a", "x", 10)
    bank.lend("K", "a", 10)
    bank.pay("a", "x", 10)
    assert [bank.sums(loan)[1] for loan in "PMK"] == [0, 0, 10]


def test_money_goes_on_between_accounts_that_we_see_in_its_order() -> None:
    bank = Bank().open("a", "b")
    bank.lend("l", "a", 500)
    bank.come("a", 100)
    bank.lend("m", "a", 300)
    bank.pay("a", "b", 700)
    assert bank.tracer.lots("b") == (("l", 500), (None, 100), ("m", 100))
    assert bank.sums("m") == (0, 300, 0)


def test_a_transfer_told_from_both_sides_counts_once() -> None:
    for first, second in (("out", "in"), ("in", "out")):
        bank = Bank().open("a", "b")
        bank.lend("l", "a", 500)
        told = {"out": ("a", "b"), "in": ("b", "a")}
        for way in (first, second):
            account, other = told[way]
            bank.tracer.transfer(account, "t", way, amount_minor=200, counterparty=other, at=bank.tick())
        assert bank.tracer.lots("a") == (("l", 300),)
        assert bank.tracer.lots("b") == (("l", 200),)


def test_what_goes_to_a_class_that_says_nothing_has_left_our_sight() -> None:
    bank = Bank().open("a")
    bank.lend("l", "a", 1000)
    for name in (None, "person", "cash_withdrawal", "never heard of"):
        bank.pay("a", f"to {name}", 100, name)
    bank.pay("a", "school", 100, "education")
    assert bank.sums("l") == (100, 500, 400)
    found = bank.tracer.position("l")
    assert found is not None
    assert [(one.kind, one.name, one.counterparty_class) for one in found.places][:2] == [
        ("sunk", "school", "education"),
        ("held", "a", None),
    ]


def test_money_that_comes_back_from_outside_is_new_money_of_no_loan() -> None:
    bank = Bank().open("a")
    bank.lend("l", "a", 1000)
    bank.pay("a", "friend", 1000)
    bank.come("a", 1000, "friend", None)
    assert bank.tracer.lots("a") == ((None, 1000),)
    assert bank.sums("l") == (0, 0, 1000)


def test_a_debit_beyond_what_we_know_of_takes_money_of_no_loan() -> None:
    bank = Bank().open("a", "b")
    bank.lend("l", "a", 100)
    bank.pay("a", "b", 250)
    assert bank.tracer.lots("b") == (("l", 100), (None, 150))
    assert bank.sums("l") == (0, 100, 0)


def test_a_loan_paid_into_an_account_that_we_do_not_see_is_out_of_sight_at_once() -> None:
    bank = Bank().open("a", currency="CNY")
    bank.lend("l", "elsewhere", 1000)
    bank.lend("m", "a", 1000, currency="USD")
    assert bank.sums("l") == bank.sums("m") == (0, 0, 1000)
    assert bank.tracer.position("unknown") is None


def test_another_currency_is_out_of_sight() -> None:
    bank = Bank().open("a").open("d", currency="USD")
    bank.lend("l", "a", 1000)
    bank.pay("a", "d", 400)
    assert bank.tracer.lots("d") == ()
    assert bank.sums("l") == (0, 600, 400)


def test_loan_money_at_a_prohibited_class_is_a_hit_with_its_way() -> None:
    bank = Bank().open("a", "b", "c")
    bank.lend("l", "a", 800_00)
    bank.come("b", 100_00)
    bank.pay("a", "b", 800_00)
    bank.pay("b", "c", 850_00)
    (hit,) = bank.pay("c", "broker", 800_00, "securities_broker")
    assert (hit.loan_id, hit.person_id, hit.counterparty) == ("l", "owner of a", "broker")
    assert (hit.amount_minor, hit.first, hit.currency) == (700_00, True, "CNY")
    assert hit.event_ids == ("e-l", "e-t3", "e-t4", "e-t5")
    evidence = hit.evidence
    assert (evidence.rule, evidence.arrivals, evidence.loan_share_bp) == ("fifo", 1, 8750)
    assert [(hop.source, hop.target, hop.amount_minor, hop.moved_minor) for hop in evidence.hops] == [
        ("l", "a", 800_00, 800_00),
        ("a", "b", 800_00, 800_00),
        ("b", "c", 750_00, 850_00),
        ("c", "broker", 700_00, 800_00),
    ]
    assert [hop.counterparty_class for hop in evidence.hops] == [None, None, None, "securities_broker"]
    encode(msgspec.to_builtins(evidence))


def test_amounts_under_the_floor_add_up_to_one_hit_which_is_told_again_with_what_is_new() -> None:
    bank = Bank().open("a")
    bank.lend("l", "a", 10_000_00)
    floor = CLASSES.least(10_000_00, "CNY")
    assert bank.pay("a", "bookmaker", floor - 1, "gambling") == []
    (first,) = bank.pay("a", "bookmaker", 1, "gambling")
    (again,) = bank.pay("a", "bookmaker", 70_00, "gambling")
    assert (first.amount_minor, first.first, first.evidence.arrivals) == (floor, True, 2)
    assert (again.amount_minor, again.first, again.evidence.arrivals) == (floor + 70_00, False, 3)
    (other,) = bank.pay("a", "other bookmaker", floor, "gambling")
    assert other.first
    assert bank.pay("a", "bookmaker", floor, "retail") == []


def test_own_money_at_a_prohibited_class_is_no_hit() -> None:
    bank = Bank().open("a", opening=5_000_00)
    bank.lend("l", "a", 5_000_00)
    assert bank.pay("a", "bookmaker", 5_000_00, "gambling") == []


def test_a_transfer_makes_a_hit_for_each_loan_in_it() -> None:
    bank = Bank().open("a")
    bank.lend("l", "a", 600_00)
    bank.lend("m", "a", 700_00)
    hits = bank.pay("a", "bookmaker", 1_300_00, "gambling")
    assert [(hit.loan_id, hit.amount_minor) for hit in hits] == [("l", 600_00), ("m", 700_00)]


def test_what_is_taken_back_from_outside_is_the_same_money_again() -> None:
    bank = Bank().open("a")
    bank.lend("l", "a", 1_000_00)
    (hit,) = bank.pay("a", "bookmaker", 600_00, "gambling")
    bank.come("a", 50_00)
    bank.back("a", "t2")
    assert bank.tracer.lots("a") == (("l", 400_00), (None, 50_00), ("l", 600_00))
    assert bank.sums("l") == (0, 1_000_00, 0)
    assert bank.pay("a", "bookmaker", 400_00, "gambling") == [], "what came back no longer counts"
    bank.pay("a", "shop", 50_00, "retail")
    (again,) = bank.pay("a", "bookmaker", 600_00, "gambling")
    assert again.amount_minor == 1_000_00
    assert [hop.target for hop in again.evidence.hops] == ["a", "bookmaker"]
    assert hit.first
    assert not again.first


def test_what_is_taken_back_between_accounts_moves_like_any_transfer() -> None:
    bank = Bank().open("a", "b")
    bank.lend("l", "a", 500)
    bank.come("b", 200)
    bank.pay("a", "b", 500)
    bank.back("a")
    assert bank.tracer.lots("b") == (("l", 200),)
    assert bank.tracer.lots("a") == ((None, 200), ("l", 300))


def test_money_in_that_is_taken_back_takes_the_oldest_money_with_it() -> None:
    bank = Bank().open("a")
    bank.lend("l", "a", 500)
    bank.come("a", 300)
    bank.back("a")
    assert bank.tracer.lots("a") == (("l", 200), (None, 300))
    assert bank.sums("l") == (300, 200, 0), "salary, to which it went, is a class that ends the way"


def test_a_transfer_is_taken_back_once_and_only_within_the_window() -> None:
    bank = Bank(reversible_days=30).open("a")
    bank.lend("l", "a", 500)
    bank.pay("a", "shop", 100, "retail")
    first = bank.last
    bank.back("a")
    with pytest.raises(NotFound):
        bank.back("a", first)
    bank.pay("a", "shop", 100, "retail")
    late = bank.last
    bank.at += timedelta(days=31)
    bank.pay("a", "shop", 1, "retail")
    with pytest.raises(NotFound):
        bank.back("a", late)
    assert bank.tracer.size().transfers == 1


def test_a_closed_loan_leaves_its_last_position_and_no_lots() -> None:
    bank = Bank().open("a", "b")
    bank.come("a", 100)
    bank.lend("l", "a", 500)
    bank.come("a", 100)
    bank.lend("m", "a", 50)
    bank.pay("a", "b", 300)
    bank.pay("b", "shop", 150, "retail")
    spent = bank.last
    bank.tracer.close("l")
    assert bank.tracer.lots("a") == ((None, 400), ("m", 50))
    assert bank.tracer.size().lots == 3, "neighbours became one lot"
    assert bank.sums("l") == (50, 450, 0)
    bank.back("b", spent)
    bank.pay("a", "bookmaker", 400, "gambling")
    bank.tracer.close("l")
    assert bank.sums("l") == (50, 450, 0)


def test_money_that_goes_round_for_ever_keeps_a_bounded_way() -> None:
    bank = Bank().open("a", "b")
    bank.lend("l", "a", 1_000_00)
    for _ in range(200):
        bank.pay("a", "b", 1_000_00)
        bank.pay("b", "a", 1_000_00)
    (hit,) = bank.pay("a", "bookmaker", 1_000_00, "gambling")
    hops = hit.evidence.hops
    assert len(hops) <= 32
    assert len(hops) + hit.evidence.skipped_hops == 402
    assert (hops[0].source, hops[-1].target) == ("l", "bookmaker")


def test_what_makes_no_sense_is_refused() -> None:
    bank = Bank().open("a")
    bank.lend("l", "a", 100)
    with pytest.raises(Conflict):
        bank.open("a")
    with pytest.raises(Conflict):
        bank.lend("l", "a", 100)
    with pytest.raises(NotFound):
        bank.pay("z", "shop", 1)
    with pytest.raises(NotFound):
        bank.tracer.lots("z")
    for minor in (0, -5):
        with pytest.raises(InvalidInput):
            bank.pay("a", "shop", minor)
        with pytest.raises(InvalidInput):
            bank.lend(f"l{minor}", "a", minor)
    with pytest.raises(InvalidInput):
        bank.pay("a", "shop", 1, way="sideways")
    with pytest.raises(InvalidInput):
        bank.open("b", opening=-1)
    bank.pay("a", "shop", 1)
    with pytest.raises(Conflict):
        bank.tracer.transfer("a", bank.last, "out", amount_minor=1, counterparty="shop", at=bank.at)
    assert bank.sums("l") == (0, 99, 1)


def _event(body: Body, number: int) -> Event:
    return Event(
        id=f"event-{number}", tenant="t", stream="s", stream_version=1, subjects=("p",), type=body.TYPE,
        schema=1, at=START + timedelta(minutes=number), recorded_at=START, known_seq=number, source="test",
        source_ref=None, actor="test", cause=None, replaces=None, body=body,
    )  # fmt: skip


def _posted(transfer: str, account: str, target: str, minor: int, name: str | None = None) -> TransferPosted:
    return TransferPosted(
        account_id=account, transfer_id=transfer, direction="out", amount_minor=minor, currency="CNY",
        counterparty=target, counterparty_class=name,
    )  # fmt: skip


def _lent(loan: str, account: str | None) -> LoanDisbursed:
    return LoanDisbursed(
        loan_id=loan, application_id="x", person_id="p", product="instalment", amount_minor=100_000,
        currency="CNY", rate_bp=0, term_months=1, day_count="30/360", disbursed_on=START.date(), schedule=(),
        caps=(), account_id=account,
    )  # fmt: skip


def test_events_of_the_journal_are_consumed() -> None:
    tracer = Tracer(CLASSES)
    bodies: list[Body] = [
        AccountOpened(account_id="a", person_id="p", currency="CNY", opening_minor=10_000),
        AccountOpened(account_id="b", person_id="q", currency="CNY"),
        _lent("l", "a"),
        _lent("m", None),
        _posted("t1", "a", "b", 90_000),
        _posted("t2", "b", "broker", 90_000, "securities_broker"),
        TransferReversed(account_id="b", transfer_id="t2"),
        TransferReversed(account_id="b", transfer_id="no such"),
        _posted("t3", "unseen", "b", 5),
        TransferPosted(account_id="a", transfer_id="erased"),
        LoanClosed(loan_id="l", closed_on=START.date(), why="repaid"),
    ]
    events = [_event(body, number) for number, body in enumerate(bodies)]
    assert {event.type for event in events} <= set(Tracer.TYPES)
    hits = [hit for event in events[:6] for hit in tracer.consume(event)]
    assert [(hit.amount_minor, hit.event_ids) for hit in hits] == [
        (80_000, ("event-2", "event-4", "event-5"))
    ]
    for event in events[6:]:
        assert tracer.consume(event) == []
    found = tracer.position("l")
    assert found is not None
    assert (found.sunk_minor, found.held_minor) == (0, 100_000)
    assert tracer.position("m") is None


def test_an_erased_persons_loans_and_accounts_are_followed_no_longer() -> None:
    bank = Bank().open("a", "b", "c")
    bank.lend("mine", "a", 500)
    bank.lend("theirs", "b", 500)
    bank.pay("b", "a", 200)
    bank.pay("a", "c", 600)
    kept = PersonErased(person_id="owner of a", classes=("identity",), ground="request")
    bank.tracer.consume(_event(kept, 1))
    assert bank.tracer.position("mine") is not None
    gone = PersonErased(person_id="owner of a", classes=("identity", "conduct"), ground="request")
    bank.tracer.consume(_event(gone, 2))
    assert bank.tracer.position("mine") is None
    assert not bank.tracer.sees("a")
    assert bank.sums("theirs") == (0, 400, 100)
    assert bank.tracer.lots("c") == ((None, 500), ("theirs", 100))
    assert bank.tracer.consume(_event(_posted("t9", "a", "c", 5), 3)) == []


def test_a_transfer_is_taken_back_though_the_other_side_was_forgotten() -> None:
    bank = Bank().open("a", "b")
    bank.lend("l", "b", 500)
    bank.pay("b", "a", 200)
    there = bank.last
    bank.pay("b", "a", 100, way="in")
    here = bank.last
    bank.tracer.forget("owner of a")
    bank.back("b", there)
    bank.back("b", here)
    assert bank.sums("l")[1] == sum(minor for loan, minor in bank.tracer.lots("b") if loan == "l")
