"""What happens on the accounts that the lender sees: pay, rent, bills, debts elsewhere, shopping, habits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Literal

import msgspec
import numpy as np

from obligor.world.counterparties import Counterparty
from obligor.world.identity import account_number
from obligor.world.luck import Choice, Purpose, stream
from obligor.world.people import Person
from obligor.world.scene import LEAST_MINOR, Scene
from obligor.world.state import Folk

__all__ = ["Flow", "Moment", "Rhythm", "past_flows", "show_accounts", "today"]

SHOPS = Choice(
    {
        "retail": 0.70,
        "cash_withdrawal": 0.08,
        "medical": 0.05,
        "education": 0.04,
        "travel": 0.05,
        "person": 0.08,
    }
)
BETS = Choice({"gambling": 0.6, "lottery": 0.4})

# A moment of the day: when, and what to do then.
Moment = tuple[int, partial[None]]


class Flow(msgspec.Struct, frozen=True):
    """One movement of a backfill, on a day (an ordinal). `kind` is the true class of the place."""

    day: int
    seconds: int
    direction: Literal["in", "out"]
    amount_minor: int
    kind: str


class Rhythm:
    """The days of the month of all people as arrays, so that a day finds who is paid and who pays."""

    def __init__(self, people: tuple[Person, ...]) -> None:
        self.days = np.array([person.days for person in people], dtype=np.int64).reshape(len(people), 4)
        self.seen = np.array([person.seen for person in people], dtype=bool)
        self.rents = np.array([person.rent_minor > 0 for person in people], dtype=bool)
        self.owes = np.array([person.debt_minor > 0 for person in people], dtype=bool)
        self.invests = np.array([person.invests for person in people], dtype=bool)
        self.gambles = np.array([person.gambles for person in people], dtype=bool)


def today(scene: Scene, rhythm: Rhythm, draws: np.ndarray) -> list[Moment]:
    """All regular movements of the day. `draws` holds the day's luck, one row of six numbers per person."""
    watched = rhythm.seen & (scene.watched_until >= scene.state.today)
    if not watched.any():
        return []
    on = rhythm.days == scene.today.day
    plans: tuple[tuple[np.ndarray, Callable[[Scene, int, int, list[float]], None], int], ...]
    if scene.settings.telling == "monthly":
        plans = (
            (on[:, 0], _paid, 7_000),
            (on[:, 2], _living, 20_000),
            (on[:, 2] & rhythm.invests, _invest, 28_000),
            (on[:, 3] & rhythm.gambles, _bet, 32_000),
        )
    else:
        shops = draws[:, 2] < scene.settings.shopping_per_month / 30.4
        plans = (
            (on[:, 0], _paid, 7_000),
            (on[:, 1] & rhythm.rents, _rent, 16_000),
            (on[:, 2], _bills, 20_000),
            (on[:, 3] & rhythm.owes, _debts, 24_000),
            (on[:, 2] & rhythm.invests, _invest, 28_000),
            (shops, _shop, 32_000),
        )
    moments: list[Moment] = []
    for hit, what, seconds in plans:
        for number in np.flatnonzero(hit & watched).tolist():
            if not scene.state.folks[number].accounts:
                continue
            row = draws[number, 3:].tolist()
            at = seconds + int(row[2] * 3_900)
            moments.append((at, partial(what, scene, number, at, row)))
    return moments


def past_flows(person: Person, day: date, months: int, rng: np.random.Generator) -> tuple[int, list[Flow]]:
    """What an account shows when the lender first sees it: the opening balance, and the months before a day.

    A month is pay, rent and one card bill, and the bets of who bets. No flow takes more than there is.
    """
    draw = iter(rng.random((months + 2) * 4).tolist())
    balance = opening = person.cushion_minor + int(0.2 * person.income_minor)
    flows: list[Flow] = []
    for on, what in _month_days(person, day, months):
        wanted: list[tuple[Literal["in", "out"], int, str]] = []
        if what == "pay":
            wanted.append(("in", _income(person, 1.0, next(draw)), _income_kind(person)))
        elif what == "rent":
            wanted.append(("out", person.rent_minor, "rent"))
        else:
            spent = _budget(person) * _ease(person, balance) * (0.75 + 0.4 * next(draw))
            wanted.append(("out", min(int(spent), balance - person.income_minor // 12), "retail"))
            if person.gambles:
                wanted.append(
                    ("out", int(person.income_minor * 0.08 * (0.3 + next(draw))), BETS.at(next(draw)))
                )
        for place, (direction, minor, kind) in enumerate(wanted):
            amount = minor if direction == "in" else min(minor, balance)
            if amount >= LEAST_MINOR:
                balance += amount if direction == "in" else -amount
                flows.append(Flow(on, 8_000 + 5_000 * place, direction, amount, kind))
    return opening, flows


def _month_days(person: Person, day: date, months: int) -> list[tuple[int, str]]:
    """The days of pay, rent and the card's bill in the 31-day months before a day, in order, as ordinals."""
    last = day.toordinal()
    first = last - 31 * months
    found = []
    begin = date.fromordinal(first)
    month = begin.year * 12 + begin.month - 1
    while True:
        base = date(month // 12, month % 12 + 1, 1).toordinal() - 1
        if base >= last:
            break
        for place, what in enumerate(("pay", "rent", "bill")):
            on = base + person.days[place]
            if first <= on < last and (what != "rent" or person.rent_minor):
                found.append((on, what))
        month += 1
    return sorted(found)


def show_accounts(scene: Scene, person: Person, folk: Folk, seconds: int) -> None:
    """The person lets the lender see their account, and the months behind it; some a second, empty one."""
    today_on = scene.today
    months = scene.settings.backfill_months
    rng = stream(scene.seed, Purpose.BACKFILL, person.number)
    opening, flows = past_flows(person, today_on, months, rng)
    opened = scene.state.today - 31 * months - 1
    for place in range(2 if person.saves or person.shuttles else 1):
        account = f"sim-account-{person.number:05d}-{place + 1}"
        folk.accounts.append(account)
        scene.state.balances[account] = 0 if place else opening
        body = {
            "account_id": account,
            "person_id": folk.person_id,
            "currency": scene.settings.currency,
            "number": account_number(account),
            "opening_minor": scene.state.balances[account],
        }
        scene.event("account.opened", "bank", seconds if months == 0 else 4_000, body, opened)
    for flow in flows:
        if flow.direction == "in":
            place_in = scene.places.usual(flow.kind, person.number)
            scene.pay_in(folk.accounts[0], flow.amount_minor, place_in, flow.seconds, flow.day)
        else:
            place_out = scene.places.usual(flow.kind, person.number)
            scene.pay_out(folk.accounts[0], flow.amount_minor, place_out, flow.seconds, day=flow.day)


def _income_kind(person: Person) -> str:
    return "salary" if person.employment in {"salaried", "contract"} else "person"


def _income(person: Person, factor: float, noise: float) -> int:
    """A month's income: steady for who is employed, uneven for who is not."""
    spread = 0.06 if person.employment in {"salaried", "contract"} else 0.60
    return int(person.income_minor * factor * (1.0 + spread * (noise - 0.5)))


def _budget(person: Person) -> int:
    """What is left in a month for shopping."""
    return max(person.income_minor // 4, person.income_minor - person.rent_minor - person.debt_minor)


def _ease(person: Person, balance: int) -> float:
    """People spend more freely above the cushion they like to keep, and hold back below it."""
    over = (balance - person.cushion_minor) / person.income_minor - 0.3
    return 1.0 + min(1.5, max(-0.5, over))


def _paid(scene: Scene, number: int, seconds: int, row: list[float]) -> None:
    person, folk = scene.person(number)
    place = scene.places.usual(_income_kind(person), number)
    scene.pay_in(folk.accounts[0], _income(person, folk.income_factor, row[1]), place, seconds)


def _rent(scene: Scene, number: int, seconds: int, _: list[float]) -> None:
    person, folk = scene.person(number)
    scene.pay_out(
        folk.accounts[0], person.rent_minor, scene.places.usual("rent", number), seconds, memo="rent"
    )


def _bills(scene: Scene, number: int, seconds: int, row: list[float]) -> None:
    person, folk = scene.person(number)
    amount = int(person.income_minor * (0.015 + 0.02 * row[1]))
    place = scene.places.usual("utilities", number)
    scene.pay_out(folk.accounts[0], amount, place, seconds, least=LEAST_MINOR)
    _save(scene, folk, seconds + 60)


def _save(scene: Scene, folk: Folk, seconds: int) -> None:
    """Who has a second account puts something aside on it."""
    if len(folk.accounts) > 1:
        second = Counterparty(folk.accounts[1], "person", "person")
        saved = scene.state.balances[folk.accounts[0]] // 12
        scene.pay_out(folk.accounts[0], saved, second, seconds, least=LEAST_MINOR)


def _living(scene: Scene, number: int, seconds: int, row: list[float]) -> None:
    """A month's rent, bills, debts and shopping in one payment, as a card's statement has it."""
    person, folk = scene.person(number)
    account = folk.accounts[0]
    balance = scene.state.balances[account]
    spent = person.rent_minor + person.debt_minor
    spent += int(_budget(person) * _ease(person, balance) * (0.70 + 0.4 * row[1]))
    place = scene.places.usual("retail", number)
    scene.buy(account, min(spent, balance - person.income_minor // 12), place, seconds, row[0])
    if scene.today.month % 3 == 0:
        _save(scene, folk, seconds + 60)


def _bet(scene: Scene, number: int, seconds: int, row: list[float]) -> None:
    """A month's bets of who bets, whatever the money."""
    person, folk = scene.person(number)
    amount = int(person.income_minor * 0.08 * (0.3 + row[1]))
    place = scene.places.usual(BETS.at(row[0]), number)
    scene.pay_out(folk.accounts[0], amount, place, seconds, least=LEAST_MINOR)


def _debts(scene: Scene, number: int, seconds: int, _: list[float]) -> None:
    person, folk = scene.person(number)
    bank = scene.places.usual("loan_repayment", number)
    scene.pay_out(folk.accounts[0], person.debt_minor, bank, seconds, least=LEAST_MINOR)


def _invest(scene: Scene, number: int, seconds: int, row: list[float]) -> None:
    """Somebody who has always bought shares from savings goes on doing so, loan or no loan."""
    person, folk = scene.person(number)
    amount = int(person.income_minor * (0.05 + 0.08 * row[1]))
    broker = scene.places.usual("securities_broker", number)
    scene.pay_out(folk.accounts[0], amount, broker, seconds, least=LEAST_MINOR)


def _shop(scene: Scene, number: int, seconds: int, row: list[float]) -> None:
    person, folk = scene.person(number)
    account = folk.accounts[0]
    each = _budget(person) / scene.settings.shopping_per_month * (0.5 + row[1])
    each *= _ease(person, scene.state.balances[account])
    kind = SHOPS.at(row[0])
    if person.gambles and row[0] < 0.25:
        kind, each = BETS.at(row[0] * 4.0), each * 0.25
    place = scene.places.pick(kind, (row[0] * 97.0 + row[1]) % 1.0)
    most = scene.state.balances[account] - person.income_minor // 12
    scene.buy(account, min(int(each), most), place, seconds, (row[0] * 389.0 + row[1]) % 1.0)
