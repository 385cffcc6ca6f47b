"""Accounts and transfers that the lender sees; alerts and cases that people close."""

from __future__ import annotations

from typing import Any

from obligor.app import wire
from obligor.app.proposal import Proposal
from obligor.app.states import Account
from obligor.events import (
    AccountOpened,
    AlertCleared,
    CaseAssigned,
    CaseClosed,
    TransferPosted,
    TransferReversed,
)
from obligor.kernel import Conflict, InvalidInput, NotFound

__all__ = ["assign", "clear", "close", "open_account", "post", "reverse"]


def open_account(p: Proposal, body: wire.AccountOpened) -> dict[str, Any]:
    """See an account from now on."""
    p.need("person", body.person_id)
    if p.state(f"account/{body.account_id}") is not None:
        raise Conflict("this account is open already")
    opened = AccountOpened(
        account_id=body.account_id,
        person_id=body.person_id,
        currency=body.currency,
        number=body.number,
        opening_minor=body.opening_minor,
    )
    p.add(f"account/{body.account_id}", opened, (body.person_id,))
    return {"account_id": body.account_id}


def post(p: Proposal, body: wire.TransferPosted) -> dict[str, Any]:
    """Record a transfer on an account that is seen."""
    account = p.need("account", body.account_id)
    if body.currency != account.currency:
        raise InvalidInput.field("body.currency", body.currency, f"{account.currency}, the account's")
    if body.counterparty == body.account_id:
        raise InvalidInput.field("body.counterparty", body.counterparty, "another account than this one")
    if p.view.find("transfer", f"{body.account_id}|{body.transfer_id}"):
        raise Conflict("a transfer with this id is posted on this account already")
    posted = TransferPosted(
        account_id=body.account_id,
        transfer_id=body.transfer_id,
        direction=body.direction,
        amount_minor=body.amount_minor,
        currency=body.currency,
        counterparty=body.counterparty,
        counterparty_class=body.counterparty_class,
        memo=body.memo,
    )
    p.add(f"account/{body.account_id}", posted, _parties(p, account, body.counterparty))
    return {}


def reverse(p: Proposal, body: wire.TransferReversed) -> dict[str, Any]:
    """Take a transfer back."""
    p.need("account", body.account_id)
    event_id = p.view.find("transfer", f"{body.account_id}|{body.transfer_id}")
    stream = p.view.events(f"account/{body.account_id}")
    original = next((event for event in stream if event.id == event_id), None)
    if original is None:
        raise NotFound("no transfer with this id is posted on this account")
    if p.view.find("replaced", original.id):
        raise Conflict("this transfer is reversed already")
    taken_back = TransferReversed(account_id=body.account_id, transfer_id=body.transfer_id)
    p.add(f"account/{body.account_id}", taken_back, original.subjects, replaces=original.id)
    return {}


def _parties(p: Proposal, account: Account, counterparty: str) -> tuple[str, ...]:
    """Whom a transfer concerns: the account's holder first, then the holder of the other one if we see it."""
    other: Account | None = p.state(f"account/{counterparty}")
    if other is None or other.person_id == account.person_id:
        return (account.person_id,)
    return (account.person_id, other.person_id)


def clear(p: Proposal, body: wire.AlertCleared) -> dict[str, Any]:
    """A person disposes of an alert; `confirmed` makes it a finding."""
    alert = p.need("alert", body.alert_id)
    if alert.disposition:
        raise Conflict(f"this alert is closed already, as {alert.disposition}")
    cleared = AlertCleared(
        alert_id=body.alert_id, disposition=body.disposition, officer=body.officer, note=body.note
    )
    p.add(f"alert/{body.alert_id}", cleared, (alert.person_id,))
    return {"alert_id": body.alert_id}


def assign(p: Proposal, body: wire.CaseAssigned) -> dict[str, Any]:
    """Make a case somebody's work."""
    case = p.need("case", body.case_id)
    if case.outcome:
        raise Conflict(f"this case is closed already, as {case.outcome}")
    p.add(
        f"case/{body.case_id}",
        CaseAssigned(case_id=body.case_id, officer=body.officer),
        (case.person_id,),
    )
    return {"case_id": body.case_id}


def close(p: Proposal, body: wire.CaseClosed) -> dict[str, Any]:
    """Close a case."""
    case = p.need("case", body.case_id)
    if case.outcome:
        raise Conflict(f"this case is closed already, as {case.outcome}")
    closed = CaseClosed(case_id=body.case_id, outcome=body.outcome, officer=body.officer, note=body.note)
    p.add(f"case/{body.case_id}", closed, (case.person_id,))
    return {"case_id": body.case_id}
