"""The sample from before the lender went live: its columns, its outcomes, and what can be learnt from it."""

from datetime import date

import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from obligor.kernel import InvalidInput, add_months
from obligor.scoring import auc
from obligor.world import Settings, World
from obligor.world import people as population
from obligor.world.asking import Standing, ask
from obligor.world.history import SCHEMA, terms_of
from obligor.world.lives import default_probability
from obligor.world.luck import Purpose, stream
from tests.world.lender import Lender

START = date(2025, 1, 1)
COUNT = 5000


@pytest.fixture(scope="module")
def sample() -> pl.DataFrame:
    return World(3, 10, START).history(COUNT)


def test_the_columns_are_the_facts_of_the_contract_with_their_types(sample: pl.DataFrame) -> None:
    assert dict(sample.schema) == SCHEMA
    facts = set(SCHEMA) - {"reference", "simulated", "applied_on", "outcome_known_on", "worst_dpd_12m", "bad"}
    assert facts == {
        *("income_month_minor", "employment", "months_employed", "housing", "rent_month_minor"),
        *(
            "debt_month_minor",
            "age_years",
            "dependents",
            "requested_minor",
            "term_months",
            "product",
            "channel",
        ),
        *("purpose", "bureau_score", "bureau_inquiries_6m", "bureau_worst_dpd_24m", "bureau_open_loans"),
        *("repaid_90d_minor", "repayments_365d", "days_since_repayment", "inflow_90d_minor"),
        *("outflow_30d_minor", "applications_30d", "devices_90d", "gambling_90d_minor"),
    }


def test_only_what_may_be_missing_is_missing(sample: pl.DataFrame) -> None:
    missing = {name for name, count in sample.null_count().row(0, named=True).items() if count}
    assert missing == {"months_employed", "bureau_score", "days_since_repayment"}


def test_it_is_labelled_simulated_and_names_nobody_of_the_live_world(sample: pl.DataFrame) -> None:
    assert sample["simulated"].all()
    assert sample["reference"].str.starts_with("sim-past-").all()
    assert sample["reference"].n_unique() == COUNT


def test_every_outcome_was_knowable_before_the_first_day(sample: pl.DataFrame) -> None:
    assert sample["applied_on"].is_sorted()
    assert sample["applied_on"].min() >= add_months(START, -36)
    assert sample["outcome_known_on"].max() < START
    assert (sample["bad"] == (sample["worst_dpd_12m"] > 90)).all()


def test_equal_seeds_give_equal_samples_whatever_was_played() -> None:
    world = World(3, 10, START)
    Lender(world).play(10)
    again = world.history(300)
    assert again.equals(World(3, 10, START).history(300))
    assert not again.equals(World(4, 10, START).history(300))


def test_the_bad_rate_is_that_of_a_lender_who_granted_everything(sample: pl.DataFrame) -> None:
    assert 0.045 < sample["bad"].mean() < 0.08


def test_a_lender_can_learn_from_it_less_than_an_oracle_knows(sample: pl.DataFrame) -> None:
    frame = sample.with_columns(
        pl.col("bureau_score").fill_null(640),
        pl.col("months_employed").fill_null(0).log1p(),
        (pl.col("debt_month_minor") / pl.col("income_month_minor")).alias("debt_share"),
        (pl.col("requested_minor") / pl.col("income_month_minor")).alias("loan_share"),
    ).select(
        *("bureau_score", "months_employed", "debt_share", "loan_share", "bureau_inquiries_6m", "age_years"),
        *("bureau_worst_dpd_24m", "bureau_open_loans", "term_months", "bad"),
    )
    facts, bad = frame.drop("bad").to_numpy().astype(float), frame["bad"].to_numpy()
    half = COUNT // 2
    card = make_pipeline(StandardScaler(), LogisticRegression()).fit(facts[:half], bad[:half])
    learnt = auc(bad[half:].tolist(), (-card.decision_function(facts[half:])).tolist())
    oracle = auc(bad.tolist(), [-pd for pd in oracle_probabilities(sample["applied_on"].to_list())])
    assert 0.72 <= oracle <= 0.80
    assert 0.64 <= learnt < oracle


def oracle_probabilities(days: list[date]) -> list[float]:
    """The true probabilities behind the sample, made again from its own streams."""
    begin = add_months(START, -36)
    settings = Settings(ring=0.0)
    crowd = population.draw(3, COUNT, begin, settings, Purpose.PAST_PEOPLE)
    found = []
    for person, day in zip(crowd, days, strict=True):
        asked = ask(person, day, begin, stream(3, Purpose.PAST_ASKING, person.number), Standing())
        terms = terms_of(asked.product, asked.term_months, day)
        found.append(default_probability(asked.index, terms, begin, settings))
    return found


def test_live_applicants_look_like_the_sample(sample: pl.DataFrame, played: Lender) -> None:
    """First applicants only: those who come again have a past that the sample gives to few."""
    first: dict[str, dict[str, int]] = {}
    for application in played.applications.values():
        if "bureau" in application:
            first.setdefault(application["person_id"], {**application["fields"], **application["bureau"]})
    live = pl.DataFrame(list(first.values()), infer_schema_length=None)
    for name in ("income_month_minor", "age_years", "bureau_score", "bureau_open_loans", "debt_month_minor"):
        spread = sample[name].std()
        assert abs(live[name].mean() - sample[name].mean()) < 0.25 * spread, name


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_a_sample_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(InvalidInput):
        World(3, 10, START).history(count)
