"""The world measured against a credible book: each row a value, what is accepted, and its source.

Three things are looked at: the rates themselves over many lives, before any lender (`lives`); the book that a
plain lender gets from the world (`plain`); and the truth that the world keeps of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from statistics import fmean
from typing import Any, Final

import msgspec
import numpy as np

from obligor.kernel import InvalidInput
from obligor.scoring import auc
from obligor.world.behaviour import stage
from obligor.world.history import terms_of
from obligor.world.lives import Lives, default_probability, lives
from obligor.world.luck import Purpose, stream
from obligor.world.plain import PlainLender, Snapshot
from obligor.world.repaying import recovery
from obligor.world.settings import Settings
from obligor.world.state import REFERENCE
from obligor.world.world import World

__all__ = ["Row", "calibrate"]

LIVES: Final = 120_000
TERM: Final = 36
RATE: Final = 0.125
BURN_IN_MONTHS: Final = 12
AHEAD_MONTHS: Final = 8
LENDING_CLUB = "Lending Club policy loans 2007-2011, 36 months"
RECALLED = "recalled, common in consumer books"
JUDGED = "judgement, a starting point to vary"
DIGITAL = "stock of a digital lender; half to one and a half times it"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: `value` is to lie in [`low`, `high`]; `count` is what it was measured on."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    count: int

    @property
    def ok(self) -> bool:
        """Whether the value is accepted."""
        return self.low <= self.value <= self.high


def calibrate(seed: int, people: int, months: int, start: date, settings: Settings) -> list[Row]:
    """Measure a world of so many people over so many months.

    Raises:
        InvalidInput: too few months, or people, for every row to be measured.
    """
    if months <= BURN_IN_MONTHS:
        accepted = f"more than {BURN_IN_MONTHS} months: a book has to age before it is measured"
        raise InvalidInput.field("months", months, accepted)
    world = World(seed, people, start, settings)
    lender = PlainLender(world).play(months)
    truth = world.truth()
    rows = list(_rates(world, lender, start, settings))
    rows += _book(lender)
    rows += _ranking(world, lender, truth, start, settings)
    rows += _people(lender, truth)
    rows += _misuse(truth)
    return rows


def _rates(world: World, lender: PlainLender, start: date, settings: Settings) -> Iterator[Row]:
    """What a year and three do to loans of 36 months, with the risk of those whom the plain lender takes."""
    taken = [
        p.index for p in world.petitions if _reference(p.number) in lender.approved and p.asked_months == TERM
    ]
    if not taken:
        accepted = f"more people: nobody was lent to for {TERM} months"
        raise InvalidInput.field("people", len(world.petitions), accepted)
    rng = stream(world.seed, Purpose.CHECKING)
    all_of = lives(rng.choice(np.array(taken), LIVES), TERM, start, settings, rng)
    bad = all_of.defaulted
    row = _maker(LENDING_CLUB, LIVES)
    for month, low, high in ((6, 0.5, 0.9), (12, 2.7, 3.4), (24, 7.2, 7.8)):
        yield row(f"90+ by month {month}", _percent((bad > 0) & (bad <= month)), low, high)
    yield row("90+ ultimately", _percent(bad > 0), 9.9, 12.3)
    yield row("never paid", _percent((bad > 0) & (all_of.lines == 0)), 0.10, 0.28)
    yield row("at most 3 instalments paid", _percent((bad > 0) & (all_of.lines <= 3)), 0.7, 1.1)
    for month, low, high in ((12, 1.1, 1.5), (24, 2.0, 2.6)):
        yield row(f"prepaid in month {month}", 100 * _prepaid(all_of, month), low, high)
    yield row("balance at default of the funded", 100 * _left(all_of.lines[bad > 0]), 56.0, 66.0)
    claims = [recovery(world.seed, number, 0)[0] for number in range(5_000)]
    yield row("gross recovery", 100 * fmean(claims), 7.5, 10.0)
    missed = all_of.missed / np.maximum(1.0, all_of.faced)
    quiet = np.delete(missed, [0, 1, 9]).mean()
    yield _maker(RECALLED, LIVES)(
        "arrears after holidays, above the rest", 100 * (missed[[1, 9]].mean() / quiet - 1.0), 5.0, 22.0
    )


def _book(lender: PlainLender) -> Iterator[Row]:
    """The stock by bucket and the monthly rolls, once the book is a year old."""
    old = lender.snapshots[BURN_IN_MONTHS:]
    stock = Counter(bucket for snapshot in old for bucket in snapshot.buckets.values())
    total = max(1, sum(stock.values()))
    row = _maker(DIGITAL, total)
    for bucket, name, told in ((1, "1-30", 2.4), (2, "31-60", 1.9), (3, "61-90", 1.7), (4, "90+", 1.6)):
        yield row(f"stock {name} days", 100 * stock[bucket] / total, 0.5 * told, 1.5 * told)
    moves = _moves(lender.snapshots)
    for bucket, low, high in ((0, 2.0, 4.0), (1, 25.0, 40.0), (2, 55.0, 70.0), (3, 75.0, 85.0)):
        count = sum(moves[bucket].values())
        rolled = 100 * moves[bucket][bucket + 1] / max(1, count)
        yield _maker(RECALLED, count)(f"monthly roll {bucket} to {bucket + 1}", rolled, low, high)
    late = sum(moves[4].values())
    # 5 to 10 % a year, and what a few hundred loans in arrears add to it by chance.
    cured = moves[4][0] + moves[4][1] + moves[4][-1]
    yield _maker(RECALLED, late)("cure of 90+, a year", 100 * 12 * cured / max(1, late), 2.0, 14.0)


def _ranking(
    world: World, lender: PlainLender, truth: Mapping[str, Any], start: date, settings: Settings
) -> Iterator[Row]:
    """How well an oracle ranks applications, and open loans at a month's end: more would be a toy."""
    honest = [a for a in truth["applications"] if not a["fraud"]]
    bad = [a["would_have_been"]["bad_12m"] for a in honest]
    found = auc(bad, [-a["pd_12m_ppm"] for a in honest]) if 0 < sum(bad) < len(bad) else 0.0
    yield _maker(RECALLED, sum(bad), "")("oracle's AUC on applications", found, 0.72, 0.80)
    labels, scores = _month_ends(world, lender, start, settings)
    found = auc(labels, scores) if 0 < sum(labels) < len(labels) else 0.0
    yield _maker(RECALLED, sum(labels), "")("oracle's AUC on behaviour, 8 months ahead", found, 0.85, 0.90)


def _people(lender: PlainLender, truth: Mapping[str, Any]) -> Iterator[Row]:
    """Who comes when, for what, and who means ill."""
    count = len(lender.applied)
    by_month = Counter(day.month for day, _ in lender.applied.values())
    row = _maker(JUDGED, count)
    yield row("approved", 100 * len(lender.approved) / max(1, count), 40.0, 90.0)
    months = Counter(snapshot.day.month for snapshot in lender.snapshots)
    a_month = count / len(lender.snapshots)
    february = by_month[2] / max(1, months[2]) * 30.44 / 28.25 / a_month
    yield row("applications a day in February, of the year's", 100 * february, 60.0, 92.0)
    kinds = Counter(product for _, product in lender.applied.values())
    for product, low, high in (
        ("instalment", 50, 90),
        ("line", 5, 25),
        ("business", 3, 15),
        ("bullet", 5, 20),
    ):
        yield row(f"applications for {product}", 100 * kinds[product] / max(1, count), low, high)
    ring = {person["reference"] for person in truth["persons"] if person["ring"] is not None}
    loans = truth["loans"]
    fraud = sum(loan["person"] in ring for loan in loans)
    yield _maker(RECALLED, len(loans))("fraud of bookings", 100 * fraud / max(1, len(loans)), 0.1, 0.5)
    reversed_share = lender.kinds["transfer.reversed"] / max(1, lender.kinds["transfer.posted"])
    yield _maker(JUDGED, lender.kinds["transfer.posted"])(
        "transfers taken back", 100 * reversed_share, 0.03, 1.0
    )


def _misuse(truth: Mapping[str, Any]) -> Iterator[Row]:
    misuse = [trail for trail in truth["misuse"] if trail["moved_minor"]]
    summary, places = truth["summary"], truth["counterparties"]
    row = _maker(JUDGED, len(misuse))

    def share(holds: Callable[[Mapping[str, Any]], bool]) -> float:
        return 100 * sum(map(holds, misuse)) / max(1, len(misuse))

    borrowers = max(1, summary["borrowers"])
    yield row("misusers of borrowers", 100 * summary["misusers"] / borrowers, 2.0, 8.0)
    yield row("misuse seen at its first hop", share(lambda t: t["first_hop_seen"]), 50.0, 70.0)
    yield row("misuse seen at its sink", share(lambda t: t["visible_minor"] > 0), 17.0, 33.0)
    yield row("misuse of two hops or more", share(lambda t: t["hops"] > 1), 50.0, 80.0)
    blank = 100 * sum(place["label"] is None for place in places) / len(places)
    yield _maker(JUDGED, len(places))("counterparties without a label", blank, 29.0, 31.0)


def _maker(source: str, count: int, unit: str = "%") -> Callable[[str, float, float, float], Row]:
    def make(name: str, value: float, low: float, high: float) -> Row:
        return Row(
            name=name,
            value=round(float(value), 4),
            low=round(low, 4),
            high=round(high, 4),
            unit=unit,
            source=source,
            count=count,
        )

    return make


def _percent(hit: np.ndarray) -> float:
    return 100.0 * float(np.mean(hit))


def _prepaid(all_of: Lives, month: int) -> float:
    """The share of those still there who repay everything in a month."""
    ended = np.where(all_of.defaulted > 0, all_of.defaulted, all_of.prepaid)
    there = (ended == 0) | (ended >= month)
    return float(np.mean(all_of.prepaid[there] == month))


def _left(lines: np.ndarray) -> float:
    """The mean share of the principal that is left after so many level instalments of 36."""
    growth = (1.0 + RATE / 12.0) ** -(TERM - lines.astype(float))
    return float(np.mean((1.0 - growth) / (1.0 - (1.0 + RATE / 12.0) ** -TERM)))


def _moves(snapshots: Sequence[Snapshot]) -> dict[int, Counter[int]]:
    """Month-end buckets and where they were a month later; -1 has left the book."""
    moves: dict[int, Counter[int]] = {bucket: Counter() for bucket in range(5)}
    for before, after in pairwise(snapshots):
        for loan_id, bucket in before.buckets.items():
            then = after.buckets.get(loan_id, -1 if loan_id not in after.written_off else 5)
            moves[bucket][then] += 1
    return moves


def _month_ends(
    world: World, lender: PlainLender, start: date, settings: Settings
) -> tuple[list[bool], list[float]]:
    """Open loans at month ends: whether they came to 90+ within eight months, and the true chance of it."""
    labels, scores = [], []
    indices = {_reference(p.number): p.index for p in world.petitions}
    products = {reference: product for reference, (_, product) in lender.applied.items()}
    for place in range(3, len(lender.snapshots) - AHEAD_MONTHS, 2):
        later = lender.snapshots[place + 1 : place + 1 + AHEAD_MONTHS]
        at = lender.snapshots[place]
        for loan_id, bucket in at.buckets.items():
            if bucket == 4:
                continue
            loan = lender.loans[loan_id]
            labels.append(any(one.buckets.get(loan_id) == 4 for one in later))
            terms = terms_of(products[loan.reference], len(loan.due_on), loan.disbursed_on)
            oldest = loan.due_on[min(at.unpaid[loan_id], len(loan.due_on) - 1)]
            paid = sum(due <= at.day for due in loan.due_on)
            behind = stage(oldest, at.day) if bucket else 0
            index = indices[loan.reference]
            chance = default_probability(
                index, terms, start, settings, months=AHEAD_MONTHS, paid=paid, behind=behind
            )
            scores.append(-chance)
    return labels, scores


def _reference(number: int) -> str:
    return f"{REFERENCE}{number:07d}"
