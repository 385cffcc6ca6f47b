from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from obligor.events import (
    CapSet,
    HeadroomCommitted,
    HeadroomReleased,
    HeadroomReserved,
    RepaymentReceived,
)
from obligor.kernel import Body, Conflict, InvalidInput, InvariantBroken, NotFound
from obligor.limits import CapBook, Exposure, Limit, Reservation, Usage, cap_name
from obligor.loans import repay, reverse, write_off
from tests.loans.making import Life, event, money_out

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=10)
CAPS = ("obligor/p1", "product/instalment")


class Writer:
    """A book with the events that made it."""

    def __init__(self, *limits: tuple[str, int]) -> None:
        self.book = CapBook()
        self.seq = 0
        for cap, limit in limits:
            self.accept(CapSet(cap=cap, limit_minor=limit, currency="CNY"))

    def accept(self, body: Body) -> tuple:
        told = event(body, self.seq, at=NOW)
        self.seq += 1
        self.book.apply(told)
        return self.book.changed(told)

    def reserve(self, name: str, amount: int, caps: tuple[str, ...] = CAPS) -> tuple:
        return self.accept(
            self.book.reserve(
                name, application_id="a", caps=caps, amount_minor=amount, currency="CNY", expires_at=LATER
            )
        )


def test_sixty_four_drawdowns_of_two_percent_fill_a_cap_and_no_more() -> None:
    w = Writer(("product/instalment", 100_000))
    taken = 0
    for client in range(64):
        try:
            w.reserve(f"r{client}", 2_000, ("product/instalment",))
            w.accept(
                w.book.commit(
                    f"r{client}",
                    loan_id=f"l{client}",
                    caps=("product/instalment",),
                    amount_minor=2_000,
                    at=NOW,
                )
            )
            taken += 1
        except Conflict:
            continue
    assert taken == 50
    assert w.book.usage("product/instalment").committed_minor == 100_000


def test_applications_of_one_person_in_any_order_give_what_some_serial_order_gives() -> None:
    asked = {"a": 500, "b": 300, "c": 200, "d": 400}
    outcomes = set()
    for order in itertools.permutations(asked):
        w = Writer(("obligor/*", 900))
        accepted = set()
        for name in order:
            try:
                w.reserve(name, asked[name], ("obligor/p1",))
                accepted.add(name)
            except Conflict:
                pass
        assert w.book.exposure("p1") == sum(asked[name] for name in accepted) <= 900
        outcomes.add(frozenset(accepted))
    assert len(outcomes) > 1


def test_a_refusal_names_the_cap_that_binds_and_what_it_leaves() -> None:
    w = Writer(("product/instalment", 1_000), ("obligor/*", 300))
    w.reserve("r1", 250)
    with pytest.raises(Conflict) as refused:
        w.reserve("r2", 100)
    assert refused.value.violations[0].field == "amount_minor"
    assert refused.value.violations[0].accepted == "at most 50, what obligor/p1 leaves"


def test_a_commitment_moves_reserved_to_committed_and_the_disbursement_counts_nothing_twice() -> None:
    w = Writer(("product/instalment", 2_000_000))
    caps = ("obligor/p-1", "product/instalment")
    w.reserve("r1", 1_500_000, caps)
    assert w.book.usage("product/instalment").reserved_minor == 1_500_000
    begin = money_out(amount_minor=1_200_000, caps=(*caps, "partner/bank"))
    w.accept(w.book.commit("r1", loan_id="l-1", caps=(*caps, "partner/bank"), amount_minor=1_200_000, at=NOW))
    assert [e.loan_id for e in w.book.undisbursed()] == ["l-1"]
    w.accept(begin)
    use = w.book.usage("product/instalment")
    assert (use.reserved_minor, use.committed_minor, use.headroom_minor) == (300_000, 1_200_000, 500_000)
    assert w.book.usage("partner/bank").committed_minor == 1_200_000
    assert w.book.undisbursed() == ()


def test_what_is_disbursed_sets_the_exposure_also_when_it_is_less_than_was_committed() -> None:
    w = Writer(("product/instalment", 2_000_000))
    w.reserve("r1", 1_500_000, ("product/instalment",))
    w.accept(w.book.commit("r1", loan_id="l-1", caps=("product/instalment",), amount_minor=1_500_000, at=NOW))
    w.accept(money_out(amount_minor=1_200_000, caps=("product/instalment",)))
    assert w.book.usage("product/instalment").used_minor == 1_200_000


def test_repaid_principal_frees_room_a_reversal_takes_it_back_and_a_write_off_frees_the_rest() -> None:
    w = Writer(("product/instalment", 2_000_000))
    life = Life(money_out(amount_minor=1_200_000, caps=("product/instalment",)))
    w.accept(life.events[0].body)
    first = life.loan.schedule[0]
    paid = life.add(repay(life.loan, 200_000, "CNY", first.due_on))
    w.accept(paid.body)
    assert isinstance(paid.body, RepaymentReceived)
    left = 1_200_000 - paid.body.allocation.principal_minor
    assert w.book.usage("product/instalment").committed_minor == left
    w.accept(life.add(reverse(life.loan, paid.body), replaces=paid.id).body)
    assert w.book.usage("product/instalment").committed_minor == 1_200_000
    w.accept(life.add(write_off(life.loan, date(2024, 9, 1))).body)
    assert w.book.usage("product/instalment").committed_minor == 0
    assert w.book.loan("l-1") == Exposure(
        loan_id="l-1", caps=("product/instalment",), amount_minor=0, currency="CNY", state="written_off"
    )


def test_what_expires_is_listed_and_released_and_its_room_is_free_again() -> None:
    w = Writer(("product/instalment", 1_000))
    w.reserve("r1", 700)
    w.accept(w.book.commit("r1", loan_id="l1", caps=CAPS, amount_minor=300, at=NOW))
    assert w.book.expired(LATER - timedelta(seconds=1)) == ()
    assert [r.reservation_id for r in w.book.expired(LATER)] == ["r1"]
    with pytest.raises(Conflict, match="ended at"):
        w.book.commit("r1", loan_id="l2", caps=CAPS, amount_minor=100, at=LATER)
    released = w.book.release("r1", "expired")
    assert released.amount_minor == 400
    w.accept(released)
    assert w.book.expired(LATER) == ()
    assert w.book.headroom(CAPS) == (700, "product/instalment")
    with pytest.raises(Conflict, match="nothing is left"):
        w.book.release("r1", "again")
    with pytest.raises(NotFound):
        w.book.release("r9", "never made")


def test_a_partner_without_room_stops_the_commitment_and_leaves_the_reservation() -> None:
    w = Writer(("partner/bank", 100))
    w.reserve("r1", 500)
    with pytest.raises(Conflict, match="partner/bank leaves 100"):
        w.book.commit("r1", loan_id="l1", caps=(*CAPS, "partner/bank"), amount_minor=200, at=NOW)
    with pytest.raises(Conflict, match="less left"):
        w.book.commit("r1", loan_id="l1", caps=CAPS, amount_minor=501, at=NOW)
    with pytest.raises(Conflict, match="made under obligor/p1"):
        w.book.commit("r1", loan_id="l1", caps=("product/instalment",), amount_minor=100, at=NOW)
    with pytest.raises(NotFound):
        w.book.commit("r9", loan_id="l1", caps=CAPS, amount_minor=100, at=NOW)
    held = w.book.reservation("r1")
    assert held is not None
    assert held.left_minor == 500


def test_lowering_a_limit_below_its_use_is_allowed_and_leaves_no_room() -> None:
    w = Writer(("product/instalment", 1_000))
    w.reserve("r1", 800)
    w.accept(w.book.set_cap("product/instalment", 500, "CNY"))
    assert w.book.headroom(CAPS) == (0, "product/instalment")
    assert w.book.usage("product/instalment").headroom_minor == 0
    with pytest.raises(Conflict):
        w.reserve("r2", 1)
    w.accept(w.book.commit("r1", loan_id="l1", caps=CAPS, amount_minor=800, at=NOW))
    assert w.book.usage("product/instalment").committed_minor == 800


def test_a_persons_own_limit_goes_before_the_limit_for_each() -> None:
    w = Writer(("obligor/*", 300), ("obligor/p1", 900))
    assert w.book.headroom(("obligor/p1",)) == (900, "obligor/p1")
    assert w.book.headroom(("obligor/p2",)) == (300, "obligor/p2")


def test_a_cap_that_is_set_later_knows_what_is_in_use() -> None:
    w = Writer()
    assert w.book.headroom(CAPS) == (None, None)
    w.reserve("r1", 700)
    w.accept(CapSet(cap="product/instalment", limit_minor=1_000, currency="CNY"))
    assert w.book.headroom(CAPS) == (300, "product/instalment")


def test_what_the_asker_holds_itself_counts_as_room_where_it_is_held() -> None:
    w = Writer(("product/instalment", 1_000), ("partner/bank", 600))
    w.reserve("r1", 900)
    names = (*CAPS, "partner/bank")
    assert w.book.headroom(names) == (100, "product/instalment")
    assert w.book.headroom(names, held_under=CAPS, held_minor=900) == (600, "partner/bank")


def test_currencies_are_kept_apart_and_a_limit_in_another_one_refuses() -> None:
    w = Writer(("product/instalment", 1_000))
    with pytest.raises(InvalidInput) as refused:
        w.book.headroom(("product/instalment",), currency="USD")
    assert refused.value.violations[0].accepted == "CNY, the currency of product/instalment"
    with pytest.raises(Conflict, match="has its limit in CNY"):
        w.book.set_cap("product/instalment", 1, "USD")
    w.accept(money_out("lendingclub-36", 500_000, term_months=36, caps=("obligor/p1",)))
    w.reserve("r1", 100, ("obligor/p1",))
    assert (w.book.exposure("p1", "USD"), w.book.exposure("p1", "CNY")) == (500_000, 100)
    with pytest.raises(InvalidInput):
        w.book.exposure("p1")
    assert w.book.exposure("nobody") == 0


@pytest.mark.parametrize(
    "cap", ["", "product", "product/", "colour/red", "product/a b", "Product/x", "obligor/**"]
)
def test_what_is_no_cap_is_refused(cap: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        CapBook().set_cap(cap, 1, "CNY")
    assert refused.value.violations[0].field == "cap"


def test_caps_are_named_by_dimension_and_value() -> None:
    assert cap_name("region", "330100") == "region/330100"
    book = CapBook()
    assert book.applies(product="x", partner="b", person="p", channel="app") == (
        "obligor/p",
        "product/x",
        "partner/b",
        "channel/app",
    )
    with pytest.raises(InvalidInput):
        cap_name("obligor", "*")
    with pytest.raises(InvalidInput):
        book.applies(shoe_size="44")


def test_amounts_and_limits_are_checked() -> None:
    w = Writer()
    with pytest.raises(InvalidInput):
        w.reserve("r1", 0)
    with pytest.raises(InvalidInput):
        w.book.set_cap("product/x", -1, "CNY")
    with pytest.raises(InvalidInput):
        w.book.set_cap("product/x", 1, "???")
    w.reserve("r1", 1)
    with pytest.raises(Conflict, match="exists already"):
        w.reserve("r1", 1)
    with pytest.raises(NotFound):
        w.book.usage("product/unheard-of")


def _reserved(amount: int, name: str = "r9") -> HeadroomReserved:
    return HeadroomReserved(
        reservation_id=name,
        application_id="a",
        caps=CAPS,
        amount_minor=amount,
        currency="CNY",
        expires_at=LATER,
    )


def _committed(amount: int, reservation: str = "r1", loan: str = "l9") -> HeadroomCommitted:
    return HeadroomCommitted(
        reservation_id=reservation,
        application_id="a",
        loan_id=loan,
        caps=CAPS,
        amount_minor=amount,
        currency="CNY",
    )


@pytest.mark.parametrize(
    "body",
    [
        _reserved(201),
        _reserved(1, name="r1"),
        _committed(1, loan="l1"),
        _committed(901),
        _committed(201, reservation="none"),
        HeadroomReleased(reservation_id="r9", application_id="a", amount_minor=1, currency="CNY", why="w"),
    ],
    ids=lambda body: f"{body.TYPE}-{getattr(body, 'amount_minor', '')}",
)
def test_the_book_takes_no_event_that_breaks_a_cap_and_is_unchanged(body: Body) -> None:
    w = Writer(("product/instalment", 1_000))
    w.reserve("r1", 800)
    w.accept(w.book.commit("r1", loan_id="l1", caps=CAPS, amount_minor=100, at=NOW))
    before = list(w.book.rows())
    with pytest.raises(InvariantBroken):
        w.accept(body)
    assert list(w.book.rows()) == before


def test_a_commitment_over_its_reservation_is_taken_where_there_is_room() -> None:
    w = Writer(("product/instalment", 1_000))
    w.reserve("r1", 700)
    w.accept(_committed(900))
    use = w.book.usage("product/instalment")
    assert (use.reserved_minor, use.committed_minor) == (0, 900)


def test_changed_rows_are_what_a_table_needs() -> None:
    w = Writer(("product/instalment", 1_000))
    assert w.reserve("r1", 800) == (
        Reservation(
            reservation_id="r1",
            application_id="a",
            caps=CAPS,
            left_minor=800,
            currency="CNY",
            expires_at=LATER,
        ),
        Usage(cap="obligor/p1", currency="CNY", limit_minor=None, reserved_minor=800, committed_minor=0),
        Usage(
            cap="product/instalment", currency="CNY", limit_minor=1_000, reserved_minor=800, committed_minor=0
        ),
    )
    rows = w.accept(w.book.commit("r1", loan_id="l1", caps=CAPS, amount_minor=800, at=NOW))
    assert [row.left_minor for row in rows if isinstance(row, Reservation)] == [0]
    assert not any(isinstance(row, Reservation) for row in w.book.rows())
    assert Limit(cap="product/instalment", limit_minor=1_000, currency="CNY") in list(w.book.rows())


def test_stored_use_that_is_not_the_sum_of_what_uses_it_is_not_loaded() -> None:
    w = Writer(("product/instalment", 1_000))
    w.reserve("r1", 800)
    rows = list(w.book.rows())
    assert list(CapBook.load(rows).rows()) == rows
    spoilt = [
        Usage(**{**_fields(row), "reserved_minor": 799}) if isinstance(row, Usage) else row for row in rows
    ]
    assert spoilt != rows
    with pytest.raises(InvariantBroken):
        CapBook.load(spoilt)


def _fields(row: Usage) -> dict:
    return {name: getattr(row, name) for name in row.__struct_fields__}
