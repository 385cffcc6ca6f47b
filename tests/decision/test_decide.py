"""A decision is a pure function of facts, a model and a strategy."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.decision import Decision, Need, decide, inputs_digest
from obligor.kernel import Conflict, InvalidInput, encode
from obligor.strategy import Strategy, load
from tests.strategy.bases import APPLICANT, CASE
from tests.strategy.making import Model, Scored
from tests.strategy.test_starter import PACKS

PRELEND = load(PACKS / "starter" / "prelend")
TREAT = load(PACKS / "starter" / "treat")
ANSWER = Scored(612, 40_000, 560, (("income_month_minor", 30, 40), ("channel", 22, 30)), ("X01", "X02"))


def model(answer: Scored = ANSWER, *reads: str) -> Model:
    return Model(answer, reads or ("income_month_minor", "channel"))


FACTS = APPLICANT | {"channel": "app", "days_since_repayment": None}


def decided(facts: dict, strategy: Strategy = PRELEND, scorer: Model | None = None) -> Decision:
    found = decide(facts, strategy, scorer or model())
    assert isinstance(found, Decision)
    return found


def test_a_decision_says_what_it_was_made_of() -> None:
    found = decided(FACTS)
    assert found.outcome == "approve"
    assert (found.score, found.pd_ppm) == (612, 40_000)
    assert found.contributions == ANSWER.contributions
    assert found.strategy_sha256 == PRELEND.sha256
    assert found.model_sha256 == "5" * 64
    assert found.inputs_sha256 == inputs_digest(found.facts_read, PRELEND.sha256, "5" * 64)


def test_equal_inputs_give_equal_bytes() -> None:
    assert encode(decided(FACTS)) == encode(decided(dict(reversed(FACTS.items()))))


def test_facts_that_nobody_reads_change_nothing() -> None:
    assert encode(decided(FACTS)) == encode(decided(FACTS | {"colour": "red", "outflow_30d_minor": 5}))
    assert set(decided(FACTS).facts_read) == set(APPLICANT) | {"channel"}


def test_the_digest_is_over_the_facts_read_the_strategy_and_the_model() -> None:
    digests = {decided(FACTS).inputs_sha256}
    digests.add(decided(FACTS | {"channel": "web"}).inputs_sha256)
    digests.add(decided(FACTS | {"dependents": 2}).inputs_sha256)
    digests.add(decided(FACTS | {"purpose": None}).inputs_sha256)
    other = model()
    other.sha256 = "6" * 64
    digests.add(decided(FACTS, scorer=other).inputs_sha256)
    changed = dict(PRELEND.files)
    changed["price.csv"] = changed["price.csv"].replace(b"C,(6..12],1440", b"C,(6..12],1441")
    digests.add(decided(FACTS, Strategy(changed)).inputs_sha256)
    assert len(digests) == 6


def test_a_knock_out_reads_little_and_asks_no_model() -> None:
    scorer = model()
    found = decided(FACTS | {"age_years": 17}, scorer=scorer)
    assert found.outcome == "decline"
    assert scorer.asked == []
    assert (found.score, found.pd_ppm, found.contributions, found.model_sha256) == (None, None, (), None)
    assert set(found.facts_read) < set(APPLICANT)
    assert "bureau_score" not in found.facts_read


def test_facts_are_asked_for_until_a_decision_is_made() -> None:
    known: dict = {}
    asked = []
    while isinstance(found := decide(known, PRELEND, model()), Need):
        assert found.names
        assert not set(found.names) & set(known)
        asked += found.names
        known |= {name: FACTS[name] for name in found.names}
    assert encode(found) == encode(decided(FACTS))
    assert sorted(asked) == sorted(found.facts_read)


def test_the_model_is_asked_with_facts_as_they_are_written() -> None:
    scorer = model()
    decided(FACTS | {"purpose": "a yacht"}, scorer=scorer)
    (given_facts,) = scorer.asked
    assert given_facts["purpose"] == "a yacht"
    assert given_facts["channel"] == "app"


def test_facts_that_only_the_model_reads_are_asked_for_when_it_is_their_turn() -> None:
    without = {name: value for name, value in FACTS.items() if name != "channel"}
    assert decide(without, PRELEND, model()) == Need(("channel",))
    assert isinstance(decide(without | {"age_years": 17}, PRELEND, model()), Decision)


def test_a_fact_recorded_is_the_fact_that_was_given() -> None:
    # The strategy takes an unknown purpose for `other`; the model may know better: replay needs the original.
    assert decided(FACTS | {"purpose": "a yacht"}).facts_read["purpose"] == "a yacht"


def test_wrong_facts_are_refused_by_name_all_of_them() -> None:
    with pytest.raises(InvalidInput) as caught:
        decide(FACTS | {"age_years": "34", "housing": "castle"}, PRELEND, model())
    assert {violation.field for violation in caught.value.violations} == {"age_years", "housing"}


def test_a_strategy_with_a_model_needs_one_and_one_without_takes_none() -> None:
    with pytest.raises(Conflict):
        decide(FACTS, PRELEND)
    scorer = model()
    found = decide(CASE, TREAT, scorer)
    assert isinstance(found, Decision)
    assert found == decide(CASE, TREAT)
    assert scorer.asked == []
    assert found.model_sha256 is None


def test_all_of_a_decision_is_canonical_json() -> None:
    for age, pd_ppm, bureau in product((17, 30), (1_000, 90_000, 200_000), (None, 640)):
        found = decided(FACTS | {"age_years": age, "bureau_score": bureau}, scorer=model(Scored(600, pd_ppm)))
        assert encode(found)


@given(order=st.permutations(sorted(FACTS)))
def test_the_order_of_facts_does_not_matter(order: list[str]) -> None:
    assert encode(decided({name: FACTS[name] for name in order})) == encode(decided(FACTS))


def test_a_trace_is_compact() -> None:
    contributions = tuple((f"characteristic_{n:02}", n, 40) for n in range(12))
    found = decided(FACTS, scorer=model(Scored(626, 40_000, 560, contributions)))
    assert len(encode(found.trace)) <= 1_500
