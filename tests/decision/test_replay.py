"""A recorded decision is made again from its own record, byte for byte, or the difference is named."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from obligor import decision
from obligor.decision import Decision, Replay, decide, replay, replay_all
from obligor.events import ApplicationDecided, DayClosed, DrawdownDecided
from obligor.kernel import Conflict, Corrupted, Event, NotFound, decode, encode, parse
from obligor.strategy import Strategy, load
from tests.decision.test_decide import FACTS, PRELEND, model
from tests.strategy.bases import REQUEST
from tests.strategy.making import Model, Scored
from tests.strategy.test_starter import PACKS

DRAWDOWN = load(PACKS / "starter" / "drawdown")
AT = datetime(2026, 11, 20, 8, 28, tzinfo=UTC)


class Shelf:
    """Artifacts in memory."""

    def __init__(self, *strategies: Strategy, models: tuple[Model, ...] = ()) -> None:
        self.strategies = {item.sha256: item for item in strategies}
        self.models = {item.sha256: item for item in models}

    def strategy(self, sha256: str, /) -> Strategy:
        if sha256 not in self.strategies:
            raise NotFound(f"no strategy {sha256}")
        return self.strategies[sha256]

    def model(self, sha256: str, /) -> Model:
        if sha256 not in self.models:
            raise NotFound(f"no model {sha256}")
        return self.models[sha256]


SHELF = Shelf(PRELEND, DRAWDOWN, models=(model(),))


def common(found: Decision, strategy: Strategy) -> dict[str, Any]:
    return {
        "decision_id": "d1",
        "application_id": "a1",
        "person_id": "p1",
        "stage": strategy.stage,
        "outcome": found.outcome,
        "strategy": strategy.name,
        "strategy_sha256": found.strategy_sha256,
        "model_sha256": found.model_sha256,
        "catalogue_sha256": None,
        "inputs_sha256": found.inputs_sha256,
        "reads": {"application/a1": 3},
        "known_upto": 17,
        "currency": "CNY",
        "outputs": found.outputs,
        "score": found.score,
        "pd_ppm": found.pd_ppm,
        "reasons": found.reasons,
        "facts": found.facts_read,
        "trace": found.trace,
    }


def application(facts: dict[str, Any] = FACTS, scorer: Model | None = None) -> ApplicationDecided:
    found = decide(facts, PRELEND, scorer or model())
    assert isinstance(found, Decision)
    return ApplicationDecided(
        **common(found, PRELEND),
        product="instalment",
        channel="app",
        asked_minor=4_000_000,
        limit_minor=found.outputs["limit_minor"],
        rate_bp=found.outputs["rate_bp"],
        term_months=found.outputs["term_months"],
    )


def drawdown(facts: dict[str, Any]) -> DrawdownDecided:
    found = decide(facts, DRAWDOWN)
    assert isinstance(found, Decision)
    return DrawdownDecided(
        **common(found, DRAWDOWN),
        drawdown_id="w1",
        loan_id=None,
        amount_minor=facts["amount_minor"],
        payment_mode=found.outputs["payment_mode"],
    )


def event(body: Any, *, known_seq: int = 7, erased: frozenset[str] = frozenset()) -> Event:
    # As it comes out of the journal: through bytes.
    body = decode(parse(encode(body)), type(body))
    return Event(
        id=f"e{known_seq}",
        tenant="t",
        stream="application/a1",
        stream_version=4,
        subjects=("p1",),
        type=type(body).TYPE,
        schema=1,
        at=AT,
        recorded_at=AT,
        known_seq=known_seq,
        source="api",
        source_ref=None,
        actor="app",
        cause=None,
        replaces=None,
        body=body,
        erased=erased,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"age_years": 17},
        {"bureau_score": None},
        {"purpose": "a yacht"},
        {"bureau_worst_dpd_24m": 120},
        {"debt_month_minor": 700_000},
    ],
)
def test_an_application_replays_byte_for_byte(changes: dict[str, Any]) -> None:
    assert replay(event(application(FACTS | changes)), SHELF) == Replay(equal=True)


@pytest.mark.parametrize("changes", [{}, {"days_past_due": 4}, {"contract_signed": False}])
def test_a_drawdown_replays_byte_for_byte(changes: dict[str, Any]) -> None:
    assert replay(event(drawdown(REQUEST | changes)), SHELF) == Replay(equal=True)


@pytest.mark.parametrize("name", sorted(application().facts))
def test_any_changed_fact_makes_a_replay_mismatch(name: str) -> None:
    body = application()
    value = body.facts[name]
    other = {
        "channel": "web",
        "product": "bullet",
        "purpose": "medical",
        "employment": "contract",
        "housing": "own",
    }
    changed = other[name] if name in other else 1 if value is None else int(value) + 1
    assert changed != value
    tampered = msgspec.structs.replace(body, facts=body.facts | {name: changed})
    found = replay(event(tampered), SHELF)
    assert not found.equal
    assert "inputs_sha256" in found.differences or found.differences == ("facts",)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("outcome", "refer", "outcome"),
        ("reasons", ("R01",), "reasons"),
        ("score", 613, "score"),
        ("pd_ppm", 40_001, "pd_ppm"),
        ("limit_minor", 4_000_001, "limit_minor"),
        ("rate_bp", None, "rate_bp"),
        ("inputs_sha256", "0" * 64, "inputs_sha256"),
        ("trace", [["eligibility", []]], "trace"),
        ("outputs", {"limit_minor": 1}, "outputs"),
    ],
)
def test_any_changed_part_of_the_record_is_named(field: str, value: Any, named: str) -> None:
    body = application()
    assert getattr(body, field) != value
    found = replay(event(msgspec.structs.replace(body, **{field: value})), SHELF)
    assert found == Replay(equal=False, differences=(named,))


def test_one_flipped_number_deep_in_the_trace_is_found() -> None:
    body = application()
    data = encode(body)
    changed = data.replace(b'"residual_minor":680000', b'"residual_minor":680001')
    assert changed != data
    found = replay(event(decode(parse(changed), ApplicationDecided)), SHELF)
    assert found.differences == ("trace",)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {name: value for name, value in application().facts.items() if name != "dependents"},
        application().facts | {"age_years": "old"},
        application().facts | {"unread": 1},
    ],
)
def test_facts_that_no_decision_can_have_been_made_of_are_a_mismatch(facts: dict[str, Any]) -> None:
    found = replay(event(msgspec.structs.replace(application(), facts=facts)), SHELF)
    assert found == Replay(equal=False, differences=("facts",))


def test_a_model_that_answers_otherwise_makes_a_mismatch() -> None:
    shelf = Shelf(PRELEND, models=(model(Scored(600, 30_000)),))
    found = replay(event(application()), shelf)
    assert {"score", "pd_ppm", "trace"} <= set(found.differences)


def test_an_erased_decision_is_neither_equal_nor_different() -> None:
    body = msgspec.structs.replace(
        application(), outputs={}, score=None, pd_ppm=None, reasons=(), facts={}, trace=[]
    )
    found = replay(event(body, erased=frozenset({"conduct"})), SHELF)
    assert found == Replay(equal=False, erased=True)
    # An identity that was erased leaves the decision whole.
    assert replay(event(application(), erased=frozenset({"identity"})), SHELF).equal


def test_an_artifact_that_is_not_there_or_not_itself_is_refused() -> None:
    with pytest.raises(NotFound):
        replay(event(application()), Shelf(DRAWDOWN))
    wrong = Shelf()
    wrong.strategies[PRELEND.sha256] = DRAWDOWN
    with pytest.raises(Corrupted):
        replay(event(application()), wrong)
    wrong = Shelf(PRELEND)
    other = model()
    other.sha256 = "6" * 64
    wrong.models["5" * 64] = other
    with pytest.raises(Corrupted):
        replay(event(application()), wrong)


def test_what_is_no_decision_cannot_be_replayed() -> None:
    with pytest.raises(Conflict):
        replay(event(DayClosed(day=AT.date(), zone="Asia/Shanghai")), SHELF)


def test_many_replays_are_counted_apart() -> None:
    good, bad = application(), msgspec.structs.replace(application(), outcome="refer")
    gone = msgspec.structs.replace(good, facts={}, outputs={}, trace=[], reasons=(), score=None, pd_ppm=None)
    events = [
        event(good, known_seq=1),
        event(DayClosed(day=AT.date(), zone="UTC"), known_seq=2),
        event(drawdown(REQUEST), known_seq=3),
        event(bad, known_seq=4),
        event(gone, known_seq=5, erased=frozenset({"conduct"})),
        event(bad, known_seq=6),
    ]
    assert replay_all(events, SHELF) == decision.Tally(5, 2, 2, 1, 4)


def test_a_replay_does_not_depend_on_what_is_active_now() -> None:
    changed = {
        name: data.replace(b"C,(6..12],1440", b"C,(6..12],1990") for name, data in PRELEND.files.items()
    }
    newer = Strategy(changed)
    assert newer.sha256 != PRELEND.sha256
    shelf = Shelf(newer, PRELEND, models=(model(),))
    assert replay(event(application()), shelf).equal
