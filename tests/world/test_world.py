"""The conversation between the world and a lender, day by day."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from obligor.app.wire import EVENT_BODIES
from obligor.kernel import Corrupted, InvalidInput, decode
from obligor.world import Answer, Request, Settings, World
from tests.world.lender import Lender, schedule

START = date(2025, 1, 1)


def until_application(world: World) -> Request:
    """Play days with a lender who says nothing until somebody applies."""
    while True:
        for request in world.day(world.next_day):
            if request.kind == "application":
                return request


def told_needs(request: Request, needs: tuple[str, ...] = ("bureau",)) -> Answer:
    ids = {"application_id": f"a-{request.id}", "person_id": f"p-{request.id}"}
    return Answer(request, {**ids, "status": "needs", "needs": list(needs)})


def decided(request: Request, amount: int, *, rate_bp: int = 700, outcome: str = "approve") -> Answer:
    body = request.payload["body"]
    terms = {"limit_minor": amount, "rate_bp": rate_bp, "term_months": 12}
    return Answer(request, {"application_id": body["application_id"], "outcome": outcome, **terms})


def kinds(requests: list[Request]) -> list[str]:
    return [request.payload.get("type", request.kind) for request in requests]


def one(requests: list[Request], kind: str) -> Request:
    return next(r for r in requests if r.payload.get("type", r.kind) == kind)


def test_equal_seeds_and_equal_answers_give_equal_requests() -> None:
    first, second = (Lender(World(3, 200, START)).play(90).requests for _ in range(2))
    assert first == second
    assert len(first) > 1000


def test_another_seed_is_another_world() -> None:
    first, second = (Lender(World(seed, 200, START)).play(20).requests for seed in (3, 4))
    assert [r.payload for r in first] != [r.payload for r in second]


def test_people_apply_and_keep_their_luck_whatever_the_lender_does() -> None:
    worlds = [World(3, 300, START) for _ in range(2)]
    cheap, dear = (Lender(w, rate_bp=rate).play(60) for w, rate in zip(worlds, (600, 3400), strict=True))
    first = [
        {
            r.payload["person"]["national_id"]: r.payload
            for r in reversed(lender.requests)
            if r.kind == "application"
        }
        for lender in (cheap, dear)
    ]
    assert first[0].keys() == first[1].keys()
    same = [first[0][key]["fields"] == first[1][key]["fields"] for key in first[0]]
    assert all(same)
    assert len(cheap.loans) > len(dear.loans) > 0


def test_a_world_at_rest_goes_on_as_if_it_had_not_rested() -> None:
    straight = Lender(World(3, 200, START)).play(120)
    rested = Lender(World(3, 200, START)).play(70)
    before = len(rested.requests)
    rested.world = World.thaw(rested.world.freeze())
    rested.play(50)
    assert rested.requests[:before] == straight.requests[:before]
    assert rested.requests[before:] == straight.requests[before:]
    assert rested.world.truth() == straight.world.truth()


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x81\xa7version\x01"])
def test_bytes_that_are_no_world_are_refused(data: bytes) -> None:
    with pytest.raises(Corrupted):
        World.thaw(data)


def test_a_day_out_of_turn_is_refused_and_names_the_next() -> None:
    world = World(3, 10, START)
    with pytest.raises(InvalidInput, match="2025-01-01"):
        world.day(START + timedelta(days=1))
    world.day(START)
    assert world.next_day == START + timedelta(days=1)


def test_needs_are_answered_by_the_bureau_after_the_accounts_are_shown() -> None:
    world = World(3, 200, START, Settings(bureau_outage=0.0, seen=1.0))
    said = kinds(world.react([told_needs(until_application(world))]))
    assert said[0] == "device.seen"
    assert said[1] == "account.opened"
    assert said[-1] == "source.answered"
    assert "transfer.posted" in said


def test_a_source_that_the_world_does_not_have_fails_and_so_does_a_bureau_that_is_down() -> None:
    world = World(3, 200, START, Settings(bureau_outage=1.0))
    requests = world.react([told_needs(until_application(world), ("bureau", "tax"))])
    failed = [r.payload["body"] for r in requests if r.payload.get("type") == "source.failed"]
    assert [(body["name"], body["why"]) for body in failed] == [
        ("bureau", "timeout"),
        ("tax", "no such source in the simulated world"),
    ]


def offered(world: World, rate_bp: int = 100) -> tuple[Request, list[Request]]:
    """Bring somebody to an offer on good terms; returns their application and what they said to the offer."""
    while True:
        request = until_application(world)
        answer = one(world.react([told_needs(request)]), "source.answered")
        assert world.react([decided(answer, request.payload["amount_minor"], rate_bp=rate_bp)]) == []
        world.notice("offer.made", {"application_id": f"a-{request.id}"})
        if said := world.react([]):
            return request, said


def test_an_offer_that_is_taken_is_signed_and_drawn_in_one_go() -> None:
    request, said = offered(World(3, 200, START))
    assert kinds(said) == ["offer.accepted", "contract.signed", "drawdown"]
    assert said[-1].payload["application_id"] == f"a-{request.id}"
    assert said[-1].payload["amount_minor"] <= request.payload["amount_minor"]


def test_nobody_accepts_before_an_offer_was_made() -> None:
    world = World(3, 200, START)
    request = until_application(world)
    answer = one(world.react([told_needs(request)]), "source.answered")
    assert world.react([decided(answer, request.payload["amount_minor"])]) == []
    assert world.react([]) == []


def test_an_override_with_an_offer_is_as_good_as_an_approval() -> None:
    world = World(5, 200, START)
    while True:
        request = until_application(world)
        answer = one(world.react([told_needs(request)]), "source.answered")
        world.react([decided(answer, 0, outcome="refer")])
        name = {"application_id": f"a-{request.id}"}
        terms = {"outcome": "approve", "limit_minor": request.payload["amount_minor"], "rate_bp": 100}
        mine = [
            Request("o", "event", {"type": "application.overridden", "body": {**name, **terms}}),
            Request("f", "event", {"type": "offer.made", "body": name}),
        ]
        if said := world.react([Answer(request, {"event_id": "e"}) for request in mine]):
            assert kinds(said)[0] == "offer.accepted"
            return


def test_a_hold_over_an_unnamed_payee_is_answered_by_naming_one_once() -> None:
    world = World(3, 400, START)
    while True:
        _, said = offered(world)
        draw = said[-1]
        if "payee" in draw.payload or draw.payload["purpose"] == "other":
            continue
        again = world.react([Answer(draw, {"outcome": "hold", "loan_id": None})])
        assert kinds(again) == ["drawdown"]
        assert again[0].payload["payee"].startswith("sim-place-")
        assert again[0].payload["amount_minor"] == draw.payload["amount_minor"]
        assert world.react([Answer(again[0], {"outcome": "hold", "loan_id": None})]) == []
        return


def test_dear_offers_and_short_offers_are_taken_less_often() -> None:
    taken = {}
    for name, rate_bp, share in (("cheap", 1300, 1.0), ("dear", 2300, 1.0), ("short", 1300, 0.3)):
        lender = Lender(World(3, 400, START), rate_bp=rate_bp)
        lender.offer_share = share
        lender.play(60)
        taken[name] = len(lender.loans) / len(lender.applications)
    assert taken["cheap"] > taken["dear"] + 0.1
    assert taken["cheap"] > taken["short"] + 0.1


def test_who_is_declined_stays_away_for_weeks() -> None:
    lender = Lender(World(3, 400, START), lambda _: False).play(120)
    days = defaultdict(list)
    for request in lender.requests:
        if request.kind == "application":
            days[request.payload["person"]["national_id"]].append(
                date.fromisoformat(request.payload["at"][:10])
            )
    gaps = [(b - a).days for on in days.values() for a, b in pairwise(on)]
    ring = [gap for gap in gaps if gap < 20]
    assert gaps
    assert len(ring) <= 4, "only a ring comes again within three weeks"
    assert not lender.loans


def test_a_refused_application_leaves_the_person_free_to_apply_again() -> None:
    world = World(3, 30, START)
    applied = Counter()
    for _ in range(250):
        for request in world.day(world.next_day):
            if request.kind == "application":
                applied[request.payload["person"]["national_id"]] += 1
                world.react([Answer(request, {"status": 422, "code": "invalid"})])
    assert max(applied.values()) > 2
    assert world.truth()["summary"]["refused"] == {"application": sum(applied.values())}


def a_loan(world: World, months: int = 6) -> tuple[str, list[dict[str, Any]], int]:
    """Bring a loan of some months to life; returns its id, its schedule and its amount."""
    while True:
        request, said = offered(world)
        loan_id = f"loan-{request.id}"
        amount = said[-1].payload["amount_minor"]
        release = Answer(said[-1], {"outcome": "release", "loan_id": loan_id, "payment_mode": "self"})
        assert world.react([release]) == []
        lines = schedule("instalment", amount, 1200, months, world.next_day - timedelta(days=1))
        body = {"loan_id": loan_id, "account_id": said[-1].payload.get("account_id")}
        mine = Request("d", "event", {"type": "loan.disbursed", "body": body})
        assert world.react([Answer(mine, {"loan_id": loan_id, "schedule": lines})]) == []
        return loan_id, lines, amount


def paid(world: World, loan_id: str, days: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(days):
        for request in world.day(world.next_day):
            body = request.payload.get("body", {})
            if body.get("loan_id") == loan_id:
                found.append({"type": request.payload["type"], **body})
    return found


def test_a_loan_is_paid_to_the_minor_unit_and_never_beyond(played: Lender) -> None:
    closed = [loan for loan in played.loans.values() if loan.closed_on]
    assert all(loan.paid <= loan.cumulative[-1] for loan in played.loans.values())
    assert all(loan.paid >= loan.amount for loan in closed)
    ripe = [loan for loan in closed if loan.closed_on and loan.closed_on >= loan.due_on[-1]]
    assert len(ripe) > 20
    assert all(loan.paid == loan.cumulative[-1] for loan in ripe)


def test_who_is_not_in_trouble_pays_on_the_due_date() -> None:
    on_time = 0
    for seed in range(3, 9):
        world = World(seed, 150, START, Settings(onset=0.0, seen=0.0))
        loan_id, lines, _ = a_loan(world)
        first = paid(world, loan_id, 58)[0]
        on_time += first["value_on"] == lines[0]["due_on"]
        assert first["value_on"] >= lines[0]["due_on"]
    assert on_time >= 5


def test_after_a_write_off_nothing_is_repaid_and_some_is_recovered_at_a_cost() -> None:
    world = World(3, 300, START, Settings(seen=0.0))
    claims = {}
    while len(claims) < 60:
        loan_id, _, amount = a_loan(world)
        claims[loan_id] = amount
        world.notice("loan.written_off", {"loan_id": loan_id})
    recovered = 0
    for _ in range(345):
        for request in world.day(world.next_day):
            body = request.payload.get("body", {})
            if body.get("loan_id") in claims:
                assert request.payload["type"] == "recovery.received"
                decode(body, EVENT_BODIES["recovery.received"])
                assert 0 <= body["cost_minor"] < body["amount_minor"]
                recovered += body["amount_minor"]
    assert 0.03 < recovered / sum(claims.values()) < 0.20


def test_a_fee_that_the_lender_charged_is_paid_with_what_is_due() -> None:
    world = World(4, 200, START, Settings(onset=0.0))
    loan_id, lines, _ = a_loan(world)
    world.notice("fee.charged", {"loan_id": loan_id, "amount_minor": 12_345})
    payments = paid(world, loan_id, 40)
    first = lines[0]["principal_minor"] + lines[0]["interest_minor"]
    assert sum(p["amount_minor"] for p in payments[:1]) == first + 12_345


def test_what_concerns_no_customer_is_passed_over() -> None:
    world = World(3, 10, START)
    world.notice("day.closed", {"day": "2025-01-01"})
    world.notice("offer.made", {"application_id": "unknown"})
    world.notice("loan.disbursed", {"loan_id": "unknown", "schedule": []})
    assert world.react([Answer(Request("x", "event", {"type": "cap.set", "body": {}}), {})]) == []


def test_accounts_fall_silent_without_loans_or_applications() -> None:
    lender = Lender(World(3, 300, START, Settings(applications_per_year=6.0)), lambda _: False)
    lender.play(150)
    last = {}
    applied = {}
    for request in lender.requests:
        on = date.fromisoformat(request.payload["at"][:10])
        if request.kind == "application":
            applied[lender.persons[request.payload["person"]["national_id"]]] = on
        elif request.payload["type"] == "transfer.posted":
            last[request.payload["body"]["account_id"]] = on
    owners = {
        r.payload["body"]["account_id"]: r.payload["body"]["person_id"]
        for r in lender.requests
        if r.payload.get("type") == "account.opened"
    }
    assert all((on - applied[owners[account]]).days <= 60 for account, on in last.items())


def test_the_pace_is_ten_to_forty_applications_and_one_to_five_hundred_events_a_day() -> None:
    lender = Lender(World(3, 2000, START), lambda a: (a.get("bureau", {}).get("bureau_score") or 0) > 600)
    lender.keep = False
    lender.play(70)
    applications = sum(count for count, _ in lender.per_day) / 70
    requests = sum(count for _, count in lender.per_day[20:]) / 50
    assert 10 <= applications <= 40
    assert 100 <= requests <= 500


def test_a_season_shows_in_applications() -> None:
    lender = Lender(World(3, 3000, date(2025, 1, 1), Settings(seen=0.0)), lambda _: False)
    lender.keep = False
    lender.play(59)
    january = sum(count for count, _ in lender.per_day[:31]) / 31
    february = sum(count for count, _ in lender.per_day[31:]) / 28
    assert february < 0.85 * january


def test_an_answer_that_is_given_twice_is_heard_once() -> None:
    world = World(3, 100, START)
    answer = told_needs(until_application(world))
    assert world.react([answer])
    assert world.react([answer]) == []
