"""Applicants for the strategy in bench/strategies/consumer, drawn by seed. They are simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["DIRECTORY", "applicants"]

DIRECTORY = Path(__file__).parent / "strategies" / "consumer"


def applicants(count: int, seed: int = 7) -> pl.DataFrame:
    """Applications as a lender's table holds them: 40 columns, categories as texts, some values missing."""
    draw = np.random.default_rng(seed)

    def some(values: list[str], shares: list[float] | None = None) -> np.ndarray:
        return draw.choice(np.array(values), count, p=shares)

    def missing(values: np.ndarray, share: float) -> pl.Series:
        return pl.select(
            pl.when(pl.lit(draw.random(count) >= share)).then(pl.lit(pl.Series(values)))
        ).to_series()

    def ratio(values: np.ndarray) -> pl.Series:
        units = pl.Series(np.round(values * 10_000).astype("i8"))
        return pl.select(
            pl.lit(units).cast(pl.Decimal(12, 0)) * pl.lit("0.0001").cast(pl.Decimal(12, 4))
        ).to_series()

    def cents(values: np.ndarray) -> np.ndarray:
        return np.clip(np.round(values * 100), 0, 10**8).astype("i8")

    return pl.DataFrame(
        {
            "age": draw.integers(17, 76, count),
            "income_minor": np.maximum(cents(draw.lognormal(8.1, 0.6, count)), 100),
            "employment": some(
                ["salaried", "self", "contract", "student", "none"], [0.55, 0.2, 0.1, 0.1, 0.05]
            ),
            "months_employed": draw.integers(0, 240, count),
            "housing": some(["own", "mortgage", "rent", "other"]),
            "rent_minor": cents(draw.gamma(2, 250, count)),
            "debt_minor": cents(draw.gamma(1.2, 200, count)),
            "dependents": draw.integers(0, 5, count),
            "bureau_score": missing(draw.normal(650, 80, count).round().clip(0, 1200).astype("i8"), 0.12),
            "inquiries_3m": draw.poisson(2, count),
            "delinquencies_12m": draw.poisson(0.6, count),
            "max_dpd_12m": draw.choice(
                [0, 15, 30, 60, 90, 120], count, p=[0.8, 0.08, 0.06, 0.03, 0.02, 0.01]
            ),
            "open_loans": draw.poisson(3, count),
            "utilisation": missing(ratio(draw.beta(2, 3, count)), 0.1),
            "oldest_trade": missing(draw.integers(0, 300, count), 0.1),
            "bankruptcies": draw.binomial(1, 0.03, count),
            "fraud_score": ratio(draw.beta(1.5, 8, count)),
            "device_risk": some(["low", "med", "high"], [0.8, 0.15, 0.05]),
            "ip_country": some(["US", "CA", "GB", "MX", "other"], [0.7, 0.1, 0.1, 0.08, 0.02]),
            "id_verified": draw.random(count) > 0.02,
            "blacklisted": draw.random(count) < 0.01,
            "amount_minor": np.clip(cents(draw.lognormal(8.3, 0.7, count)), 100, 200_000_000),
            "term_months": draw.choice([6, 12, 18, 24, 36, 48], count),
            "channel": some(["app", "web", "partner"]),
            "product": some(["cash", "card", "pos"]),
            "province": some(["A", "B", "C", "D"]),
            "phone_tenure": draw.integers(0, 120, count),
            "email_age": draw.integers(0, 4000, count),
            "bank_age": draw.integers(0, 200, count),
            "average_balance_minor": cents(draw.gamma(1, 900, count)),
            "returned_3m": draw.poisson(0.4, count),
            "salary_day": draw.integers(1, 31, count),
            "education": some(["hs", "ba", "ms"]),
            "marital": some(["s", "m", "d"]),
            "applications_30d": draw.poisson(1, count),
            "prior_loans": draw.poisson(1, count),
            "prior_dpd": missing(draw.integers(0, 90, count), 0.5),
            "hour": draw.integers(0, 24, count),
            "vpn": draw.random(count) < 0.1,
            "purpose": some(["debt", "home", "car", "other"]),
        }
    )
