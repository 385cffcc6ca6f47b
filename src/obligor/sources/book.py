"""A lender's book as the system would have met it: applications in order, terms, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from obligor import loans
from obligor.events import Instalment
from obligor.kernel import Fact, NotFound
from obligor.sources.label import Label, label
from obligor.sources.leaks import suspects
from obligor.sources.mapping import Mapping
from obligor.sources.rebuild import Life, Past, Totals, rebuild, totals
from obligor.sources.table import normalised

__all__ = ["Application", "Book", "Terms"]

_TARGET = "bad"
_NOON = time(12, tzinfo=UTC)
# From an application to its money, on the same day.
_PAID_OUT_AFTER = timedelta(hours=2)
_SLICE = 5_000


@dataclass(frozen=True, slots=True)
class Application:
    """A row of the book as a request to `POST /v1/applications`."""

    row: int
    at: datetime
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms that the loan of a row really had."""

    amount_minor: int
    currency: str
    rate_bp: int
    term_months: int
    disbursed_on: date
    at: datetime


class Book:
    """A checked table. Rows are named by their place in the file, from 0. Made by `Book.open`."""

    def __init__(self, mapping: Mapping, frame: pl.LazyFrame) -> None:
        self.mapping = mapping
        self._frame = frame

    @classmethod
    def open(cls, file: str | Path, mapping: Mapping) -> Book:
        """A book from a Parquet or CSV file. The whole table is checked; nothing of it is kept in memory.

        Raises:
            NotFound: no such file. InvalidInput: the table is not what the mapping says; every problem is
            listed with its line in the mapping, the number of rows and the first of them. A window without
            loans is such a problem too, and a fact that knows more than an applicant could.
        """
        book = cls(mapping, normalised(Path(file), mapping))
        book._check_windows()
        problems = list(suspects(book.ended_frame(), book.history_frame(), mapping))
        if problems:
            raise mapping.located.refusal(problems)
        return book

    @property
    def rows(self) -> int:
        """How many loans the table has."""
        return int(self._frame.select(pl.len()).collect().item())

    @property
    def dated(self) -> bool:
        """Whether the table says when loans were made: only then was something known and something not."""
        return self.mapping.spec.issued.column is not None

    @property
    def lived(self) -> bool:
        """Whether the table says how loans were repaid: else they are decided, and that is all."""
        return self.mapping.spec.repaid is not None

    @property
    def deciding(self) -> int:
        """How many loans are decided."""
        return self._window.height

    def training_frame(self, known_on: date | None = None) -> pl.DataFrame:
        """The rows whose label was knowable on a day (the mapping's if none is given), in order of time.

        Where there are no dates, these are the rows that are not decided, in the file's order.
        Columns: the characteristics with the values that the facts have at decision time (integers, text,
        true or false, null; decimals as integers times 10^scale), and `bad`, 0 or 1.
        """
        wanted = self._labelled(known_on).filter(pl.col("_label").is_in([Label.GOOD, Label.BAD]))
        target = (pl.col("_label") == Label.BAD).cast(pl.Int8).alias(_TARGET)
        return self._in_time(wanted).select(*self.mapping.characteristics, target).collect(engine="streaming")

    def label_counts(self, known_on: date | None = None) -> dict[Label, int]:
        """How many rows have each label on a day; what is not good or bad is not in the training frame.

        Where there are no dates, rows that are decided are not counted.
        """
        counted = self._labelled(known_on).group_by("_label").len().collect()
        found = {Label(name): int(count) for name, count in counted.iter_rows()}
        return {one: found.get(one, 0) for one in Label}

    def base_rate(self, known_on: date | None = None) -> tuple[int, int]:
        """How many loans were bad within the window, of how many that were old enough, as known on a day.

        This is the rate that a probability of default has to meet. The training frame's own is higher, since
        it holds no open loan.
        """
        counts = self.label_counts(known_on)
        mature = counts[Label.GOOD] + counts[Label.BAD] + counts[Label.INDETERMINATE]
        return counts[Label.BAD], mature

    def hindsight_frame(self) -> pl.DataFrame:
        """The rows from before the deciding window as they ended, whenever that was known.

        Columns as in `training_frame`. For a table without dates the two are one.
        """
        if not self.dated:
            return self.training_frame()
        first, _ = self.mapping.spec.deciding.window
        before = (pl.col("_issued") < first) & (pl.col("_label") != Label.OFF_POLICY)
        wanted = self._labelled(first).filter(before & pl.col("_bad").is_not_null())
        target = pl.col("_bad").cast(pl.Int8).alias(_TARGET)
        return self._in_time(wanted).select(*self.mapping.characteristics, target).collect(engine="streaming")

    def _in_time(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        return frame.sort("_issued", "_row") if self.dated else frame

    def deciding_frame(self) -> pl.DataFrame:
        """The rows that are decided, in order of time: `_row`, the characteristics, `bad` (null if open)."""
        target = pl.col("_bad").cast(pl.Int8).alias(_TARGET)
        return self._window.select("_row", *self.mapping.characteristics, target)

    def ended_frame(self) -> pl.DataFrame:
        """Every row whose outcome is known now, decided or not: to look at the table, never to train."""
        target = pl.col("_bad").cast(pl.Int8).alias(_TARGET)
        wanted = self._frame.filter(pl.col("_bad").is_not_null())
        return wanted.select(*self.mapping.characteristics, target).collect(engine="streaming")

    def history_frame(self) -> pl.DataFrame:
        """What the lender made of each application, beside what it knew.

        All fields, `requested_minor` and `term_months`, with `_funded_minor` and `_rate_bp`, null where the
        mapping has no history.
        """
        names = ["requested_minor", "term_months", "_funded_minor", "_rate_bp", *self.mapping.fields]
        return self._frame.select(names).collect(engine="streaming")

    def applications(self, window: tuple[date, date] | None = None) -> Iterator[Application]:
        """The loans issued in a window (both days included; the mapping's if none is given) as applications.

        In order of time. Where the table knows months only, a month's applications are spread evenly over its
        first 28 days, and those of a day over 08:00 to 16:00 UTC, in the file's order.
        """
        frame = self._window if window is None else _ordered(self._frame.filter(_issued_in(window)))
        for part in frame.iter_slices(_SLICE):
            for row in part.iter_rows(named=True):
                yield Application(row["_row"], row["_at"], self._payload(row))

    def terms(self, row: int) -> Terms:
        """The terms under which the loan of a row was really made."""
        return self._terms(self._row(row))

    def outcome(self, row: int) -> bool | None:
        """How the loan of a row ended: True if badly, False if repaid, None if it was still open."""
        bad: bool | None = self._row(row)["_bad"]
        return bad

    def totals(self, row: int) -> Totals:
        """What the events of `life` add up to."""
        return totals(self._past(self._row(row)))

    def schedule(self, row: int) -> tuple[Instalment, ...]:
        """The schedule of the loan of a row under the mapping's product and its real terms."""
        return self._schedule(self._terms(self._row(row)))

    def life(
        self, row: int, loan_id: str, schedule: Sequence[Instalment] | None = None
    ) -> Iterator[dict[str, Any]]:
        """What happened to the loan of a row, as lines for `POST /v1/events`, in order of time.

        `loan.disbursed` with the historical terms, then `fee.charged` and `repayment.received` (with its
        allocation), and for a bad loan `loan.written_off` and `recovery.received`. `schedule` is the loan's,
        if it is another one than the product gives.
        """
        values = self._row(row)
        terms = self._terms(values)
        past = self._past(values)
        life = rebuild(past, schedule or self._schedule(terms), self.mapping.spec.rebuild)
        for number, (kind, at, body) in enumerate(_events(terms, past, life)):
            yield {
                "type": kind,
                "at": _stamp(at),
                "source": f"book/{self.mapping.name}",
                "source_ref": f"{row}/{number}",
                "body": {"loan_id": loan_id, **body},
            }

    def _terms(self, values: dict[str, Any]) -> Terms:
        at = values["_at"] + _PAID_OUT_AFTER
        return Terms(
            amount_minor=values["_funded_minor"],
            currency=self.mapping.spec.currency,
            rate_bp=values["_rate_bp"],
            term_months=values["term_months"],
            disbursed_on=at.date(),
            at=at,
        )

    def _schedule(self, terms: Terms) -> tuple[Instalment, ...]:
        return loans.schedule(
            loans.product(self.mapping.product(terms.term_months)),
            terms.amount_minor,
            terms.rate_bp,
            terms.term_months,
            terms.disbursed_on,
            terms.currency,
        )

    def _past(self, values: dict[str, Any]) -> Past:
        return Past(
            disbursed_on=self._terms(values).disbursed_on,
            funded_minor=values["_funded_minor"],
            principal_minor=values["_principal_minor"],
            interest_minor=values["_interest_minor"],
            fees_minor=values["_fees_minor"],
            recoveries_minor=values["_recoveries_minor"],
            costs_minor=values["_recovery_costs_minor"],
            last_paid_on=values["_last_paid_on"],
            last_payment_minor=values["_last_payment_minor"],
            month_only=self._month_only,
            bad=values["_bad"],
        )

    def _payload(self, row: dict[str, Any]) -> dict[str, Any]:
        spec = self.mapping.spec
        name, key = spec.mapping, row["_id"]
        return {
            "person": {"reference": f"{name}/person/{key}", "kind": "person"},
            "product": self.mapping.product(row["term_months"]),
            "channel": spec.channel,
            "amount_minor": row["requested_minor"],
            "currency": spec.currency,
            "term_months": row["term_months"],
            "purpose": row.get("purpose"),
            "fields": {fact: self._wire(fact, row[fact]) for fact in spec.fields},
            "reference": f"{name}/{key}",
            "at": _stamp(row["_at"]),
        }

    def _wire(self, fact: str, value: Any) -> Fact:
        """A fact as a request writes it: decimals and dates are text."""
        if isinstance(value, date):
            return value.isoformat()
        scale = self.mapping.fields[fact].scale
        if scale is not None and value is not None:
            whole, part = divmod(abs(value), 10**scale)
            return f"{'-' if value < 0 else ''}{whole}.{part:0{scale}}"
        plain: Fact = value
        return plain

    def _labelled(self, known_on: date | None) -> pl.LazyFrame:
        frame = self._frame if self.dated else self._frame.filter(self._decides().not_())
        return frame.with_columns(label(self.mapping.spec, known_on).alias("_label"))

    def _decides(self) -> pl.Expr:
        deciding = self.mapping.spec.deciding
        if deciding.one_row_in is not None:
            return pl.col("_row") % deciding.one_row_in == deciding.one_row_in - 1
        return _issued_in(deciding.window)

    @property
    def _month_only(self) -> bool:
        last = self.mapping.spec.outcome.last_payment
        return last is not None and last.precision == "month"

    @cached_property
    def _window(self) -> pl.DataFrame:
        return _ordered(self._frame.filter(self._decides()))

    @cached_property
    def _places(self) -> dict[int, int]:
        return {row: place for place, row in enumerate(self._window["_row"])}

    def _row(self, row: int) -> dict[str, Any]:
        place = self._places.get(row)
        if place is None:
            raise NotFound(f"row {row} is not in the deciding window of {self.mapping.name}")
        return self._window.row(place, named=True)

    def _check_windows(self) -> None:
        located, spec = self.mapping.located, self.mapping.spec
        problems = []
        if self._window.is_empty():
            window = " to ".join(map(str, spec.deciding.window))
            problems.append(located.violation("deciding", window, "a window in which loans were issued"))
        counts = self.label_counts()
        if not counts[Label.GOOD] or not counts[Label.BAD]:
            found = {name.value: count for name, count in counts.items()}
            path = "training" if self.dated else "outcome.status"
            accepted = "good and bad loans" + (" that were knowable on known_on" if self.dated else "")
            problems.append(located.violation(path, found, accepted))
        if problems:
            raise located.refusal(problems)


def _events(terms: Terms, past: Past, life: Life) -> Iterator[tuple[str, datetime, dict[str, Any]]]:
    currency = terms.currency
    history = {"rate_bp": terms.rate_bp, "term_months": terms.term_months}
    body: dict[str, Any] = {"disbursed_on": terms.disbursed_on.isoformat(), "historical_terms": history}
    yield "loan.disbursed", terms.at, body
    for payment in life.payments:
        at, on = datetime.combine(payment.on, _NOON), payment.on.isoformat()
        if payment.fee_minor:
            body = {"amount_minor": payment.fee_minor, "currency": currency, "kind": "late", "charged_on": on}
            yield "fee.charged", at, body
        allocation = {
            "fee_minor": payment.fee_minor,
            "interest_minor": payment.interest_minor,
            "principal_minor": payment.principal_minor,
        }
        body = {"amount_minor": payment.amount_minor, "currency": currency, "value_on": on}
        yield "repayment.received", at, {**body, "allocation": allocation}
    if life.written_off_on:
        body = {"written_off_on": life.written_off_on.isoformat(), "why": "charged off in the lender's book"}
        yield "loan.written_off", datetime.combine(life.written_off_on, _NOON), body
    if life.recovered_on:
        body = {"amount_minor": past.recoveries_minor, "cost_minor": past.costs_minor, "currency": currency}
        at = datetime.combine(life.recovered_on, _NOON)
        yield "recovery.received", at, {**body, "value_on": life.recovered_on.isoformat()}


def _issued_in(window: tuple[date, date]) -> pl.Expr:
    return pl.col("_issued").is_between(*window)


def _ordered(frame: pl.LazyFrame) -> pl.DataFrame:
    return frame.sort("_at", "_row").collect(engine="streaming")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
