"""The batch of a close: the open book gathered part by part, decided at once, and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from obligor.app.stages import reads_features
from obligor.decision import Batch, Spine
from obligor.events import BatchDecided, ClassChanged
from obligor.kernel import Fact
from obligor.loans import Loan
from obligor.strategy import Strategy, certify

__all__ = ["Gathered", "Part", "body_of", "certified", "watched"]

# A loan's five-tier class, IFRS 9 stage and whether it is non-performing.
Standing = tuple[str, int, bool]
UNCLASSED: Standing = ("normal", 1, False)


def watched(loan: Loan, day: date) -> bool:
    """Whether a loan is looked at in a day's close."""
    return loan.status == "open" and loan.disbursed_on <= day


def _class_of(loan: Loan) -> Standing:
    """How a loan is classed now."""
    now = loan.classification
    return (now.five_tier, now.ifrs9_stage, now.non_performing) if now else UNCLASSED


class Part:
    """Some loans of the book as the writer sees them at one moment."""

    def __init__(self, known: int, names: Sequence[str]) -> None:
        self.told: dict[str, Any] = {"known": known, "cases": [], "late": [], "classes": []}
        self.told["facts"] = {name: [] for name in names}

    def add(self, loan: Loan, facts: Mapping[str, Fact]) -> None:
        """Take in a loan with its facts."""
        self.told["cases"].append(loan.loan_id)
        self.told["late"].append(facts["days_past_due"])
        self.told["classes"].append(_class_of(loan))
        for name, values in self.told["facts"].items():
            if name in facts:
                values.append(facts[name])


class Gathered:
    """What the parts of a batch have told so far."""

    def __init__(self, as_of: date, listed_at: int, strategy: Strategy) -> None:
        self.as_of = as_of
        self.strategy = strategy
        self.known_at = [listed_at]
        self.cases: list[str] = []
        self.classes: list[Standing] = []
        self.late: list[int] = []
        self.facts: dict[str, list[Fact]] = {name: [] for name in strategy.inputs}

    def add(self, part: Mapping[str, Any] | None) -> None:
        """Take in a part; None says that it could not be looked at."""
        self.known_at.append(0 if part is None else part["known"])
        if part is not None:
            self.cases += part["cases"]
            self.late += part["late"]
            self.classes += [(tier, stage, bad) for tier, stage, bad in part["classes"]]
            for name, values in part["facts"].items():
                self.facts[name] += values

    def spine(self) -> Spine:
        """The cases with the facts that were there for each of them."""
        count = len(self.cases)
        known = {name: values for name, values in self.facts.items() if len(values) == count}
        return Spine(self.as_of, self.cases, known)

    def changed(self, batch: Batch) -> list[ClassChanged]:
        """What is to be said of the loans that are classed otherwise than before."""
        strategy, results = self.strategy, batch.results
        found = zip(results["five_tier"], results["ifrs9_stage"], results["non_performing"], strict=True)
        return [
            ClassChanged(
                loan_id=case,
                on=self.as_of,
                days_past_due=late,
                five_tier=tier,
                ifrs9_stage=stage,
                non_performing=bad,
                strategy=f"{strategy.name} {strategy.version}",
                strategy_sha256=strategy.sha256,
            )
            for case, late, was, (tier, stage, bad) in zip(
                self.cases, self.late, self.classes, found, strict=True
            )
            if was != (tier, stage, bad)
        ]


_CERTIFIED: set[str] = set()


def certified(compiled: Strategy) -> None:
    """See that a strategy's two functions agree on this machine; once while the process lives.

    Raises:
        InvariantBroken: they do not.
    """
    if compiled.sha256 not in _CERTIFIED:
        certify(compiled).require()
        _CERTIFIED.add(compiled.sha256)


def body_of(
    gathered: Gathered, batch: Batch, *, batch_id: str, part_rows: int, changed: int, catalogue: str
) -> BatchDecided:
    """The record of a batch."""
    strategy = gathered.strategy
    return BatchDecided(
        batch_id=batch_id,
        stage=strategy.stage,
        as_of=gathered.as_of,
        strategy=f"{strategy.name} {strategy.version}",
        strategy_sha256=strategy.sha256,
        catalogue_sha256=catalogue if reads_features(strategy) else None,
        rows=len(gathered.cases),
        part_rows=part_rows,
        known_at=tuple(gathered.known_at),
        spine_sha256=batch.spine_sha256,
        inputs_sha256=batch.inputs_sha256,
        result_sha256=batch.result_sha256,
        outcomes=dict(batch.outcomes),
        changed=changed,
    )
