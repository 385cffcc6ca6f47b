"""A joint loan is one claim of several lenders, pari passu: every balance is split by their shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from obligor.kernel import split

__all__ = ["divide"]


def divide(
    balances: Mapping[str, int], weights: Sequence[int], balancing: Mapping[str, str]
) -> list[dict[str, int]]:
    """Each lender's part of balances that sum to zero, to the minor unit, in the order of the weights.

    Every account is split by largest remainder, so that the parts of each sum to the whole, except the
    balancing accounts, which take what makes each lender's own books sum to zero. `balancing` names the
    balancing account of each account that is not one itself.

    The parts are of balances, not of movements: whatever happened on the way, each lender holds its share of
    what is outstanding, and rounding does not pile up over the life of the loan.
    """
    parts: list[dict[str, int]] = [{} for _ in weights]
    for account, amount in balances.items():
        counter = balancing.get(account)
        if counter is None:
            continue
        for part, share in zip(parts, split(amount, weights), strict=True):
            part[account] = share
            part[counter] = part.get(counter, 0) - share
    return parts
