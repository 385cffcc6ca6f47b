"""What the report of a lender's own book says beside what every report does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from obligor.cli.playing import BookPlayer
from obligor.cli.story.chronicle import Chronicle
from obligor.cli.story.report import Extra, Figure, Page
from obligor.cli.story.summary import Summary
from obligor.scoring import auc
from obligor.sources import Book
from obligor.web.wording import Words

__all__ = ["page_of"]

WORDS = Words("en")
LABEL = "Historical book, replayed"


def page_of(
    table: Book, player: BookPlayer, told: Summary, found: Chronicle, problems: Sequence[str]
) -> Page:
    """The report's page for a book that was played."""
    mapping = table.mapping
    return Page(
        title=mapping.spec.title["en"],
        label=LABEL,
        lender=f"Book: {mapping.name}",
        currency=mapping.spec.currency,
        told=told,
        chronicle=found,
        figures=_figures(table, told),
        notes=_notes(table, told),
        problems=tuple(problems),
        extras=(_models(table, player),),
    )


def _figures(table: Book, told: Summary) -> tuple[Figure, ...]:
    currency = table.mapping.spec.currency
    bad = (
        "" if told.bad_rate_approved is None else f"{100 * told.bad_rate_approved:.1f} % of them ended badly"
    )
    declined = told.bad_rate_declined_truth
    of = f"of {WORDS.count(table.rows)} loans in the table"
    if told.applications < table.deciding:
        of = f"a part of {WORDS.count(table.deciding)}, evenly taken, {of}"
    figures = [
        Figure("Decided", WORDS.count(told.applications), of),
        Figure("Approved", f"{WORDS.share(told.approved, told.applications)} %", bad),
        Figure(
            "Declined",
            f"{WORDS.share(told.applications - told.approved, told.applications)} %",
            "" if declined is None else f"{100 * declined:.1f} % of them ended badly",
        ),
        Figure("Ranking as known", _area(told.auc_as_known), "AUC of the scores given, on the final outcome"),
    ]
    if table.lived:
        repaid, lost = (WORDS.big(one, currency) for one in (told.repaid_minor, told.written_off_minor))
        lent = f"{repaid} repaid, {lost} lost"
        figures.append(Figure("Lent", WORDS.big(told.disbursed_minor, currency), lent))
    return tuple(figures)


def _area(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _notes(table: Book, told: Summary) -> tuple[str, ...]:
    spec = table.mapping.spec
    own = sorted(column for column, why in spec.not_inputs.items() if why.kind == "own_score")
    notes = [f"{spec.origin}"]
    if own:
        notes.append(f"The lender's own judgement is no input: {', '.join(own)} are left out.")
    if table.dated:
        notes.append(
            "Each month was decided by a model fitted to what was knowable when it began; an open loan was"
            " never counted as good."
        )
        notes.append(
            f"In hindsight the AUC is {_area(told.auc_hindsight)}: a model that was told how every earlier"
            " loan ended, which nobody knew then. It bounds what these facts can tell and is no forecast."
        )
    else:
        notes.append(
            "The table has no dates, so nothing was known earlier or later: one row in"
            f" {spec.deciding.one_row_in} was decided by a model of the others. Rows that are much alike"
            " flatter it."
        )
    if not table.lived:
        notes.append(
            "The table does not say how loans were repaid: the story ends with the decision and the outcome."
        )
    return tuple(notes)


def _models(table: Book, player: BookPlayer) -> Extra:
    """Each model that decided, what it had seen, and how it ranked the loans of its months."""
    rows = []
    for place, model in enumerate(player.models):
        following = player.models[place + 1].month if place + 1 < len(player.models) else date.max
        decided, area = _ranked(table, player, model.month, following)
        rows.append(
            (
                f"{model.month:%Y-%m}" if table.dated else "all",
                WORDS.day(model.known_on) if model.known_on else "–",
                WORDS.count(model.rows),
                WORDS.count(model.bads),
                WORDS.ppm(model.auc_ppm),
                WORDS.count(decided),
                "–" if area is None else f"{100 * area:.1f}",
            )
        )
    return Extra(
        title="Models that decided",
        note="fitted anew each month" if table.dated else "",
        head=("From", "Known on", "Loans seen", "Bad", "AUC, seen %", "Decided", "AUC, decided %"),
        rows=tuple(rows),
        foot=("Seen are loans whose outcome was knowable when the month began. " if table.dated else "")
        + "The journal holds which model made each decision.",
    )


def _ranked(table: Book, player: BookPlayer, first: date, following: date) -> tuple[int, float | None]:
    some = [
        (table.outcome(row), one.score) for row, one in player.decided.items() if first <= one.on < following
    ]
    known = [(bad, score) for bad, score in some if bad is not None and score is not None]
    if len({bad for bad, _ in known}) < 2:
        return len(some), None
    return len(some), auc([bad for bad, _ in known], [score for _, score in known])
