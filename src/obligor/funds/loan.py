"""A loan's money in figures that always sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from obligor.kernel import InvariantBroken

if TYPE_CHECKING:
    from obligor.funds.evidence import Reached

__all__ = ["Loan", "Outside"]

K = TypeVar("K")
# A counterparty that we do not see, and the class that its sender gave it.
Outside = tuple[str, str | None]


class Loan:
    """Where a loan's money is, in minor units: amount = sunk + held + exit.

    `held` is by account, `sunk` and `exit` by counterparty and class. `reached` is what arrived at prohibited
    counterparties. Once the loan is not `open` the figures stay as they are.
    """

    def __init__(self, loan_id: str, person_id: str, amount: int, currency: str) -> None:
        self.loan_id = loan_id
        self.person_id = person_id
        self.amount = amount
        self.currency = currency
        self.open = True
        self.held: dict[str, int] = {}
        self.sunk: dict[Outside, int] = {}
        self.exit: dict[Outside, int] = {}
        self.held_minor = self.sunk_minor = self.exit_minor = 0
        self.reached: dict[Outside, Reached] = {}

    def hold(self, account_id: str, minor: int) -> None:
        """Count money into (or, if negative, out of) an account."""
        _add(self.held, account_id, minor)
        self.held_minor += minor

    def leave(self, outside: Outside, minor: int, *, sunk: bool) -> None:
        """Count money out to (or, if negative, back from) a counterparty."""
        if sunk:
            _add(self.sunk, outside, minor)
            self.sunk_minor += minor
        else:
            _add(self.exit, outside, minor)
            self.exit_minor += minor

    def check(self) -> None:
        """See that the money is all there.

        Raises:
            InvariantBroken: it is not.
        """
        least = min(self.held_minor, self.sunk_minor, self.exit_minor)
        if least < 0 or self.sunk_minor + self.held_minor + self.exit_minor != self.amount:
            raise InvariantBroken(f"the traced money of loan {self.loan_id} is not what was disbursed")


def _add(places: dict[K, int], key: K, minor: int) -> None:
    left = places.get(key, 0) + minor
    if left:
        places[key] = left
    else:
        places.pop(key, None)
