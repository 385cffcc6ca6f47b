"""What may be asked of the system, and what each request makes happen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from obligor.app import wire
from obligor.app.commands import applications, drawdowns, parties, running, servicing, watching
from obligor.app.proposal import Proposal

__all__ = ["HANDLERS", "applications", "drawdowns", "finds_of", "parties", "running"]

Handler = Callable[[Proposal, Any], dict[str, Any]]

# From the type that `POST /v1/events` takes to what it makes happen.
HANDLERS: Mapping[str, Handler] = {
    "account.opened": watching.open_account,
    "alert.cleared": watching.clear,
    "application.overridden": applications.override,
    "cap.set": running.set_cap,
    "case.assigned": watching.assign,
    "case.closed": watching.close,
    "consent.granted": parties.grant,
    "consent.withdrawn": parties.withdraw,
    "contract.signed": applications.sign,
    "day.closed": running.close_day,
    "device.seen": parties.see_device,
    "fee.charged": servicing.charge,
    "loan.disbursed": drawdowns.disburse,
    "loan.written_off": servicing.write_off,
    "offer.accepted": applications.accept,
    "offer.made": applications.offer,
    "person.erased": parties.erase,
    "recovery.received": servicing.recover,
    "repayment.received": servicing.repay,
    "repayment.reversed": servicing.reverse,
    "source.answered": applications.answered,
    "source.failed": applications.failed,
    "transfer.posted": watching.post,
    "transfer.reversed": watching.reverse,
}


def finds_of(body: wire.WireBody) -> Iterable[tuple[str, str]]:
    """The (kind, key) of what an event's handler will look up."""
    match body:
        case wire.TransferPosted() | wire.TransferReversed():
            yield "transfer", f"{body.account_id}|{body.transfer_id}"
        case wire.LoanDisbursed():
            yield "loan", body.loan_id
        case _:
            return
