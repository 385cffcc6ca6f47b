"""The instalments of a loan: due dates, level payments, and what of each is interest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from functools import lru_cache

from obligor.events import Instalment
from obligor.kernel import (
    InvalidInput,
    Violation,
    add_months,
    business_day,
    day_fraction,
    round_half_even,
)
from obligor.loans.product import Product

__all__ = ["BP", "THIRTY", "amortise", "level_instalment", "period_fraction", "schedule"]

BP = 10_000  # basis points in one
YearFraction = tuple[int, int]
THIRTY = frozenset({"30/360", "30E/360"})
_HOLIDAYS: frozenset[date] = frozenset()


def schedule(  # noqa: PLR0917
    product: Product,
    amount_minor: int,
    rate_bp: int,
    term_months: int,
    disbursed_on: date,
    currency: str,
    holidays: Collection[date] = _HOLIDAYS,
) -> tuple[Instalment, ...]:
    """What is due when, in minor units. The principal sums to the amount.

    Instalments are due each month on the day of the month of disbursement (or the month's last), moved by the
    product's business-day rule; interest is reckoned over the unmoved months.

    Raises:
        InvalidInput: with every argument that the product does not allow.
    """
    _check(product, amount_minor, rate_bp, term_months, currency)
    fractions, dues = _periods(
        disbursed_on, term_months, product.day_count, product.business_day, frozenset(holidays)
    )
    if product.repayment == "annuity":
        parts = amortise(amount_minor, rate_bp, fractions, product.instalment_multiple_minor)
    else:
        interest = [_interest(amount_minor, rate_bp, fraction) for fraction in fractions]
        if product.bullet_interest == "maturity":
            dues, interest = dues[-1:], [sum(interest)]
        parts = [(0, due) for due in interest[:-1]] + [(amount_minor, interest[-1])]
    return tuple(
        Instalment(
            number=number,
            due_on=due_on,
            principal_minor=principal,
            interest_minor=interest_due,
        )
        for number, (due_on, (principal, interest_due)) in enumerate(zip(dues, parts, strict=True), start=1)
    )


@lru_cache(maxsize=4_096)
def _periods(
    disbursed_on: date, term_months: int, day_count: str, rule: str, holidays: frozenset[date]
) -> tuple[tuple[YearFraction, ...], tuple[date, ...]]:
    """The year fractions of a loan's months, and when each instalment is due: one for all loans of a day."""
    ends = [add_months(disbursed_on, number) for number in range(1, term_months + 1)]
    starts = [disbursed_on, *ends[:-1]]
    return (
        tuple(period_fraction(start, end, day_count) for start, end in zip(starts, ends, strict=True)),
        tuple(business_day(end, rule, holidays) for end in ends),
    )


def period_fraction(start: date, end: date, convention: str) -> YearFraction:
    """The year fraction of one regular month. The 30-day conventions count every month as 30 days of 360,
    also from 31 January to 28 February, where the formula between two dates would give 27 or 28.
    """
    return (30, 360) if convention in THIRTY else day_fraction(start, end, convention)


def level_instalment(
    amount_minor: int, rate_bp: int, fractions: Sequence[YearFraction], multiple_minor: int = 1
) -> int:
    """The equal payment that repays an amount over periods, rounded half-even to a multiple of minor units.

    With the growth 1 + f of each period, f = rate times year fraction, it is
    amount * (product of all growths) / (1 + g_n + g_n g_(n-1) + ... + g_n ... g_2): the annuity formula where
    periods differ, and amount * i / (1 - (1+i)^-n) where they do not (Fineract's progressive schedule uses
    the same, in decimals of 12 digits; here it is exact until the one rounding at the end).
    """
    growths = [
        (denominator * BP + rate_bp * numerator, denominator * BP) for numerator, denominator in fractions
    ]
    over, under = amount_minor, 1
    for numerator, denominator in growths:
        over *= numerator
        under *= denominator
    annuity_over, annuity_under = 1, 1
    for numerator, denominator in growths[1:]:
        annuity_over = annuity_under * denominator + annuity_over * numerator
        annuity_under *= denominator
    return multiple_minor * round_half_even(over * annuity_under, under * annuity_over * multiple_minor)


def amortise(
    amount_minor: int, rate_bp: int, fractions: Sequence[YearFraction], multiple_minor: int = 1
) -> list[tuple[int, int]]:
    """Principal and interest of each instalment of an annuity; the last one takes what rounding left.

    Each period's interest is on the balance before it, rounded half-even to the minor unit.
    """
    level = level_instalment(amount_minor, rate_bp, fractions, multiple_minor)
    balance = amount_minor
    parts: list[tuple[int, int]] = []
    for fraction in fractions[:-1]:
        interest = _interest(balance, rate_bp, fraction)
        principal = min(max(level - interest, 0), balance)
        balance -= principal
        parts.append((principal, interest))
    parts.append((balance, _interest(balance, rate_bp, fractions[-1])))
    return parts


def _interest(balance_minor: int, rate_bp: int, fraction: YearFraction) -> int:
    return round_half_even(balance_minor * rate_bp * fraction[0], BP * fraction[1])


def _check(product: Product, amount_minor: int, rate_bp: int, term_months: int, currency: str) -> None:
    wrong: list[Violation] = []
    for field, value, least, most in (
        ("amount_minor", amount_minor, product.minimum_minor, product.maximum_minor),
        ("rate_bp", rate_bp, 0, product.maximum_rate_bp),
        ("term_months", term_months, product.minimum_term_months, product.maximum_term_months),
    ):
        if not least <= value <= most:
            wrong.append(Violation.of(field, value, f"from {least} to {most} for {product.name}"))
    if product.currency not in (None, currency):
        wrong.append(
            Violation.of("currency", currency, f"{product.currency}, the currency of {product.name}")
        )
    if wrong:
        names = ", ".join(violation.field for violation in wrong)
        raise InvalidInput(f"{product.name} does not allow this {names}", wrong)
