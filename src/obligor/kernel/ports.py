"""What the domain may ask of the world and never takes by itself: the time, and chance."""

from __future__ import annotations

import builtins
from datetime import datetime
from typing import Protocol

__all__ = ["Clock", "Entropy"]


class Clock(Protocol):
    """Something that knows the time."""

    def now(self) -> datetime:
        """The time, in UTC with its zone."""
        ...


class Entropy(Protocol):
    """Something that makes bytes which nobody can guess."""

    def bytes(self, n: int) -> builtins.bytes:
        """N random bytes."""
        ...
