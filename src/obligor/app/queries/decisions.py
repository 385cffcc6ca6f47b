"""Questions about decisions and applications."""

from __future__ import annotations

from typing import Any

from obligor import decision
from obligor.app.queries import loans
from obligor.app.queries.common import PAGE, Books, Where, after_of, cursor_of, event_row, mean, moment
from obligor.app.states import Application as ApplicationState
from obligor.app.views import (
    Application,
    Choices,
    Decision,
    DecisionFilters,
    DecisionRow,
    Decisions,
    FactRow,
    Offer,
    OutcomeSum,
    Override,
    ReasonSum,
    Replay,
    Reserved,
    Score,
    ScorePart,
    TraceStep,
    Version,
)
from obligor.events import ApplicationDecided, ApplicationOverridden, DrawdownDecided
from obligor.kernel import Event, NotFound
from obligor.strategy import Explained, Strategy

__all__ = ["application", "decided", "listing"]

REASONS_SHOWN = 8
SIGNED = (
    "EXISTS (SELECT 1 FROM p_book_contract AS signed WHERE signed.tenant = p_decision.tenant"
    " AND signed.application_id = p_decision.application_id)"
)


def listing(books: Books, filters: DecisionFilters, after: str | None) -> Decisions:
    """Decisions, newest first, with sums over the whole filter."""
    where = _where(books, filters)
    model = _scoring_now(books)
    sums = books.reader.query(
        "SELECT outcome, COUNT(*) AS count, COALESCE(SUM(asked_minor), 0) AS asked,"
        f" COALESCE(SUM(granted_minor), 0) AS granted, {mean('score')} AS score,"
        f" {mean('pd_ppm')} AS pd_ppm FROM p_decision WHERE {where.sql} GROUP BY outcome"
        " ORDER BY count DESC, outcome",
        where.values,
    )
    reasons = books.reader.query(
        "SELECT reason, COUNT(*) AS count FROM p_decision WHERE"
        f" {where.sql} AND reason IS NOT NULL AND outcome NOT IN ('approve', 'release')"
        f" GROUP BY reason ORDER BY count DESC, reason LIMIT {REASONS_SHOWN}",
        where.values,
    )
    page = where.copy()
    if after:
        page.add("known_seq < ?", after_of(after, int))
    rows = books.reader.query(
        f"SELECT * FROM p_decision WHERE {page.sql} ORDER BY known_seq DESC LIMIT {PAGE + 1}", page.values
    )
    shown = rows[:PAGE]
    return Decisions(
        filters=filters,
        rows=tuple(_row(books, row, model) for row in shown),
        total=sum(row["count"] for row in sums),
        next=cursor_of(shown[-1]["known_seq"]) if len(rows) > PAGE else None,
        outcomes=tuple(
            OutcomeSum(
                outcome=row["outcome"],
                count=row["count"],
                asked_minor=row["asked"],
                granted_minor=row["granted"],
                mean_score=row["score"],
                mean_pd_ppm=row["pd_ppm"],
            )
            for row in sums
        ),
        reasons=tuple(
            ReasonSum(reason=books.reason(row["reason"], model), count=row["count"]) for row in reasons
        ),
        choices=_choices(books, model),
    )


def decided(books: Books, decision_id: str) -> Decision:
    """One decision with everything it was made of.

    Raises:
        NotFound: there is none of this id.
    """
    row = books.one("SELECT * FROM p_decision WHERE tenant = ? AND decision_id = ?", decision_id)
    if row is None:
        raise NotFound(f"there is no decision {decision_id!r}")
    line = _row(books, row, _scoring_now(books))
    event = books.event(row["event_id"])
    body: ApplicationDecided | DrawdownDecided = event.body
    strategy = books.means.artifacts.strategy(body.strategy_sha256)
    state, events = books.application(body.application_id)
    lost = _points_lost(books, body)
    again = decision.replay(event, books.means.artifacts)
    return Decision(
        **{name: getattr(line, name) for name in DecisionRow.__struct_fields__},
        recorded_at=event.recorded_at,
        known_upto=body.known_upto,
        asked_months=state.term_months,
        term_months=getattr(body, "term_months", None),
        purpose=state.purpose,
        payment_mode=getattr(body, "payment_mode", None),
        scored=_score(books, body),
        reasons=tuple(books.reason(code, body.model_sha256, lost.get(code)) for code in body.reasons),
        trace=tuple(_step(step) for step in strategy.explain(body.trace)),
        facts=_facts(body, strategy),
        outputs=dict(body.outputs),
        versions=_versions(body),
        override=_override(events),
        offer=_offer(state),
        reserved=_reserved(state),
        replay=Replay(equal=None if again.erased else again.equal, differences=again.differences),
        erased=tuple(sorted(event.erased)),
    )


def application(books: Books, application_id: str) -> Application:
    """One application and what became of it."""
    state, events = books.application(application_id)
    model = _scoring_now(books)
    rows = books.rows(
        "SELECT * FROM p_decision WHERE tenant = ? AND application_id = ? ORDER BY known_seq DESC",
        application_id,
    )
    found = (loans.row_of(books, d.loan_id) for d in state.drawdowns.values() if d.loan_id)
    return Application(
        application_id=application_id,
        person_id=state.person_id,
        status=_status(state),
        received_at=state.received_at,
        product=state.product,
        channel=state.channel,
        amount_minor=state.amount_minor,
        currency=state.currency,
        term_months=state.term_months,
        purpose=state.purpose,
        needs=_needs(books, state),
        decisions=tuple(_row(books, row, model) for row in rows),
        override=_override(events),
        offer=_offer(state),
        contract_id=state.contract_id,
        reserved=_reserved(state),
        drawn_minor=state.drawn_minor,
        loans=tuple(loan for loan in found if loan),
        events=tuple(event_row(event) for event in reversed(events)),
        erased=tuple(sorted({name for event in events for name in event.erased})),
    )


def _where(books: Books, filters: DecisionFilters) -> Where:
    where = Where(books.tenant)
    for column in ("stage", "outcome", "product", "channel", "reason", "strategy"):
        where.add(f"{column} = ?", getattr(filters, column))
    where.add("score >= ?", filters.score_from)
    where.add("score <= ?", filters.score_to)
    where.add("day >= ?", filters.day_from)
    where.add("day <= ?", filters.day_to)
    where.add("person_id = ?", filters.person)
    where.add("application_id = ?", filters.application)
    if filters.signed is not None:
        where.always(f"{'' if filters.signed else 'NOT '}{SIGNED}")
    if filters.overridden is not None:
        where.always(f"overridden IS {'NOT NULL' if filters.overridden else 'NULL'}")
    return where


def _row(books: Books, row: dict[str, Any], model: str | None) -> DecisionRow:
    return DecisionRow(
        decision_id=row["decision_id"],
        event_id=row["event_id"],
        known_seq=row["known_seq"],
        at=moment(row["at"]),
        stage=row["stage"],
        outcome=row["outcome"],
        application_id=row["application_id"],
        person_id=row["person_id"],
        currency=row["currency"],
        product=row["product"],
        channel=row["channel"],
        asked_minor=row["asked_minor"],
        granted_minor=row["granted_minor"],
        rate_bp=row["rate_bp"],
        score=row["score"],
        pd_ppm=row["pd_ppm"],
        reason=books.reason(row["reason"], model) if row["reason"] else None,
        strategy=row["strategy"],
        overridden=row["overridden"],
        loan_id=row["loan_id"],
    )


def _scoring_now(books: Books) -> str | None:
    """The model that scores now: a list looks up the words of all its reasons there."""
    active = books.one("SELECT value FROM p_day_active WHERE tenant = ? AND kind = 'model'")
    return active["value"] if active else None


def _choices(books: Books, model: str | None) -> Choices:
    def distinct(column: str) -> tuple[str, ...]:
        rows = books.rows(
            f"SELECT DISTINCT {column} AS found FROM p_decision"
            f" WHERE tenant = ? AND {column} IS NOT NULL ORDER BY 1"
        )
        return tuple(row["found"] for row in rows)

    return Choices(
        stages=distinct("stage"),
        outcomes=distinct("outcome"),
        products=distinct("product"),
        channels=distinct("channel"),
        reasons=tuple(books.reason(code, model) for code in distinct("reason")),
        strategies=distinct("strategy"),
    )


def _score(books: Books, body: ApplicationDecided | DrawdownDecided) -> Score | None:
    if body.model_sha256 is None or body.score is None or not body.facts:
        return None
    model = books.means.artifacts.model(body.model_sha256)
    found = model.score(body.facts)
    words = {item.name: item.reason for item in model.characteristics}
    return Score(
        points=found.points,
        base=found.base,
        pd_ppm=found.pd_ppm,
        parts=tuple(
            ScorePart(
                name=name,
                en=words[name].en,
                zh=words[name].zh,
                value=body.facts.get(name),
                points=points,
                most=most,
            )
            for name, points, most in found.contributions
        ),
        cutoffs=(),
    )


def _points_lost(books: Books, body: ApplicationDecided | DrawdownDecided) -> dict[str, int]:
    """By reason code, the points that its characteristic gave against the most it could give."""
    if body.model_sha256 is None or not body.facts:
        return {}
    model = books.means.artifacts.model(body.model_sha256)
    codes = {item.name: item.reason.code for item in model.characteristics}
    found = model.score(body.facts)
    return {codes[name]: points - most for name, points, most in found.contributions}


def _step(step: Explained) -> TraceStep:
    kind = {"formulas": "formula", "model": "score", "scorecard": "score"}.get(step.kind, step.kind)
    details = tuple(_detail(detail.name, detail.text, detail.value) for detail in step.details)
    where = "" if step.file is None else step.file if step.row is None else f"{step.file} row {step.row}"
    return TraceStep(name=step.step, kind=kind, result=_result(step), where=where, details=details)


def _detail(name: str, text: str, value: Any) -> str:
    if value is None or value is True:
        return f"{name} {text}"
    return f"{name} = {value}" if text in ("points", "→") else f"{name} = {value} ({text})"


def _result(step: Explained) -> str:
    if step.kind == "rules":
        return f"{len(step.details)} of {step.tried} fired" if step.details else f"{step.tried} passed"
    if step.row is not None:
        return f"row {step.row}"
    if step.details:
        first = step.details[0]
        return f"{first.name} {first.value}"
    return ""


def _facts(body: ApplicationDecided | DrawdownDecided, strategy: Strategy) -> tuple[FactRow, ...]:
    rows = []
    for name, value in body.facts.items():
        known = strategy.inputs.get(name)
        source = known.source if known else "application"
        rows.append(FactRow(name=name, value=value, unit=(known.unit or "") if known else "", source=source))
    return tuple(sorted(rows, key=lambda row: (row.source, row.name)))


def _versions(body: ApplicationDecided | DrawdownDecided) -> tuple[Version, ...]:
    parts = [("strategy", body.strategy, body.strategy_sha256)]
    if body.model_sha256:
        parts.append(("model", "application", body.model_sha256))
    if body.catalogue_sha256:
        parts.append(("catalogue", "features", body.catalogue_sha256))
    parts.append(("inputs", "facts, strategy and model", body.inputs_sha256))
    return tuple(Version(part=part, name=name, sha256=sha256) for part, name, sha256 in parts)


def _override(events: list[Event]) -> Override | None:
    for event in reversed(events):
        if isinstance(event.body, ApplicationOverridden):
            body = event.body
            return Override(
                event_id=event.id,
                known_seq=event.known_seq,
                at=event.at,
                outcome=body.outcome,
                officer=body.officer,
                authority=body.authority,
                reason_code=body.reason_code,
                expires_at=body.expires_at,
                limit_minor=body.limit_minor,
                rate_bp=body.rate_bp,
                term_months=body.term_months,
                conditions=body.conditions,
            )
    return None


def _offer(state: ApplicationState) -> Offer | None:
    if state.offer is None:
        return None
    given = state.offer
    return Offer(
        amount_minor=given.amount_minor,
        rate_bp=given.rate_bp,
        term_months=given.term_months,
        expires_at=given.expires_at,
        state="accepted" if given.accepted else "expired" if given.expired else "open",
    )


def _reserved(state: ApplicationState) -> Reserved | None:
    held = state.reservation
    if held is None or not held.left_minor:
        return None
    return Reserved(caps=held.caps, left_minor=held.left_minor, expires_at=held.expires_at)


def _status(state: ApplicationState) -> str:
    if state.drawn_minor:
        return "drawn"
    if state.contract_id:
        return "signed"
    if state.offer:
        return "accepted" if state.offer.accepted else "offered"
    return "decided" if state.decision_id else "needs"


def _needs(books: Books, state: ApplicationState) -> tuple[str, ...]:
    """The sources that an undecided application still waits for."""
    if state.decision_id:
        return ()
    active = books.one(
        "SELECT value FROM p_day_active WHERE tenant = ? AND kind = 'strategy' AND name = 'prelend'"
    )
    if active is None:
        return ()
    inputs = books.means.artifacts.strategy(active["value"]).inputs.values()
    wanted = {i.source.removeprefix("source:") for i in inputs if i.source.startswith("source:")}
    return tuple(sorted(wanted - set(state.answered) - state.failed))
