"""Somebody whom the starter strategy approves: what they say of themselves, and what the bureau says."""

__all__ = ["BUREAU", "FIELDS"]

FIELDS = {
    "income_month_minor": 1_500_000,
    "employment": "salaried",
    "months_employed": 60,
    "housing": "own",
    "rent_month_minor": 0,
    "debt_month_minor": 50_000,
    "age_years": 36,
    "dependents": 1,
}
BUREAU = {
    "bureau_score": 760,
    "bureau_inquiries_6m": 1,
    "bureau_worst_dpd_24m": 0,
    "bureau_open_loans": 1,
}
