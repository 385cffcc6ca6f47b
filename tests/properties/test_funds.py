"""Traced money is conserved: per loan, after every movement, in every account."""

from __future__ import annotations

from collections import Counter

from hypothesis import given

from obligor.funds import Tracer
from tests.funds.accounts import CLASSES
from tests.oracles.test_funds_index import ACCOUNTS, Op, apply, histories


@given(histories(closes=True))
def test_sunk_held_and_exit_are_what_was_disbursed_after_every_movement(ops: list[Op]) -> None:
    tracer = Tracer(CLASSES)
    lent: dict[str, int] = {}
    closed: set[str] = set()
    balance: Counter[str] = Counter()
    for number, op in enumerate(ops):
        apply(tracer, ops, number)
        if op.kind == "lend":
            lent[op.other] = op.minor
        elif op.kind == "close":
            closed.add(op.other)
        seen = {account: tracer.lots(account) for account in ACCOUNTS if tracer.sees(account)}
        for loan, minor in lent.items():
            found = tracer.position(loan)
            assert found is not None
            assert found.disbursed_minor == minor
            assert found.sunk_minor + found.held_minor + found.exit_minor == minor
            assert sum(place.amount_minor for place in found.places) == minor
            assert all(place.amount_minor > 0 for place in found.places)
            held = {place.name: place.amount_minor for place in found.places if place.kind == "held"}
            queued = {
                account: sum(part for owner, part in lots if owner == loan) for account, lots in seen.items()
            }
            assert {account: part for account, part in queued.items() if part} == (
                {} if loan in closed else held
            )
        _follow(balance, ops, op)
        for account, lots in seen.items():
            assert sum(minor for _, minor in lots) == balance[account]


def _follow(balance: Counter[str], ops: list[Op], op: Op) -> None:
    """Plain balances: what is not there when it goes came from where we do not see."""
    if op.kind in ("open", "lend", "in"):
        balance[op.account] += op.minor
    elif op.kind == "out":
        _debit(balance, op.account, op.minor)
        balance[op.other] += op.minor
    elif op.kind == "back":
        first = ops[op.ref]
        if first.kind == "in":
            _debit(balance, first.account, first.minor)
        else:
            if first.other in ACCOUNTS:
                _debit(balance, first.other, first.minor)
            balance[first.account] += first.minor


def _debit(balance: Counter[str], account: str, minor: int) -> None:
    balance[account] = max(0, balance[account] - minor)
