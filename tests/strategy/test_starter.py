"""The starter strategies are data, complete, and decide as their texts say."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

import obligor
from obligor.decision import load_reasons
from obligor.strategy import Need, Strategy, load
from tests.strategy.bases import APPLICANT, CASE, LOAN, REQUEST
from tests.strategy.making import Scored

PACKS = Path(obligor.__file__).parent / "packs"
DIRECTORIES = sorted(path.parent for path in PACKS.rglob("strategy.yaml"))
STARTER = ("prelend", "drawdown", "monitor", "classify", "treat")


def starter(name: str) -> Strategy:
    return load(PACKS / "starter" / name)


def run(strategy: Strategy, facts: dict, pd_ppm: int = 40_000):
    model = (lambda _: Scored(612, pd_ppm, reasons=("X01",))) if strategy.scores else None
    return strategy.run(strategy.parse_facts(facts), model)


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: str(path.relative_to(PACKS)))
def test_a_shipped_strategy_compiles_without_a_warning(directory: Path) -> None:
    assert load(directory).warnings == ()


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: str(path.relative_to(PACKS)))
def test_every_reason_code_has_texts_in_both_languages(directory: Path) -> None:
    texts = load_reasons(PACKS / "starter" / "reasons.yaml")
    codes = load(directory).codes
    assert [code for code in codes if code not in texts] == []
    for code in codes:
        assert re.search("[\u4e00-\u9fff]", texts[code].zh)
        assert not re.search("[\u4e00-\u9fff]", texts[code].en)


def test_every_text_belongs_to_a_rule() -> None:
    used = {code for directory in DIRECTORIES for code in load(directory).codes}
    assert set(load_reasons(PACKS / "starter" / "reasons.yaml")) - used == set()


def test_a_code_of_a_rule_means_nothing_else_in_a_scorecard() -> None:
    rules = set(load_reasons(PACKS / "starter" / "reasons.yaml"))
    for path in [*(PACKS / "scorecards").glob("*.yaml"), *(PACKS / "mappings").glob("*.yaml")]:
        assert set(re.findall(r"code: ([A-Z][A-Z0-9_]*)", path.read_text(encoding="utf-8"))) & rules == set()


def test_the_starter_pack_has_a_strategy_for_each_stage() -> None:
    assert {name: starter(name).stage for name in STARTER} == {name: name for name in STARTER}


# ---- prelend


def test_a_sound_application_is_approved_with_terms() -> None:
    found = run(starter("prelend"), APPLICANT)
    assert (found.outcome, found.reasons) == ("approve", ())
    assert found.outputs == {
        "limit_minor": 4_000_000,
        "rate_bp": 1440,
        "term_months": 12,
        "instalment_minor": 359_902,
        "grade": "C",
        "burden": 3859,
    }


def test_the_instalment_is_the_annuity_to_the_fen() -> None:
    strategy = starter("prelend")
    for term in range(3, 37):
        for pd_ppm in (1_000, 20_000, 40_000, 60_000, 100_000):
            found = run(strategy, APPLICANT | {"term_months": term}, pd_ppm)
            rate = Decimal(found.outputs["rate_bp"]) / 120_000
            exact = found.outputs["limit_minor"] * rate / (1 - (1 + rate) ** -term)
            assert abs(found.outputs["instalment_minor"] - exact) < 1, (term, pd_ppm)


@pytest.mark.parametrize(
    ("changes", "outcome", "reasons"),
    [
        ({"age_years": 17}, "decline", ("E01",)),
        ({"age_years": 64, "term_months": 24}, "decline", ("E02",)),
        ({"requested_minor": 99_999}, "decline", ("E03",)),
        ({"requested_minor": 20_000_001}, "decline", ("E03",)),
        ({"term_months": 37}, "decline", ("E04",)),
        ({"employment": "student", "age_years": 17}, "decline", ("E01", "E05")),
        ({"income_month_minor": 199_999}, "decline", ("E06",)),
        ({"purpose": "investment"}, "decline", ("E07",)),
        ({"product": "bullet", "term_months": 13}, "decline", ("E08",)),
        ({"applications_30d": 7}, "decline", ("C01",)),
        ({"devices_90d": 6}, "decline", ("C02",)),
        ({"gambling_90d_minor": 800_000}, "decline", ("C03",)),
        ({"gambling_90d_minor": 700_000}, "approve", ()),
        ({"exposure_minor": 19_950_000}, "decline", ("L01",)),
        ({"headroom_minor": 50_000}, "decline", ("L02",)),
        ({"bureau_worst_dpd_24m": 90}, "decline", ("BU01",)),
        ({"bureau_inquiries_6m": 13}, "decline", ("BU02",)),
        ({"bureau_score": 399}, "decline", ("BU03",)),
        ({"bureau_open_loans": 11}, "decline", ("BU04",)),
        ({"debt_month_minor": 700_000}, "decline", ("A01",)),
        ({"bureau_score": None}, "refer", ("R02",)),
        ({"months_employed": 2}, "refer", ("R05",)),
        ({"months_employed": None}, "refer", ("R05",)),
        ({"employment": "none", "inflow_90d_minor": 0}, "refer", ("R06",)),
        ({"purpose": None}, "approve", ()),
        ({"purpose": "a yacht"}, "approve", ()),
        ({"product": "something else"}, "approve", ()),
    ],
)
def test_what_prelend_refuses_and_refers(changes: dict, outcome: str, reasons: tuple) -> None:
    found = run(starter("prelend"), APPLICANT | changes)
    assert (found.outcome, found.reasons) == (outcome, reasons)
    assert (found.outputs["limit_minor"] is None) == (outcome == "decline")


@pytest.mark.parametrize(
    ("pd_ppm", "outcome", "reasons", "rate"),
    [
        (14_999, "approve", (), 780),
        (15_000, "approve", (), 1080),
        (79_999, "approve", (), 1800),
        (80_000, "refer", ("R01", "X01"), 2160),
        (129_999, "refer", ("R01", "X01"), 2160),
        (130_000, "decline", ("S01", "X01"), None),
    ],
)
def test_risk_sets_grade_price_and_outcome(
    pd_ppm: int, outcome: str, reasons: tuple, rate: int | None
) -> None:
    found = run(starter("prelend"), APPLICANT, pd_ppm)
    assert (found.outcome, found.reasons, found.outputs["rate_bp"]) == (outcome, reasons, rate)


def test_the_offer_is_the_least_of_what_was_asked_graded_affordable_and_free() -> None:
    strategy = starter("prelend")
    rich = APPLICANT | {"income_month_minor": 3_000_000, "requested_minor": 20_000_000, "term_months": 36}
    assert run(strategy, rich, 1_000).outputs["limit_minor"] == 20_000_000
    assert run(strategy, rich, 40_000).outputs["limit_minor"] == 14_000_000
    assert run(strategy, rich | {"headroom_minor": 3_333_333}, 1_000).outputs["limit_minor"] == 3_330_000
    assert run(strategy, rich | {"exposure_minor": 15_000_000}, 1_000).outputs["limit_minor"] == 5_000_000
    squeezed = rich | {"debt_month_minor": 1_500_000}
    found = run(strategy, squeezed, 1_000)
    assert found.outputs["limit_minor"] < 20_000_000
    # 55 % of income carries debts and the instalment together.
    assert found.outputs["instalment_minor"] + 1_500_000 <= 0.55 * 3_000_000


def test_the_bureau_is_asked_only_after_what_costs_nothing() -> None:
    strategy = starter("prelend")
    free = {name: value for name, value in APPLICANT.items() if not name.startswith("bureau")}
    found = run(strategy, free)
    assert isinstance(found, Need)
    assert {strategy.inputs[name].source for name in found.names} == {"source:bureau"}
    assert run(strategy, free | {"age_years": 17}).outcome == "decline"
    assert run(strategy, free | {"applications_30d": 7}).outcome == "decline"


def test_no_price_is_above_24_percent_and_better_risk_never_pays_more() -> None:
    strategy = starter("prelend")
    for term in (3, 6, 12, 24, 36):
        rates = [
            run(strategy, APPLICANT | {"term_months": term}, pd_ppm).outputs["rate_bp"]
            for pd_ppm in range(0, 130_000, 5_000)
        ]
        assert rates == sorted(rates)
        assert max(rates) <= 2400


# ---- drawdown


@pytest.mark.parametrize(
    ("changes", "outcome", "reasons", "mode"),
    [
        ({}, "release", (), "self"),
        ({"amount_minor": 3_000_000}, "release", (), "self"),
        ({"amount_minor": 3_000_001}, "refuse", ("D02",), None),
        ({"contract_signed": False}, "refuse", ("D01",), None),
        ({"amount_minor": 9_999}, "refuse", ("D03",), None),
        ({"purpose": "property"}, "refuse", ("D04",), None),
        ({"days_past_due": 31}, "refuse", ("D10",), None),
        ({"headroom_minor": 1_999_999}, "refuse", ("D11",), None),
        ({"headroom_minor": 2_000_000}, "release", (), "self"),
        ({"days_past_due": 4}, "hold", ("D20",), None),
        ({"purpose": "medical", "payee_known": True}, "release", (), "entrusted"),
        ({"purpose": "medical", "amount_minor": 3_000_000}, "hold", ("D21",), None),
        ({"purpose": None}, "release", (), "self"),
        (
            {"amount_minor": 10_000_000, "approved_minor": 20_000_000, "payee_known": True},
            "release",
            (),
            "entrusted",
        ),
        ({"amount_minor": 10_000_000, "approved_minor": 20_000_000}, "hold", ("D22",), None),
    ],
)
def test_what_drawdown_releases_holds_and_refuses(
    changes: dict, outcome: str, reasons: tuple, mode: str | None
) -> None:
    found = run(starter("drawdown"), REQUEST | changes)
    assert (found.outcome, found.reasons, found.outputs["payment_mode"]) == (outcome, reasons, mode)


# ---- monitor


@pytest.mark.parametrize(
    ("changes", "kind", "severity"),
    [
        ({}, None, None),
        ({"days_past_due": 2}, None, None),
        ({"days_past_due": 3}, "arrears", "info"),
        ({"days_past_due": 8}, "arrears", "warn"),
        ({"days_past_due": 30}, "serious_arrears", "warn"),
        ({"days_past_due": 30, "arrears_minor": 400_000}, "serious_arrears", "serious"),
        ({"days_past_due": 61}, "serious_arrears", "serious"),
        (
            {"first_payment_missed": True, "months_on_book": 1, "days_past_due": 8},
            "first_payment_missed",
            "serious",
        ),
        ({"first_payment_missed": True, "months_on_book": 4, "days_past_due": 8}, "arrears", "warn"),
        ({"worst_dpd_90d": 12, "inflow_90d_minor": 100_000}, "early_warning", "info"),
        ({"worst_dpd_90d": 12}, None, None),
        ({"outstanding_minor": 0}, None, None),
    ],
)
def test_what_monitor_raises(changes: dict, kind: str | None, severity: str | None) -> None:
    found = run(starter("monitor"), LOAN | changes)
    assert found.outcome == ("none" if kind is None else "alert")
    assert (found.outputs["kind"], found.outputs["severity"]) == (kind, severity)
    assert bool(found.reasons) == (kind is not None)


# ---- classify


@pytest.mark.parametrize(
    ("days", "tier", "stage", "non_performing"),
    [
        (0, "normal", 1, False),
        (1, "special_mention", 1, False),
        (30, "special_mention", 1, False),
        (31, "special_mention", 2, False),
        (90, "special_mention", 2, False),
        (91, "substandard", 3, True),
        (270, "substandard", 3, True),
        (271, "doubtful", 3, True),
        (360, "doubtful", 3, True),
        (361, "loss", 3, True),
        (5000, "loss", 3, True),
    ],
)
def test_five_tiers_and_stages_by_days(days: int, tier: str, stage: int, non_performing: bool) -> None:
    found = run(starter("classify"), {"days_past_due": days, "restructured": False, "written_off": False})
    assert found.outputs == {"five_tier": tier, "ifrs9_stage": stage, "non_performing": non_performing}
    assert found.outcome == tier


def test_restructured_and_written_off_loans_are_classified_harder() -> None:
    strategy = starter("classify")
    facts = {"days_past_due": 0, "restructured": True, "written_off": False}
    assert run(strategy, facts).outputs == {
        "five_tier": "special_mention",
        "ifrs9_stage": 2,
        "non_performing": False,
    }
    assert run(strategy, facts | {"written_off": True}).outputs["five_tier"] == "loss"


def test_an_impaired_asset_is_at_least_substandard_and_the_other_way_round() -> None:
    # CBIRC and PBOC Order 2023 No. 1, article 6.
    strategy = starter("classify")
    for days in range(500):
        for restructured in (False, True):
            found = run(strategy, {"days_past_due": days, "restructured": restructured, "written_off": False})
            worse = found.outcome in {"substandard", "doubtful", "loss"}
            assert (found.outputs["ifrs9_stage"] == 3) == worse == found.outputs["non_performing"]


# ---- treat


@pytest.mark.parametrize(
    ("changes", "outcome", "channel", "action"),
    [
        ({}, "act", "call", "ask_promise"),
        ({"contact_blocked": True}, "none", None, None),
        ({"attempts_7d": 5}, "none", None, None),
        ({"arrears_minor": 999}, "none", None, None),
        ({"days_past_due": 0}, "none", None, None),
        ({"days_past_due": 2}, "act", "app", "remind"),
        ({"days_past_due": 7}, "act", "sms", "remind"),
        ({"broken_promises": 1}, "act", "call", "offer_plan"),
        ({"days_past_due": 45, "broken_promises": 2}, "act", "letter", "formal_notice"),
        ({"days_past_due": 120, "arrears_minor": 600_000}, "act", "field", "visit"),
        ({"days_past_due": 300, "arrears_minor": 3_000_000}, "act", "legal", "file_claim"),
    ],
)
def test_what_treat_does_next(changes: dict, outcome: str, channel: str | None, action: str | None) -> None:
    found = run(starter("treat"), CASE | changes)
    assert (found.outcome, found.outputs["channel"], found.outputs["action"]) == (outcome, channel, action)


def test_contact_policy_stops_whatever_the_arrears() -> None:
    strategy = starter("treat")
    for days in range(0, 400, 7):
        for gate in ({"contact_blocked": True}, {"attempts_7d": 9}):
            assert run(strategy, CASE | {"days_past_due": days} | gate).outcome == "none"


# ---- book


@pytest.mark.parametrize(
    ("term", "pd_ppm", "outcome"),
    [(36, 65_000, "approve"), (36, 65_001, "decline"), (60, 95_000, "approve"), (60, 95_001, "decline")],
)
def test_a_books_cut_off_depends_on_the_term(term: int, pd_ppm: int, outcome: str) -> None:
    strategy = load(PACKS / "book" / "prelend")
    facts = {"requested_minor": 1_000_000, "term_months": term, "headroom_minor": None}
    found = run(strategy, facts, pd_ppm)
    assert found.outcome == outcome
    assert found.reasons == (() if outcome == "approve" else ("P02", "X01"))
    if outcome == "approve":
        assert found.outputs["limit_minor"] == 1_000_000
        assert found.outputs["term_months"] == term
