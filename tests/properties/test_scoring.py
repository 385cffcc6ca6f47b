"""Bins are the best there are, scores add up, and measures agree with their definitions."""

from itertools import combinations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from obligor.kernel import Conflict, InvalidInput
from obligor.scoring import Binning, Boosting, auc, auc_error, ks, monotone, train, train_boosted
from obligor.scoring.binning import merge, prebins
from obligor.scoring.fit_layout import fit_layout
from obligor.scoring.woe import Counts
from tests.scoring.samples import CHARACTERISTICS, applicants, characteristic, facts, model, paired

CASES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=9)
OUTCOMES = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=2, max_size=60).filter(
    lambda rows: len({bad for bad, _ in rows}) == 2
)


def worth_of(counts: Counts, starts: tuple[int, ...], binning: Binning) -> float:
    goods, bads = counts.goods.sum(), counts.bads.sum()
    total = 0.0
    for start, end in zip(starts, (*starts[1:], len(counts.goods)), strict=True):
        g = max(counts.goods[start:end].sum(), 0.5) / goods
        b = max(counts.bads[start:end].sum(), 0.5) / bads
        total += (g - b) * np.log(g / b) - binning.worth * (1 / goods + 1 / bads)
    return float(total)


def may_be(counts: Counts, starts: tuple[int, ...], binning: Binning, risk: str) -> bool:
    rates = []
    for start, end in zip(starts, (*starts[1:], len(counts.goods)), strict=True):
        goods, bads = int(counts.goods[start:end].sum()), int(counts.bads[start:end].sum())
        least = binning.least_share * counts.rows.sum()
        if min(goods, bads) < binning.least_cases or goods + bads < least:
            return False
        rates.append(bads / (goods + bads))
    rising, falling = rates == sorted(rates), rates == sorted(rates, reverse=True)
    return {"free": True, "rising": rising, "falling": falling, "monotone": rising or falling}[risk]


@given(
    cases=CASES,
    risk=st.sampled_from(["monotone", "rising", "falling", "free"]),
    share=st.sampled_from([0.0, 0.1, 0.3]),
    least=st.integers(1, 4),
    worth=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_no_partition_is_better_than_the_one_that_is_found(cases, risk, share, least, worth):
    counts = Counts(np.array([g for g, _ in cases]), np.array([b for _, b in cases]))
    binning = Binning(least_share=share, least_cases=least, worth=worth, most_bins=50)
    found = merge(counts, risk, binning, int(counts.rows.sum()))
    if not counts.goods.any() or not counts.bads.any():
        assert found == (0,)
        return
    every = [(0, *cuts) for size in range(len(cases)) for cuts in combinations(range(1, len(cases)), size)]
    possible = [starts for starts in every if may_be(counts, starts, binning, risk)]
    if possible:
        assert found in possible
        best = max(worth_of(counts, starts, binning) for starts in possible)
        assert abs(worth_of(counts, found, binning) - best) < 1e-9
    else:
        assert found == (0,)


@given(values=st.lists(st.integers(-50, 50), min_size=1, max_size=200), most=st.integers(2, 30))
def test_prebins_hold_every_value_and_are_of_about_equal_size(values, most):
    array = np.array(values, np.int64)
    lowest = prebins(array, most)
    assert len(lowest) <= most
    assert lowest[0] == array.min()
    assert sorted(set(lowest.tolist())) == lowest.tolist()
    assert set(lowest.tolist()) <= set(values)


@given(most=st.integers(1, 8))
def test_there_are_never_more_bins_than_allowed(most):
    frame = applicants()
    fitted = fit_layout(
        characteristic("income"), frame["income"], frame["bad"].to_numpy(), Binning(most_bins=most, worth=0.0)
    )
    assert fitted.layout.plain <= most


NUMBERS = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.integers(-3, 20_000))
FACTS = st.fixed_dictionaries(
    {
        "income": NUMBERS,
        "usage": NUMBERS,
        "arrears": st.one_of(NUMBERS, st.sampled_from([-2, -1])),
        "housing": st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["own", "rent", "barge"])),
        "employed": st.one_of(st.none(), st.booleans()),
        "channel": st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["app", "branch"])),
    }
)


FACTS_WITH_NOISE = FACTS.map(lambda row: row | {"noise": 1})


@given(rows=st.lists(FACTS_WITH_NOISE, min_size=1, max_size=20), with_pairs=st.booleans())
def test_every_applicant_has_a_score_that_adds_up_in_row_and_frame_alike(rows, with_pairs):
    scorer = paired() if with_pairs else model()
    columns = {
        "income": pl.Int64,
        "usage": pl.Int64,
        "arrears": pl.Int64,
        "housing": pl.String,
        "employed": pl.Boolean,
        "channel": pl.String,
        "noise": pl.Int64,
    }
    frame = scorer.columns(pl.DataFrame(rows, schema=columns))
    declared = {c.name: n for n, c in enumerate(scorer.characteristics)}
    for row, scored in zip(rows, frame.to_dicts(), strict=True):
        score = scorer.score(row)
        assert score.points == score.base + sum(c.points for c in score.contributions)
        assert scorer.lowest <= score.points <= scorer.highest
        assert (score.points, score.pd_ppm, list(score.reasons)) == (
            scored["score"],
            scored["pd_ppm"],
            scored["reasons"],
        )
        lost = sorted((c.points - c.most, declared[c.name]) for c in score.contributions)
        codes = [c.reason.code for c in scorer.characteristics]
        assert list(score.reasons) == [codes[number] for points, number in lost[:4] if points < 0]


@given(row=FACTS_WITH_NOISE, other=FACTS_WITH_NOISE)
def test_no_other_value_of_one_characteristic_gives_more_than_its_most(row, other):
    """What a characteristic lost is what its best value would give more, all others being what they are."""
    score = paired().score(row)
    for given_by in score.contributions:
        changed = paired().score(row | {given_by.name: other[given_by.name]})
        assert changed.points - score.points <= given_by.most - given_by.points


@given(row=FACTS_WITH_NOISE, low=st.integers(0, 30_000), more=st.integers(0, 30_000))
def test_more_income_never_costs_points_whatever_else_the_applicant_is(row, low, more):
    poorer, richer = (paired().score(row | {"income": income}).points for income in (low, low + more))
    assert richer >= poorer


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), pairs=st.sampled_from([0, 2]))
def test_any_small_frame_boosts_or_is_refused_and_never_breaks(seed, pairs):
    r = np.random.default_rng(seed)
    frame = applicants(200, seed=4).sample(int(r.integers(2, 150)), seed=seed, with_replacement=True)
    frame = frame.with_columns(usage=pl.lit(int(r.integers(0, 3))), arrears=pl.lit(-1))
    boosting = Boosting(rounds=5, learning_rate=0.5, least_rows=3, ridge=0.0)
    try:
        trained = train_boosted(frame, "bad", CHARACTERISTICS, pairs=pairs, boosting=boosting)
    except (InvalidInput, Conflict):
        return
    assert trained.score_frame(frame)["score"].is_between(trained.lowest, trained.highest).all()
    assert all(one.holds for one in monotone(trained.artifact))


@given(low=st.integers(0, 30_000), more=st.integers(0, 30_000))
def test_more_income_never_costs_points(low, more):
    assert model().score(facts(income=low + more)).points >= model().score(facts(income=low)).points


@settings(max_examples=100)
@given(seed=st.integers(0, 10**6))
def test_any_small_frame_trains_or_is_refused_and_never_breaks(seed):
    """Few rows, columns with one value, all missing, or all special."""
    r = np.random.default_rng(seed)
    rows = int(r.integers(2, 150))
    frame = applicants(200, seed=4).sample(rows, seed=seed, with_replacement=True)
    frame = frame.with_columns(usage=pl.lit(int(r.integers(0, 3))), arrears=pl.lit(-1))
    try:
        trained = train(frame, "bad", CHARACTERISTICS, least_information=0.0)
    except InvalidInput:
        return
    scored = trained.score_frame(frame)
    assert scored["score"].is_between(trained.lowest, trained.highest).all()


@given(rows=OUTCOMES)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(rows):
    bads = [score for bad, score in rows if bad]
    goods = [score for bad, score in rows if not bad]
    twice = sum(2 * (g > b) + (g == b) for g in goods for b in bads)
    outcome, scores = [bad for bad, _ in rows], [score for _, score in rows]
    assert auc(outcome, scores) == twice / (2 * len(goods) * len(bads))
    steps = [
        abs(sum(b <= t for b in bads) / len(bads) - sum(g <= t for g in goods) / len(goods))
        for t in range(-4, 5)
    ]
    assert abs(ks(outcome, scores) - max(steps)) < 1e-12
    if min(len(goods), len(bads)) > 1:
        assert 0 <= auc_error(outcome, scores) <= 1
