"""A lender's file, read lazily, checked against its mapping, and turned into one frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl

from obligor.kernel import InvalidInput, NotFound, Violation
from obligor.sources import columns
from obligor.sources.columns import Check, Made
from obligor.sources.mapping import Mapping, columns_by_path
from obligor.sources.spec import Amount, Dated, Repaid, Spec

__all__ = ["normalised"]

_KINDS = ".parquet or .csv"
# Times of day between which applications of a day are spread, in seconds (UTC).
_OPENS, _OPEN_FOR = 8 * 3600, 8 * 3600
# Days of a month over which a month's applications are spread: every month has them.
_DAYS = 28


def normalised(file: Path, mapping: Mapping) -> pl.LazyFrame:
    """The book's rows, one a loan, in the file's order.

    Columns: the facts by name; `requested_minor`, `term_months`, `purpose`; and what is no input, with names
    that no fact can have: `_row`, `_id`, `_issued`, `_at`, `_funded_minor`, `_rate_bp`, `_bad`,
    `_off_policy`, `_last_paid_on`, `_principal_minor`, `_interest_minor`, `_fees_minor`, `_recoveries_minor`,
    `_recovery_costs_minor`, `_last_payment_minor`.

    Raises:
        NotFound: no such file. InvalidInput: every column that is absent and every promise of the mapping
        that rows break, with the number of rows and the first of them.
    """
    table = _scan(file)
    schema = table.collect_schema()
    located = mapping.located
    absent = [
        located.violation(path, column, f"one of the table's columns: {', '.join(schema)}")
        for path, column in columns_by_path(mapping.spec)
        if column not in schema
    ]
    if absent:
        raise located.refusal(absent)
    named = dict.fromkeys(column for _, column in columns_by_path(mapping.spec))
    table = table.select(list(named)).with_row_index("_row").with_columns(pl.col("_row").cast(pl.Int64))
    made = dict(_made(mapping, schema))
    checks = [check for one in made.values() for check in one.checks]
    if mapping.spec.row_id:
        key = pl.col(mapping.spec.row_id)
        checks.append(
            Check("row_id", key.is_null() | key.is_duplicated(), key, "an id of its own for each row")
        )
    problems = list(_broken(table, checks, mapping))
    if problems:
        raise located.refusal(problems)
    frame = table.select("_row", *(one.value.alias(name) for name, one in made.items())).with_columns(
        _at(mapping)
    )
    problems = list(_broken(frame, list(_money_checks(mapping.spec)), mapping))
    if problems:
        raise located.refusal(problems)
    return frame


def _scan(file: Path) -> pl.LazyFrame:
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    try:
        if file.suffix == ".parquet":
            table = pl.scan_parquet(file)
        elif file.suffix == ".csv":
            # Text as it stands: what a column means is the mapping's to say, not a guess over some rows.
            table = pl.scan_csv(file, infer_schema=False)
        else:
            raise InvalidInput.field("file", file.name, f"a file that ends in {_KINDS}")
        table.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput.field("file", file.name, f"a readable table ({_KINDS}): {error}") from None
    return table


def _made(mapping: Mapping, schema: pl.Schema) -> Iterator[tuple[str, Made]]:
    spec = mapping.spec
    issued = _issued(spec, schema)
    yield "_issued", issued
    yield "_id", Made(pl.col(spec.row_id or "_row").cast(pl.String), ())
    for fact, field in spec.fields.items():
        dtype = schema[field.column]
        yield fact, columns.fact(f"fields.{fact}", field, dtype, spec.currency, issued.value)
    yield "requested_minor", _money("amount", spec.amount, spec, schema, least=1)
    yield "term_months", _term(spec, schema)
    if spec.purpose:
        yield "purpose", columns.purpose("purpose", spec.purpose, schema[spec.purpose.column])
    if spec.history:
        yield "_funded_minor", _money("history.funded", spec.history.funded, spec, schema, least=1)
        yield "_rate_bp", columns.rate("history.rate", spec.history.rate, schema[spec.history.rate.column])
    else:
        yield from ((name, Made(pl.lit(None, pl.Int64), ())) for name in ("_funded_minor", "_rate_bp"))
    yield from _outcome(spec, schema)
    for name in Repaid.__struct_fields__:
        column = f"_{name}_minor"
        part = getattr(spec.repaid, name, None)
        if part is not None:
            yield column, _money(f"repaid.{name}", part, spec, schema)
        else:
            nothing = None if name == "last_payment" else 0
            yield column, Made(pl.lit(nothing, pl.Int64), ())


def _issued(spec: Spec, schema: pl.Schema) -> Made:
    issued = spec.issued
    if issued.column is None:
        return Made(pl.lit(issued.day, pl.Date), ())
    given = Dated(column=issued.column, precision=issued.precision, format=issued.format)
    return columns.dated("issued", given, schema[issued.column], required=True)


def _term(spec: Spec, schema: pl.Schema) -> Made:
    term = spec.term
    if term.column is None:
        made = Made(pl.lit(term.months, pl.Int64), ())
    else:
        made = columns.term("term", term.column, term, schema[term.column])
    if isinstance(spec.product, str):
        return made
    other = made.value.is_in(list(spec.product)).not_()
    terms = ", ".join(map(str, spec.product))
    check = Check("product", other, made.value, f"a term that has a product: {terms} months")
    return Made(made.value, (*made.checks, check))


def _money(path: str, part: Amount, spec: Spec, schema: pl.Schema, least: int = 0) -> Made:
    return columns.amount(path, part, schema[part.column], spec.currency, least)


def _outcome(spec: Spec, schema: pl.Schema) -> Iterator[tuple[str, Made]]:
    outcome = spec.outcome
    status = pl.col(outcome.status.column).cast(pl.String)
    repaid, failed = ([str(one) for one in given] for given in (outcome.status.repaid, outcome.status.bad))
    kinds = [*repaid, *failed, *map(str, outcome.status.open)]
    unknown = Check(
        "outcome.status",
        status.is_in(kinds).fill_null(value=False).not_(),
        status,
        f"a status that is listed: {', '.join(kinds)}",
    )
    bad = (
        pl.when(status.is_in(failed))
        .then(pl.lit(value=True))
        .when(status.is_in(repaid))
        .then(pl.lit(value=False))
    )
    yield "_bad", Made(bad, (unknown,))
    if outcome.off_policy:
        given = pl.col(outcome.off_policy.column).cast(pl.String)
        yield "_off_policy", Made(given.is_in(list(outcome.off_policy.values)).fill_null(value=False), ())
    else:
        yield "_off_policy", Made(pl.lit(value=False), ())
    part = outcome.last_payment
    if part is None:
        yield "_last_paid_on", Made(pl.lit(None, pl.Date), ())
    else:
        yield (
            "_last_paid_on",
            columns.dated("outcome.last_payment", part, schema[part.column], required=False),
        )


def _money_checks(spec: Spec) -> Iterator[Check]:
    """What totals have to do with each other before a life can be rebuilt from them."""
    issued = pl.col("_issued")
    early = issued > spec.outcome.observed_on
    yield Check("issued", early, issued, "a date by outcome.observed_on")
    if spec.repaid is None:
        return
    principal, funded = pl.col("_principal_minor"), pl.col("_funded_minor")
    slack = spec.rebuild.rounding_minor
    short = (pl.col("_bad").not_() & ((funded - principal).abs() > slack)).fill_null(value=False)
    accepted = f"for a repaid loan the amount funded, give or take {slack} minor units"
    yield Check("repaid.principal", short, principal, accepted)
    over = (pl.col("_bad").fill_null(value=True)) & (principal > funded)
    yield Check("repaid.principal", over, principal, "no more than the amount funded")
    costs = pl.col("_recovery_costs_minor") > pl.col("_recoveries_minor")
    yield Check(
        "repaid.recovery_costs", costs, pl.col("_recovery_costs_minor"), "no more than the recoveries"
    )
    sound = (pl.col("_bad").fill_null(value=False).not_()) & (pl.col("_recoveries_minor") > 0)
    yield Check("repaid.recoveries", sound, pl.col("_recoveries_minor"), "0 for a loan that is not bad")
    last = pl.col("_last_paid_on")
    unpaid = pl.col("_bad").not_().fill_null(value=False) & last.is_null()
    yield Check("outcome.last_payment", unpaid, pl.col("_bad"), "a date of last payment for a repaid loan")
    yield Check("outcome.last_payment", last < issued, last, "a date from the issue on")
    late = last.dt.truncate("1mo") > spec.outcome.observed_on
    yield Check("outcome.last_payment", late, last, "a date by outcome.observed_on")


def _broken(table: pl.LazyFrame, checks: Sequence[Check], mapping: Mapping) -> Iterable[Violation]:
    """What is wrong, the first of it at each path, with the number of rows and the first, counted from 1."""
    if not checks:
        return
    asked: list[pl.Expr] = []
    for index, check in enumerate(checks):
        bad = check.bad.fill_null(value=False)
        asked += [
            bad.sum().alias(f"n{index}"),
            pl.col("_row").filter(bad).first().alias(f"r{index}"),
            check.shown.cast(pl.String).filter(bad).first().alias(f"v{index}"),
        ]
    row = table.select(asked).collect(engine="streaming").row(0, named=True)
    told: set[str] = set()
    for index, check in enumerate(checks):
        if row[f"n{index}"] and check.path not in told:
            told.add(check.path)
            where = f"in {row[f'n{index}']} row(s), first in row {row[f'r{index}'] + 1}"
            yield mapping.located.violation(check.path, row[f"v{index}"], f"{check.accepted} ({where})")


def _at(mapping: Mapping) -> pl.Expr:
    """When each application came: in the file's order, spread evenly over the day or month that is known."""
    place, count = pl.int_range(pl.len()).over("_issued"), pl.len().over("_issued")
    days = _DAYS if mapping.spec.issued.precision == "month" else 1
    second = place.cast(pl.Int64) * (days * _OPEN_FOR) // count.cast(pl.Int64)
    offset = (second // _OPEN_FOR) * 86_400 + _OPENS + second % _OPEN_FOR
    at = pl.col("_issued").cast(pl.Datetime("us")) + pl.duration(seconds=offset)
    return at.dt.replace_time_zone("UTC").alias("_at")
