"""Small strategies for tests, made of texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from obligor.strategy import Need, Outcome, Problem, Strategy, StrategyError

MAIN = """\
strategy: sample
version: "1"
stage: prelend
outcomes: [approve, refer, decline]
parameters:
  floor_score: {value: 500}
inputs:
  age: {type: integer, source: application, min: 0, max: 120}
  income: {type: integer, unit: minor, source: application, min: 0, max: 100000000}
  ratio: {type: decimal, scale: 2, source: feature, min: 0, max: 10}
  work: {type: category, source: application, values: [salaried, own, none]}
  joined: {type: date, source: application, min: 2000-01-01, max: 2100-12-31}
  member: {type: boolean, source: application}
  bureau: {type: integer, source: "source:bureau", nullable: true, min: 300, max: 850}
steps:
  - step: knockout
    outcome: decline
    stop: true
    rules:
      - {code: K01, when: age < 18}
      - {code: K02, when: income < 100000}
  - step: bands
    table: bands.csv
    hit: unique
    gives:
      band: {type: category, values: [low, high]}
      rate_bp: {type: integer}
  - step: limits
    grid: limits.csv
    down: work
    across: income
    gives:
      limit: {type: integer}
  - step: points
    scorecard: points.csv
    base: 100
    gives: points
  - step: sums
    formulas:
      share: {formula: limit / income, scale: 4}
      tenure: joined - date("2000-01-01")
  - step: refer
    outcome: refer
    rules:
      - {code: R01, when: known(bureau) and bureau < floor_score}
      - {code: R02, when: share > 2 and not member and ratio > 0.5 and tenure > 100 and points < 115}
outputs:
  limit: {formula: limit, outcomes: [approve, refer]}
  rate_bp: {formula: rate_bp, outcomes: [approve, refer]}
  band: {formula: band, outcomes: [approve, refer]}
  share: {formula: share, outcomes: [approve, refer]}
  joined: {formula: joined, outcomes: [approve, refer]}
"""
BANDS = """\
bureau,ratio,band,rate_bp
null,-,low,2000
< 600,-,low,1800
>= 600,< 1,high,1200
>= 600,[1..2),high,1300
>= 600,>= 2,low,1500
"""
LIMITS = """\
work,< 500000,>= 500000
salaried,100000,900000
own,90000,800000
none,0,10000
"""
POINTS = """\
characteristic,bin,points
age,< 30,10
age,>= 30,20
member,true,5
member,false,0
"""
FILES = {"strategy.yaml": MAIN, "bands.csv": BANDS, "limits.csv": LIMITS, "points.csv": POINTS}
FACTS: dict[str, Any] = {
    "age": 40,
    "income": 600_000,
    "ratio": "1.50",
    "work": "own",
    "joined": "2020-02-29",
    "member": False,
    "bureau": 700,
}


def make(files: Mapping[str, str] = FILES) -> Strategy:
    """A strategy from texts."""
    return Strategy({name: text.encode() for name, text in files.items()})


def swapped(*changes: tuple[str, str, str]) -> dict[str, str]:
    """The sample's files with texts replaced: (file, old, new)."""
    files = dict(FILES)
    for name, old, new in changes:
        assert old in files[name], f"{old!r} is not in {name}"
        files[name] = files[name].replace(old, new)
    return files


def problems(files: Mapping[str, str]) -> tuple[Problem, ...]:
    """What is wrong with a strategy."""
    try:
        make(files)
    except StrategyError as error:
        return error.problems
    return ()


LEAN = """\
strategy: lean
version: "1"
stage: prelend
outcomes: [yes, no]
inputs:
  a: {{type: integer, source: application, min: {least}, max: {most}}}
  b: {{type: integer, source: application, min: {least}, max: {most}}}
  d: {{type: decimal, scale: 2, source: application, min: -1000, max: 1000}}
  n: {{type: integer, source: application, nullable: true, min: -1000, max: 1000}}
  c: {{type: category, source: application, values: [red, green, blue]}}
  k: {{type: category, source: application, nullable: true, values: [red, green, blue]}}
  t: {{type: boolean, source: application}}
  u: {{type: date, source: application, min: 2000-01-01, max: 2040-12-31}}
  v: {{type: date, source: application, min: 2000-01-01, max: 2040-12-31}}
steps:
  - step: sums
    formulas:
      x:
        formula: |-
          {formula}
{scale}
outputs:
  x: {{formula: x}}
"""


def formula(text: str, scale: int | None = None, least: int = -1000, most: int = 1000) -> Strategy:
    """A strategy that computes one formula over a, b (integers), d (scale 2), n, k (nullable), c, t, u, v."""
    given = "" if scale is None else f"        scale: {scale}"
    text = text.replace("\n", "\n          ")
    return make({"strategy.yaml": LEAN.format(formula=text, scale=given, least=least, most=most)})


def value(text: str, scale: int | None = None, least: int = -1000, most: int = 1000, **facts: Any) -> Any:
    """What a formula gives for written facts, by both implementations."""
    strategy = formula(text, scale, least, most)
    defaults: dict[str, Any] = {"a": 0, "b": 0, "d": 0, "n": None, "c": "red", "k": None, "t": False}
    typed = strategy.parse_facts({**defaults, "u": "2020-01-01", "v": "2020-01-01", **facts})
    outcome, again = strategy.run(typed), strategy.interpret(typed)
    assert isinstance(outcome, Outcome)
    assert outcome == again
    return strategy.render_outputs(outcome.outputs)["x"]


def refused(text: str, scale: int | None = None, least: int = -1000, most: int = 1000) -> str:
    """The code of the one problem that a formula has."""
    with pytest.raises(StrategyError) as caught:
        formula(text, scale, least, most)
    (problem,) = caught.value.problems
    return problem.code


@dataclass(frozen=True)
class Scored:
    """A model's answer."""

    points: int
    pd_ppm: int = 20_000
    base: int = 500
    contributions: tuple[tuple[str, int, int], ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass
class Model:
    """A model that always answers the same, and remembers what it was asked."""

    answer: Scored
    reads: tuple[str, ...] = ()
    sha256: str = "5" * 64
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def characteristics(self) -> list[Any]:
        return [type("Characteristic", (), {"name": name}) for name in self.reads]

    def score(self, facts: Mapping[str, Any], /) -> Scored:
        self.asked.append(facts)
        return self.answer


def counting(answer: Scored) -> tuple[Callable[[Mapping[str, Any]], Scored | Need], list[int]]:
    """A model's callable, and the list that grows by one each time it is asked."""
    calls: list[int] = []

    def ask(_: Mapping[str, Any]) -> Scored | Need:
        calls.append(1)
        return answer

    return ask, calls
