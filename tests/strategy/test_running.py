"""Running a strategy: what it asks for, where it stops, what it leaves behind."""

import pytest

from obligor.kernel import Conflict, InvalidInput, encode
from obligor.strategy import Need, Outcome, Strategy
from tests.strategy.making import FACTS, FILES, MAIN, Scored, counting, make, swapped

M = "strategy.yaml"
SCORING = MAIN.replace(
    "steps:\n",
    """\
  score: {type: integer, source: score, min: 300, max: 900}
  pd_ppm: {type: integer, source: score, min: 0, max: 1000000}
steps:
""",
).replace(
    "  - step: bands\n",
    """\
  - step: score
    model: application score
  - step: cut
    outcome: decline
    stop: true
    rules:
      - {code: S01, when: score < 550, explain: score}
      - {code: S02, when: pd_ppm > 200000}
  - step: bands
""",
)


def scoring() -> Strategy:
    return make(dict(FILES) | {M: SCORING})


def facts(strategy: Strategy, **changes: object) -> dict:
    return strategy.parse_facts(FACTS | changes)


def without(given: dict, *names: str) -> dict:
    return {name: value for name, value in given.items() if name not in names}


def test_facts_are_asked_for_in_the_order_in_which_steps_need_them() -> None:
    strategy = make()
    known: dict = {}
    asked = []
    while isinstance(found := strategy.run(known), Need):
        asked.append(found.names)
        known |= {name: value for name, value in facts(strategy).items() if name in found.names}
    assert asked == [("age", "income"), ("ratio", "bureau"), ("work",), ("member",), ("joined",)]
    assert found == strategy.run(facts(strategy))


def test_only_absent_facts_are_asked_for() -> None:
    strategy = make()
    assert strategy.run(without(facts(strategy), "bureau")) == Need(("bureau",))
    assert strategy.run(without(facts(strategy), "joined")) == Need(("joined",))


def test_null_is_an_answer_and_absence_is_a_question() -> None:
    strategy = make()
    assert isinstance(strategy.run(facts(strategy, bureau=None)), Outcome)
    assert strategy.run(without(facts(strategy), "bureau")) == Need(("bureau",))


def test_a_knock_out_stops_before_later_facts_are_asked_for() -> None:
    found = make().run({"age": 17, "income": 600_000})
    assert isinstance(found, Outcome)
    assert (found.outcome, found.reasons) == ("decline", ("K01",))
    assert found.reads == ("age", "income")
    assert found.trace == [["knockout", ["K01"]]]
    assert set(found.outputs.values()) == {None}


def test_all_rules_of_a_step_give_their_reasons() -> None:
    found = make().run({"age": 17, "income": 99_999})
    assert found.reasons == ("K01", "K02")


def test_the_hardest_outcome_holds() -> None:
    strategy = make(
        swapped(
            (M, "{code: R01, when: known(bureau)", "{code: R00, outcome: decline, when: known(bureau)"),
            (M, "share > 2 and not member and", "not member and"),
        )
    )
    found = strategy.run(facts(strategy, bureau=450, ratio="0.60", age=20))
    assert (found.outcome, found.reasons) == ("decline", ("R00", "R02"))
    # An output for other outcomes is null under this one.
    assert found.outputs["limit"] is None


def test_outputs_are_there_for_their_outcomes() -> None:
    strategy = make()
    found = strategy.run(facts(strategy, bureau=450))
    assert found.outcome == "refer"
    assert strategy.render_outputs(found.outputs) == {
        "limit": 800_000,
        "rate_bp": 1800,
        "band": "low",
        "share": "1.3333",
        "joined": "2020-02-29",
    }


def test_the_model_is_asked_once_and_only_where_its_step_is_reached() -> None:
    strategy = scoring()
    ask, calls = counting(Scored(points=700))
    assert strategy.run({"age": 17, "income": 600_000}, ask).outcome == "decline"
    assert calls == []
    assert strategy.run(facts(strategy), ask).outcome == "approve"
    assert calls == [1]


def test_a_models_reasons_follow_the_rule_that_asks_for_them() -> None:
    strategy = scoring()
    ask, _ = counting(Scored(points=540, pd_ppm=300_000, reasons=("X07", "X02")))
    found = strategy.run(facts(strategy), ask)
    assert found.reasons == ("S01", "X07", "X02", "S02")
    ask, _ = counting(Scored(points=700, pd_ppm=300_000, reasons=("X07", "X02")))
    assert strategy.run(facts(strategy), ask).reasons == ("S02",)


def test_the_score_stands_in_the_trace_with_its_parts() -> None:
    strategy = scoring()
    ask, _ = counting(Scored(points=540, base=500, contributions=(("age", 30, 50), ("income", 10, 20))))
    found = strategy.run(facts(strategy), ask)
    assert found.trace[1] == ["score", 540, 20_000, 500, [["age", 30], ["income", 10]]]


def test_a_model_may_need_facts_too() -> None:
    strategy = scoring()
    assert strategy.run(facts(strategy), lambda _: Need(("months",))) == Need(("months",))


def test_a_strategy_with_a_model_refuses_to_run_without_one() -> None:
    strategy = scoring()
    with pytest.raises(Conflict, match="no model was given"):
        strategy.run(facts(strategy))


@pytest.mark.parametrize("answer", [Scored(points=299), Scored(points=901), Scored(points=700, pd_ppm=-1)])
def test_a_score_outside_of_the_declared_bounds_is_refused(answer: Scored) -> None:
    strategy = scoring()
    for run in (strategy.run, strategy.interpret):
        with pytest.raises(InvalidInput, match="as the strategy declares"):
            run(facts(strategy), lambda _: answer)


def test_the_score_cannot_be_read_before_the_model_was_asked() -> None:
    from tests.strategy.making import problems

    moved = SCORING.replace("when: age < 18", "when: score < 18")
    (problem,) = problems(dict(FILES) | {M: moved})
    assert problem.code == "unknown-name"
    assert "`model:` has to stand before" in problem.message


def test_a_run_changes_nothing_and_shares_nothing_with_the_next() -> None:
    strategy = make()
    given = facts(strategy, bureau=450)
    before = dict(given)
    first = strategy.run(given)
    copy = encode(first.trace)
    first.trace[0][1].append("K99")
    first.outputs["limit"] = 0
    second = strategy.run(given)
    assert given == before
    assert encode(second.trace) == copy
    assert second.outputs["limit"] == 800_000


def test_a_result_of_a_step_that_stopped_nobody_is_known_to_lie_in_its_bounds() -> None:
    # income >= 100000 after the knock-out: so limit / income needs no guard.
    assert make().outputs["share"].hi == 900_000 * 10_000 // 100_000


@pytest.mark.parametrize("implementation", ["run", "interpret"])
def test_both_implementations_pass_over_facts_that_are_no_inputs(implementation: str) -> None:
    strategy = make()
    found = getattr(strategy, implementation)(facts(strategy) | {"else": 3})
    assert "else" not in found.reads


def test_steps_are_explained_in_their_own_words() -> None:
    strategy = scoring()
    ask, _ = counting(Scored(points=600, base=590, contributions=(("age", 10, 20),)))
    found = strategy.run(facts(strategy, bureau=450), ask)
    steps = strategy.explain(found.trace)
    assert [step.step for step in steps] == [entry[0] for entry in found.trace]
    by_name = {step.step: step for step in steps}
    assert by_name["knockout"].details == ()
    assert by_name["knockout"].tried == 2
    assert [(item.name, item.text) for item in by_name["refer"].details] == [
        ("R01", "known(bureau) and bureau < floor_score")
    ]
    bands = by_name["bands"]
    assert (bands.kind, bands.file, bands.row) == ("table", "bands.csv", 2)
    assert [(item.name, item.text, item.value) for item in bands.details] == [
        ("bureau", "< 600", None),
        ("ratio", "-", None),
        ("band", "→", "low"),
        ("rate_bp", "→", 1800),
    ]
    assert by_name["limits"].kind == "grid"
    assert [(item.name, item.value) for item in by_name["sums"].details] == [
        ("share", "1.3333"),
        ("tenure", 7364),
    ]
    assert [(item.name, item.text, item.value) for item in by_name["points"].details] == [
        ("points", "base 100", 120),
        ("age", ">= 30", 20),
        ("member", "false", 0),
    ]
    assert [(item.name, item.value) for item in by_name["score"].details] == [
        ("score", 600),
        ("base", 590),
        ("age", 10),
    ]
