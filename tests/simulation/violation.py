"""What a simulation reports."""

from __future__ import annotations

__all__ = ["Violated", "expect"]


class Violated(BaseException):
    """A promise of the system did not hold. It passes by every handler of errors on its way."""


def expect(holds: bool, said: str) -> None:
    """See that something holds.

    Raises:
        Violated: it does not.
    """
    if not holds:
        raise Violated(said)
