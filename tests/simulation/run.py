"""Seeds, one after another: what a seed did, and the first that fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.simulation.violation import Violated
from tests.simulation.world import World

__all__ = ["Played", "first_failure", "play"]


@dataclass(frozen=True)
class Played:
    """A seed as it was played: the trace, the bytes of the journal it left, and what failed, if anything."""

    seed: int
    trace: tuple[str, ...]
    journal: str
    attempts: int
    entries: int
    failure: Violated | None

    def told(self, lines: int = 60) -> str:
        """The failure and the end of the trace."""
        said = f"seed {self.seed}: {self.failure}"
        return "\n".join((said, *self.trace[:1], "...", *self.trace[-lines:]))


def play(seed: int) -> Played:
    """Play a seed."""
    world = World(seed)
    failure: Violated | None = None
    try:
        world.run()
    except Violated as error:
        failure = error
    finally:
        world.close()
    attempts = sum(len(client.attempts) for client in world.clients)
    return Played(seed, tuple(world.trace), world.journal, attempts, world.entries, failure)


def first_failure(seeds: Iterable[int]) -> Played | None:
    """The first seed that fails, if any does."""
    return next((played for seed in seeds if (played := play(seed)).failure is not None), None)
