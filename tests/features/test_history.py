"""Histories: which events give rows, in what order, and until when they are in view."""

from datetime import datetime, timedelta

import pytest

from obligor.events import LoanClosed
from obligor.features import History
from obligor.kernel import InvalidInput, InvariantBroken
from tests.features.samples import (
    DAY,
    NOW,
    PERSON,
    application,
    device,
    event,
    repayment,
    repayment_reversed,
    starter,
    transfer,
    transfer_reversed,
)


def values(history: History, known_upto: int, as_of: datetime = NOW) -> dict[str, int | None]:
    return starter().compute(history, as_of, known_upto, "CNY")


def test_a_person_of_whom_nothing_is_known_has_the_declared_empty_values():
    got = values(History(), 0)
    assert got.pop("days_since_repayment") is None
    assert set(got.values()) == {0}


def test_a_reversal_takes_a_payment_out_of_view_from_when_it_was_known_and_no_sooner():
    history = History.from_events(
        [
            event(3, NOW - DAY * 20, repayment(500)),
            event(4, NOW - DAY * 10, repayment(70)),
            event(9, NOW - DAY * 5, repayment_reversed(500), replaces=3),
        ]
    )
    assert [values(history, known)["repaid_90d_minor"] for known in (3, 4, 5, 9, 10, 99)] == [
        0,
        500,
        570,
        570,
        70,
        70,
    ]


def test_a_correction_replaces_a_row_by_another():
    history = History.from_events(
        [
            event(0, NOW - DAY, transfer(500)),
            event(1, NOW - DAY * 2, transfer(40, label="gambling"), replaces=0),
        ]
    )
    assert values(history, 1)["outflow_30d_minor"] == 500
    assert values(history, 2)["outflow_30d_minor"] == 40
    assert values(history, 2)["gambling_90d_minor"] == 40


def test_a_payment_is_taken_back_once_however_often_that_is_said():
    history = History()
    history.add(event(0, NOW - DAY, repayment(500)))
    assert history.add(event(5, NOW, repayment_reversed(500), replaces=0)) is True
    assert history.add(event(5, NOW, repayment_reversed(500), replaces=0)) is False
    assert history.add(event(7, NOW, repayment_reversed(500), replaces=0)) is False
    assert [values(history, known)["repayments_365d"] for known in (1, 5, 6, 8)] == [1, 1, 0, 0]


def test_a_late_event_takes_its_place_in_time_and_is_unknown_before_it_came():
    history = History.from_events(event(i, NOW - DAY * (30 - i), repayment(1)) for i in range(30))
    assert history.add(event(30, NOW - DAY * 15 - timedelta(hours=1), repayment(1_000)))
    assert [r.at_us for r in history.records()] == sorted(r.at_us for r in history.records())
    assert values(history, 30)["repaid_90d_minor"] == 30
    assert values(history, 31)["repaid_90d_minor"] == 1_030
    assert values(history, 31, NOW - DAY * 16)["repaid_90d_minor"] == 15


def test_what_happened_at_one_moment_is_in_the_order_in_which_it_was_learned():
    history = History.from_events(event(i, NOW, repayment(i)) for i in (4, 2, 9, 0, 7))
    assert [r.known_seq for r in history.records()] == [0, 2, 4, 7, 9]


def test_a_window_holds_its_last_moment_and_not_its_first():
    history = History.from_events(
        [
            event(0, NOW, transfer(1)),
            event(1, NOW - DAY * 30, transfer(10)),
            event(2, NOW - DAY * 30 + timedelta(microseconds=1), transfer(100)),
            event(3, NOW + timedelta(microseconds=1), transfer(1_000)),
        ]
    )
    assert values(history, 4)["outflow_30d_minor"] == 101


def test_erased_parts_give_no_rows_and_do_no_harm():
    history = History.from_events(
        [
            event(0, NOW, transfer(100), erased=["conduct", "identity"]),
            event(1, NOW, device(None), erased=["conduct"]),
            event(2, NOW, application(device="phone-1"), erased=["conduct"]),
            event(3, NOW, repayment(5), erased=["conduct"]),
            event(4, NOW, repayment(6), erased=["money"]),
            event(5, NOW, transfer_reversed(), replaces=0, erased=["conduct"]),
        ]
    )
    assert [r.kind for r in history.records()] == ["application", "repayment"]
    assert values(history, 6)["devices_90d"] == 0


def test_an_application_tells_of_the_device_it_came_from():
    history = History.from_events(
        [
            event(0, NOW, application(device="phone-1")),
            event(1, NOW, device("phone-1")),
            event(2, NOW, device("phone-2")),
            event(3, NOW, application()),
        ]
    )
    assert values(history, 4)["devices_90d"] == 2
    assert values(history, 4)["applications_30d"] == 2


def test_a_transfer_between_two_people_is_posted_once_and_goes_out_of_one_and_into_the_other():
    posted = event(0, NOW, transfer(900, "out", label="gambling"), subjects=("payer", "receiver"))
    payer = History.from_events([posted], "payer")
    receiver = History.from_events([posted], "receiver")
    assert values(payer, 1)["outflow_30d_minor"] == 900
    assert values(payer, 1)["gambling_90d_minor"] == 900
    assert values(receiver, 1)["inflow_90d_minor"] == 900
    assert values(receiver, 1)["outflow_30d_minor"] == 0
    assert receiver.records()[0].party == "account-1"


def test_an_event_about_somebody_else_is_a_broken_promise():
    with pytest.raises(InvariantBroken):
        History(PERSON).add(event(0, NOW, repayment(1), subjects=("somebody else",)))


def test_events_that_say_nothing_of_the_person_give_no_row():
    history = History(PERSON)
    assert not history.add(event(0, NOW, LoanClosed(loan_id="l", closed_on=NOW.date(), why="paid")))
    assert not history.add(event(1, NOW, transfer(1, direction=None)))
    assert len(history) == 0


@pytest.mark.parametrize("amount", [-1, 10**15 + 1])
def test_an_amount_out_of_range_is_refused(amount):
    with pytest.raises(InvalidInput) as refused:
        History().add(event(0, NOW, transfer(amount)))
    assert refused.value.violations[0].field == "amount_minor"


def test_money_of_another_currency_is_not_added_up():
    history = History.from_events(
        [event(0, NOW, transfer(100, currency="CNY")), event(1, NOW, transfer(7, currency="USD"))]
    )
    assert starter().compute(history, NOW, 2, "CNY")["outflow_30d_minor"] == 100
    assert starter().compute(history, NOW, 2, "USD")["outflow_30d_minor"] == 7
    assert starter().compute(history, NOW, 2, "EUR")["outflow_30d_minor"] == 0
    with pytest.raises(InvalidInput) as refused:
        starter().compute(history, NOW, 2)
    assert refused.value.violations[0].accepted == "one of CNY, USD"


def test_the_only_currency_of_a_history_need_not_be_named():
    history = History.from_events([event(0, NOW, transfer(100, currency="USD"))])
    assert starter().compute(history, NOW, 1)["outflow_30d_minor"] == 100


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(InvalidInput, match="as_of"):
        starter().compute(History(), datetime(2026, 1, 1), 0)  # noqa: DTZ001


def test_the_packed_rows_cannot_be_written_through_their_public_face():
    history = History.from_events([event(0, NOW, transfer(100))])
    with pytest.raises(ValueError, match="read-only"):
        history.rows["amount_minor"][0] = 1
    assert history.rows["amount_minor"].tolist() == [100]
