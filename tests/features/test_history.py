"""Histories: which events give rows, in what order, and until when they are in view."""

from datetime import datetime, timedelta

import pytest

from obligor.events import AccountOpened
from obligor.features import History
from obligor.kernel import InvalidInput, InvariantBroken, Malformed
from tests.features.samples import (
    DAY,
    NOW,
    PERSON,
    application,
    classed,
    closed,
    device,
    disbursed,
    event,
    fee,
    lending,
    life,
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
    assert not history.add(event(0, NOW, AccountOpened(account_id="a", person_id=PERSON, currency="CNY")))
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


def lent(history: History, known_upto: int, as_of: datetime = NOW) -> dict[str, int | None]:
    return lending().compute(history, as_of, known_upto, "CNY")


def test_an_instalment_is_due_from_its_day_on_and_not_before():
    history = History.from_events(
        [event(0, NOW - DAY * 100, disbursed("l", (NOW - DAY * 100).date(), 12, 500))]
    )
    due = NOW.replace(hour=0) - DAY * 100 + DAY * 60  # noon is when it was paid out, midnight when it is due
    assert lent(history, 1, due - timedelta(microseconds=1))["instalments_due_90d"] == 1
    assert lent(history, 1, due)["instalments_due_90d"] == 2
    assert lent(history, 1)["shortfall_90d_minor"] == 3 * 500
    assert lent(history, 0)["shortfall_90d_minor"] == 0


def test_payments_are_measured_against_what_was_due():
    history = History.from_events(
        [
            event(0, NOW - DAY * 100, disbursed("l", (NOW - DAY * 100).date(), 12, 500)),
            event(1, NOW - DAY * 69, repayment(500)),
            event(2, NOW - DAY * 20, repayment(250)),
        ]
    )
    got = lent(history, 3)
    assert got["paid_to_due_90d_bp"] == 5_000
    assert got["shortfall_90d_minor"] == 750
    assert got["payments_to_instalments_365d_bp"] == 6_667


def test_after_a_loan_closed_its_later_instalments_are_not_due_once_that_is_known():
    day = (NOW - DAY * 100).date()
    events = [
        event(0, NOW - DAY * 100, disbursed("l", day, 12, 500)),
        event(1, NOW - DAY * 100, disbursed("m", day, 12, 30)),
        event(2, NOW - DAY * 50, closed("l", (NOW - DAY * 50).date())),
    ]
    for order in (events, events[::-1]):
        history = History.from_events(order)
        # Of the one that closed, what was due before is due; of the other, all three.
        assert lent(history, 3)["shortfall_90d_minor"] == 500 + 3 * 30
        assert lent(history, 2)["shortfall_90d_minor"] == 3 * 500 + 3 * 30


def test_fees_and_changes_of_class_are_seen():
    history = History.from_events(
        [
            event(0, NOW - DAY * 40, classed(31)),
            event(1, NOW - DAY * 39, fee(900)),
            event(2, NOW - DAY * 10, classed(0, "normal")),
        ]
    )
    got = lent(history, 3)
    assert (got["dpd_max_90d"], got["dpd_last"], got["downgrades_365d"]) == (31, 0, 1)
    assert (got["days_since_arrears"], got["late_fees_365d"]) == (40, 1)


def test_a_packed_history_is_the_same_history_and_goes_on():
    events = life(11, 80)
    history = History.from_events(events[:50], PERSON)
    again = History.unpack(history.pack())
    assert again.records() == history.records()
    for more in events[50:]:
        assert again.add(more) == history.add(more)
    assert again.records() == history.records()
    assert again.pack() == history.pack()
    assert again.person == PERSON
    assert again.add(events[60]) is False


def test_an_empty_history_can_be_packed():
    again = History.unpack(History(PERSON).pack())
    assert (len(again), again.person) == (0, PERSON)
    assert again.add(event(0, NOW, transfer(7)))


@pytest.mark.parametrize("wrong", [b"", b"{}", b"\x97\x01", History(PERSON).pack()[:-1]])
def test_bytes_that_are_no_history_are_refused(wrong):
    with pytest.raises(Malformed):
        History.unpack(wrong)


def test_a_history_of_another_layout_is_refused():
    packed = History(PERSON).pack()
    assert packed[:2] == b"\x98\x01"
    with pytest.raises(Malformed, match="layout 2"):
        History.unpack(packed[:1] + b"\x02" + packed[2:])
