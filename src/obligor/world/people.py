"""Simulated people: what they are, and the latent risk that drives what they do.

`risk` is the person's part of the log hazard of trouble, with mean 0 and variance 1 over the population.
It is made of a quality that nobody observes and of what a lender can partly observe (income, debts,
tenure, age, housing).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np

from obligor.world.counterparties import PROHIBITED
from obligor.world.luck import Choice, Purpose, stream
from obligor.world.settings import Settings

__all__ = ["Person", "draw"]

EMPLOYMENT = Choice(
    {"salaried": 0.62, "self_employed": 0.16, "contract": 0.13, "student": 0.04, "none": 0.05}
)
HOUSING = Choice({"own": 0.18, "mortgage": 0.22, "rent": 0.35, "family": 0.22, "other": 0.03})
SINKS = Choice(dict(zip(PROHIBITED, (0.40, 0.20, 0.20, 0.15, 0.05), strict=True)))

# Who keeps a second account, beside those who need one for what they do with a loan.
SAVERS = 0.15

# Median monthly income in CNY and added log hazard, in the order of EMPLOYMENT.values and HOUSING.values.
_INCOME = np.array([7600.0, 8200.0, 6200.0, 2600.0, 2200.0])
_WORK_RISK = np.array([-0.10, 0.20, 0.25, 0.20, 0.55])
_HOME_RISK = np.array([-0.25, -0.15, 0.15, 0.05, 0.30])

# Mean and standard deviation of the raw index over a million draws, so that `risk` has mean 0 and variance 1.
_RAW_MEAN = 0.026
_RAW_SD = 0.937


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person as they are, seen by nobody whole. Amounts are a month's, in minor units.

    `tenure_months` is counted at the world's start, None for who has no work. `signal` is what the
    bureau's score is made of (mean 0, variance 1, correlated with `risk`). `firm` marks who applies for the
    small firm that is theirs. `hops` is 0 for who does not misuse loan money.
    """

    number: int
    born_on: date
    employment: str
    housing: str
    income_minor: int
    rent_minor: int
    debt_minor: int
    tenure_months: int | None
    dependents: int
    risk: float
    signal: float
    thin_file: bool
    file_dpd: int
    file_loans: int
    puffs: float
    seen: bool
    saves: bool
    days: tuple[int, int, int, int]
    cushion_minor: int
    gambles: bool
    invests: bool
    shuttles: bool
    firm: bool = False
    hops: int = 0
    unseen_hop: bool = False
    sink: str | None = None
    ring: int | None = None


def draw(seed: int, count: int, start: date, settings: Settings, purpose: Purpose) -> tuple[Person, ...]:
    """People of one population, numbered from 0; misusers and ring members are an exact share of them."""
    rng = stream(seed, purpose)
    lives = _lives(rng, count)
    lives |= _files(rng, count, lives["risk"], settings)
    lives |= _habits(rng, count, lives, settings)
    cast = _cast(rng, count, settings)
    columns = {name: values.tolist() for name, values in lives.items()}
    days = columns.pop("days")
    born = columns.pop("age_days")
    tenure = columns.pop("tenure")
    work, home = columns.pop("work"), columns.pop("home")
    people = []
    for i in range(count):
        values: dict[str, Any] = {name: column[i] for name, column in columns.items()}
        employment = EMPLOYMENT.values[work[i]]
        values |= cast.get(i, {})
        values["firm"] = values["firm"] and employment == "self_employed" and values.get("ring") is None
        if values.get("ring") is not None:
            employment, tenure[i] = "salaried", 20 + tenure[i] % 60
        people.append(
            Person(
                number=i,
                born_on=start - timedelta(days=born[i]),
                employment=employment,
                housing=HOUSING.values[home[i]],
                tenure_months=None if employment in {"student", "none"} else tenure[i],
                days=tuple(days[i]),
                **values,
            )
        )
    return tuple(people)


def _lives(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Age, work, home, money, and the risk that follows from them and from what nobody sees."""
    age = 20.0 + 40.0 * rng.beta(1.5, 2.4, n)
    quality = rng.standard_normal(n)
    work = EMPLOYMENT.index(rng.random(n))
    work = np.where((work == 3) & (age > 27), 0, work)
    home = HOUSING.index(np.clip(rng.random(n) + (35.0 - age) * 0.012, 0.0, 0.999))
    income_z = 0.25 * quality + 0.97 * rng.standard_normal(n)
    income = _INCOME[work] * np.exp(0.42 * income_z + 0.008 * (age - 35.0))
    debt_z = -0.30 * quality + 0.95 * rng.standard_normal(n)
    ratio = np.where(rng.random(n) < 0.25, 0.0, 0.11 * np.exp(0.75 * debt_z))
    ratio = np.minimum(ratio + np.where(home == 1, 0.18, 0.0), 0.65)
    tenure = rng.exponential(40.0, n) * (0.5 + (age - 20.0) / 30.0) * np.exp(0.15 * quality)
    raw = (
        -0.62 * quality
        - 0.22 * income_z
        + 0.20 * debt_z
        - 0.16 * (np.log1p(tenure) - 3.2)
        - 0.012 * (age - 35.0)
        + _WORK_RISK[work]
        + _HOME_RISK[home]
        + 0.30 * rng.standard_normal(n)
    )
    rent = np.where(home == 2, income * (0.16 + 0.16 * rng.random(n)), 0.0)
    return {
        "age_days": (age * 365.25).astype(np.int64),
        "work": work,
        "home": home,
        "income_minor": _rounded(income, 50),
        "rent_minor": _rounded(rent, 50),
        "debt_minor": _rounded(income * ratio, 10),
        "tenure": tenure.astype(np.int64),
        "dependents": rng.poisson(np.clip((age - 24.0) / 14.0, 0.02, 1.3)),
        "risk": (raw - _RAW_MEAN) / _RAW_SD,
    }


def _files(rng: np.random.Generator, n: int, risk: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
    """What a bureau holds on them: correlated with the risk, and far from equal to it."""
    thin = rng.random(n) < settings.thin_file
    late = rng.random(n) < 1.0 / (1.0 + np.exp(2.1 - 0.75 * risk))
    depth = rng.random(n) - 0.10 * risk
    worst = np.select([depth > 0.62, depth > 0.32, depth > 0.12], [10, 30, 60], default=90)
    return {
        "signal": 0.68 * risk + np.sqrt(1.0 - 0.68**2) * rng.standard_normal(n),
        "thin_file": thin,
        "file_dpd": np.where(late & ~thin, worst, 0),
        "file_loans": np.where(thin, 0, rng.poisson(np.exp(0.25 + 0.15 * risk))),
        "puffs": np.where(rng.random(n) < 0.22 + 0.05 * risk, 0.05 + 0.35 * rng.random(n), 0.0),
    }


def _habits(
    rng: np.random.Generator, n: int, lives: Mapping[str, np.ndarray], settings: Settings
) -> dict[str, np.ndarray]:
    """What shows on their accounts: days of the month for pay, rent, bills and debts, and how they spend."""
    invests = rng.random(n) < settings.investors
    months = np.where(invests, 2.0 + 3.0 * rng.random(n), rng.lognormal(-1.7, 0.9, n))
    months = months * np.exp(-0.15 * lives["risk"])
    pay = rng.integers(1, 29, n)
    return {
        "seen": rng.random(n) < settings.seen,
        "saves": rng.random(n) < SAVERS,
        "days": np.stack([pay, *((pay + rng.integers(1, 12, n)) % 28 + 1 for _ in range(3))], axis=1),
        "cushion_minor": _rounded(lives["income_minor"] / 100.0 * months, 1),
        "gambles": rng.random(n) < settings.gamblers * np.exp(0.35 * lives["risk"]),
        "invests": invests,
        "shuttles": rng.random(n) < settings.shuttlers,
        "firm": rng.random(n) < settings.firms,
    }


def _cast(rng: np.random.Generator, n: int, settings: Settings) -> dict[int, dict[str, Any]]:
    """Who is in a ring and who misuses loan money, in exact shares, with what makes them so."""
    order = rng.permutation(n).tolist()
    ring = min(n, max(4, round(settings.ring * n))) if settings.ring else 0
    cast: dict[int, dict[str, Any]] = {}
    for place, number in enumerate(order[:ring]):
        cast[number] = {
            "ring": place // 6,
            "income_minor": _ring_income(float(rng.random())),
            "thin_file": True,
            "file_dpd": 0,
            "file_loans": 0,
            "puffs": 0.0,
            "seen": True,
            "saves": False,
            "gambles": False,
            "invests": False,
            "shuttles": False,
            "cushion_minor": 200_00,
        }
    misusers = order[ring : ring + round(settings.misuse * (n - ring))]
    edges = np.cumsum(settings.misuse_hops)
    for place, number in enumerate(misusers):
        share = (place + 0.5) / len(misusers)
        cast[number] = {
            "hops": 1 + int(np.searchsorted(edges[:2], share, side="right")),
            "unseen_hop": bool(rng.random() < settings.misuse_unseen),
            "sink": SINKS.at(float(rng.random())),
            "saves": True,
            "invests": False,
            "shuttles": False,
        }
    return cast


def _ring_income(uniform: float) -> int:
    """Synthetic identities claim comfortable salaries."""
    return (11_000 + int(uniform * 60) * 100) * 100


def _rounded(amounts: np.ndarray, unit: int) -> np.ndarray:
    """Amounts in whole units of money, as minor units, to a round `unit`."""
    rounded: np.ndarray = np.rint(amounts / unit).astype(np.int64) * unit * 100
    return rounded
