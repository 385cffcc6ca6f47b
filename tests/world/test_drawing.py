"""A revolving line, a smaller loan than was asked for, and purchases that are taken back."""

from collections import defaultdict
from datetime import date
from typing import Any

import pytest

from obligor.app.wire import EVENT_BODIES, DrawdownRequest
from obligor.kernel import decode
from obligor.world import Settings, World, repaying
from tests.world.lender import Lender, Loan

START = date(2025, 1, 1)


@pytest.fixture(scope="module")
def lined() -> Lender:
    return Lender(World(5, 120, START, Settings(lines=0.8, onset=0.05, seen=0.3))).play(240)


def draws_of(lender: Lender) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for request in lender.requests:
        if request.kind == "drawdown":
            decode(request.payload, DrawdownRequest)
            found[request.payload["application_id"]].append(request.payload)
    return found


def test_only_a_line_is_drawn_on_again_and_for_a_year(lined: Lender) -> None:
    several = {key: draws for key, draws in draws_of(lined).items() if len(draws) > 1}
    assert len(several) > 10
    assert {lined.applications[key]["product"] for key in several} == {"line"}


def test_what_is_open_on_a_line_never_exceeds_its_limit(lined: Lender) -> None:
    loans, paid = defaultdict(list), defaultdict(list)
    for name, loan in lined.loans.items():
        loans[loan.application].append((name, loan))
    for request in lined.requests:
        if request.payload.get("type") == "repayment.received":
            body = request.payload["body"]
            paid[body["loan_id"]].append((date.fromisoformat(body["value_on"]), body["amount_minor"]))

    def left(name: str, loan: Loan, on: date) -> int:
        """At the least: all that was paid counted as principal."""
        return max(0, loan.amount - sum(amount for day, amount in paid[name] if day <= on))

    for key, mine in loans.items():
        limit = lined.applications[key]["amount_minor"]
        for _, loan in mine:
            on = loan.disbursed_on
            before = sum(left(name, other, on) for name, other in mine if other.disbursed_on < on)
            assert before + loan.amount <= limit, key


def test_who_sees_trouble_coming_draws_all_that_is_free() -> None:
    """The same people, and nobody who draws first: what is drawn on lines that go bad is less."""
    drawn_on_bad = {}
    for draws_first in (0.0, 1.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(repaying, "DRAWS_FIRST", draws_first)
            settings = Settings(lines=0.8, onset=0.05, seen=0.0)
            lender = Lender(World(9, 150, START, settings)).play(200)
        loans = lender.world.truth()["loans"]
        bad = {loan["application"] for loan in loans if loan["first_missed_on"]}
        drawn = [lender.loans[loan["loan_id"]].amount for loan in loans if loan["application"] in bad]
        drawn_on_bad[draws_first] = sum(drawn) / len(bad)
    assert drawn_on_bad[1.0] > 1.05 * drawn_on_bad[0.0]


def test_a_smaller_loan_than_was_asked_for_is_easier_to_pay() -> None:
    whole, half = (Lender(World(5, 300, START)) for _ in range(2))
    half.offer_share = 0.5
    for lender in (whole, half):
        lender.play(60)
    reliefs = [petition.relief for petition in half.world.petitions if petition.fate == "lent"]
    assert reliefs
    assert all(0.0 < relief <= 0.2 for relief in reliefs)
    assert not any(petition.relief for petition in whole.world.petitions if petition.product != "line")


def test_a_purchase_that_is_taken_back_was_posted_on_that_account_and_comes_back_once() -> None:
    lender = Lender(World(5, 200, START, Settings(reversals=0.2))).play(90)
    posted, back = {}, []
    for request in lender.requests:
        if request.kind != "event":
            continue
        body = request.payload["body"]
        if request.payload["type"] == "transfer.posted":
            posted[body["transfer_id"]] = body
        elif request.payload["type"] == "transfer.reversed":
            decode(body, EVENT_BODIES["transfer.reversed"])
            back.append(body)
    assert len(back) > 10
    assert len({body["transfer_id"] for body in back}) == len(back)
    for body in back:
        assert posted[body["transfer_id"]]["account_id"] == body["account_id"]
        assert posted[body["transfer_id"]]["direction"] == "out"


def test_a_firm_applies_as_one_for_a_loan_of_its_own_kind() -> None:
    lender = Lender(World(5, 400, START, Settings(firms=1.0))).play(60)
    firms = [
        r.payload for r in lender.requests if r.kind == "application" and r.payload["product"] == "business"
    ]
    assert firms
    for asked in firms:
        assert asked["purpose"] == "working_capital"
        assert asked["fields"]["employment"] == "self_employed"
        assert asked["person"].get("kind", "firm") == "firm"


def test_told_by_the_month_an_account_says_pay_and_living_and_a_person_consents_once() -> None:
    settings = Settings(telling="monthly", watched_days=0, investors=0.0, gamblers=0.0, shuttlers=0.0)
    lender = Lender(World(5, 300, START, settings), lambda _: False).play(120)
    kinds = {r.payload["type"] for r in lender.requests if r.kind == "event"}
    assert "device.seen" not in kinds
    consents, last_asked = defaultdict(list), {}
    for request in lender.requests:
        if request.kind == "application":
            identity = request.payload["person"]["national_id"]
            last_asked[f"sim-account-{int(identity[2:6]) * 1000 + int(identity[14:17]):05d}-"] = (
                request.payload["at"]
            )
            consents[request.payload["person"]["national_id"]].append(bool(request.payload["consents"]))
    assert all(some[0] and not any(some[1:]) for some in consents.values())
    assert any(len(some) > 1 for some in consents.values())
    # Everybody is declined: once they have shown their account it is silent.
    for request in lender.requests:
        if request.payload.get("type") == "transfer.posted":
            assert request.payload["at"] <= last_asked[request.payload["body"]["account_id"][:18]]
