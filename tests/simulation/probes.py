"""Those who only look or only disturb: they follow no script, and what they see has to hold at once."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from obligor.app.call import Call
from obligor.events import CapSet
from obligor.journal import Accepted, Answer, Command, View
from obligor.kernel import Event, Unavailable
from tests.simulation.ground import TENANT
from tests.simulation.violation import Violated, expect

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

__all__ = ["Record", "look", "stumble"]


class Record:
    """Who is told of everything that is committed, and checks that it is told once and in order."""

    def __init__(self) -> None:
        self.told: dict[int, str] = {}

    def offer(self, events: list[Event]) -> None:
        for event in events:
            if self.told.setdefault(event.known_seq, event.id) != event.id:
                raise Violated(f"two events were published as {event.known_seq}")


def look(world: World, process: Process) -> None:
    """Somebody asks how long the journal is: no shorter than anybody was told before."""
    known = world.acknowledged

    def heard(future: Future[Answer]) -> None:
        if Future.exception(future, 0) is None:
            size = Future.result(future, 0).value
            expect(size > known, f"{process.name} shows {size} entries, and {known} was acknowledged")

    command = Command(TENANT, lambda view: Accepted(answer=lambda _: view.size))
    process.submit(command).add_done_callback(heard)


def stumble(process: Process) -> None:
    """A command with a bug in its answer: its events were staged, and nothing of them may be left."""

    def run(view: View) -> Accepted:
        cap, now = CapSet(cap="channel/none", limit_minor=view.size, currency="CNY"), view.now
        call = Call(means=process.means, tenant=TENANT, actor="sim", received_at=now, at=now, source="sim")
        return Accepted((call.draft(f"cap/{cap.cap}", cap),), lambda _: 1 // 0)

    def heard(future: Future[Answer]) -> None:
        error = Future.exception(future, 0)
        expect(isinstance(error, ZeroDivisionError | Unavailable), f"a bug was answered with {error}")

    process.submit(Command(TENANT, run)).add_done_callback(heard)
