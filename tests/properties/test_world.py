"""Whatever a lender answers, the world keeps its promises."""

import random
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from obligor.app.wire import EVENT_BODIES, ApplicationRequest, DrawdownRequest, EventRequest
from obligor.kernel import decode
from obligor.world import Answer, Request, Settings, World
from obligor.world.cash import past_flows
from obligor.world.luck import Choice, Purpose, stream
from obligor.world.people import draw
from obligor.world.state import Debt
from tests.world.lender import schedule

START = date(2025, 3, 3)
SHAPES = {"application": ApplicationRequest, "drawdown": DrawdownRequest, "event": EventRequest}


class Moody:
    """A lender who decides, holds, refuses, forgets, overrides and writes off at random, from one seed."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.balances: dict[str, int] = {}
        self.purchases: dict[str, int] = {}
        self.paid: dict[str, int] = defaultdict(int)
        self.owed: dict[str, int] = {}
        self.lost: set[str] = set()

    def answers(self, world: World, request: Request) -> list[Answer]:
        payload, roll = request.payload, self.luck.random()
        decode(payload, SHAPES[request.kind])
        if request.kind == "application":
            return [Answer(request, self._apply(request, roll))]
        if request.kind == "drawdown":
            return self._draw(world, request, roll)
        body = payload["body"]
        decode(body, EVENT_BODIES[payload["type"]])
        self._book(payload["type"], body)
        response: dict[str, Any] = {"event_id": request.id}
        if payload["type"] in {"source.answered", "source.failed"}:
            return self._decide(request, response, roll)
        if payload["type"] in {"offer.accepted", "contract.signed"} and roll < 0.1:
            response = {"status": "refused", "problem": {"code": "conflict"}}
        return [Answer(request, response)]

    def _apply(self, request: Request, roll: float) -> dict[str, Any]:
        if roll < 0.1:
            return {"status": 422, "code": "invalid"}
        person = request.payload["person"]["national_id"]
        ids = {"application_id": f"a-{request.id}", "person_id": f"p-{person}"}
        if roll < 0.3:
            return {**ids, "outcome": self.luck.choice(["decline", "approve", "refer"])}
        return {**ids, "status": "needs", "needs": self.luck.choice([["bureau"], ["bureau", "tax"]])}

    def _decide(self, request: Request, response: dict[str, Any], roll: float) -> list[Answer]:
        name = {"application_id": request.payload["body"]["application_id"]}
        outcome = "approve" if roll < 0.7 else self.luck.choice(["decline", "refer", None])
        terms = {
            "limit_minor": self.luck.choice([None, 500_000, 2_000_000]),
            "rate_bp": 900,
            "term_months": 6,
        }
        made = [Answer(request, response | name | ({"outcome": outcome, **terms} if outcome else {}))]
        if outcome == "approve" and roll < 0.65:
            made.append(Answer(Request(f"o{request.id}", "event", {"type": "offer.made", "body": name}), {}))
        return made

    def _draw(self, world: World, request: Request, roll: float) -> list[Answer]:
        if roll < 0.15:
            return [Answer(request, {"outcome": self.luck.choice(["hold", "refuse"])})]
        if roll < 0.2:
            return [Answer(request, {"status": 409})]
        loan_id, amount = f"l-{request.id}", request.payload["amount_minor"]
        made = [Answer(request, {"outcome": "release", "loan_id": loan_id})]
        if roll > 0.3:
            today = world.next_day - timedelta(days=1)
            lines = schedule(
                self.luck.choice(["instalment", "bullet"]), amount, 900, self.luck.randint(1, 6), today
            )
            account = request.payload.get("account_id") if roll > 0.5 else None
            if account:
                self.balances[account] += amount
            self.owed[loan_id] = sum(line["principal_minor"] + line["interest_minor"] for line in lines)
            body = {"loan_id": loan_id, "account_id": account}
            mine = Request(f"d{request.id}", "event", {"type": "loan.disbursed", "body": body})
            made.append(Answer(mine, {"loan_id": loan_id, "schedule": lines}))
        return made

    def _book(self, kind: str, body: dict[str, Any]) -> None:
        if kind == "account.opened":
            assert body["account_id"] not in self.balances
            self.balances[body["account_id"]] = body["opening_minor"]
        elif kind == "transfer.posted":
            sign = 1 if body["direction"] == "in" else -1
            self.balances[body["account_id"]] += sign * body["amount_minor"]
            assert self.balances[body["account_id"]] >= 0
            if sign < 0 and body["counterparty"] in self.balances:
                self.balances[body["counterparty"]] += body["amount_minor"]
            self.purchases[body["transfer_id"]] = body["amount_minor"]
        elif kind == "transfer.reversed":
            self.balances[body["account_id"]] += self.purchases.pop(body["transfer_id"])
        elif kind == "repayment.received":
            assert body["loan_id"] not in self.lost
            self.paid[body["loan_id"]] += body["amount_minor"]
        elif kind == "recovery.received":
            assert body["loan_id"] in self.lost

    def close(self, world: World) -> None:
        for loan_id in self.owed:
            if self.luck.random() < 0.01 and loan_id not in self.lost:
                self.lost.add(loan_id)
                world.notice("loan.written_off", {"loan_id": loan_id})


def play(world: World, lender: Moody, days: int) -> list[Request]:
    said = []
    for _ in range(days):
        requests = world.day(world.next_day)
        while requests:
            said += requests
            requests = world.react([a for request in requests for a in lender.answers(world, request)])
        lender.close(world)
    return said


@settings(max_examples=6)
@given(seed=st.integers(0, 2**63 - 1), mood=st.integers(0, 10**6), rest=st.integers(1, 39))
def test_under_any_answers_accounts_never_go_below_zero_and_a_rest_changes_nothing(
    seed: int, mood: int, rest: int
) -> None:
    brisk = Settings(applications_per_year=30.0, misuse=0.2, onset=0.05)
    world, lender = World(seed, 40, START, brisk), Moody(mood)
    said = play(world, lender, 40)
    assert all(lender.paid[loan_id] <= owed for loan_id, owed in lender.owed.items())

    again, other = World(seed, 40, START, brisk), Moody(mood)
    told = play(again, other, rest)
    again = World.thaw(again.freeze())
    assert told + play(again, other, 40 - rest) == said
    assert again.truth() == world.truth()


lines = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), min_size=1, max_size=12)


@given(
    lines=lines,
    payments=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 10**6)), max_size=12),
    fee=st.integers(0, 10**4),
)
def test_a_debt_adds_up_on_every_day(
    lines: list[tuple[int, int]], payments: list[tuple[int, int]], fee: int
) -> None:
    total, left, cumulative, after = 0, sum(p for p, _ in lines), [], []
    principal = left
    for p, i in lines:
        total, left = total + p + i, left - p
        cumulative.append(total)
        after.append(left)
    debt = Debt(
        loan_id="l",
        person=0,
        petition=0,
        account=None,
        disbursed_on=0,
        due_on=[30 * (n + 1) for n in range(len(lines))],
        cumulative_minor=cumulative,
        left_minor=after,
        principal_minor=principal,
        fees_minor=fee,
    )
    for day, amount in sorted(payments):
        owed, payoff = debt.owed(day), debt.payoff(day)
        assert 0 <= owed <= max(payoff, owed)
        assert payoff <= max(0, total + fee - debt.paid_minor)
        oldest = debt.oldest(day)
        assert (oldest is not None) is (debt.behind(day) > 0)
        assert oldest is None or (oldest <= day and owed > 0)
        before = debt.owed(day)
        debt.paid_minor += amount
        assert debt.owed(day) == max(0, before - amount) or before == 0
    debt.paid_minor = 0
    last = debt.due_on[-1]
    assert debt.payoff(last) == debt.owed(last) == total + fee


@given(
    seed=st.integers(0, 1000),
    day=st.dates(date(2024, 1, 1), date(2027, 12, 31)),
    months=st.integers(0, 12),
)
def test_the_past_of_an_account_is_in_order_within_its_window_and_never_overdrawn(
    seed: int, day: date, months: int
) -> None:
    for person in draw(seed, 5, date(2025, 1, 1), Settings(), Purpose.PEOPLE):
        balance, flows = past_flows(person, day, months, stream(seed, Purpose.BACKFILL, person.number))
        assert balance >= 0
        assert [flow.day for flow in flows] == sorted(flow.day for flow in flows)
        for flow in flows:
            assert day.toordinal() - 31 * months <= flow.day < day.toordinal()
            balance += flow.amount_minor if flow.direction == "in" else -flow.amount_minor
            assert flow.amount_minor > 0
            assert balance >= 0


@given(
    seed=st.integers(0, 2**63 - 1),
    first=st.tuples(st.integers(1, 13), st.integers(0, 2**40), st.integers(0, 2**40)),
    second=st.tuples(st.integers(1, 13), st.integers(0, 2**40), st.integers(0, 2**40)),
)
def test_streams_are_equal_only_at_the_same_place(
    seed: int, first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    one = stream(seed, Purpose(first[0]), *first[1:]).random(4).tolist()
    two = stream(seed, Purpose(second[0]), *second[1:]).random(4).tolist()
    assert (one == two) is (first == second)


@given(st.floats(0, 1, exclude_max=True))
def test_a_choice_falls_on_the_value_whose_share_covers_the_number(uniform: float) -> None:
    choice = Choice({"a": 1.0, "b": 2.0, "c": 1.0})
    assert choice.at(uniform) == ("a" if uniform < 0.25 else "b" if uniform < 0.75 else "c")
