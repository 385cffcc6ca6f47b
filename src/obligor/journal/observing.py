"""What the writer tells of its work, for metrics and traces; the core keeps no clock of its own for it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SILENT", "Observer"]


class Observer(Protocol):
    """Is told, on the writer's thread, how each group goes. It must neither wait nor fail.

    A group that is tried again begins again; one that fails, or to which nothing was accepted, is not
    committed.
    """

    def begun(self, commands: int) -> None:
        """A group of so many commands is taken."""
        ...

    def folded(self) -> None:
        """Its commands have run; what was accepted is known."""
        ...

    def committed(self, events: int) -> None:
        """Its events are durable."""
        ...

    def signed(self) -> None:
        """A signed checkpoint covers them."""
        ...


class _Silent:
    """Nobody listens."""

    def begun(self, commands: int) -> None:
        pass

    def folded(self) -> None:
        pass

    def committed(self, events: int) -> None:
        pass

    def signed(self) -> None:
        pass


SILENT: Observer = _Silent()
