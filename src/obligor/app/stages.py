"""The stages of a loan's life as calls of the one decision engine: what each knows, and what it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from obligor import decision
from obligor.app.proposal import Proposal
from obligor.app.states import Application
from obligor.decision import Decision, Need, Reason
from obligor.events import ApplicationDecided, DrawdownDecided
from obligor.kernel import Conflict, Fact, InvalidInput, Violation
from obligor.loans import Loan, product
from obligor.scoring import PointsModel
from obligor.strategy import Strategy

__all__ = [
    "Decided",
    "Needs",
    "drawdown",
    "loan_facts",
    "monitor",
    "prelend",
    "reads_features",
    "standing_facts",
    "texts_of",
    "words",
]

SOURCE = "source:"


class Needs(msgspec.Struct, frozen=True):
    """The sources that a decision waits for."""

    sources: tuple[str, ...]


class Decided(msgspec.Struct, frozen=True):
    """A decision as the journal takes it, and its reasons in words."""

    body: Any
    reasons: list[dict[str, str]]


def active(p: Proposal, stage: str) -> Strategy:
    """The strategy that decides a stage now.

    Raises:
        Conflict: none is active.
    """
    sha256 = p.view.memory("book").strategies.get(stage)
    if sha256 is None:
        raise Conflict(f"no strategy is active for {stage}; publish and activate one")
    return p.call.means.artifacts.strategy(sha256)


def model(p: Proposal) -> PointsModel | None:
    """The model that scores now, if there is one."""
    sha256 = p.view.memory("book").models.get("application")
    return p.call.means.artifacts.model(sha256) if sha256 else None


def prelend(p: Proposal, application: Application) -> Decided | Needs:
    """Decide an application from what is known now, the application itself included."""
    strategy = active(p, "prelend")
    scorer = model(p)
    if strategy.scores and scorer is None:
        raise Conflict(f"{strategy.name} scores, and no model is registered yet; POST one to /v1/models")
    facts, reads = _applicant_facts(p, application)
    facts = _source_facts(strategy, scorer, application) | facts
    result = decision.decide(facts, strategy, scorer)
    if isinstance(result, Need):
        return Needs(_sources(strategy, result.names))
    outputs = result.outputs
    body = ApplicationDecided(
        **_common(p, result, strategy, scorer, reads),
        application_id=application.application_id,
        person_id=application.person_id,
        product=application.product,
        channel=application.channel,
        currency=application.currency,
        asked_minor=application.amount_minor,
        limit_minor=_whole(outputs.get("limit_minor")),
        rate_bp=_whole(outputs.get("rate_bp")),
        term_months=_whole(outputs.get("term_months")),
    )
    return Decided(body, texts_of(p, scorer, result.reasons))


def drawdown(
    p: Proposal, application: Application, drawdown_id: str, loan_id: str, asked: Mapping[str, Fact]
) -> Decided:
    """Decide a request for money. `asked` holds the facts of the request itself."""
    strategy = active(p, "drawdown")
    loans, reads = _loans_of(p, application.person_id)
    reads[f"application/{application.application_id}"] = p.version(
        f"application/{application.application_id}"
    )
    today = local_day(p)
    terms = application.terms
    facts: dict[str, Fact] = {
        "approved_minor": (terms.limit_minor or 0) if terms and terms.outcome == "approve" else 0,
        "drawn_minor": _drawn(application, loans),
        "contract_signed": application.contract_id is not None,
        "days_past_due": max((loan.days_past_due(today) for loan in loans), default=0),
        **asked,
    }
    result = decision.decide(facts, strategy, None)
    if isinstance(result, Need):
        raise Conflict(f"the drawdown strategy needs facts that nothing gives: {', '.join(result.names)}")
    released = result.outcome == "release"
    body = DrawdownDecided(
        **_common(p, result, strategy, None, reads),
        application_id=application.application_id,
        drawdown_id=drawdown_id,
        person_id=application.person_id,
        loan_id=loan_id if released else None,
        amount_minor=int(asked["amount_minor"] or 0),
        currency=application.currency,
        payment_mode=str(result.outputs["payment_mode"]) if released else None,
    )
    return Decided(body, texts_of(p, None, result.reasons))


def _drawn(application: Application, loans: Sequence[Loan]) -> int:
    """What counts as drawn: all that was released or, on a revolving line, what of it is not repaid."""
    if not product(application.product).revolving:
        return application.drawn_minor
    mine = (loan for loan in loans if loan.application_id == application.application_id)
    return application.drawn_minor - sum(loan.principal_paid_minor for loan in mine)


def loan_facts(p: Proposal, loan: Loan, day: date) -> dict[str, Fact]:
    """What the monitoring and classifying strategies know of a loan at a day's close."""
    facts = standing_facts(loan, day)
    strategies = p.view.memory("book").strategies
    asked = (strategies[stage] for stage in ("monitor", "classify") if stage in strategies)
    if any(reads_features(p.call.means.artifacts.strategy(sha256)) for sha256 in asked):
        history = p.view.memory("histories").of(loan.person_id)
        compute = p.call.means.catalogue.compute
        facts |= compute(history, p.call.at, p.view.size, currency=loan.currency)
    return facts


def standing_facts(loan: Loan, day: date) -> dict[str, Fact]:
    """What a loan itself says of its standing on a day."""
    months = (day.year - loan.disbursed_on.year) * 12 + day.month - loan.disbursed_on.month
    return {
        "days_past_due": loan.days_past_due(day),
        "arrears_minor": loan.arrears_minor(day),
        "outstanding_minor": loan.outstanding(day).principal_minor,
        "months_on_book": max(0, months),
        "first_payment_missed": loan.first_payment_missed(day),
        "worst_dpd_90d": loan.worst_days_past_due(max(loan.disbursed_on, day - timedelta(days=90)), day),
        "restructured": False,
        "written_off": loan.written_off,
    }


def reads_features(strategy: Strategy) -> bool:
    """Whether a strategy reads features of the person beside what the loan says."""
    return any(given.source == "feature" for given in strategy.inputs.values())


def monitor(p: Proposal, facts: Mapping[str, Fact]) -> tuple[Decision, Strategy]:
    """Ask the monitoring strategy about a loan."""
    return _ask(p, "monitor", facts)


def local_day(p: Proposal) -> date:
    """The day of the request in the tenant's zone."""
    return p.call.at.astimezone(ZoneInfo(p.call.means.settings.zone)).date()


def texts_of(p: Proposal, scorer: PointsModel | None, codes: Sequence[str]) -> list[dict[str, str]]:
    """Reason codes with their words in English and Chinese, from the packs' texts, then the model's."""
    return [{"code": code, **words(p.call.means.texts, scorer, code)} for code in codes]


def words(texts: Mapping[str, Reason], scorer: PointsModel | None, code: str) -> dict[str, str]:
    """What a code says; one that nobody gave words to says itself."""
    text = texts.get(code) or (scorer.reasons.get(code) if scorer else None)
    return {"en": text.en if text else code, "zh": text.zh if text else code}


def _ask(p: Proposal, stage: str, facts: Mapping[str, Fact]) -> tuple[Decision, Strategy]:
    strategy = active(p, stage)
    result = decision.decide(facts, strategy, None)
    if isinstance(result, Need):
        raise Conflict(f"the {stage} strategy needs facts that nothing gives: {', '.join(result.names)}")
    return result, strategy


def _applicant_facts(p: Proposal, application: Application) -> tuple[dict[str, Fact], dict[str, int]]:
    """Application fields, features and headroom, with the version of every stream that was read."""
    person = application.person_id
    stream = f"application/{application.application_id}"
    reads = {stream: p.version(stream), f"person/{person}": p.version(f"person/{person}")}
    history = p.view.memory("histories").seen(person, p.events)
    features = p.call.means.catalogue.compute(history, p.call.at, p.size, currency=application.currency)
    caps = p.view.memory("caps")
    names = caps.applies(product=application.product, person=person)
    room, _ = caps.headroom(names, currency=application.currency)
    facts: dict[str, Fact] = {
        **application.fields,
        **features,
        "requested_minor": application.amount_minor,
        "term_months": application.term_months,
        "product": application.product,
        "channel": application.channel,
        "purpose": application.purpose,
        "headroom_minor": room,
        "exposure_minor": caps.exposure(person, application.currency),
    }
    return facts, reads


def _source_facts(
    strategy: Strategy, scorer: PointsModel | None, application: Application
) -> dict[str, Fact]:
    """What sources have answered. Of a failed source and of the form, what may be missing is missing."""
    facts: dict[str, Fact] = {
        key: None
        for key, given in strategy.inputs.items()
        if given.source == "application" and given.nullable and key not in application.fields
    }
    facts |= {
        item.name: None
        for item in (scorer.characteristics if scorer else ())
        if item.name not in strategy.inputs
    }
    for answer in application.answered.values():
        facts |= answer
    for name in application.failed:
        mine = (key for key, given in strategy.inputs.items() if given.source == SOURCE + name)
        facts |= {key: None for key in mine if strategy.inputs[key].nullable}
    return facts


def _sources(strategy: Strategy, names: Sequence[str]) -> tuple[str, ...]:
    """Which sources give these facts.

    Raises:
        InvalidInput: some can come from nowhere but the application, and are not in it.
    """
    missing = [
        name
        for name in names
        if name not in strategy.inputs or not strategy.inputs[name].source.startswith(SOURCE)
    ]
    if missing:
        wanted = [
            Violation.of(f"fields.{name}", None, f"a value: {strategy.name} needs it") for name in missing
        ]
        raise InvalidInput(f"the application lacks facts that {strategy.name} needs", wanted)
    return tuple(sorted({strategy.inputs[name].source.removeprefix(SOURCE) for name in names}))


def _loans_of(p: Proposal, person: str) -> tuple[list[Loan], dict[str, int]]:
    streams = [f"loan/{loan_id}" for loan_id in p.view.memory("book").loans_of(person)]
    return [p.state(stream) for stream in streams], {stream: p.version(stream) for stream in streams}


def _whole(value: Fact) -> int | None:
    return int(value) if isinstance(value, int | str) else None


def _common(
    p: Proposal, result: Decision, strategy: Strategy, scorer: PointsModel | None, reads: Mapping[str, int]
) -> dict[str, Any]:
    """The fields that every decision's event has."""
    return {
        "decision_id": p.call.new_id(),
        "stage": strategy.stage,
        "outcome": result.outcome,
        "strategy": f"{strategy.name} {strategy.version}",
        "strategy_sha256": strategy.sha256,
        "model_sha256": scorer.sha256 if scorer and result.score is not None else None,
        "catalogue_sha256": p.call.means.catalogue.sha256,
        "inputs_sha256": result.inputs_sha256,
        "reads": dict(reads),
        "known_upto": p.size,
        "outputs": result.outputs,
        "score": result.score,
        "pd_ppm": result.pd_ppm,
        "reasons": result.reasons,
        "facts": result.facts_read,
        "trace": result.trace,
    }
