"""What a loan's events post: double entry in which every event sums to zero.

The balances of a loan on a day are a function of its state (`balances`); an event posts the difference
between the balances after and before it. So postings always balance, always add up to the balances, and a
payment with an earlier value date or a reversal corrects what was posted before without a rule of its own.

Basis: contractual interest is recognised when it falls due, or when it is paid if that is earlier; nothing is
posted from day to day. What fell due since the last event is posted with the next one, at the latest with
`class.changed` at a day's close, and `balances(loan, on)` gives it for any day in between.

Interest past due: once a loan is more than `Policy.suspend_after_days` past due, none of its unpaid interest
is in income. With `suspend` the claim stays in `interest_receivable` and the credit stands in
`interest_suspense` (claim, income and suspense apart); with `reverse` the accrual is undone and the claim
kept in memo accounts, as Chinese lenders do past 90 days (recalled, not checked against the text of the
standard). When the loan is current again, or the interest is paid, it returns to income.

Write-off (IFRS 9 5.4.4): principal, fees and the interest that is in income go to expense, suspended interest
falls away against its suspense; the whole claim stands in memo accounts until it is recovered or closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

import msgspec

from obligor.kernel import Event, InvariantBroken
from obligor.loans.account import Loan
from obligor.loans.fold import apply
from obligor.loans.interest import earned
from obligor.loans.joint import divide
from obligor.loans.overdue import days_past_due

__all__ = ["ACCOUNTS", "STANDARD", "Policy", "Posting", "balances", "postings"]

# The chart of accounts: the kind of each. Debit is positive. Memo accounts are off the balance sheet, in
# pairs.
ACCOUNTS: Mapping[str, str] = {
    "cash": "asset",
    "loan_principal": "asset",
    "interest_receivable": "asset",
    "fee_receivable": "asset",
    "customer_excess": "liability",
    "interest_suspense": "liability",
    "interest_income": "income",
    "fee_income": "income",
    "recovery_income": "income",
    "write_off_expense": "expense",
    "recovery_cost": "expense",
    "memo_written_off_claim": "memo",
    "memo_written_off_contra": "memo",
    "memo_suspended_interest": "memo",
    "memo_suspended_contra": "memo",
}
_CONTRA = {
    "memo_written_off_claim": "memo_written_off_contra",
    "memo_suspended_interest": "memo_suspended_contra",
}
# Which account takes a lender's rounding: cash on the books, the contra account of a memo pair.
_BALANCING = {
    account: _CONTRA.get(account, "cash")
    for account in ACCOUNTS
    if account != "cash" and account not in _CONTRA.values()
}


class Policy(msgspec.Struct, frozen=True):
    """How a lender accounts for interest past due: after how many days, and what becomes of the claim."""

    suspend_after_days: int = 90
    suspended: Literal["suspend", "reverse"] = "suspend"


STANDARD = Policy()


class Posting(msgspec.Struct, frozen=True):
    """A line of an entry: positive is debit, negative credit, in minor units. `partner` is None on a loan
    that has no shares.
    """

    account: str
    amount_minor: int
    currency: str
    partner: str | None = None


def balances(loan: Loan, on: date, policy: Policy = STANDARD) -> dict[str, int]:
    """The balance of every account on a day, from what is known of the loan; they sum to zero.

    Raises:
        InvariantBroken: they do not.
    """
    recovered = loan.recovered_minor
    cost = sum(recovery.cost_minor for recovery in loan.recoveries)
    loss = loan.loss
    unpaid, suspended, lost = _interest(loan, on, policy)
    book = dict.fromkeys(ACCOUNTS, 0)
    book["cash"] = loan.repaid_minor + loan.excess_minor + recovered - cost - loan.amount_minor
    book["loan_principal"] = loan.principal_left_minor - (loss.principal_minor if loss else 0)
    book["interest_receivable"] = unpaid
    book["fee_receivable"] = loan.fee_left_minor - (loss.fee_minor if loss else 0)
    book["customer_excess"] = -loan.excess_minor
    book["interest_income"] = -(loan.interest_paid_minor + unpaid - suspended + lost)
    book["fee_income"] = -loan.fee_charged_minor
    book["recovery_income"] = -recovered
    book["write_off_expense"] = lost + (loss.principal_minor + loss.fee_minor if loss else 0)
    book["recovery_cost"] = cost
    if policy.suspended == "suspend":
        book["interest_suspense"] = -suspended
    else:
        book["interest_receivable"] -= suspended
        book["memo_suspended_interest"] = suspended
    claim = 0 if loan.closed_on is not None else max(0, loan.written_off_minor - recovered)
    book["memo_written_off_claim"] = claim
    for account, contra in _CONTRA.items():
        book[contra] = -book[account]
    if sum(book.values()):
        raise InvariantBroken(f"the balances of loan {loan.loan_id} on {on} do not sum to zero")
    return book


def _interest(loan: Loan, on: date, policy: Policy) -> tuple[int, int, int]:
    """Interest that is recognised and unpaid, what of it is suspended, and lost interest that was income."""
    loss = loan.loss
    if loss is not None:
        suspended = days_past_due(loan, loss.written_off_on) > policy.suspend_after_days
        return 0, 0, 0 if suspended else loss.interest_minor
    if loan.principal_left_minor <= 0:
        return 0, 0, 0
    unpaid = max(0, earned(loan, on)[0] - loan.interest_paid_minor)
    suspended = days_past_due(loan, on) > policy.suspend_after_days
    return unpaid, unpaid if suspended else 0, 0


def postings(
    before: Loan | None, event: Event, *, after: Loan | None = None, policy: Policy = STANDARD
) -> tuple[Posting, ...]:
    """What an event posts, in the order of `ACCOUNTS`; on a joint loan for each partner in turn.

    `after` is the state after the event, if it is at hand. The amounts sum to zero, for each partner and in
    all.
    """
    after = after or apply(before, event)
    now = balances(after, after.booked_on, policy)
    then = balances(before, before.booked_on, policy) if before else {}
    currency = after.currency
    if not after.shares:
        return tuple(
            Posting(account, amount - then.get(account, 0), currency)
            for account, amount in now.items()
            if amount != then.get(account, 0)
        )
    weights = [share.share_bp for share in after.shares]
    moved: list[Posting] = []
    earlier = divide(then, weights, _BALANCING)
    for share, new, old in zip(after.shares, divide(now, weights, _BALANCING), earlier, strict=True):
        moved.extend(
            Posting(account, new[account] - old.get(account, 0), currency, share.partner)
            for account in ACCOUNTS
            if new[account] != old.get(account, 0)
        )
    return tuple(moved)
