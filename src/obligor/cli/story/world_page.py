"""What the report of the simulated lender says beside what every report does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from obligor.cli.story.chronicle import Chronicle
from obligor.cli.story.report import Extra, Figure, Page
from obligor.web.wording import Words

if TYPE_CHECKING:
    from obligor.cli.story.world import WorldSummary

__all__ = ["page_of"]

WORDS = Words("en")
LABEL = "Simulated data"
CURRENCY = "CNY"


def page_of(told: WorldSummary, found: Chronicle, problems: Sequence[str]) -> Page:
    """The report's page for a world that was played."""
    extras = [_funds(told)]
    if told.behaviour is not None:
        extras.append(_behaviour(told))
    return Page(
        title="A simulated lender",
        label=LABEL,
        lender="Simulated Lender",
        currency=CURRENCY,
        told=told,
        chronicle=found,
        figures=_figures(told),
        notes=_notes(told),
        problems=tuple(problems),
        extras=(*extras, _cost(told)),
    )


def _figures(told: WorldSummary) -> tuple[Figure, ...]:
    funds = told.funds
    return (
        Figure(
            "Decided", WORDS.count(told.applications), f"applications of {WORDS.count(told.people)} people"
        ),
        Figure(
            "Approved",
            f"{WORDS.share(told.approved, told.applications)} %",
            f"{_percent(told.bad_rate_approved)} of them were to end badly",
        ),
        Figure(
            "Declined",
            f"{WORDS.share(told.applications - told.approved, told.applications)} %",
            f"{_percent(told.bad_rate_declined_truth)} of them were to end badly",
        ),
        Figure(
            "Misuse found",
            f"{funds.found} of {funds.misusers_visible}",
            f"{funds.found_first_hop_baseline} by looking one hop far",
        ),
        Figure(
            "Lent",
            WORDS.big(told.disbursed_minor, CURRENCY),
            f"{WORDS.big(told.repaid_minor, CURRENCY)} repaid,"
            f" {WORDS.big(told.written_off_minor, CURRENCY)} lost",
        ),
    )


def _notes(told: WorldSummary) -> tuple[str, ...]:
    more = told.supervision
    played = (
        f"All of it is simulated: {WORDS.count(told.people)} people over {told.months} months, seed"
        f" {told.seed}. Decisions, books and alerts are the system's own; the truth was joined at the end."
    )
    misused = (
        f"Of the misuse, {_percent(more.first_hop_seen)} came into an account that the lender sees and"
        f" {_percent(more.sink_seen)} reached a sink in its sight; {_percent(more.two_hops_or_more)} took two"
        f" hops or more, and {_percent(more.unlabelled)} of all counterparties have no label."
    )
    bad = "Bad rates are the truth's: how the loans asked for would have gone in 12 months, whoever lent."
    return played, misused, bad


def _funds(told: WorldSummary) -> Extra:
    """Tracing beside the first hop."""
    funds, more = told.funds, told.supervision
    seen, honest = funds.misusers_visible or 0, funds.honest_borrowers or 0

    def row(name: str, found: int | None, wrong: int | None) -> tuple[str, ...]:
        share = WORDS.share(found or 0, seen) if seen else "–"
        return (name, str(found), share, str(wrong), f"{100 * (wrong or 0) / max(1, honest):.2f}")

    return Extra(
        title="Supervision of loan money",
        note=f"{seen} misusers could be seen, of {funds.misusers}",
        head=("Rule", "Found", "Found %", "Honest alerted", "of honest %"),
        rows=(
            row("Traced, first in first out", funds.found, funds.honest_alerted),
            row("First hop, 90 days", funds.found_first_hop_baseline, more.honest_alerted_first_hop),
            row("Very first transfer", more.found_first_transfer, more.honest_alerted_first_transfer),
        ),
        foot=f"{more.alerts_right} of {more.alerts} alerts were on a loan that was misused. All rules alert"
        " at the same amounts. An alert is not a finding: a person decides.",
    )


def _behaviour(told: WorldSummary) -> Extra:
    ranked = told.behaviour
    assert ranked is not None  # noqa: S101  asked before
    return Extra(
        title="Behaviour score",
        note=f"trained on {WORDS.day(ranked.trained_on)}, at work from then on",
        head=("Ranked by", "AUC, 6 months ahead"),
        rows=(
            ("Behaviour score", _area(ranked.auc)),
            ("Days past due alone", _area(ranked.auc_days_past_due)),
        ),
        foot=f"Trained on {WORDS.count(ranked.trained_rows)} month ends with"
        f" {WORDS.count(ranked.trained_bads)} defaults that were knowable; asked of"
        f" {WORDS.count(ranked.rows)} later ones with {WORDS.count(ranked.bads)}.",
    )


def _cost(told: WorldSummary) -> Extra:
    cpu = told.cpu
    parts = (
        ("Training on the simulated past", cpu.training),
        ("The world's customers", cpu.world),
        ("The lender", cpu.lender),
        ("Audit and replay", cpu.checks),
    )
    return Extra(
        title="What it cost",
        note=f"{WORDS.count(told.events)} events",
        head=("Part", "CPU seconds"),
        rows=tuple((name, f"{seconds:.1f}") for name, seconds in parts),
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _area(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
