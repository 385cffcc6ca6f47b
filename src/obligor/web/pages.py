"""What pages show beyond their views: charts, and values that a template should not have to work out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from obligor.app.views import Alert, Decision, Funds, Loan, Overview, PostingGroup, Score
from obligor.web import charts, flow
from obligor.web.forms import DISPOSITIONS
from obligor.web.telling import chapters, headline
from obligor.web.wording import Words

__all__ = ["alert", "decision", "loan", "nothing", "overview"]

Values = Mapping[str, Any]
# Where days past due change what a loan is called.
DPD_RULES = (30, 60, 90)
# Shares of a month's disbursements at which the heat scale ends, in percent.
HEAT_TOP = 12.0


def nothing(_words: Words, _asked: Any, _view: Any) -> Values:
    """Nothing beyond the view."""
    return {}


# ---- Overview


def overview(spans: tuple[int, ...]) -> Callable[[Words, Any, Overview], Values]:
    """The overview's small curves, and the spans that it can be asked for."""

    def fill(words: Words, _asked: Any, view: Overview) -> Values:
        trend = view.trend
        curves = {
            name: charts.sparkline(
                [getattr(one, name) for one in trend],
                words.say("{what}, day by day").format(what=words.say(what)),
            )
            for name, what in (
                ("applications", "Applications"),
                ("decided", "Decided"),
                ("approved", "Approved"),
                ("drawn_minor", "Drawn"),
                ("repaid_minor", "Repaid"),
            )
        }
        return {
            "curves": curves,
            "from_day": view.on - timedelta(days=view.days - 1) if view.on else None,
            "most": max((band.decided for band in view.bands), default=0),
            "heat_top": HEAT_TOP,
            "spans": spans,
            "observed": any(band.observed for band in view.bands),
        }

    return fill


# ---- Decision


def decision(words: Words, view: Decision) -> Values:
    """The score's waterfall, with parts from the greatest gain to the greatest loss."""
    if view.scored is None:
        return {"parts": (), "fall": None}
    parts = sorted(view.scored.parts, key=lambda part: (-part.points, part.name))
    fall = charts.waterfall(
        view.scored.base,
        [part.points for part in parts],
        [(cutoff.outcome, cutoff.points) for cutoff in view.scored.cutoffs],
        _score_in_words(words, view.scored),
    )
    return {"parts": tuple(zip(parts, fall.parts, strict=True)), "fall": fall}


def _score_in_words(words: Words, score: Score) -> str:
    said = [words.say("Score {points}").format(points=score.points)]
    said += [
        words.say("{outcome} from {points}").format(outcome=words.value(cut.outcome), points=cut.points)
        for cut in score.cutoffs
    ]
    return ", ".join(said)


# ---- Loan


def loan(words: Words, _asked: Any, view: Loan) -> Values:
    """A loan's charts, its chapters and its latest postings as a table of partners."""
    due = [row for row in view.schedule if row.due_on <= view.on]
    return {
        "chapters": chapters(view.events),
        "due_chart": charts.due_and_paid(
            [
                charts.Bar(
                    words.short_day(row.due_on),
                    row.principal_minor + row.interest_minor,
                    row.paid_minor,
                    row.state == "past_due",
                )
                for row in view.schedule
            ],
            len(due) if view.status == "open" else None,
            words.say("Due against paid, by instalment"),
            words.brief_day(view.on),
        ),
        "paths": _paths(words, view),
        "funds": _funds(words, view, view.funds) if view.funds else None,
        "postings": [_table(group) for group in view.postings],
        "due": {
            "principal": sum(row.principal_minor for row in due),
            "interest": sum(row.interest_minor for row in due),
            "all": sum(row.principal_minor + row.interest_minor for row in due),
            "paid": sum(row.paid_minor for row in due),
            "open": sum(row.open_minor for row in due),
        },
    }


def _paths(words: Words, view: Loan) -> Values | None:
    """Balance and days past due from disbursement to the day of the page, on one axis of time."""
    if len(view.path) < 2:
        return None
    first = view.disbursed_on
    span = max((view.on - first).days, 1)

    def at(point: Any) -> float:
        return float(min(max((point.on - first).days / span, 0.0), 1.0))

    overdue = _overdue(view, first)
    worst = max(value for _, value in overdue)
    return {
        "balance": charts.steps(
            [charts.Step(at(point), point.principal_minor) for point in view.path],
            max(view.amount_minor, 1),
            words.say("Outstanding principal from {first} to {last}").format(
                first=words.day(first), last=words.day(view.on)
            ),
        ),
        "dpd": charts.line(
            [charts.Step(min(max(day / span, 0.0), 1.0), value) for day, value in overdue],
            max(worst, DPD_RULES[0] + 5),
            words.say("Days past due, at most {days}").format(days=worst),
            rules=[(days, str(days)) for days in DPD_RULES],
        ),
        "worst": worst,
        "first": first,
    }


def _overdue(view: Loan, first: date) -> list[tuple[int, int]]:
    """Days past due as corners of a line, each (days since disbursement, value).

    They grow by one a day while something is overdue, until the day before a payment takes them down.
    """
    corners = [(0, 0)]
    for point in view.path:
        day, value = (point.on - first).days, point.days_past_due
        before, had = corners[-1]
        if had and day > before:
            corners.append((day - 1, had + day - 1 - before))
        elif value:
            corners.append((max(day - value, before), 0))
        corners.append((day, value))
    return corners


def _funds(words: Words, view: Loan, funds: Funds) -> Values:
    parts = (("f3", funds.sunk_minor), ("f1", funds.held_minor), ("fg", funds.exit_minor))
    label = words.say("{sunk} reached a named place, {held} held, {exit} left our sight").format(
        sunk=words.money(funds.sunk_minor, view.currency),
        held=words.money(funds.held_minor, view.currency),
        exit=words.money(funds.exit_minor, view.currency),
    )
    return {
        "bar": charts.split_bar(parts, label),
        "whole": funds.sunk_minor + funds.held_minor + funds.exit_minor == funds.disbursed_minor,
    }


def _table(group: PostingGroup) -> Values:
    """A group of postings with one line an account and one column a partner."""
    partners = sorted({line.partner for line in group.lines if line.partner})
    accounts: dict[str, dict[str | None, int]] = {}
    for line in group.lines:
        shares = accounts.setdefault(line.account, {})
        shares[line.partner] = shares.get(line.partner, 0) + line.amount_minor
    rows = [
        {"account": account, "sum": sum(shares.values()), "own": shares.get(None, 0), "shares": shares}
        for account, shares in accounts.items()
    ]
    return {
        "group": group,
        "partners": partners,
        "rows": rows,
        "debit": sum(row["sum"] for row in rows if row["sum"] > 0),  # type: ignore[misc,operator]
        "credit": -sum(row["sum"] for row in rows if row["sum"] < 0),  # type: ignore[misc,operator]
    }


# ---- Alert


def alert(words: Words, view: Alert | None) -> Values:
    """The open alert beside the queue, with its hops drawn."""
    if view is None:
        return {"alert": None}
    currency = view.currency
    moves = [
        flow.Move(
            hop.source,
            hop.target,
            hop.amount_minor,
            words.pick(hop.label_en, hop.label_zh) or words.short_place(hop.target),
            "bad" if hop.prohibited else ("good" if hop.target_class else "seen"),
        )
        for hop in view.hops
    ]
    drawing = flow.draw(
        moves,
        words.say("Disbursed"),
        headline(words, view),
        lambda amount: words.money(amount, currency),
        (words.say("seen by the lender"), words.say("named, then not visible")),
    )
    return {"alert": view, "drawing": drawing, "dispositions": DISPOSITIONS}
