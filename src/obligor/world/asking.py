"""What a person asks a lender for, what they declare, and what a bureau says of them.

Three layers of truth: the person, the need of the day (`strain`, which the bureau's inquiries show in
part), and the loan asked for (its burden, channel and purpose). Together they make the `index` of the
loan's log hazard.
"""

from __future__ import annotations

from datetime import date
from math import exp
from typing import Any

import msgspec
import numpy as np

from obligor.kernel import Fact
from obligor.world.luck import Choice
from obligor.world.people import Person

__all__ = ["Ask", "Standing", "ask", "instalment_minor"]

CHANNELS = Choice({"app": 0.52, "web": 0.20, "partner": 0.18, "agent": 0.10})
PURPOSES = Choice(
    {
        "shopping": 0.34,
        "renovation": 0.18,
        "education": 0.09,
        "medical": 0.08,
        "travel": 0.09,
        "debt_consolidation": 0.14,
        "other": 0.08,
    }
)
TERMS = Choice({3: 0.06, 6: 0.17, 12: 0.38, 18: 0.09, 24: 0.16, 36: 0.14})
# A bullet is repaid at once; each draw on a line in instalments; a firm's loan works for a season or two.
SHORT_TERMS = {
    "bullet": Choice({3: 0.35, 6: 0.40, 12: 0.25}),
    "line": Choice({6: 0.45, 12: 0.55}),
    "business": Choice({6: 0.25, 12: 0.50, 24: 0.25}),
}

BULLETS = 0.12
REFERENCE_RATE_BP = 1500
LEAST, MOST = 1_000, 200_000

_CHANNEL_RISK = {"app": -0.06, "web": 0.0, "partner": 0.20, "agent": 0.10}
_PURPOSE_RISK = {"debt_consolidation": 0.15, "other": 0.10, "education": -0.10, "medical": 0.05}
_PRODUCT_RISK = {"line": 0.45, "business": 0.35, "bullet": 0.0}
# Small and short loans are asked for by those who are short of money.
_TERM_RISK = {3: 0.36, 6: 0.36, 12: 0.36, 18: 0.25, 24: 0.22, 36: -0.15}


class Standing(msgspec.Struct, frozen=True):
    """What a person has with lenders: loans here and elsewhere, their monthly cost, worst days late."""

    loans: int = 0
    outside: int = 0
    due_minor: int = 0
    worst_dpd: int = 0


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """An application as it leaves the person, with what is true of it beside.

    `fields` are declared facts and `bureau` the bureau's, by the names of the starter product. `index` is
    the log hazard's index; `outside_bp` the rate that other lenders would give, `patience` a number in
    [0, 1).
    """

    product: str
    channel: str
    purpose: str
    amount_minor: int
    term_months: int
    fields: dict[str, Fact]
    bureau: dict[str, Fact]
    index: float
    outside_bp: int
    patience: float
    new_device: bool
    haste: float


def ask(
    person: Person,
    day: date,
    start: date,
    rng: np.random.Generator,
    standing: Standing,
    *,
    lines: float = 0.0,
) -> Ask:
    """One application of a person on a day.

    `rng` is the application's own stream, `lines` the share of applications for a revolving line.
    """
    u = rng.random(16).tolist()
    z = rng.standard_normal(5).tolist()
    product = _product(person, u[0], lines)
    bullet = product == "bullet"
    term = SHORT_TERMS.get(product, TERMS).at(u[1])
    channel = "app" if person.ring is not None else CHANNELS.at(u[2])
    purpose = "shopping" if person.ring is not None else PURPOSES.at(u[3])
    if product == "business":
        purpose = "working_capital"
    amount = _amount(person, term, z[0])
    strain = 0.0 if person.ring is not None else z[1]
    burden = (
        (amount // 3 if bullet else instalment_minor(amount, REFERENCE_RATE_BP, term))
        + person.debt_minor
        + person.rent_minor
        + standing.due_minor
    ) / person.income_minor
    index = (
        0.75 * person.risk
        + 0.32 * strain
        + 0.20 * min(3.0, max(-1.5, (burden - 0.45) / 0.25))
        + 0.08 * min(standing.outside + standing.loans, 5)
        + _CHANNEL_RISK[channel]
        + _PURPOSE_RISK.get(purpose, 0.0)
        + _PRODUCT_RISK.get(product, 0.0)
        + _TERM_RISK.get(term, 0.0)
    )
    return Ask(
        product=product,
        channel=channel,
        purpose=purpose,
        amount_minor=amount,
        term_months=term,
        fields=_declared(person, day, start, u[4:8]),
        bureau=_bureau(person, strain, standing, rng, z[2]),
        index=index,
        outside_bp=round(min(3600.0, max(600.0, 1480.0 + 170.0 * index + 160.0 * z[3]))),
        patience=u[8],
        new_device=u[9] < 0.05,
        haste=u[10],
    )


def instalment_minor(amount_minor: int, rate_bp: int, term_months: int) -> int:
    """The level monthly payment of an annuity, to the nearest minor unit: what a person reckons with."""
    rate = rate_bp / 120_000.0
    if rate == 0.0:
        return round(amount_minor / term_months)
    return round(amount_minor * rate / (1.0 - (1.0 + rate) ** -term_months))


def _product(person: Person, uniform: float, lines: float) -> str:
    if person.firm:
        return "business"
    if uniform < BULLETS:
        return "bullet"
    return "line" if uniform < BULLETS + lines and person.ring is None else "instalment"


def _amount(person: Person, term: int, z: float) -> int:
    """Some months of income, more for longer terms, rounded, up to the 200,000 of an internet loan."""
    income = person.income_minor / 100.0 * (1.6 if person.firm else 1.0)
    wanted = 1.55 * income * (term / 12.0) ** 0.65 * exp(0.55 * z)
    if person.ring is not None:
        wanted = max(wanted, 2.0 * income)
    return int(min(MOST, max(LEAST, round(wanted / 500.0) * 500))) * 100


def _declared(person: Person, day: date, start: date, u: list[float]) -> dict[str, Fact]:
    """What the form says: some puff their income, many forget a debt, the rest is as it is."""
    puff = person.puffs * (0.6 + 0.8 * u[0]) + 0.04 * (u[1] - 0.5)
    income = max(1, round(person.income_minor * (1.0 + puff) / 10_000)) * 10_000
    debt = round(person.debt_minor * (0.70 + 0.30 * min(1.0, 1.6 * u[2])) / 1000) * 1000
    months = None
    if person.tenure_months is not None:
        months = person.tenure_months + max(0, (day.year - start.year) * 12 + day.month - start.month)
    had_birthday = (day.month, day.day) >= (person.born_on.month, person.born_on.day)
    return {
        "income_month_minor": income,
        "employment": person.employment,
        "months_employed": months,
        "housing": person.housing,
        "rent_month_minor": person.rent_minor,
        "debt_month_minor": debt,
        "age_years": day.year - person.born_on.year - (0 if had_birthday else 1),
        "dependents": person.dependents,
    }


def _bureau(
    person: Person, strain: float, standing: Standing, rng: np.random.Generator, z: float
) -> dict[str, Any]:
    """The bureau's answer: a score for who has a file, recent inquiries, worst days late, open loans."""
    inquiries = int(rng.poisson(exp(0.15 + 0.22 * person.risk + 0.45 * strain - 0.10)))
    loans = person.file_loans + standing.loans + standing.outside
    worst = max(person.file_dpd, standing.worst_dpd // 30 * 30)
    if person.thin_file and not standing.loans and not standing.worst_dpd:
        return {
            "bureau_score": None,
            "bureau_inquiries_6m": min(inquiries, 2),
            "bureau_worst_dpd_24m": 0,
            "bureau_open_loans": standing.outside,
        }
    hidden = person.signal + 0.20 * strain + 0.22 * z
    score = 640.0 - 58.0 * hidden - 14.0 * (worst >= 30) - 10.0 * (worst >= 60)
    return {
        "bureau_score": round(min(850.0, max(300.0, score))),
        "bureau_inquiries_6m": inquiries,
        "bureau_worst_dpd_24m": worst,
        "bureau_open_loans": loans,
    }
