from __future__ import annotations

from datetime import date, timedelta

from msgspec.structs import replace

from obligor.events import Allocation
from obligor.loans import apply, charge_fee, close, product, recover, repay, reverse, write_off
from tests.loans.making import Life, by_hand, money_out

DAY = timedelta(days=1)


def even(**more: object) -> Life:
    """Four instalments of 100 on the first of each month from February 2024."""
    lines = [(date(2024, month, 1), 90, 10) for month in (2, 3, 4, 5)]
    return Life(by_hand(lines, date(2024, 1, 1), currency="CNY", **more))


def pay(life: Life, amount: int, on: date) -> None:
    life.add(repay(life.loan, amount, "CNY", on))


def test_the_due_date_is_day_zero() -> None:
    loan = even().loan
    assert [loan.days_past_due(date(2024, 1, 31) + n * DAY) for n in range(4)] == [0, 0, 1, 2]
    assert loan.arrears_minor(date(2024, 1, 31)) == 0
    assert loan.arrears_minor(date(2024, 2, 1)) == 100


def test_days_count_from_the_oldest_unpaid_due_date_and_a_payment_covers_the_oldest_first() -> None:
    life = even()
    on = date(2024, 3, 20)
    assert (life.loan.days_past_due(on), life.loan.arrears_minor(on)) == (48, 200)
    pay(life, 100, date(2024, 3, 20))
    assert (life.loan.days_past_due(on), life.loan.arrears_minor(on)) == (19, 100)
    assert life.loan.days_past_due(on - DAY) == 47, "the day before is what it was"


def test_a_part_payment_stops_no_count() -> None:
    life = even()
    pay(life, 99, date(2024, 2, 1))
    assert life.loan.days_past_due(date(2024, 2, 11)) == 10
    assert life.loan.arrears_minor(date(2024, 2, 11)) == 1
    pay(life, 1, date(2024, 2, 12))
    assert life.loan.days_past_due(date(2024, 2, 12)) == 0


def test_a_payment_counts_from_its_value_date_however_late_it_is_known() -> None:
    life = even()
    pay(life, 100, date(2024, 3, 10))
    known = life.loan
    assert known.days_past_due(date(2024, 3, 15)) == 14
    pay(life, 100, date(2024, 2, 1))
    assert life.loan.days_past_due(date(2024, 2, 20)) == 0, "as restated it was paid on the day"
    assert known.days_past_due(date(2024, 2, 20)) == 19, "as known then it was not"
    assert life.loan.days_past_due(date(2024, 3, 9)) == 8
    assert life.loan.days_past_due(date(2024, 3, 15)) == 0


def test_as_known_is_the_fold_of_what_was_known() -> None:
    life = even()
    pay(life, 100, date(2024, 2, 1))
    pay(life, 100, date(2024, 3, 1))
    told = life.events[1]
    life.add(reverse(life.loan, told.body), replaces=told.id)
    on = date(2024, 3, 5)
    days = []
    for upto in range(1, len(life.events) + 1):
        state = None
        for event in life.events:
            if event.known_seq < upto:
                state = apply(state, event)
        assert state is not None
        days.append(state.days_past_due(on))
    assert days == [33, 4, 0, 4]


def test_a_reversed_payment_never_came_on_any_day() -> None:
    life = even()
    pay(life, 100, date(2024, 2, 1))
    pay(life, 100, date(2024, 3, 1))
    first = life.events[1]
    life.add(reverse(life.loan, first.body), replaces=first.id)
    assert life.loan.days_past_due(date(2024, 2, 10)) == 9
    assert life.loan.days_past_due(date(2024, 3, 1)) == 0, (
        "the second payment now covers the first instalment"
    )
    assert life.loan.days_past_due(date(2024, 3, 2)) == 1


def test_due_dates_are_those_that_business_days_moved() -> None:
    terms = replace(product("instalment"), business_day="following")
    loan = Life(money_out(terms, on=date(2024, 1, 10))).loan
    assert loan.schedule[1].due_on == date(2024, 3, 11), "10 March 2024 is a Sunday"
    paid_first = replace(loan, payments=(), principal_paid_minor=loan.terms.owed_minor[0])
    assert [paid_first.days_past_due(date(2024, 3, day)) for day in (10, 11, 12)] == [0, 0, 1]


def test_how_a_payment_was_split_does_not_matter_for_the_count() -> None:
    life = even()
    split = Allocation(interest_minor=13, principal_minor=87)
    life.add(repay(life.loan, 100, "CNY", date(2024, 2, 1), allocation=split))
    assert life.loan.days_past_due(date(2024, 2, 20)) == 0


def test_after_the_last_due_date_all_that_is_outstanding_is_due() -> None:
    life = even()
    for line in life.loan.schedule:
        split = Allocation(interest_minor=12, principal_minor=88)
        life.add(repay(life.loan, 100, "CNY", line.due_on, allocation=split))
    assert life.loan.principal_left_minor == 8
    assert life.loan.days_past_due(date(2024, 5, 1)) == 0
    assert life.loan.days_past_due(date(2024, 5, 11)) == 10
    assert life.loan.arrears_minor(date(2024, 5, 11)) == 8


def test_a_loan_repaid_early_owes_no_later_instalment() -> None:
    life = even()
    pay(life, 400, date(2024, 1, 20))
    assert life.loan.principal_left_minor == 0
    assert life.loan.days_past_due(date(2025, 1, 1)) == 0
    assert life.loan.arrears_minor(date(2025, 1, 1)) == 0


def test_fees_are_in_arrears_and_count_days_only_where_asked() -> None:
    life = even()
    pay(life, 100, date(2024, 2, 1))
    life.add(charge_fee(life.loan, 5, "CNY", "late", date(2024, 2, 3)))
    on = date(2024, 2, 13)
    assert (life.loan.days_past_due(on), life.loan.days_past_due(on, fees=True)) == (0, 10)
    assert life.loan.arrears_minor(on) == 5
    assert life.loan.arrears_minor(date(2024, 2, 2)) == 0
    pay(life, 5, date(2024, 2, 14))
    assert life.loan.days_past_due(date(2024, 2, 20), fees=True) == 0


def test_a_write_off_does_not_stop_the_count_and_its_arrears_are_what_is_left_of_the_claim() -> None:
    life = even()
    life.add(write_off(life.loan, date(2024, 8, 1)))
    assert life.loan.days_past_due(date(2024, 8, 10)) == 191
    assert life.loan.arrears_minor(date(2024, 8, 10)) == 400
    life.add(recover(life.loan, 150, 0, "CNY", date(2024, 8, 20)))
    assert life.loan.arrears_minor(date(2024, 8, 19)) == 400
    assert life.loan.arrears_minor(date(2024, 8, 20)) == 250
    assert life.loan.days_past_due(date(2024, 8, 20)) == 201
    life.add(close(life.loan, date(2024, 9, 1), "nothing more is expected"))
    assert life.loan.days_past_due(date(2024, 8, 31)) == 212
    assert life.loan.days_past_due(date(2024, 9, 1)) == 0


def test_the_worst_of_a_window_is_the_highest_of_its_days() -> None:
    life = even()
    pay(life, 100, date(2024, 2, 21))
    pay(life, 100, date(2024, 3, 5))
    loan = life.loan
    first, last = date(2024, 1, 25), date(2024, 3, 30)
    days = [first + n * DAY for n in range((last - first).days + 1)]
    assert loan.worst_days_past_due(first, last) == max(loan.days_past_due(day) for day in days) == 19
    assert loan.worst_days_past_due(date(2024, 2, 21), last) == 3
    assert loan.worst_days_past_due(date(2024, 2, 20), last) == 19


def test_a_first_payment_is_missed_once_its_due_date_has_passed_unpaid() -> None:
    life = even()
    assert [life.loan.first_payment_missed(date(2024, 2, day)) for day in (1, 2)] == [False, True]
    pay(life, 99, date(2024, 2, 1))
    assert life.loan.first_payment_missed(date(2024, 2, 2))
    pay(life, 1, date(2024, 2, 1))
    assert not life.loan.first_payment_missed(date(2024, 2, 2))


def test_a_current_loan_is_current_until_its_next_unpaid_due_date() -> None:
    life = even()
    assert life.loan.current_until(date(2024, 1, 1)) == date(2024, 2, 1)
    pay(life, 250, date(2024, 1, 10))
    until = life.loan.current_until(date(2024, 1, 10))
    assert until == date(2024, 4, 1)
    assert [life.loan.days_past_due(until), life.loan.days_past_due(until + DAY)] == [0, 1]
    assert life.loan.current_until(until + DAY) is None


def test_instalments_stand_as_payments_have_covered_them() -> None:
    life = even()
    pay(life, 100, date(2024, 2, 6))
    pay(life, 130, date(2024, 3, 1))
    found = life.loan.instalments(date(2024, 4, 9))
    assert [(i.state, i.paid_minor, i.open_minor, i.days_late) for i in found] == [
        ("paid", 100, 0, 5),
        ("paid", 100, 0, 0),
        ("past_due", 30, 70, 8),
        ("not_due", 0, 100, None),
    ]
    assert [i.paid_on for i in found] == [date(2024, 2, 6), date(2024, 3, 1), date(2024, 3, 1), None]
    earlier = life.loan.instalments(date(2024, 3, 15))
    assert [i.state for i in earlier] == ["paid", "paid", "part", "not_due"]
    pay(life, 500, date(2024, 4, 10))
    assert [(i.state, i.open_minor) for i in life.loan.instalments(date(2024, 4, 10))] == [("paid", 0)] * 4


def test_before_the_money_went_out_nothing_is_owed() -> None:
    loan = even().loan
    before = date(2023, 12, 31)
    assert (
        loan.days_past_due(before) == loan.arrears_minor(before) == loan.outstanding(before).total_minor == 0
    )
