"""A spine is decided at once as its cases would be one by one, and known again by its digests."""

from datetime import date

import pytest

from obligor.decision import Decision, Spine, decide, decide_batch
from obligor.kernel import Conflict, InvalidInput, InvariantBroken, encode
from obligor.strategy import load
from tests.strategy.making import FACTS, make
from tests.strategy.test_starter import PACKS

CLASSIFY = load(PACKS / "starter" / "classify")
DAYS = [0, 1, 31, 91, 271, 361]
SPINE = Spine(
    date(2026, 3, 31),
    [f"loan-{number}" for number in range(len(DAYS))],
    {"days_past_due": DAYS, "restructured": [False] * 6, "written_off": [False] * 6},
)


def test_a_batch_says_of_each_case_what_a_decision_says() -> None:
    batch = decide_batch(SPINE, CLASSIFY)
    for number in range(len(DAYS)):
        facts = {name: values[number] for name, values in SPINE.facts.items()}
        alone = decide(facts, CLASSIFY)
        assert isinstance(alone, Decision)
        told = {name: values[number] for name, values in batch.results.items()}
        assert (told.pop("outcome"), tuple(told.pop("reasons"))) == (alone.outcome, alone.reasons)
        assert told.pop("ended") is None
        assert told == alone.outputs
    assert batch.outcomes == {"doubtful": 1, "loss": 1, "normal": 1, "special_mention": 2, "substandard": 1}


def test_decimals_and_dates_of_a_batch_are_written_as_a_decision_writes_them() -> None:
    strategy = make()
    batch = decide_batch(Spine(date(2026, 3, 31), ["a"], {k: [v] for k, v in FACTS.items()}), strategy)
    alone = decide(FACTS, strategy)
    assert isinstance(alone, Decision)
    assert {name: batch.results[name][0] for name in alone.outputs} == alone.outputs
    encode(dict(batch.results))


def test_each_digest_moves_with_what_it_is_over_and_with_nothing_else() -> None:
    def digests(spine: Spine) -> tuple[str, str, str]:
        batch = decide_batch(spine, CLASSIFY)
        return batch.spine_sha256, batch.inputs_sha256, batch.result_sha256

    was = digests(SPINE)
    assert digests(SPINE._replace(facts={**SPINE.facts, "unread": [1] * 6})) == was
    changes = {
        (True, False, False): SPINE._replace(cases=[*SPINE.cases[:-1], "another"]),
        (True, False, False, 1): SPINE._replace(as_of=date(2026, 4, 1)),
        # Three days late or one is the same class.
        (False, True, False): SPINE._replace(facts={**SPINE.facts, "days_past_due": [0, 3, *DAYS[2:]]}),
        (False, True, True): SPINE._replace(facts={**SPINE.facts, "written_off": [True] * 6}),
    }
    for moved, spine in changes.items():
        now = digests(spine)
        assert tuple(one != other for one, other in zip(was, now, strict=True)) == moved[:3]


def test_a_spine_that_lacks_facts_or_has_too_few_is_refused() -> None:
    lacking = {name: values for name, values in SPINE.facts.items() if name != "written_off"}
    with pytest.raises(InvalidInput, match="written_off"):
        decide_batch(SPINE._replace(facts=lacking), CLASSIFY)
    with pytest.raises(InvalidInput, match="days_past_due"):
        decide_batch(SPINE._replace(facts={**SPINE.facts, "days_past_due": [0, 1, 2, 3, 4, -1]}), CLASSIFY)
    with pytest.raises(InvariantBroken):
        decide_batch(SPINE._replace(cases=["loan-1"]), CLASSIFY)


def test_a_strategy_that_scores_decides_no_batch() -> None:
    facts = {"requested_minor": [1], "term_months": [12], "headroom_minor": [None]}
    with pytest.raises(Conflict, match="no model"):
        decide_batch(Spine(date(2026, 3, 31), ["a"], facts), load(PACKS / "book" / "prelend"))
