"""The simulated lender's customers, day by day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final

import msgspec
import polars as pl

from obligor.kernel import Corrupted, InvalidInput, NotFound
from obligor.world import cash, drawing, lending, repaying, spending
from obligor.world import history as past
from obligor.world import people as population
from obligor.world import truth as ground
from obligor.world.arrivals import applicants, ring_days
from obligor.world.counterparties import Counterparties
from obligor.world.luck import Purpose, stream
from obligor.world.messages import Answer, Request
from obligor.world.scene import Scene
from obligor.world.settings import Settings
from obligor.world.state import (
    REFERENCE,
    Bounce,
    Folk,
    Leg,
    Pay,
    Petition,
    Recover,
    Redraw,
    RingApplies,
    State,
    Step,
    TakeBack,
    TakeUp,
)

__all__ = ["World"]

MOST_PEOPLE: Final = 2_000_000
MOST_PAST: Final = 5_000_000
WRITTEN: Final = 2


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A world at rest: with the seed, everything that cannot be drawn again."""

    version: int
    seed: int
    people: int
    start: date
    settings: Settings
    state: State


class World:
    """A lender's customers: `people` of them, from `start` on, all of it simulated.

    Play a day with `day`, post what it returns in order, give the answers to `react`, post what that
    returns, and so on until it returns nothing. The lender's own steps (`offer.made`, `loan.disbursed`,
    `loan.written_off`, `application.overridden`, `fee.charged`) are told by an `Answer` to the lender's
    own request, or by `notice`. Equal seeds and equal answers give equal requests; persons keep their
    luck whatever the lender does.

    `state` is what `thaw` goes on from.

    Raises:
        InvalidInput: a seed, a number of people or a start out of range.
    """

    def __init__(
        self,
        seed: int,
        people: int,
        start: date,
        settings: Settings | None = None,
        *,
        state: State | None = None,
    ) -> None:
        if not 0 <= seed < 2**63:
            raise InvalidInput.field("seed", seed, "an integer from 0 to 2^63 - 1")
        if not 1 <= people <= MOST_PEOPLE:
            raise InvalidInput.field("people", people, f"a number of people from 1 to {MOST_PEOPLE}")
        if not 1950 <= start.year <= 2150:
            raise InvalidInput.field("start", start, "a day in the years 1950 to 2150")
        told = settings or Settings()
        self._scene = Scene(
            seed=seed,
            start=start,
            settings=told,
            people=population.draw(seed, people, start, told, Purpose.PEOPLE),
            places=Counterparties(seed, people, told),
            state=state or State(today=start.toordinal() - 1, folks=[Folk() for _ in range(people)]),
        )
        self._rhythm = cash.Rhythm(self._scene.people)
        if state is None:
            for days, task in ring_days(self._scene):
                self._scene.plan(days, task)

    @property
    def next_day(self) -> date:
        """The day that `day` wants next."""
        return date.fromordinal(self._scene.state.today + 1)

    @property
    def sent(self) -> int:
        """How many requests the world has made so far."""
        return self._scene.state.sent

    @property
    def seed(self) -> int:
        """What the world is drawn from."""
        return self._scene.seed

    @property
    def petitions(self) -> Sequence[Petition]:
        """All applications so far as they are in truth: a part of the ground truth."""
        return self._scene.state.petitions

    def history(self, count: int) -> pl.DataFrame:
        """A sample of past applicants with their outcomes, labelled simulated: see `obligor.world.history`.

        Raises:
            InvalidInput: a count out of range.
        """
        if not 1 <= count <= MOST_PAST:
            raise InvalidInput.field("count", count, f"a number of applicants from 1 to {MOST_PAST}")
        return past.history(self._scene.seed, count, self._scene.start, self._scene.settings)

    def day(self, day: date, answers: Sequence[Answer] = ()) -> list[Request]:
        """What the lender sees of one day before it has answered anything, in the order of the day's hours.

        `answers` are those not yet given to `react`. Days follow each other without gaps.

        Raises:
            InvalidInput: another day than the next.
        """
        scene = self._scene
        if day != self.next_day:
            raise InvalidInput.field("day", day, f"{self.next_day}, the next day of this world")
        scene.begin(day)
        for answer in answers:
            lending.hear(scene, answer)
        draws = stream(scene.seed, Purpose.DAY, day.toordinal()).random((len(scene.people), 6))
        moments = cash.today(scene, self._rhythm, draws)
        moments += applicants(scene, draws)
        due = scene.state.diary.pop(scene.state.today, [])
        moments += [(task.seconds, partial(_DO[type(task)], scene, task)) for task in due]
        moments.sort(key=_when)
        for _, act in moments:
            act()
        return self._said()

    def react(self, answers: Sequence[Answer]) -> list[Request]:
        """What the customers and sources do about the lender's answers, still on the same day."""
        for answer in answers:
            lending.hear(self._scene, answer)
        return self._said()

    def notice(self, kind: str, data: Mapping[str, Any]) -> None:
        """Learn of a step of the lender's by its event type and what it said; see `react` for what follows.

        `data` is the event's body with the answer's fields. Kinds that concern no customer are passed over.
        """
        lending.told(self._scene, kind, data)

    def truth(self) -> dict[str, Any]:
        """The ground truth so far, as plain data that JSON takes: see `obligor.world.truth`."""
        return ground.truth(self._scene)

    def true_pd_ppm(self, reference: str) -> int:
        """The true 12-month probability of default of one application, by its reference: the oracle's score.

        It is a part of the ground truth, to rank a lender's decisions against; parts per million.

        Raises:
            NotFound: no application of this world has that reference.
        """
        number = reference.removeprefix(REFERENCE)
        petitions = self._scene.state.petitions
        if not reference.startswith(REFERENCE) or not number.isdecimal() or int(number) >= len(petitions):
            raise NotFound("no application of this world has that reference")
        return round(1_000_000 * ground.would_have_been(self._scene, petitions[int(number)])[0])

    def freeze(self) -> bytes:
        """The world at rest. `World.thaw` goes on from it as the world itself would."""
        scene = self._scene
        written = Written(
            version=WRITTEN,
            seed=scene.seed,
            people=len(scene.people),
            start=scene.start,
            settings=scene.settings,
            state=scene.state,
        )
        return msgspec.msgpack.encode(written)

    @classmethod
    def thaw(cls, data: bytes) -> World:
        """A world from what `freeze` wrote.

        Raises:
            Corrupted: bytes that no `freeze` of this version wrote.
        """
        try:
            written = msgspec.msgpack.decode(data, type=Written)
        except (msgspec.MsgspecError, InvalidInput) as error:
            raise Corrupted("these bytes are no simulated world") from error
        if written.version != WRITTEN or len(written.state.folks) != written.people:
            raise Corrupted("this simulated world was written by another version")
        return cls(written.seed, written.people, written.start, written.settings, state=written.state)

    def _said(self) -> list[Request]:
        said, self._scene.out = self._scene.out, []
        return said


def _when(moment: cash.Moment) -> int:
    return moment[0]


_DO: Mapping[type, Callable[[Scene, Any], None]] = {
    Step: repaying.step,
    Pay: repaying.pay,
    Bounce: repaying.bounce,
    Recover: repaying.recover,
    Leg: spending.leg,
    TakeUp: lending.take_up,
    Redraw: drawing.redraw,
    TakeBack: Scene.take_back,
    RingApplies: lending.ring_applies,
}
