"""A real book: trained on what was knowable at the end of 2010, measured on the loans of 2011."""

import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from obligor.scoring import Characteristic, PointsModel, Reason, auc, auc_error, calibration, train

KNOWN_ON = date(2010, 12, 31)
# The lender's own judgement, and what follows from it, is left out.
JUDGEMENT = {"grade", "sub_grade", "int_rate", "installment"}


def number(name: str, **more) -> Characteristic:
    return Characteristic(name=name, kind=more.pop("kind", "int"), reason=reason(name), **more)


def reason(name: str) -> Reason:
    return Reason(code=name.upper(), en=name.replace("_", " "), zh=name)


CHARACTERISTICS = (
    number("loan_amnt"),
    number("annual_inc", risk="falling"),
    number("dti", kind="decimal", scale=2, risk="rising"),
    number("revol_util", kind="decimal", scale=3, risk="rising"),
    number("credit_age_months", risk="falling"),
    number("inq_last_6mths", risk="rising"),
    number("delinq_2yrs", risk="rising"),
    # 0 stands for "never": typed as a code, it is not the most recent month.
    number("mths_since_last_delinq", specials=(0,), risk="falling"),
    number("mths_since_last_record", specials=(0,), risk="falling"),
    number("pub_rec", risk="rising"),
    number("open_acc"),
    number("total_acc"),
    number("revol_bal"),
    number("loan_to_income", kind="decimal", scale=3, risk="rising"),
    number("revolving_to_income", kind="decimal", scale=3, risk="rising"),
    number("emp_length", kind="category"),
    number("home_ownership", kind="category"),
    number("purpose", kind="category"),
)


def months(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    return (
        (end.dt.year() - start.dt.year()) * 12
        + end.dt.month().cast(pl.Int32)
        - start.dt.month().cast(pl.Int32)
    )


def scaled(column: pl.Expr, scale: int) -> pl.Expr:
    return (column * 10**scale).round(0).cast(pl.Int64)


@pytest.fixture(scope="module")
def book(shared: Path) -> pl.DataFrame:
    path = shared / "data" / "lendingclub" / "loans_2007_2011.parquet"
    if not path.is_file():
        pytest.skip("needs Lending Club's loans in ../shared/data")
    issued = pl.col("issue_d")
    charged_off = pl.col("loan_status").str.contains("Charged Off")
    # The first instalment that was never paid is due a month after the last payment; 90 days later it is bad.
    bad_after = months(issued, pl.coalesce("last_pymnt_d", "issue_d")) + 4
    income = pl.col("annual_inc")
    return pl.read_parquet(path).with_columns(
        annual_inc=scaled(income, 0),
        dti=scaled(pl.col("dti"), 2),
        revol_util=scaled(pl.col("revol_util"), 3),
        credit_age_months=months(pl.col("earliest_cr_line"), issued),
        loan_to_income=scaled(pl.col("loan_amnt") / income, 3),
        revolving_to_income=scaled(pl.col("revol_bal") / income, 3),
        finally_bad=charged_off.cast(pl.Int64),
        bad_in_a_year=(charged_off & (bad_after <= 12)).cast(pl.Int64),
    )


@pytest.fixture(scope="module")
def trained(book: pl.DataFrame) -> PointsModel:
    # A year on book at the end of 2010: each of these has been seen for twelve months, bad or not.
    knowable = book.filter(pl.col("issue_d") <= date(2009, 12, 31))
    return train(knowable, "bad_in_a_year", CHARACTERISTICS, name="lendingclub", known_on=KNOWN_ON)


def test_what_was_knowable_ranks_the_loans_of_the_next_year(book, trained):
    assert not JUDGEMENT & {c.name for c in CHARACTERISTICS}
    later = book.filter(pl.col("issue_d") >= date(2011, 1, 1))
    score = trained.score_frame(later)["score"]
    assert later.height > 20_000
    measured = auc(later["finally_bad"], score)
    sys.stdout.write(f"\nAUC on the final outcome of 2011: {measured:.4f}\n")
    assert 0.61 <= measured <= 0.72, "above that, something leaks"
    assert auc_error(later["finally_bad"], score) < 0.006


def test_the_twelve_month_pd_holds_for_the_loans_of_the_next_year(book, trained):
    """As a whole to within a third: 2009 was a worse year than 2011. And band by band in order of risk."""
    later = book.filter(pl.col("issue_d") >= date(2011, 1, 1))
    pd_ppm = trained.score_frame(later)["pd_ppm"]
    expected, observed = pd_ppm.mean() / 1_000_000, later["bad_in_a_year"].mean()
    assert expected == pytest.approx(observed, rel=0.33)
    bands = calibration(later["bad_in_a_year"], pd_ppm, bands=5)
    rates = [band.observed_ppm for band in bands]
    assert rates == sorted(rates)
    assert rates[-1] > 3 * rates[0]


def test_hindsight_flatters(book, trained):
    """The same trainer on outcomes that nobody could know yet, and on loans that were too young."""
    young = book.filter(pl.col("issue_d") <= KNOWN_ON)
    later = book.filter(pl.col("issue_d") >= date(2011, 1, 1))
    term = number("term", kind="category")
    hindsight = train(young, "finally_bad", (*CHARACTERISTICS, term), name="hindsight")
    known = auc(later["finally_bad"], trained.score_frame(later)["score"])
    flattered = auc(later["finally_bad"], hindsight.score_frame(later)["score"])
    sys.stdout.write(f"\nAUC as known {known:.4f}, with hindsight {flattered:.4f}\n")
    assert flattered > known + 0.03
