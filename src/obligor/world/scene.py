"""The stage of one world: who is there, how they stand, and the only way to tell the lender."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import numpy as np

from obligor.world.behaviour import Nature, nature
from obligor.world.counterparties import Counterparties, Counterparty
from obligor.world.lives import Outlook
from obligor.world.messages import Request
from obligor.world.people import Person
from obligor.world.settings import Settings
from obligor.world.state import Folk, Leg, Petition, State, TakeBack, Task

__all__ = ["LATEST", "LEAST_MINOR", "Scene", "clock"]

# Times of a day in seconds UTC: the world wakes at 9 in Shanghai, and nothing happens after 23:30.
EARLIEST, LATEST = 3_600, 55_800
# Less is not worth a transfer.
LEAST_MINOR = 1_000


class Scene:
    """The state with its outbox. Every transfer goes through here, so no balance falls below zero."""

    def __init__(
        self,
        *,
        seed: int,
        start: date,
        settings: Settings,
        people: tuple[Person, ...],
        places: Counterparties,
        state: State,
    ) -> None:
        self.seed = seed
        self.start = start
        self.settings = settings
        self.people = people
        self.places = places
        self.state = state
        self.out: list[Request] = []
        self.today = date.fromordinal(state.today)
        self.watched_until = np.array([f.watched_until for f in state.folks], dtype=np.int64)
        self.fates: dict[int, tuple[float, Outlook]] = {}
        self._natures: dict[tuple[int, int], Nature] = {}

    def begin(self, day: date) -> None:
        """Turn the page to a day."""
        self.state.today = day.toordinal()
        self.today = day

    def watch(self, number: int, until: int) -> None:
        """See to it that a person's accounts are reported up to a day, an ordinal."""
        folk = self.state.folks[number]
        folk.watched_until = until
        self.watched_until[number] = until

    def person(self, number: int) -> tuple[Person, Folk]:
        """Who they are, and how they stand with the lender."""
        return self.people[number], self.state.folks[number]

    def nature(self, petition: Petition, draw: int) -> Nature:
        """The luck of one of a petition's loans; made again whenever it is not at hand."""
        found = self._natures.get((petition.number, draw))
        if found is None:
            fraud = self.people[petition.person].ring is not None
            turn, index = petition.turn + (draw << 32), petition.index - petition.relief
            found = nature(self.seed, petition.person, turn, index, fraud=fraud)
            self._natures[petition.number, draw] = found
        return found

    def forget_nature(self, petition: int, draw: int) -> None:
        """Drop the luck of a loan that is over."""
        self._natures.pop((petition, draw), None)

    def plan(self, days: int, task: Task) -> None:
        """Write a task into the diary, at least a day ahead."""
        self.state.diary.setdefault(self.state.today + max(1, days), []).append(task)

    def post(self, kind: Literal["application", "drawdown", "event"], payload: dict[str, Any]) -> str:
        """Say something to the lender; returns the request's id."""
        request_id = f"sim-{self.seed}-{self.state.sent:08d}"
        self.state.sent += 1
        self.out.append(Request(request_id, kind, payload))
        return request_id

    def event(
        self, kind: str, source: str, seconds: int, body: dict[str, Any], day: int | None = None
    ) -> str:
        """Report an event; `day` is an ordinal when it is not today's."""
        payload = {
            "type": kind,
            "at": clock(date.fromordinal(day) if day else self.today, seconds),
            "source": f"simulated:{source}",
            "source_ref": "",
            "body": body,
        }
        request_id = self.post("event", payload)
        payload["source_ref"] = request_id
        return request_id

    def pay_in(
        self, account: str, amount_minor: int, place: Counterparty, seconds: int, day: int | None = None
    ) -> None:
        """Money comes into a seen account from a place outside."""
        if amount_minor <= 0:
            return
        self.state.balances[account] += amount_minor
        body = self._transfer(account, "in", amount_minor, place.name, place.label)
        self.event("transfer.posted", "bank", seconds, body, day)

    def pay_out(
        self,
        account: str,
        amount_minor: int,
        place: Counterparty,
        seconds: int,
        *,
        day: int | None = None,
        memo: str | None = None,
        least: int = 1,
    ) -> int:
        """Money leaves a seen account, as far as there is any; returns how much did.

        Less than `least` is not worth a transfer. `day` is an ordinal when it is not today's.
        """
        balances = self.state.balances
        amount = min(amount_minor, balances[account])
        if amount < max(1, least):
            return 0
        balances[account] -= amount
        if place.name in balances:
            balances[place.name] += amount
        body = self._transfer(account, "out", amount, place.name, place.label)
        if memo is not None:
            body["memo"] = memo
        self.event("transfer.posted", "bank", seconds, body, day)
        return amount

    def buy(self, account: str, amount_minor: int, place: Counterparty, seconds: int, luck: float) -> None:
        """Pay a place outside; `luck` in [0, 1) says whether the purchase is taken back within days."""
        number = self.state.sent
        paid = self.pay_out(account, amount_minor, place, seconds, least=LEAST_MINOR)
        if paid and luck < self.settings.reversals:
            self.plan(1 + number % 3, TakeBack(account, _transfer_id(number), seconds, paid))

    def take_back(self, task: TakeBack) -> None:
        """A purchase is taken back."""
        self.state.balances[task.account] += task.amount_minor
        body = {"account_id": task.account, "transfer_id": task.transfer_id}
        self.event("transfer.reversed", "bank", task.seconds, body)

    def move(self, leg: Leg) -> int:
        """Carry out a planned transfer, outside or to another seen account; returns how much moved."""
        target = Counterparty(leg.target, "", leg.label)
        return self.pay_out(leg.source, leg.amount_minor, target, leg.seconds, memo=leg.memo)

    def _transfer(
        self, account: str, direction: str, amount_minor: int, counterparty: str, label: str | None
    ) -> dict[str, Any]:
        return {
            "account_id": account,
            "transfer_id": _transfer_id(self.state.sent),
            "direction": direction,
            "amount_minor": amount_minor,
            "currency": self.settings.currency,
            "counterparty": counterparty,
            "counterparty_class": label,
        }


def _transfer_id(number: int) -> str:
    return f"sim-transfer-{number:08d}"


def clock(day: date, seconds: int) -> str:
    """A moment of a day, in UTC, as RFC 3339."""
    return f"{day.isoformat()}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
