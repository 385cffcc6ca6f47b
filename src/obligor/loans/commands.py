"""What can be done with a loan: each command returns the event's body, or refuses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from obligor.events import (
    Allocation,
    FeeCharged,
    LoanClosed,
    LoanDisbursed,
    LoanWrittenOff,
    PartnerShare,
    RecoveryReceived,
    RepaymentReceived,
    RepaymentReversed,
)
from obligor.kernel import Conflict, InvalidInput, Violation
from obligor.loans.account import Loan
from obligor.loans.allocation import allocate, check
from obligor.loans.interest import owing
from obligor.loans.product import Product, product
from obligor.loans.schedule import BP, schedule

__all__ = [
    "charge_fee",
    "close",
    "close_if_paid",
    "disburse",
    "recover",
    "repay",
    "reverse",
    "write_off",
]

_HOLIDAYS: frozenset[date] = frozenset()


def disburse(
    terms: Product,
    *,
    loan_id: str,
    application_id: str,
    person_id: str,
    amount_minor: int,
    currency: str,
    rate_bp: int,
    term_months: int,
    disbursed_on: date,
    caps: Sequence[str] = (),
    shares: Sequence[PartnerShare] = (),
    account_id: str | None = None,
    holidays: Collection[date] = _HOLIDAYS,
) -> LoanDisbursed:
    """Lend an amount on a product's terms, under the schedule that follows from them.

    Raises:
        InvalidInput: the product does not allow the amount, rate, term or currency, or the partners' shares
            are not above 0, name one twice, or do not sum to 10,000 basis points.
    """
    if shares:
        names = [share.partner for share in shares]
        sound = all(share.share_bp > 0 for share in shares) and len(set(names)) == len(names)
        if not sound or sum(share.share_bp for share in shares) != BP:
            given = {share.partner: share.share_bp for share in shares}
            accepted = f"shares above 0, one for each partner, that sum to {BP}"
            raise InvalidInput.field("shares", given, accepted)
    return LoanDisbursed(
        loan_id=loan_id,
        application_id=application_id,
        person_id=person_id,
        product=terms.name,
        amount_minor=amount_minor,
        currency=currency,
        rate_bp=rate_bp,
        term_months=term_months,
        day_count=terms.day_count,
        disbursed_on=disbursed_on,
        schedule=schedule(terms, amount_minor, rate_bp, term_months, disbursed_on, currency, holidays),
        caps=tuple(caps),
        shares=tuple(shares),
        interest=terms.interest,
        account_id=account_id,
    )


def repay(
    loan: Loan,
    amount_minor: int,
    currency: str,
    value_on: date,
    *,
    allocation: Allocation | None = None,
    terms: Product | None = None,
) -> RepaymentReceived:
    """Take a payment with its value date, which may be earlier than that of payments known before.

    It goes where the product says (`obligor.loans.allocation.allocate`), or where the sender's own books have
    put it. `terms` is the product; if not given, the package's one of the loan's product name.

    Raises:
        InvalidInput: another currency, no positive amount, or an allocation that is none.
        Conflict: before the disbursement, after the write-off (that is a recovery) or the close, or an
            allocation of more than is left.
        NotFound: the package has no such product and no `terms` were given.
    """
    _same_currency(loan, currency)
    _positive("amount_minor", amount_minor)
    _needs_open(loan, "repaid")
    _not_before(value_on, "value_on", loan.disbursed_on, "the day the loan was disbursed")
    if allocation is None:
        allocation = allocate(loan, amount_minor, value_on, terms or product(loan.product))
    else:
        allocation = check(loan, amount_minor, allocation)
    return RepaymentReceived(
        loan_id=loan.loan_id,
        amount_minor=amount_minor,
        currency=currency,
        value_on=value_on,
        allocation=allocation,
    )


def reverse(
    loan: Loan, repayment: RepaymentReceived, why: str | None = None, *, event_id: str | None = None
) -> RepaymentReversed:
    """Undo a repayment: the money never came. The event's `replaces` must name the repayment's event.

    Its parts are undone as they were allocated, except that excess held on the loan, its own or another
    payment's, is given up first: nobody is owed money back on a loan that is not repaid. A loan that was
    closed is open again; one that was written off has lost that much more. `event_id` names the repayment's
    event, to tell apart payments of one amount on one day.

    Raises:
        Conflict: no such repayment stands on this loan: it is another's, or reversed already.
    """
    standing = [
        payment
        for payment in loan.payments
        if payment.value_on == repayment.value_on
        and payment.amount_minor == repayment.amount_minor
        and event_id in {None, payment.event_id}
    ]
    if repayment.loan_id != loan.loan_id or not standing:
        raise Conflict("no such repayment stands on this loan; it may have been reversed already")
    alike = [payment for payment in standing if payment.allocation == repayment.allocation]
    part = (alike or standing)[0].allocation
    excess = min(repayment.amount_minor, loan.excess_minor)
    left = repayment.amount_minor - excess
    principal = min(left, part.principal_minor)
    interest = min(left - principal, part.interest_minor)
    return RepaymentReversed(
        loan_id=loan.loan_id,
        amount_minor=repayment.amount_minor,
        currency=repayment.currency,
        value_on=repayment.value_on,
        allocation=Allocation(
            fee_minor=left - principal - interest,
            interest_minor=interest,
            principal_minor=principal,
            excess_minor=excess,
        ),
        why=why,
    )


def charge_fee(
    loan: Loan, amount_minor: int, currency: str, kind: str, charged_on: date, *, terms: Product | None = None
) -> FeeCharged:
    """Charge a fee of a kind that the product has; it is due on the day.

    Raises:
        InvalidInput: another currency, no positive amount, a kind or an amount that the product does not
            allow.
        Conflict: before the disbursement, after the write-off or the close.
        NotFound: the package has no such product and no `terms` were given.
    """
    _same_currency(loan, currency)
    _positive("amount_minor", amount_minor)
    fees = (terms or product(loan.product)).fees
    if kind not in fees:
        allowed = "one of " + ", ".join(sorted(fees)) if fees else f"none: {loan.product} has no fees"
        raise InvalidInput.field("kind", kind, allowed)
    most = fees[kind]
    if most is not None and amount_minor > most:
        raise InvalidInput.field("amount_minor", amount_minor, f"at most {most} for a fee of kind {kind}")
    _needs_open(loan, "charged a fee")
    _not_before(charged_on, "charged_on", loan.disbursed_on, "the day the loan was disbursed")
    return FeeCharged(
        loan_id=loan.loan_id, amount_minor=amount_minor, currency=currency, kind=kind, charged_on=charged_on
    )


def write_off(loan: Loan, on: date, why: str | None = None) -> LoanWrittenOff:
    """Take what is owed off the book: principal, interest to the day, and fees.

    Raises:
        Conflict: it is written off or closed already, nothing is owed, or something with a later date is
            known.
    """
    _needs_open(loan, "written off")
    _not_before(on, "written_off_on", loan.booked_on, "the last day that something happened to the loan")
    owed = owing(loan, on)
    if not owed.total_minor:
        raise Conflict("nothing is owed on this loan; close it")
    return LoanWrittenOff(
        loan_id=loan.loan_id,
        principal_minor=owed.principal_minor,
        interest_minor=owed.interest_minor,
        fee_minor=owed.fee_minor,
        currency=loan.currency,
        written_off_on=on,
        why=why,
    )


def recover(
    loan: Loan, amount_minor: int, cost_minor: int, currency: str, value_on: date
) -> RecoveryReceived:
    """Take money on a written-off claim, of which `cost_minor` went to who collected it.

    It may come after the close, and be more than the claim, which may have grown outside the book.

    Raises:
        InvalidInput: another currency, no positive amount, a cost below 0 or above the amount.
        Conflict: the loan is not written off, or the value date lies before its write-off.
    """
    _same_currency(loan, currency)
    _positive("amount_minor", amount_minor)
    if not 0 <= cost_minor <= amount_minor:
        raise InvalidInput.field("cost_minor", cost_minor, f"from 0 to {amount_minor}, the amount")
    if loan.loss is None:
        raise Conflict("this loan is not written off; money on it is a repayment")
    _not_before(value_on, "value_on", loan.loss.written_off_on, "the day the loan was written off")
    return RecoveryReceived(
        loan_id=loan.loan_id,
        amount_minor=amount_minor,
        cost_minor=cost_minor,
        currency=currency,
        value_on=value_on,
    )


def close_if_paid(loan: Loan, on: date) -> LoanClosed | None:
    """Close a loan that owes nothing (`repaid`) or whose lost claim came back (`recovered`); else None."""
    if loan.closed_on is not None:
        return None
    if loan.loss is not None:
        why = "recovered" if loan.recovered_minor >= loan.written_off_minor else None
    else:
        why = None if loan.principal_left_minor or loan.fee_left_minor else "repaid"
    return None if why is None else _closed(loan, on, why)


def close(loan: Loan, on: date, why: str) -> LoanClosed:
    """Close a written-off loan of which nothing more is expected: forgiven, barred, or the borrower is gone.

    Raises:
        Conflict: it is closed already, or not written off: money is still owed on the book.
    """
    if loan.closed_on is not None:
        raise Conflict(f"this loan was closed on {loan.closed_on}")
    if loan.loss is None:
        raise Conflict("this loan is not written off; what is owed is written off before it is closed")
    return _closed(loan, on, why)


def _closed(loan: Loan, on: date, why: str) -> LoanClosed:
    return LoanClosed(loan_id=loan.loan_id, closed_on=max(on, loan.booked_on), why=why)


def _same_currency(loan: Loan, currency: str) -> None:
    if currency != loan.currency:
        raise InvalidInput.field("currency", currency, f"{loan.currency}, the loan's currency")


def _positive(field: str, amount_minor: int) -> None:
    if amount_minor < 1:
        raise InvalidInput.field(field, amount_minor, "an integer of at least 1")


def _needs_open(loan: Loan, done: str) -> None:
    if loan.closed_on is not None:
        raise Conflict(f"this loan was closed on {loan.closed_on} ({loan.closed_why}); it cannot be {done}")
    if loan.loss is not None:
        day = loan.loss.written_off_on
        raise Conflict(f"this loan was written off on {day}; it cannot be {done}, money on it is a recovery")


def _not_before(on: date, field: str, first: date, what: str) -> None:
    if on < first:
        accepted = f"a date from {first} on, {what}"
        raise Conflict(f"{field} lies before {what}", (Violation.of(field, on, accepted),))
