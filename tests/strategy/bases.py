"""Written facts of sound cases, one for each starter strategy, for tests to change."""

from typing import Any

APPLICANT: dict[str, Any] = {
    "requested_minor": 4_000_000,
    "term_months": 12,
    "product": "instalment",
    "purpose": "renovation",
    "age_years": 34,
    "income_month_minor": 1_140_000,
    "rent_month_minor": 200_000,
    "debt_month_minor": 80_000,
    "dependents": 1,
    "employment": "salaried",
    "months_employed": 30,
    "housing": "rent",
    "applications_30d": 1,
    "devices_90d": 1,
    "gambling_90d_minor": 0,
    "inflow_90d_minor": 3_000_000,
    "repayments_365d": 3,
    "headroom_minor": None,
    "exposure_minor": 0,
    "bureau_score": 640,
    "bureau_inquiries_6m": 3,
    "bureau_worst_dpd_24m": 0,
    "bureau_open_loans": 2,
}

REQUEST: dict[str, Any] = {
    "amount_minor": 2_000_000,
    "purpose": "shopping",
    "payee_known": False,
    "contract_signed": True,
    "approved_minor": 4_000_000,
    "drawn_minor": 1_000_000,
    "days_past_due": 0,
    "headroom_minor": None,
}

LOAN: dict[str, Any] = {
    "days_past_due": 0,
    "worst_dpd_90d": 0,
    "arrears_minor": 0,
    "outstanding_minor": 2_000_000,
    "months_on_book": 10,
    "inflow_90d_minor": 3_000_000,
    "first_payment_missed": False,
}

CASE: dict[str, Any] = {
    "days_past_due": 20,
    "arrears_minor": 100_000,
    "broken_promises": 0,
    "contact_blocked": False,
    "attempts_7d": 0,
}

CLASSIFIED: dict[str, Any] = {"days_past_due": 0, "restructured": False, "written_off": False}

BASES: dict[str, dict[str, Any]] = {
    "starter/prelend": APPLICANT,
    "starter/drawdown": REQUEST,
    "starter/monitor": LOAN,
    "starter/classify": CLASSIFIED,
    "starter/treat": CASE,
    "book/prelend": {"requested_minor": 1_000_000, "term_months": 36, "headroom_minor": None},
    "book/review": {"requested_minor": 1_000_000, "term_months": 1, "headroom_minor": None},
    "book/drawdown": REQUEST,
    "book/monitor": LOAN,
}
