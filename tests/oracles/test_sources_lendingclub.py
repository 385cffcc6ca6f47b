"""The shipped mapping on the real book: what is knowable, what is sent, and lives that loans accepts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from obligor import loans, scoring
from obligor.events import Allocation
from obligor.kernel import Body, Event, InvalidInput
from obligor.loans import Loan
from obligor.sources import Application, Book, Label, Mapping

OWN_SCORE = {"grade", "sub_grade", "int_rate", "installment"}
NEVER = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def table(shared: Path) -> Path:
    file = shared / "data" / "lendingclub" / "loans_2007_2011.parquet"
    if not file.is_file():
        pytest.skip("needs the Lending Club table in ../shared/data/lendingclub")
    return file


@pytest.fixture(scope="module")
def book(table: Path) -> Book:
    return Book.open(table, Mapping.load("lendingclub"))


@pytest.fixture(scope="module")
def sent(book: Book) -> list[Application]:
    return list(book.applications())


def test_all_loans_of_2011_are_applications_in_order_of_time(book: Book, sent: list[Application]) -> None:
    assert book.rows == 42_535
    assert len(sent) == 21_721
    assert len({one.row for one in sent}) == len(sent)
    assert all(before.at < after.at for before, after in pairwise(sent))
    assert (sent[0].at.date(), sent[-1].at.date()) == (date(2011, 1, 1), date(2011, 12, 28))


def test_what_was_knowable_at_the_end_of_2010_is_little_and_holds_no_open_loan(
    book: Book, table: Path
) -> None:
    counts = book.label_counts()
    raw = pl.read_parquet(table).filter(pl.col("issue_d") <= date(2009, 12, 31))
    on_policy = raw.filter(pl.col("loan_status").str.contains("Does not meet").not_())
    repaid = on_policy.filter(
        (pl.col("loan_status") == "Fully Paid") & (pl.col("last_pymnt_d") <= date(2010, 12, 31))
    )
    assert counts[Label.GOOD] == repaid.height
    assert 250 < counts[Label.BAD] < 320
    assert counts[Label.OFF_POLICY] == 1988 + 761
    assert book.base_rate() == (counts[Label.BAD], on_policy.height)
    assert book.training_frame().height == counts[Label.GOOD] + counts[Label.BAD]


def test_a_bad_label_is_certain_whatever_order_the_payments_came_in(book: Book, table: Path) -> None:
    """All that was ever paid covers fewer than 9 instalments, so 90 days were reached within 12 months."""
    raw = pl.read_parquet(table).filter(pl.col("issue_d") <= date(2009, 12, 31))
    covered = (pl.col("total_rec_prncp") + pl.col("total_rec_int")) / pl.col("installment")
    sure = raw.filter((pl.col("loan_status") == "Charged Off") & (covered < 9)).height
    assert abs(book.label_counts()[Label.BAD] - sure) <= 0.04 * sure, "instalments are rounded to the cent"


def test_nothing_of_the_lenders_own_score_is_in_the_frame(book: Book) -> None:
    used = {field.column for field in book.mapping.fields.values()}
    assert not used & OWN_SCORE


def test_no_single_fact_tells_the_outcome(book: Book, sent: list[Application]) -> None:
    """A leak would stand out: no application fact of this book separates better than 0.62 alone."""
    bad = np.array([book.outcome(one.row) for one in sent])
    for fact, field in book.mapping.fields.items():
        if field.type in {"category", "flag"}:
            continue
        values = [one.payload["fields"][fact] for one in sent]
        numbers = np.array([-1 if value is None else value for value in values])
        auc = roc_auc_score(bad, numbers)
        assert max(auc, 1 - auc) < 0.62, fact


@pytest.mark.slow
def test_a_model_of_what_was_knowable_ranks_the_loans_of_2011_and_does_not_leak(
    book: Book, sent: list[Application]
) -> None:
    declared = book.mapping.declarations()
    model = scoring.train(book.training_frame(), "bad", declared, name="lendingclub")
    asked = ("amount_minor", "term_months", "purpose")
    named = dict(zip(asked, ("requested_minor", "term_months", "purpose"), strict=True))
    facts = [{**one.payload["fields"], **{named[name]: one.payload[name] for name in asked}} for one in sent]
    risk = [model.score(one).pd_ppm for one in facts]
    assert 0.61 <= roc_auc_score([book.outcome(one.row) for one in sent], risk) <= 0.72


def _lived(book: Book, one: Application) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in book.life(one.row, f"loan-{one.row}"):
        yield line["type"], line["body"]


def _event(body: Body, number: int) -> Event:
    return Event(
        id=f"event-{number}",
        tenant="t",
        stream="loan/x",
        stream_version=number,
        subjects=("p",),
        type=body.TYPE,
        schema=body.SCHEMA,
        at=NEVER,
        recorded_at=NEVER,
        known_seq=number,
        source="test",
        source_ref=None,
        actor="test",
        cause=None,
        replaces=None,
        body=body,
    )


def _command(book: Book, row: int, loan: Loan | None, kind: str, body: dict[str, Any]) -> Body:
    """What the loans room makes of a line of a life; it refuses what does not fit."""
    if loan is None:
        terms = book.terms(row)
        return loans.disburse(
            loans.product(book.mapping.product(terms.term_months)),
            loan_id=body["loan_id"],
            application_id="a",
            person_id="p",
            amount_minor=terms.amount_minor,
            currency=terms.currency,
            rate_bp=terms.rate_bp,
            term_months=terms.term_months,
            disbursed_on=terms.disbursed_on,
        )
    if kind == "repayment.received":
        parts = Allocation(**body["allocation"])
        on = date.fromisoformat(body["value_on"])
        return loans.repay(loan, body["amount_minor"], body["currency"], on, allocation=parts)
    if kind == "fee.charged":
        on = date.fromisoformat(body["charged_on"])
        return loans.charge_fee(loan, body["amount_minor"], body["currency"], body["kind"], on)
    if kind == "loan.written_off":
        return loans.write_off(loan, date.fromisoformat(body["written_off_on"]), body["why"])
    on = date.fromisoformat(body["value_on"])
    return loans.recover(loan, body["amount_minor"], body["cost_minor"], body["currency"], on)


def _check_life(book: Book, one: Application) -> None:
    loan: Loan | None = None
    for number, (kind, body) in enumerate(_lived(book, one), 1):
        loan = loans.apply(loan, _event(_command(book, one.row, loan, kind, body), number))
    assert loan is not None
    wanted = book.totals(one.row)
    assert loan.repaid_minor == wanted.repaid_minor
    assert loan.principal_paid_minor == wanted.principal_minor
    assert loan.fee_paid_minor == loan.fee_charged_minor == wanted.fees_minor
    assert loan.recovered_minor == wanted.recoveries_minor
    if book.outcome(one.row):
        assert loan.loss is not None
        assert loan.loss.principal_minor == wanted.written_off_minor
        assert loan.days_past_due(loan.loss.written_off_on - timedelta(days=1)) >= 149
    else:
        last = loan.payments[-1].value_on
        closed = loans.close_if_paid(loan, last)
        assert closed is not None
        assert closed.why == "repaid"


def test_the_loans_room_accepts_rebuilt_lives_and_ends_where_the_loans_ended(
    book: Book, sent: list[Application]
) -> None:
    for one in sent[::25]:
        _check_life(book, one)


@pytest.mark.slow
def test_the_loans_room_accepts_every_rebuilt_life(book: Book, sent: list[Application]) -> None:
    for one in sent:
        _check_life(book, one)


def test_the_books_totals_are_the_tables_to_the_cent(
    book: Book, sent: list[Application], table: Path
) -> None:
    raw = pl.read_parquet(table).filter(pl.col("issue_d").dt.year() == 2011)
    names = (
        "total_rec_prncp",
        "total_rec_int",
        "total_rec_late_fee",
        "recoveries",
        "collection_recovery_fee",
    )
    cents = {name: int((raw[name] * 100).round().cast(pl.Int64).sum()) for name in names}
    totals = [book.totals(one.row) for one in sent]
    rounding = sum(one.rounding_minor for one in totals)
    assert sum(one.principal_minor for one in totals) - rounding == cents["total_rec_prncp"]
    assert sum(one.interest_minor for one in totals) + rounding == cents["total_rec_int"]
    assert sum(one.fees_minor for one in totals) == cents["total_rec_late_fee"]
    assert sum(one.recoveries_minor for one in totals) == cents["recoveries"]
    assert sum(one.costs_minor for one in totals) == cents["collection_recovery_fee"]
    funded = int(raw["funded_amnt"].sum()) * 100
    assert sum(one.principal_minor + one.written_off_minor for one in totals) == funded
    assert sum(one.rounding_minor != 0 for one in totals) < 0.01 * len(totals)


def test_no_loan_is_over_before_its_last_payment(book: Book) -> None:
    for one in book.applications():
        left = book.terms(one.row).amount_minor
        for event in book.life(one.row, "loan"):
            if event["type"] in ("fee.charged", "repayment.received"):
                assert left > 0, one.row
            if event["type"] == "repayment.received":
                left -= event["body"]["allocation"]["principal_minor"]


@pytest.mark.parametrize(
    ("name", "file", "decided", "bad"),
    [("taiwan", "taiwan/taiwan.parquet", 15_000, 6_636), ("hmeq", "hmeq/hmeq.csv", 2_980, 1_189)],
)
def test_a_shipped_mapping_of_a_table_without_dates_opens_it(
    shared: Path, name: str, file: str, decided: int, bad: int
) -> None:
    path = shared / "data" / file
    if not path.is_file():
        pytest.skip(f"needs ../shared/data/{file}")
    book = Book.open(path, Mapping.load(name))
    assert book.deciding == decided
    assert int(book.ended_frame()["bad"].sum()) == bad
    assert book.training_frame().height + decided == book.rows


@pytest.mark.parametrize("column", ["sub_grade", "grade", "installment", "total_pymnt", "last_pymnt_amnt"])
def test_a_leak_that_the_mapping_forgot_to_list_is_found_in_the_table(table: Path, column: str) -> None:
    text = (resources.files("obligor") / "packs/mappings/lendingclub.yaml").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith(f"  {column}:")]
    text = "\n".join(kept).replace("  last_payment: {column: last_pymnt_amnt}\n", "")
    if "grade" in column:
        start, stop = text.index("  housing:\n    column"), text.index("  income_verification:\n    column")
        text = f"{text[:start]}  housing: {{column: {column}, type: category}}\n{text[stop:]}"
    else:
        text = text.replace("column: annual_inc,", f"column: {column},")
    with pytest.raises(InvalidInput) as caught:
        Book.open(table, Mapping.parse(text))
    assert [one.value.strip('"') for one in caught.value.violations] == [column]
