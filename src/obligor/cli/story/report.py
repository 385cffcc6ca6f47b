"""A story's report: one HTML file that needs nothing else, in the console's design language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from obligor.cli.story.chronicle import Chronicle, Vintage
from obligor.cli.story.summary import Summary
from obligor.web import charts, plots
from obligor.web.wording import Words

__all__ = ["Extra", "Figure", "Page", "html"]

HERE = Path(__file__).parent / "templates"
STYLE = Path(charts.__file__).parent / "static" / "obligor.css"
WORDS = Words("en")
# Months on book that the heat table shows, as far as there are any.
SHOWN = (3, 6, 9, 12, 15, 18, 24, 30, 36, 48, 60)


class Figure(msgspec.Struct, frozen=True):
    """One of the five large figures: its name, its value as text, and a line on what it is a share of."""

    name: str
    value: str
    note: str = ""


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """A table of a story's own, after the others. Cells are text; the first column is the row's head.

    `marks` gives a row by its place a state: good, warn or bad. `chart` stands above the table.
    """

    title: str
    note: str = ""
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    marks: dict[int, str] = {}
    foot: str = ""
    chart: Markup = Markup()
    wide: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says: who, under which label, what was played, and what came of it.

    `label` is "Simulated data" or "Historical book, replayed". `problems` are what did not hold; none is a
    good story. `notes` are read before the figures.
    """

    title: str
    label: str
    lender: str
    currency: str
    told: Summary
    chronicle: Chronicle
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    extras: tuple[Extra, ...] = ()


def html(page: Page) -> str:
    """The report as one HTML document, self-contained: style and drawings are inside."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    told = page.chronicle
    return environment.get_template("report.html").render(
        page=page,
        told=page.told,
        chronicle=told,
        style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704  our own file
        charts=charts,
        checks=_checks(page.told),
        approvals=_approvals(told),
        vintages=_Heat.of(told.vintages),
        cohorts=_cohorts(told.vintages),
        agreement=_agreement(told),
        flows=_flows(page),
        simulated="simul" in page.label.lower(),
        minus=lambda text: text.replace("-", "−"),
        **WORDS.table(),
    )


def _checks(told: Summary) -> tuple[tuple[bool, str, str], ...]:
    """What was checked, whether it holds, and in numbers."""
    replay, audit, books = told.replay, told.audit, told.books
    checks = [
        (
            replay.mismatches == 0 and replay.decisions > 0,
            "Every decision, made again, is the same byte for byte",
            f"{replay.decisions:,} decisions, {replay.mismatches:,} different",
        ),
        (audit.ok, "The journal's proof, recomputed from its entries, holds", f"{audit.entries:,} entries"),
        (books.postings_sum_minor == 0, "All postings sum to zero", WORDS.count(books.postings_sum_minor)),
    ]
    if books.table_equals_book is not None:
        checks.append(
            (books.table_equals_book, "Each loan came to what the table says", f"{told.loans:,} loans")
        )
    return tuple(checks)


def _approvals(told: Chronicle) -> Markup:
    bars = [
        plots.Stack(
            _month(one.month),
            f"{WORDS.share(one.approved, one.decided, 0)} %",
            (("f1", one.approved), ("f2", one.referred), ("fg", one.declined)),
        )
        for one in told.months
    ]
    words = ", ".join(f"{one.month}: {one.approved} of {one.decided}" for one in told.months)
    return plots.stacks(bars, f"Approved of decided by month. {words}")


def _month(text: str) -> str:
    return WORDS.short_day(date.fromisoformat(f"{text}-01"))


class _Heat(msgspec.Struct, frozen=True):
    """The vintages as a heat table: the months that are shown, and the share where the scale ends."""

    months: tuple[int, ...]
    top_ppm: int
    rows: tuple[Vintage, ...]

    @classmethod
    def of(cls, vintages: Sequence[Vintage]) -> _Heat:
        """As many months as any vintage has reached."""
        reached = max((len(one.bad_ppm) - 1 for one in vintages), default=0)
        months = tuple(month for month in SHOWN if month <= reached)
        shown = [one.bad_ppm[month] for one in vintages for month in months if month < len(one.bad_ppm)]
        return cls(months, max(shown, default=0), tuple(vintages))


def _cohorts(vintages: Sequence[Vintage]) -> tuple[Markup, tuple[str, ...]]:
    """Curves of at most as many vintages as can be told apart, and their names; the oldest and the latest."""
    most = len(plots.SERIES)
    whole = [one for one in vintages if len(one.bad_ppm) > 1]
    if len(whole) > most:
        places = [place * (len(whole) - 1) // (most - 1) for place in range(most)]
        whole = [whole[place] for place in places]
    last = max(SHOWN)
    series = [plots.Curve(one.name, tuple(ppm / 10_000 for ppm in one.bad_ppm[: last + 1])) for one in whole]
    label = "Share over 90 days past due by month on book: " + ", ".join(
        f"{one.name} {one.values[-1]:.1f} %" for one in series if one.values[-1] is not None
    )
    return plots.curves(series, label, across=" months"), tuple(one.name for one in series)


def _agreement(told: Chronicle) -> Markup:
    points = []
    for one in told.deciles:
        low, high = plots.interval(one.bad, one.rows)
        found = one.bad / one.rows
        points.append(plots.Point(one.pd_ppm / 10_000, 100 * found, 100 * low, 100 * high, one.rows))
    words = ", ".join(f"{one.expected:.1f} % and {one.found:.1f} %" for one in points)
    return plots.agreement(points, f"Expected and found by tenth of the loans: {words}")


def _flows(page: Page) -> Markup:
    money = page.chronicle.money
    parts = (("f3", money.principal_minor), ("f2", money.written_off_minor), ("fg", money.open_minor))
    words = ", ".join(
        f"{name} {WORDS.share(amount, money.lent_minor)} %"
        for name, (_, amount) in zip(("repaid", "written off", "still lent"), parts, strict=True)
    )
    return charts.split_bar(parts, f"What became of the money lent: {words}")
