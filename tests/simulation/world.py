"""A seeded scheduler: clients, processes, a store and a clock, of which one moves at a time."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import timedelta

from obligor.journal import Answer, FileKeys, StoreFailed
from obligor.journal.store import Retry
from obligor.kernel import Unavailable, failpoints
from tests.simulation.clients import Client
from tests.simulation.final import final_of
from tests.simulation.ground import TENANT, SeededEntropy, SimulatedClock, ground, scratch
from tests.simulation.model_attempts import check_attempts
from tests.simulation.model_live import check_live, check_rebuilt
from tests.simulation.model_log import check_log, note_parts
from tests.simulation.model_money import check_money
from tests.simulation.model_watching import check_watching
from tests.simulation.plan import Plan
from tests.simulation.probes import Record, look, stumble
from tests.simulation.process import Crash, Process, unfinished
from tests.simulation.scripts import crowd
from tests.simulation.stores import COMMITTED, Lease
from tests.simulation.violation import Violated, expect

__all__ = ["World"]

DEPTH_MOST = 6
SETTLED_WITHIN = 4_000
REBUILT_EVERY = 8

Move = tuple[float, Callable[[], None]]


class World:
    """Everything that a seed decides. `run` plays it; what went on is in `trace`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.plan = Plan.draw(self.chance)
        self.clock = SimulatedClock()
        self.entropy = SeededEntropy(seed)
        self.lease = Lease()
        self.trace: list[str] = [f"seed {seed}: {self.plan}"]
        self.record = Record()
        self.checkpoints: dict[int, bytes] = {}
        self.erased: list[tuple[str, str]] = []
        self.acknowledged = -1
        base = ground()
        self.lines = list(base.lines)
        self.applications = [line.application_id for line in base.lines]
        self.persons = set(base.persons)
        self.loans = list(base.loans)
        self.calm = False
        self.directory = scratch()
        base.copy_to(self.directory)
        self.keys = FileKeys(self.directory / "kek", self.entropy)
        self.clients: list[Client] = crowd(self)
        self.processes: list[Process | None] = [None] * self.plan.processes
        self.journal, self.entries = "", 0
        self._lives = 0
        self._depth = 0
        self._running: list[Process] = []

    def close(self) -> None:
        for process in self.processes:
            if process is not None:
                process.die()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- the play

    def run(self) -> None:
        """Let things happen, then let trouble end and everything come to rest.

        Raises:
            Violated: something did that must not, or nothing comes to rest.
        """
        failpoints.arm(self.reached)
        try:
            for _ in range(self.plan.steps):
                self.step()
            self._calm_down()
            self.check()
        finally:
            failpoints.disarm()

    def _calm_down(self) -> None:
        self.note("-- calm")
        self.calm = True
        for process in self.processes:
            if process is not None:
                process.luck.disarm()
                process.stopped = False
        for _ in range(SETTLED_WITHIN):
            if self._at_rest():
                return
            self.step()
        raise Violated("the world does not come to rest")

    def _at_rest(self) -> bool:
        if any(not client.at_rest for client in self.clients):
            return False
        leader = self.leader()
        return (
            leader is not None
            and not leader.queue.waiting
            and not (unfinished(leader.watched) or leader.committer.unfinished)
        )

    def check(self) -> None:
        """What must hold now that the world is at rest; the last process leaves.

        Raises:
            Violated: it does not.
        """
        leader = self.leader()
        assert leader is not None
        check_live(leader)
        if self.seed % REBUILT_EVERY == 0:
            check_rebuilt(leader)
        for process in self.processes:
            if process is not None:
                process.leave()
        self.processes = [None] * self.plan.processes
        with final_of(self) as final:
            self.journal, self.entries = final.digest(), len(final.events)
            check_log(final, self.checkpoints, self.record.told)
            check_attempts(final, self.clients)
            check_money(final)
            check_watching(final)

    def leader(self) -> Process | None:
        """The process that is open and has the role."""
        for process in self.processes:
            if process is not None and process.store.alive and self.lease.holder == process.name:
                return process
        return None

    def step(self) -> None:
        """One move, drawn among those that are possible now."""
        self.lease.now += self.chance.random() / 4
        moves = self._moves()
        self.chance.choices([move for _, move in moves], [weight for weight, _ in moves])[0]()

    def until(self, process: Process, done: Callable[[], bool]) -> None:
        """What a waiting thread of a process does: nothing, while everything else goes on."""
        for _ in range(SETTLED_WITHIN):
            if process.dead:
                raise Crash
            if done():
                return
            self._nested(self.step)
        raise Violated(f"a thread of {process.name} waits for ever")

    def rest(self, process: Process) -> None:
        """What a thread of a process does in a pause between two tries."""
        for _ in range(self.chance.randint(1, 4)):
            if not process.dead:
                self._nested(self.step)

    def _nested(self, step: Callable[[], None]) -> None:
        self._depth += 1
        try:
            step()
        finally:
            self._depth -= 1

    # ---- what may happen next

    def _moves(self) -> list[Move]:
        moves: list[Move] = [(0.7, self._tick)]
        moves += [(5.0, client.step) for client in self.clients if client.can_step]
        for place, process in enumerate(self.processes):
            if process is None:
                weight = 2.0 if self.lease.is_free else 0.0 if self.calm else 0.2
                moves.append((weight, lambda place=place: self._open(place)))
                continue
            moves.append((0.3, lambda process=process: self.observe(process)))
            moves.append((0.3, lambda process=process: look(self, process)))
            if process.stopped:
                moves.append((0.4, lambda process=process: self._stop(process, stopped=False)))
            elif not process.busy:
                moves += self._moves_of(place, process)
        return moves

    def _moves_of(self, place: int, process: Process) -> list[Move]:
        plan = self.plan
        moves: list[Move] = [(1.0 if self.calm else 0.1, process.store.renew)]
        if process.queue.waiting:
            moves.append((6.0, lambda: self._act(place, process, lambda: self._write(process))))
        elif process.committer.unfinished:
            moves.append((1.0, lambda: self._act(place, process, process.committer.idle)))
        if self._depth < DEPTH_MOST:
            moves += [
                (4.0, lambda each=each: self._act(place, process, each.step))
                for each in process.watched
                if each.due
            ]
        if not self.calm:
            scale = sum(weight for weight, _ in moves) + 12
            moves += [
                (plan.crash * scale, lambda: self._crash(place, process)),
                (plan.bug * scale, lambda: stumble(process)),
                (plan.stop * scale, lambda: self._stop(process, stopped=True)),
                (plan.store_trouble * scale, lambda: self._trouble(process)),
                (plan.unknown_commit * scale, lambda: process.luck.arm(0, 1, COMMITTED)),
            ]
        return moves

    def _tick(self) -> None:
        """Time goes on: mostly a little; in some seeds by days, or back."""
        drawn = self.chance.random()
        if not self.calm and drawn < self.plan.clock_back * 5:
            by = -timedelta(hours=self.chance.randint(1, 30))
        elif not self.calm and drawn < self.plan.long_leap * 5:
            by = timedelta(days=self.chance.choice((3, 33, 70)))
        else:
            by = timedelta(seconds=self.chance.choice((1, 60, 3_600, 20_000, 86_400)))
        self.lease.now += self.chance.random() * 4
        self.clock.move(by)
        self.note(f"the clock moves by {by}")

    def _open(self, place: int) -> None:
        """A server is started, or one that stands by tries to take over."""
        if not self.lease.is_free or self.lease.locked_by is not None:
            return
        self._lives += 1
        process = Process(self, f"P{place}.{self._lives}")
        self._running.append(process)
        try:
            process.open()
        except Unavailable as error:
            self.note(f"{process.name}: cannot open: {error}")
            process.leave()
        except Crash:
            self.note(f"{process.name}: crashes while it opens")
            process.die()
        else:
            self.note(f"{process.name}: opens at {process.journal.size(TENANT)}")
            self.processes[place] = process
        finally:
            self._running.pop()

    def _act(self, place: int, process: Process, act: Callable[[], object]) -> None:
        """A process does something, and may end in it."""
        self._running.append(process)
        try:
            act()
        except Crash:
            if not process.dead:
                self._crash(place, process)
        except Unavailable as error:
            self.note(f"{process.name}: {error}")
        except Exception as error:
            raise Violated(f"{process.name} stops with {type(error).__name__}: {error}") from error
        finally:
            self._running.pop()
        if not process.dead and not process.store.alive:
            self.note(f"{process.name}: stands down")
            process.leave()
            self._gone(place, process)

    def _write(self, process: Process) -> None:
        process.busy = True
        try:
            process.write(self.chance.randint(1, self.plan.group_most))
        finally:
            process.busy = False

    def _crash(self, place: int, process: Process) -> None:
        self.note(f"{process.name}: crashes")
        process.die()
        if self.plan.processes == 1:
            self.lease.release(process.name)  # the system lets go of a dead process's lock on the directory
        self._gone(place, process)

    def _stop(self, process: Process, *, stopped: bool) -> None:
        """A whole process is stopped, or goes on, for all it knows without any time having passed."""
        process.stopped = stopped
        self.note(f"{process.name}: {'stopped' if stopped else 'goes on'}")

    def _gone(self, place: int, process: Process) -> None:
        if self.processes[place] is process:
            self.processes[place] = None

    def _trouble(self, process: Process) -> None:
        error = self.chance.choice((StoreFailed, StoreFailed, Retry))
        process.luck.arm(self.chance.randint(0, 25), self.chance.choice((1, 1, 2, 5)), error=error)
        self.note(f"{process.name}: trouble with the store")

    def reached(self, name: str) -> None:
        """A process comes by a failpoint: it may end here, or be stopped while others go on."""
        if self.calm or not self._running:
            return
        process = self._running[-1]
        drawn = self.chance.random()
        if drawn < self.plan.crash_at_failpoint:
            self.note(f"{process.name}: at {name}")
            raise Crash
        if drawn > 1 - self.plan.pause_at_failpoint and self._depth < DEPTH_MOST and process.busy:
            self.note(f"{process.name}: stopped at {name}")
            for _ in range(self.chance.randint(1, 30)):
                self._nested(self.step)
            self.note(f"{process.name}: goes on at {name}")

    # ---- what is seen

    def note(self, text: str) -> None:
        self.trace.append(f"{'  ' * self._depth}{text}")

    def observe(self, process: Process) -> None:
        """Somebody fetches the signed checkpoint of a process, and keeps it."""
        for person, kind in self.erased:
            gone = process.vault.key(TENANT, person, kind) is None
            expect(gone, f"{process.name} still opens what {person} had erased")
        note = process.journal.checkpoint(TENANT)
        size, root = note_parts(note)
        if self.checkpoints.setdefault(size, root) != root:
            raise Violated(f"two checkpoints over {size} entries were signed")

    def observe_all(self) -> None:
        """Somebody looks at every process, also at one that does not know yet that its term is over."""
        for process in self.processes:
            if process is not None:
                self.observe(process)

    def answered(self, process: Process, answer: Answer) -> None:
        """An answer leaves: its event must be under a checkpoint that is signed already."""
        told = answer.value
        body = told.get("body", {}) if isinstance(told, dict) else {}
        place = body.get("known_seq")
        if place is None:
            return
        self.erased += [(body["person_id"], kind) for kind in body.get("classes", ())]
        self.observe_all()
        if process.journal.size(TENANT) <= place:
            raise Violated(f"an answer about entry {place} left before a checkpoint covered it")
        self.acknowledged = max(self.acknowledged, place)
