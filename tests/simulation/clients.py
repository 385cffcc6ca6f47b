"""Clients: each follows a script, sends its attempts until it has an answer, and keeps every answer."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from obligor.app.requests import command_of
from obligor.journal import Answer
from obligor.kernel import Gone, KeyReused, Refusal, Unavailable
from tests.simulation.attempts import Attempt
from tests.simulation.ground import EVERYTHING
from tests.simulation.violation import Violated, expect

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

__all__ = ["Client", "Reply", "Script"]

# What a script gets for an attempt: the answer's body, or nothing when it was refused.
Reply = dict[str, Any] | None
Script = Generator[Attempt, Reply, None]


class Client:
    """One sender. It does one thing at a time, and remembers what it was told."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.attempts: list[Attempt] = []
        self.script: Script | None = None
        self._attempt: Attempt | None = None
        self._sent: list[tuple[Process, Future[Answer]]] = []

    @property
    def can_step(self) -> bool:
        if self._sent:
            return all(process.dead or future.done() for process, future in self._sent)
        return self._attempt is not None or (self.script is not None and not self.world.calm)

    @property
    def at_rest(self) -> bool:
        return self._attempt is None

    def step(self) -> None:
        if self._sent:
            self._hear()
            return
        if self._attempt is None:
            self._go_on(None)
        if self._attempt is not None:
            self._send(self._attempt)

    def _go_on(self, reply: Reply) -> None:
        """Let the script say what is next."""
        assert self.script is not None
        try:
            self._attempt = self.script.send(reply)
        except StopIteration:
            self.script, self._attempt = None, None
            return
        self.attempts.append(self._attempt)

    # ---- to send, and to hear

    def _send(self, attempt: Attempt) -> None:
        world, chance = self.world, self.world.chance
        servers = [process for process in world.processes if process is not None]
        if not servers:
            return
        if attempt.sent and len(attempt.bodies) > 1 and chance.random() < world.plan.other_body:
            attempt.sending = 1 - attempt.sending
        if attempt.after is None:
            attempt.after = world.acknowledged
        attempt.sent.add(attempt.sending)
        process = chance.choice(servers)
        times = 2 if chance.random() < world.plan.twice else 1
        world.note(f"{self.name}: sends {attempt.name} {attempt.kind}/{attempt.sending} to {process.name}")
        for _ in range(times):
            try:
                command = command_of(
                    process.means,
                    EVERYTHING,
                    attempt.kind,
                    attempt.bodies[attempt.sending],
                    world.clock.now(),
                    idempotency=attempt.idempotency,
                )
            except Refusal as error:
                future: Future[Answer] = Future()
                future.set_exception(error)
            else:
                future = process.submit(command)
            self._sent.append((process, future))

    def _hear(self) -> None:
        attempt, sent = self._attempt, self._sent
        assert attempt is not None
        self._sent = []
        for process, future in sent:
            if not future.done():
                continue  # the process is gone, and so is what it would have said
            error = Future.exception(future, 0)
            if error is None:
                self._keep(attempt, Future.result(future, 0).data)
            elif not isinstance(error, Refusal):
                raise Violated(f"{attempt.name} met {type(error).__name__}: {error}") from error
            elif not isinstance(error, Unavailable):
                self._refused(attempt, error, process)
        if attempt.ended is not None:
            self._attempt = None
            data = attempt.answers.get(attempt.sending)
            if data is not None and attempt.bodies[0].get("type") == "person.erased":
                said = attempt.bodies[0]["body"]
                self.world.erased += [(said["person_id"], kind) for kind in said["classes"]]
                self.world.observe_all()
            reply = body_of(data) if data is not None else None
            if self.script is not None and not self.world.calm:
                self._go_on(reply)

    def _keep(self, attempt: Attempt, data: bytes) -> None:
        known = attempt.answers.setdefault(attempt.sending, data)
        if attempt.key is not None:
            expect(known == data, f"{attempt.name} was answered {known!r} and then {data!r}")
            expect(len(attempt.answers) == 1, f"{attempt.name} was done under two bodies")
        else:
            place = body_of(data)["event_id"]
            expect(body_of(known)["event_id"] == place, f"{attempt.name} was done twice")
        attempt.ended = "answered"

    def _refused(self, attempt: Attempt, error: Refusal, process: Process) -> None:
        if isinstance(error, KeyReused):
            # The other body was taken: its answer is to be had.
            expect(1 - attempt.sending in attempt.sent, f"{attempt.name}: a key that was used once is reused")
            attempt.sending = 1 - attempt.sending
        elif attempt.ended is None:
            attempt.ended = "erased" if isinstance(error, Gone) else "refused"
            attempt.refusal = error.code
            self.world.note(f"{self.name}: {attempt.name} is refused: {error}")


def body_of(data: bytes) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.json.decode(data)["body"]
    return found
