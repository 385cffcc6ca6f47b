"""Named places at which a test may let the process die or a call fail.

Nothing happens at them until something is armed, and nothing outside the tests arms anything: no setting, no
variable of the environment and no request reaches here.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["NAMES", "arm", "disarm", "reach"]

# In the order in which a group, an erasure and a term of office come by them.
NAMES = (
    "group.begun",
    "group.folded",
    "keys.made",
    "group.written",
    "group.committed",
    "group.signed",
    "group.published",
    "checkpoints.written",
    "erasure.committed",
    "erasure.keys-destroyed",
    "erasure.purged",
    "erasure.done",
    "projections.dropped",
    "projections.filled",
    "lease.taken",
    "lease.renewed",
    "lease.released",
)

_armed: Callable[[str], None] | None = None


def arm(reached: Callable[[str], None]) -> None:
    """Have something called with the name of every failpoint that is reached, from whichever thread."""
    global _armed  # noqa: PLW0603  one for the process, as a test wants it
    _armed = reached


def disarm() -> None:
    """Let nothing happen at failpoints again."""
    global _armed  # noqa: PLW0603
    _armed = None


def reach(name: str) -> None:
    """Come by a failpoint."""
    if _armed is not None:
        _armed(name)
