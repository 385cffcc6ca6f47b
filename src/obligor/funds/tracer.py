"""The tracer: events in, hits out, and where every loan's money is after each of them.

What it sees: accounts that were opened, money lent into them, transfers between them, and transfers from and
to counterparties outside. What comes from outside is new money and no loan's, even if loan money went there
before; what goes outside has sunk where the counterparty's class says so, and has left our sight otherwise.

A transfer that is taken back is posted as a movement of its own. From outside the very lots come back, behind
what is in the account by then. Between two accounts that we see, and for money that had come in from outside,
the amount goes back like any transfer. So a bank's statement shows it, and nothing that was posted since is
told anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

import msgspec

from obligor.events import (
    AccountOpened,
    LoanClosed,
    LoanDisbursed,
    PersonErased,
    TransferPosted,
    TransferReversed,
)
from obligor.funds.classes import Classes
from obligor.funds.evidence import Hit, Position, position
from obligor.funds.loan import Loan
from obligor.funds.lots import Lot, Movement, Trace, put, whiten
from obligor.funds.moves import Account, come_back, leave, move
from obligor.kernel import Conflict, Event, InvalidInput, NotFound

__all__ = ["Size", "Tracer"]


class Size(msgspec.Struct, frozen=True):
    """What the tracer keeps in memory, counted."""

    accounts: int
    lots: int
    loans: int
    transfers: int


class _Done(msgspec.Struct, frozen=True, gc=False):
    """A transfer that can still be taken back: it came from outside, went there, or stayed among accounts.

    `lots` are those that left our sight with it; none where no loan's money was among them.
    """

    way: Literal["came", "went", "inside in", "inside out"]
    minor: int
    counterparty: str
    name: str | None
    lots: tuple[Lot, ...] = ()


class Tracer:
    """Follows loan money first in, first out. One tenant's; not safe for threads.

    A transfer can be taken back for `reversible_days` days; after that it is forgotten, so that memory is
    bounded by what a window holds, by accounts and by loans.
    """

    TYPES: ClassVar[tuple[str, ...]] = (
        AccountOpened.TYPE,
        LoanDisbursed.TYPE,
        TransferPosted.TYPE,
        TransferReversed.TYPE,
        LoanClosed.TYPE,
        PersonErased.TYPE,
    )

    def __init__(self, classes: Classes, *, reversible_days: int = 180) -> None:
        self._classes = classes
        self._window = timedelta(days=reversible_days)
        self._accounts: dict[str, Account] = {}
        self._loans: dict[str, Loan] = {}
        self._done: dict[tuple[str, str], _Done] = {}
        self._order: deque[tuple[datetime, tuple[str, str]]] = deque()

    def consume(self, event: Event) -> list[Hit]:
        """Take an event of one of `TYPES`, in the order of the journal; others are let pass.

        What cannot be traced is let pass too: a transfer whose parts were erased, or of an account that we do
        not see, and the reversal of one that is forgotten.
        """
        take_in = _CONSUME.get(type(event.body))
        return [] if take_in is None else take_in(self, event, event.body)

    def open_account(self, account_id: str, person_id: str, currency: str, opening_minor: int = 0) -> None:
        """See an account from now on; what is in it already is no loan's.

        Raises:
            Conflict: it is seen already. InvalidInput: a negative opening balance.
        """
        if account_id in self._accounts:
            raise Conflict(f"account {account_id} was opened before")
        if opening_minor < 0:
            raise InvalidInput.field("opening_minor", opening_minor, "an integer of at least 0")
        account = self._accounts[account_id] = Account(account_id, person_id, currency)
        if opening_minor:
            put(account.lots, None, opening_minor)

    def disburse(
        self,
        loan_id: str,
        person_id: str,
        account_id: str,
        *,
        amount_minor: int,
        currency: str,
        at: datetime,
        event_id: str | None = None,
    ) -> None:
        """Money of a loan arrives in an account.

        If we do not see the account, or it is in another currency, the money has left our sight at once.

        Raises:
            Conflict: the loan was disbursed before. InvalidInput: no positive amount.
        """
        if loan_id in self._loans:
            raise Conflict(f"loan {loan_id} was disbursed before")
        _positive(amount_minor)
        loan = self._loans[loan_id] = Loan(loan_id, person_id, amount_minor, currency)
        account = self._accounts.get(account_id)
        if account is None or account.currency != currency:
            loan.leave((account_id, None), amount_minor, sunk=False)
            return
        trace = Trace(loan, None, loan_id, account_id, Movement(amount_minor, at, None, event_id))
        trace.minor = amount_minor
        loan.hold(account_id, amount_minor)
        put(account.lots, trace, amount_minor)

    def transfer(
        self,
        account_id: str,
        transfer_id: str,
        direction: str,
        *,
        amount_minor: int,
        counterparty: str,
        counterparty_class: str | None = None,
        at: datetime,
        event_id: str | None = None,
    ) -> list[Hit]:
        """Money moves out of or into an account. A transfer between two accounts that we see counts once.

        Raises:
            NotFound: we do not see the account. Conflict: a transfer with this id is known.
            InvalidInput: no positive amount, or another direction than `in` or `out`.
        """
        account, key = self._account(account_id), (account_id, transfer_id)
        _positive(amount_minor)
        if direction not in ("in", "out"):
            raise InvalidInput.field("direction", direction, "in or out")
        if key in self._done:
            raise Conflict(f"transfer {transfer_id} of account {account_id} was posted before")
        outside = counterparty, counterparty_class
        movement = Movement(amount_minor, at, transfer_id, event_id)
        other = self._accounts.get(counterparty)
        if other is not None and other.currency == account.currency:
            told = self._done.get((counterparty, transfer_id))
            if told is None or told.counterparty != account_id:
                source, target = (account, other) if direction == "out" else (other, account)
                move(source, target, movement)
                way: Literal["inside out", "inside in"] = "inside out" if direction == "out" else "inside in"
                self._remember(key, _Done(way, amount_minor, *outside), at)
            return []
        if direction == "in":
            put(account.lots, None, amount_minor)
            self._remember(key, _Done("came", amount_minor, *outside), at)
            return []
        lots, hits = leave(account, outside, movement, self._classes)
        self._remember(key, _Done("went", amount_minor, *outside, lots), at)
        return hits

    def reverse(
        self, account_id: str, transfer_id: str, *, at: datetime, event_id: str | None = None
    ) -> list[Hit]:
        """A transfer is taken back (module docstring).

        Raises:
            NotFound: we do not see the account, or know no such transfer that can be taken back.
        """
        account = self._account(account_id)
        done = self._done.pop((account_id, transfer_id), None)
        if done is None:
            raise NotFound(f"no transfer {transfer_id} of account {account_id} can be taken back")
        outside = done.counterparty, done.name
        movement = Movement(done.minor, at, transfer_id, event_id)
        # Since the transfer the other account may have gone out of sight (`forget`).
        other = self._accounts.get(done.counterparty)
        if done.way == "went" or (done.way == "inside out" and other is None):
            come_back(account, outside, done.minor, done.lots, self._classes)
        elif done.way == "came" or other is None:
            return leave(account, outside, movement, self._classes)[1]
        elif done.way == "inside out":
            move(other, account, movement)
        else:
            move(account, other, movement)
        return []

    def close(self, loan_id: str) -> None:
        """A loan is over: its money is no longer followed, and its lots become money that is no loan's."""
        loan = self._loans.get(loan_id)
        if loan is None or not loan.open:
            return
        loan.open = False
        loan.reached.clear()
        for account_id in loan.held:
            whiten(self._accounts[account_id].lots, loan)

    def forget(self, person_id: str) -> None:
        """Give up what a person's transactions said: their loans are no longer followed, nor their accounts.

        Other persons' loan money that is in these accounts has left our sight.
        """
        for loan_id in [one.loan_id for one in self._loans.values() if one.person_id == person_id]:
            self.close(loan_id)
            del self._loans[loan_id]
        gone = [one.account_id for one in self._accounts.values() if one.person_id == person_id]
        for account_id in gone:
            for lot in self._accounts.pop(account_id).lots:
                if lot.trace is not None:
                    lot.trace.loan.hold(account_id, -lot.minor)
                    lot.trace.loan.leave((account_id, None), lot.minor, sunk=False)
        self._done = {key: done for key, done in self._done.items() if key[0] not in gone}

    def sees(self, account_id: str) -> bool:
        """Whether an account's movements are followed."""
        return account_id in self._accounts

    def can_reverse(self, account_id: str, transfer_id: str) -> bool:
        """Whether a transfer is known that can be taken back."""
        return account_id in self._accounts and (account_id, transfer_id) in self._done

    def position(self, loan_id: str) -> Position | None:
        """Where a loan's money is; None for a loan that was not told to be paid into an account."""
        loan = self._loans.get(loan_id)
        return None if loan is None else position(loan)

    def lots(self, account_id: str) -> tuple[tuple[str | None, int], ...]:
        """An account's money in order: the loan that each piece is of (None: no loan's), and how much.

        Raises:
            NotFound: we do not see the account.
        """
        found: list[tuple[str | None, int]] = []
        for lot in self._account(account_id).lots:
            loan_id = None if lot.trace is None else lot.trace.loan.loan_id
            if found and found[-1][0] == loan_id:
                found[-1] = loan_id, found[-1][1] + lot.minor
            else:
                found.append((loan_id, lot.minor))
        return tuple(found)

    def size(self) -> Size:
        """What is kept in memory."""
        lots = sum(len(account.lots) for account in self._accounts.values())
        return Size(len(self._accounts), lots, len(self._loans), len(self._done))

    def _account(self, account_id: str) -> Account:
        account = self._accounts.get(account_id)
        if account is None:
            raise NotFound(f"account {account_id} is none that we see")
        return account

    def _remember(self, key: tuple[str, str], done: _Done, at: datetime) -> None:
        self._done[key] = done
        order = self._order
        order.append((at, key))
        oldest = at - self._window
        while order[0][0] < oldest:
            self._done.pop(order.popleft()[1], None)


def _positive(amount_minor: int) -> None:
    if amount_minor < 1:
        raise InvalidInput.field("amount_minor", amount_minor, "an integer of at least 1")


def _opened(tracer: Tracer, _: Event, body: AccountOpened) -> list[Hit]:
    tracer.open_account(body.account_id, body.person_id, body.currency, body.opening_minor)
    return []


def _disbursed(tracer: Tracer, event: Event, body: LoanDisbursed) -> list[Hit]:
    if body.account_id is not None:
        tracer.disburse(
            body.loan_id,
            body.person_id,
            body.account_id,
            amount_minor=body.amount_minor,
            currency=body.currency,
            at=event.at,
            event_id=event.id,
        )
    return []


def _posted(tracer: Tracer, event: Event, body: TransferPosted) -> list[Hit]:
    if body.direction is None or body.counterparty is None or not tracer.sees(body.account_id):
        return []
    return tracer.transfer(
        body.account_id,
        body.transfer_id,
        body.direction,
        amount_minor=body.amount_minor,
        counterparty=body.counterparty,
        counterparty_class=body.counterparty_class,
        at=event.at,
        event_id=event.id,
    )


def _reversed(tracer: Tracer, event: Event, body: TransferReversed) -> list[Hit]:
    if not tracer.can_reverse(body.account_id, body.transfer_id):
        return []
    return tracer.reverse(body.account_id, body.transfer_id, at=event.at, event_id=event.id)


def _closed(tracer: Tracer, _: Event, body: LoanClosed) -> list[Hit]:
    tracer.close(body.loan_id)
    return []


def _erased(tracer: Tracer, _: Event, body: PersonErased) -> list[Hit]:
    if "conduct" in body.classes:
        tracer.forget(body.person_id)
    return []


_CONSUME: dict[type[Any], Callable[[Tracer, Event, Any], list[Hit]]] = {
    AccountOpened: _opened,
    LoanDisbursed: _disbursed,
    TransferPosted: _posted,
    TransferReversed: _reversed,
    LoanClosed: _closed,
    PersonErased: _erased,
}
