"""Where a payment goes."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

from obligor.events import Allocation
from obligor.kernel import Conflict, InvalidInput, Violation
from obligor.loans.account import Loan
from obligor.loans.interest import Outstanding, owing
from obligor.loans.product import Component, Product

__all__ = ["allocate", "check"]


def allocate(loan: Loan, amount_minor: int, value_on: date, product: Product) -> Allocation:
    """Split a payment as the product says; the parts sum to it.

    A payment of at least all that is owed on its value date pays the loan in full, interest to that day only;
    what is over is excess. Less than that, on `scheduled` terms, covers what is due first and then what is
    not due yet, instalment by instalment, oldest first, at the schedule's interest: paying ahead is no
    prepayment and saves no interest. On `daily` terms it covers the interest that has accrued and then
    principal, so paying ahead does.
    """
    owed = owing(loan, value_on)
    if amount_minor >= owed.total_minor:
        return Allocation(
            fee_minor=owed.fee_minor,
            interest_minor=owed.interest_minor,
            principal_minor=owed.principal_minor,
            excess_minor=amount_minor - owed.total_minor,
        )
    if loan.terms.disbursed.interest == "daily":
        return _daily(owed, amount_minor)
    return _scheduled(loan, owed, amount_minor, value_on, product.allocation)


def _daily(owed: Outstanding, amount_minor: int) -> Allocation:
    fee = min(amount_minor, owed.fee_minor)
    interest = min(amount_minor - fee, owed.interest_minor)
    return Allocation(fee_minor=fee, interest_minor=interest, principal_minor=amount_minor - fee - interest)


def _scheduled(
    loan: Loan, owed: Outstanding, amount_minor: int, value_on: date, order: tuple[Component, ...]
) -> Allocation:
    terms = loan.terms
    paid = {"interest": loan.interest_paid_minor, "principal": loan.principal_paid_minor}
    due = {"interest": terms.interest_owed_minor, "principal": terms.principal_owed_minor}
    went = {"fee": 0, "interest": 0, "principal": 0}
    within = [component for component in order if component != "fee"]
    now = bisect_right(terms.due_on, value_on)
    begin = min(bisect_right(due[part], paid[part]) for part in within)
    left = amount_minor

    def cover(first: int, last: int) -> None:
        nonlocal left
        for place in range(max(first, begin), last):
            for component in within:
                part = min(left, max(0, due[component][place] - paid[component] - went[component]))
                went[component] += part
                left -= part
            if not left:
                return

    def fees() -> None:
        nonlocal left
        went["fee"] = min(left, owed.fee_minor)
        left -= went["fee"]

    if order[0] == "fee":
        fees()
    cover(0, now)
    if order[-1] == "fee":
        fees()
    cover(now, len(terms.due_on))
    return Allocation(
        fee_minor=went["fee"], interest_minor=went["interest"], principal_minor=went["principal"]
    )


def check(loan: Loan, amount_minor: int, allocation: Allocation) -> Allocation:
    """The sender's own split of a payment, if the loan can take it.

    Interest may be more than the schedule's: the sender's books may have accrued beyond it.

    Raises:
        InvalidInput: a negative part, or parts that do not sum to the payment.
        Conflict: more principal or fees than are left, or excess while principal is left.
    """
    parts = {
        "fee_minor": allocation.fee_minor,
        "interest_minor": allocation.interest_minor,
        "principal_minor": allocation.principal_minor,
        "excess_minor": allocation.excess_minor,
    }
    wrong = [
        Violation.of(f"allocation.{name}", part, "an amount of at least 0")
        for name, part in parts.items()
        if part < 0
    ]
    if sum(parts.values()) != amount_minor:
        wrong.append(Violation.of("allocation", parts, f"parts that sum to {amount_minor}, the payment"))
    if wrong:
        raise InvalidInput("the allocation is not acceptable", wrong)
    for name, left in (("principal_minor", loan.principal_left_minor), ("fee_minor", loan.fee_left_minor)):
        if parts[name] > left:
            violation = Violation.of(f"allocation.{name}", parts[name], f"at most {left}, what is left of it")
            raise Conflict(f"allocation.{name} is more than what is left of it", (violation,))
    if allocation.excess_minor and parts["principal_minor"] < loan.principal_left_minor:
        accepted = f"0 while principal is left ({loan.principal_left_minor} before this payment)"
        violation = Violation.of("allocation.excess_minor", allocation.excess_minor, accepted)
        raise Conflict("a payment has no excess while principal is left", (violation,))
    return allocation
