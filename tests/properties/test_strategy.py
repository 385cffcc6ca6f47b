"""A strategy's two implementations agree, and formulas mean what exact arithmetic says."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import obligor
from obligor.kernel import InvalidInput, encode
from obligor.strategy import Outcome, Strategy, StrategyError, load
from obligor.strategy.interpret import evaluate
from obligor.strategy.ir import Card, Formulas, Node, Op, Rules, Table
from obligor.strategy.types import INT64, Kind
from tests.strategy.bases import BASES
from tests.strategy.making import FACTS, FILES, Scored, formula, make

PACKS = Path(obligor.__file__).parent / "packs"
DIRECTORIES = sorted(path.parent for path in PACKS.rglob("strategy.yaml"))


def _constants(node: Node) -> set[int]:
    found = {node.value} if node.op is Op.CONST and type(node.value) is int else set()
    for arg in node.args:
        found |= _constants(arg)
    return found


def cut_points(strategy: Strategy) -> set[int]:
    """Every number that anything is compared with, and its neighbours."""
    points: set[int] = set()
    for part in strategy.program.statements:
        if isinstance(part, Rules):
            points |= {point for rule in part.rules for point in _constants(rule.when)}
        axes = part.axes if isinstance(part, Table) else ()
        axes = tuple(line.axis for line in part.lines) if isinstance(part, Card) else axes
        for axis in axes:
            points |= {bound for cell in axis.cells for pair in cell.ranges for bound in pair}
    return {point + step for point in points for step in (-1, 0, 1)}


def facts_of(strategy: Strategy) -> st.SearchStrategy[dict[str, Any]]:
    """Typed facts: cut points and bounds as often as anything between, nulls, every category."""
    points = sorted(cut_points(strategy))

    def values(name: str) -> st.SearchStrategy[Any]:
        item = strategy.inputs[name]
        if item.type == "boolean":
            chosen: st.SearchStrategy[Any] = st.booleans()
        elif item.type == "category":
            chosen = st.sampled_from(item.values)
        else:
            lo, hi = item.minimum or 0, item.maximum or 0
            near = [lo, hi, *(point for point in points if lo <= point <= hi)]
            wide = st.integers(lo, hi)
            # Amounts that people earn and ask for, which a range up to the maximum would never show.
            likely = st.integers(lo, min(hi, lo + 3_000_000)) if hi - lo > 3_000_000 else wide
            chosen = st.one_of(st.sampled_from(near), likely, likely, wide)
        return st.one_of(st.none(), chosen, chosen, chosen) if item.nullable else chosen

    return st.fixed_dictionaries({name: values(name) for name in strategy.inputs})


STRATEGIES = {str(path.relative_to(PACKS)): load(path) for path in DIRECTORIES} | {"sample": make(FILES)}
SOUND = {**BASES, "sample": FACTS}


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_emitted_function_answers_what_the_interpreter_answers(name: str) -> None:
    strategy = STRATEGIES[name]
    sound = strategy.parse_facts(SOUND[name])
    names = st.sets(st.sampled_from(sorted(strategy.inputs)), max_size=4)
    seen: set[str] = set()

    @given(other=facts_of(strategy), changed=names, absent=names, pd_ppm=st.integers(0, 160_000))
    def check(other: dict[str, Any], changed: set[str], absent: set[str], pd_ppm: int) -> None:
        # Most draws change a few facts of a sound case, so that not all end at the first knock-out.
        facts = sound | {key: value for key, value in other.items() if key in changed}
        facts = {key: value for key, value in facts.items() if key not in absent or len(absent) > 1}
        answer = Scored(600, pd_ppm, reasons=("X01", "X02"), contributions=(("a", 100, 100),))
        one, again = (run(facts, lambda _: answer) for run in (strategy.run, strategy.interpret))
        assert one == again
        if isinstance(one, Outcome):
            seen.add(one.outcome)
            assert encode(one.trace) == encode(again.trace)
            for output, value in one.outputs.items():
                kind = strategy.outputs[output]
                assert type(value) is not int or kind.lo <= value <= kind.hi

    check()
    # Without this the test could pass on knock-outs alone.
    assert len(seen) >= 2
    assert strategy.outcomes[0] in seen


@pytest.mark.parametrize("name", STRATEGIES)
def test_they_agree_at_every_cut_point_and_its_neighbours(name: str) -> None:
    strategy = STRATEGIES[name]
    sound = strategy.parse_facts(SOUND[name])
    points = sorted(cut_points(strategy))
    outcomes: set[str] = set()
    for key, item in strategy.inputs.items():
        lo, hi = item.minimum or 0, item.maximum or 0
        values: list[Any] = [*item.values, *([None] if item.nullable else [])]
        values += [True, False] if item.type == "boolean" else []
        if item.minimum is not None:
            values += sorted({lo, hi, *(point for point in points if lo <= point <= hi)})
        for value in values:
            answer = Scored(600, value if key == "pd_ppm" else 40_000)
            one, again = (
                run({**sound, key: value}, lambda _, answer=answer: answer)
                for run in (strategy.run, strategy.interpret)
            )
            assert one == again, (key, value)
            assert isinstance(one, Outcome)
            outcomes.add(one.outcome)
    assert outcomes == set(strategy.outcomes)


# ---- formulas against exact arithmetic


class Term(NamedTuple):
    """A formula's text, its exact value for given facts, and the scale that its type must have."""

    text: str
    value: Callable[[dict[str, int]], Fraction]
    scale: int


def rounded(value: Fraction, scale: int, mode: str = "round") -> Fraction:
    units = value * 10**scale
    whole = {"round": round, "floor": lambda u: u // 1, "ceiling": lambda u: -(-u // 1)}[mode](units)
    return Fraction(whole) / 10**scale


def leaf(name: str, scale: int) -> Term:
    return Term(name, lambda facts: Fraction(facts[name], 10**scale), scale)


def literal(units: int, scale: int) -> Term:
    text = f"{units // 10**scale}.{units % 10**scale:0{scale}}" if scale else str(units)
    return Term(text, lambda _: Fraction(units, 10**scale), scale)


LEAVES = st.one_of(
    st.sampled_from([leaf("a", 0), leaf("b", 0), leaf("d", 2)]),
    st.builds(literal, st.integers(0, 500), st.integers(0, 3)),
)


def sums(a: Term, b: Term, sign: str) -> Term:
    def value(facts: dict[str, int]) -> Fraction:
        return a.value(facts) + b.value(facts) if sign == "+" else a.value(facts) - b.value(facts)

    return Term(f"({a.text} {sign} {b.text})", value, max(a.scale, b.scale))


def products(a: Term, b: Term) -> Term:
    return Term(f"({a.text} * {b.text})", lambda f: a.value(f) * b.value(f), a.scale + b.scale)


def quotients(a: Term, b: Term, scale: int, mode: str) -> Term:
    def value(facts: dict[str, int]) -> Fraction:
        return rounded(a.value(facts) / (abs(b.value(facts)) + 1), scale, mode)

    return Term(f"{mode}({a.text} / (abs({b.text}) + 1), {scale})", value, scale)


def roundings(a: Term, scale: int, mode: str) -> Term:
    return Term(f"{mode}({a.text}, {scale})", lambda f: rounded(a.value(f), scale, mode), scale)


def choices(a: Term, b: Term, c: Term, operator: str) -> Term:
    compare = {"<": Fraction.__lt__, ">=": Fraction.__ge__, "=": Fraction.__eq__}[operator]

    def value(facts: dict[str, int]) -> Fraction:
        return a.value(facts) if compare(b.value(facts), c.value(facts)) else b.value(facts)

    return Term(
        f"(if {b.text} {operator} {c.text} then {a.text} else {b.text})", value, max(a.scale, b.scale)
    )


def extremes(a: Term, b: Term, name: str) -> Term:
    pick = {"min": min, "max": max}[name]
    return Term(f"{name}({a.text}, {b.text})", lambda f: pick(a.value(f), b.value(f)), max(a.scale, b.scale))


MODES = st.sampled_from(["round", "floor", "ceiling"])
TERMS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(sums, inner, inner, st.sampled_from("+-")),
        st.builds(products, inner, inner),
        st.builds(quotients, inner, inner, st.integers(0, 4), MODES),
        st.builds(roundings, inner, st.integers(0, 3), MODES),
        st.builds(choices, inner, inner, inner, st.sampled_from(["<", ">=", "="])),
        st.builds(extremes, inner, inner, st.sampled_from(["min", "max"])),
    ),
    max_leaves=8,
)
VALUES = st.fixed_dictionaries(
    {"a": st.integers(-1000, 1000), "b": st.integers(-1000, 1000), "d": st.integers(-100_000, 100_000)}
)


def compiled(text: str) -> Strategy | None:
    """A formula's strategy; None where, and only where, numbers are too large or have too many places."""
    try:
        return formula(text)
    except StrategyError as error:
        others = {problem.code for problem in error.problems} - {"overflow", "scale"}
    if others:
        raise AssertionError(f"{text} is refused as {others}")
    return None


def visit(node: Node, known: dict[str, Any]) -> Any:
    """A node's value; on the way, the claim that all that is computed lies within its bounds and 64 bits."""
    args = node.args
    if node.op is Op.IF:
        visit(args[1] if visit(args[0], known) else args[2], known)
    elif node.op in {Op.AND, Op.OR}:
        if bool(visit(args[0], known)) is (node.op is Op.AND):
            visit(args[1], known)
    elif node.op is Op.DEFAULT:
        if visit(args[0], known) is None:
            visit(args[1], known)
    else:
        for arg in args:
            visit(arg, known)
    value = evaluate(node, known)
    if node.type.kind is Kind.NUMBER and value is not None:
        assert -INT64 <= node.type.lo <= value <= node.type.hi <= INT64
    elif node.type.kind is Kind.BOOLEAN:
        assert node.type.lo <= value <= node.type.hi
    return value


@given(name=st.sampled_from(sorted(STRATEGIES)), data=st.data())
def test_every_number_on_the_way_lies_within_its_bounds(name: str, data: st.DataObject) -> None:
    strategy = STRATEGIES[name]
    changed = data.draw(st.sets(st.sampled_from(sorted(strategy.inputs)), max_size=4))
    other = data.draw(facts_of(strategy))
    known: dict[str, Any] = strategy.parse_facts(SOUND[name])
    known |= {key: value for key, value in other.items() if key in changed} | {
        "outcome": strategy.outcomes[0]
    }
    answer = Scored(600, data.draw(st.integers(0, 129_999)))
    found = strategy.run(known, lambda _: answer)
    assert isinstance(found, Outcome)
    known |= {"score": answer.points, "pd_ppm": answer.pd_ppm}
    ran = {entry[0]: entry for entry in found.trace}
    for part in strategy.program.statements:
        if part.step not in ran:
            break
        if isinstance(part, Rules):
            for rule in part.rules:
                visit(rule.when, known)
        elif isinstance(part, Formulas):
            for key, node, _ in part.items:
                known[key] = visit(node, known)
        elif isinstance(part, Table):
            known |= ran[part.step][2]
        elif isinstance(part, Card):
            known[part.name] = ran[part.step][1]


@given(term=TERMS, facts=st.lists(VALUES, min_size=1, max_size=6))
def test_a_formula_that_compiles_is_exact_within_its_bounds(term: Term, facts: list[dict[str, int]]) -> None:
    strategy = compiled(term.text)
    assume(strategy is not None)
    assert strategy is not None
    kind = strategy.outputs["x"]
    rest = {"n": None, "c": "red", "k": None, "t": True, "u": 0, "v": 0}
    for known in facts:
        found = strategy.run({**rest, **known})
        assert isinstance(found, Outcome)
        value = found.outputs["x"]
        assert isinstance(value, int)
        assert Fraction(value, 10**kind.scale) == term.value(known), term.text
        assert found == strategy.interpret({**rest, **known})
        (sums_step,) = strategy.program.statements
        assert isinstance(sums_step, Formulas)
        visit(sums_step.items[0][1], {**rest, **known})


@given(n=st.integers(0, 40), base=st.integers(1000, 1300), scale=st.integers(3, 6))
def test_a_power_stays_close_to_the_exact_one(n: int, base: int, scale: int) -> None:
    text = "(1 + round(a / 1000, 3)) ** min(b, 40)"
    strategy = POWERS.setdefault(scale, formula(text, scale, 0, 300))
    known = {"a": base - 1000, "b": n, "d": 0, "n": None, "c": "red", "k": None, "t": True, "u": 0, "v": 0}
    found, again = strategy.run(known), strategy.interpret(known)
    assert found == again
    assert isinstance(found, Outcome)
    exact = Fraction(base, 1000) ** n
    error = abs(Fraction(int(found.outputs["x"] or 0), 10**scale) - exact)
    # Each rounding is off by half a unit at most, and what follows multiplies it up.
    assert error <= exact * (2 * n + 1) / 10**scale


POWERS: dict[int, Strategy] = {}


# ---- whatever the files hold

SCRAPS = st.sampled_from(
    [
        "",
        " ",
        ",",
        '"',
        "\n",
        "\r",
        "[",
        "..",
        ")",
        "{",
        "}",
        ":",
        "- ",
        "null",
        "not(",
        "-",
        "0",
        "9" * 25,
        "é",
        "&a",
        "*a",
    ]
)


@given(
    edits=st.lists(
        st.tuples(st.sampled_from(sorted(FILES)), st.integers(0, 3000), st.integers(0, 6), SCRAPS),
        min_size=1,
        max_size=3,
    )
)
def test_a_damaged_strategy_is_refused_or_runs_and_never_breaks_anything_else(edits: list) -> None:
    files = dict(FILES)
    for name, position, length, scrap in edits:
        text = files[name]
        start = position % len(text) if text else 0
        files[name] = text[:start] + scrap + text[start + length :]
    try:
        strategy = make(files)
    except StrategyError as error:
        misplaced = [item for item in error.problems if item.place.file not in files or item.place.line < 1]
        if misplaced:
            raise AssertionError(misplaced) from error
        return
    facts = {name: value for name, value in FACTS.items() if name in strategy.inputs}
    try:
        typed = strategy.parse_facts(facts)
    except InvalidInput:
        return
    assert strategy.run(typed) == strategy.interpret(typed)
