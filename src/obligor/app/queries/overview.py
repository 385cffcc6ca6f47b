"""The overview: a window of days, the book, the caps, the proof."""

from __future__ import annotations

import base64
from datetime import date, timedelta
from typing import Any

from obligor import proof
from obligor.app.queries import alerts
from obligor.app.queries.common import Books, mean
from obligor.app.queries.loans import STATE, day_values
from obligor.app.views import (
    AlertFilters,
    BandSum,
    CapUse,
    Checkpoint,
    Context,
    DaySum,
    Flow,
    Ledger,
    MonthSum,
    Overview,
    Summary,
)
from obligor.funds import Classes
from obligor.kernel import Event, add_months
from obligor.proof import Verifier, open_note

__all__ = ["checkpoint_of", "context", "overview", "summary"]

ALERTS_SHOWN, CAPS_SHOWN, MONTHS_SHOWN = 6, 8, 15
BAND_POINTS = 40
BANDS_MOST = 12
GRANTED = "CASE WHEN d.outcome = 'approve' THEN d.granted_minor END"
# The same day of the next year, as text that sorts like a date.
A_YEAR_LATER = "CAST(CAST(substr(l.disbursed_on, 1, 4) AS INTEGER) + 1 AS TEXT) || substr(l.disbursed_on, 5)"


def context(books: Books) -> Context:
    """What every page says of itself."""
    settings = books.means.settings
    counts = _counts(books)
    return Context(
        tenant=books.tenant,
        lender=settings.lender,
        currency=settings.currency,
        zone=settings.zone,
        as_of=books.as_of(),
        size=books.reader.size(books.tenant),
        label=settings.label,
        note="",
        decisions=counts["decisions"],
        loans=counts["loans"],
        alerts_open=alerts.open_count(books),
    )


def summary(books: Books, behind: int) -> Summary:
    """Totals over the whole journal."""
    counts, sums = _counts(books), _postings(books)
    loans = books.rows(
        "SELECT COALESCE(SUM(amount_minor), 0) AS disbursed_minor,"
        " COALESCE(SUM(repaid_minor), 0) AS repaid_minor,"
        " COALESCE(SUM(written_off_minor), 0) AS written_off_minor,"
        " COALESCE(SUM(recovered_minor), 0) AS recovered_minor FROM p_loan WHERE tenant = ?"
    )[0]
    return Summary(
        **counts,
        **loans,
        alerts=books.rows("SELECT COUNT(*) AS count FROM p_alert WHERE tenant = ?")[0]["count"],
        entries=books.reader.size(books.tenant),
        postings=sums["count"],
        postings_sum_minor=sums["total"] or 0,
        behind=behind,
        model=_active(books, "model", "application"),
        zone=books.means.settings.zone,
        currency=books.means.settings.currency,
    )


def overview(
    books: Books, classes: Classes, on: date | None, days: int, *, behind: int, vkey: str
) -> Overview:
    """The `days` days that end with `on`, or with the day that the books have reached."""
    last = on or books.today()
    first = last - timedelta(days=days - 1)
    sums = _days(books, first, last)
    queue = alerts.listing(books, classes, AlertFilters(state="open"), None)
    return Overview(
        on=last,
        days=days,
        flow=_flow(books, sums),
        trend=tuple(_day(first + timedelta(days=n), sums) for n in range(days)),
        bands=_bands(books, first, last),
        alerts=queue.rows[:ALERTS_SHOWN],
        alerts_open=queue.open,
        caps=_caps(books),
        months=_months(books),
        ledger=_ledger(books, behind, vkey),
    )


def checkpoint_of(note: str, vkey: str) -> Checkpoint:
    """A signed checkpoint as the console shows it."""
    verifier = Verifier(vkey)
    tree = proof.Checkpoint.parse(open_note(note, [verifier]).text)
    root = base64.b64encode(tree.root).decode()
    return Checkpoint(origin=tree.origin, size=tree.size, root=root, key=verifier.key.name)


Sums = dict[tuple[str, str], tuple[int, int]]


def _days(books: Books, first: date, last: date) -> Sums:
    rows = books.rows(
        "SELECT day, measure, count, amount_minor FROM p_day WHERE tenant = ? AND day BETWEEN ? AND ?",
        first.isoformat(),
        last.isoformat(),
    )
    return {(row["day"], row["measure"]): (row["count"], row["amount_minor"]) for row in rows}


def _total(sums: Sums, measure: str) -> tuple[int, int]:
    found = [value for (_, name), value in sums.items() if name == measure]
    return sum(count for count, _ in found), sum(amount for _, amount in found)


def _flow(books: Books, sums: Sums) -> Flow:
    waiting = books.one(
        "SELECT COUNT(*) AS count FROM p_decision_application WHERE tenant = ? AND decided = 0"
    )
    applications, asked = _total(sums, "application")
    (approved, granted), (referred, _), (declined, _) = (
        _total(sums, name) for name in ("approve", "refer", "decline")
    )
    drawn, drawn_minor = _total(sums, "drawn")
    due, due_minor = _total(sums, "due")
    repaid, repaid_minor = _total(sums, "repaid")
    return Flow(
        applications=applications,
        asked_minor=asked,
        decided=approved + referred + declined,
        waiting=int(waiting["count"]) if waiting else 0,
        approved=approved,
        referred=referred,
        declined=declined,
        granted_minor=granted,
        drawn=drawn,
        drawn_minor=drawn_minor,
        held=_total(sums, "held")[0],
        due=due,
        due_minor=due_minor,
        repaid=repaid,
        repaid_minor=repaid_minor,
    )


def _day(day: date, sums: Sums) -> DaySum:
    def of(measure: str) -> tuple[int, int]:
        return sums.get((day.isoformat(), measure), (0, 0))

    decided = sum(of(name)[0] for name in ("approve", "refer", "decline"))
    return DaySum(
        on=day,
        applications=of("application")[0],
        decided=decided,
        approved=of("approve")[0],
        drawn_minor=of("drawn")[1],
        repaid_minor=of("repaid")[1],
    )


def _bands(books: Books, first: date, last: date) -> tuple[BandSum, ...]:
    """Decisions of the window by score, in equal bands; coarser where the scores are spread wide."""
    window = (first.isoformat(), last.isoformat())
    spread = books.one(
        "SELECT MIN(score) AS low, MAX(score) AS high FROM p_decision"
        " WHERE tenant = ? AND stage = 'prelend' AND day BETWEEN ? AND ? AND score IS NOT NULL",
        *window,
    )
    if spread is None or spread["low"] is None:
        return ()
    width = BAND_POINTS
    while (spread["high"] // width) - (spread["low"] // width) >= BANDS_MOST:
        width += BAND_POINTS // 2
    rows = books.reader.query(
        "SELECT d.score / :width AS band, COUNT(*) AS decided,"
        " COUNT(*) FILTER (WHERE d.outcome = 'approve') AS approved,"
        " COUNT(*) FILTER (WHERE d.outcome = 'refer') AS referred,"
        " COUNT(*) FILTER (WHERE d.outcome = 'decline') AS declined,"
        f" {mean(GRANTED)} AS granted,"
        f" {mean('d.pd_ppm')} AS pd_ppm,"
        " COUNT(*) FILTER (WHERE l.disbursed_on <= :year OR l.bad_on IS NOT NULL) AS observed,"
        f" COUNT(*) FILTER (WHERE l.bad_on <= {A_YEAR_LATER}) AS bad"
        " FROM p_decision AS d LEFT JOIN p_loan AS l"
        " ON l.tenant = d.tenant AND l.application_id = d.application_id"
        " WHERE d.tenant = :tenant AND d.stage = 'prelend' AND d.day BETWEEN :first AND :last"
        " AND d.score IS NOT NULL GROUP BY band ORDER BY band",
        {
            "tenant": books.tenant,
            "width": width,
            "first": window[0],
            "last": window[1],
            "year": add_months(last, -12).isoformat(),
        },
    )
    return tuple(
        BandSum(
            low=row["band"] * width,
            high=row["band"] * width + width - 1,
            decided=row["decided"],
            approved=row["approved"],
            referred=row["referred"],
            declined=row["declined"],
            mean_granted_minor=row["granted"],
            mean_pd_ppm=row["pd_ppm"],
            observed=row["observed"],
            bad=row["bad"],
        )
        for row in rows
    )


def _caps(books: Books) -> tuple[CapUse, ...]:
    rows = books.rows(
        "SELECT * FROM p_cap WHERE tenant = ? AND limit_minor > 0"
        " ORDER BY CAST(committed_minor + reserved_minor AS DOUBLE PRECISION) / limit_minor DESC, cap"
        f" LIMIT {CAPS_SHOWN}"
    )
    return tuple(
        CapUse(
            cap=row["cap"],
            currency=row["currency"],
            limit_minor=row["limit_minor"],
            committed_minor=row["committed_minor"],
            reserved_minor=row["reserved_minor"],
        )
        for row in rows
    )


def _months(books: Books) -> tuple[MonthSum, ...]:
    rows = books.reader.query(
        "SELECT substr(disbursed_on, 1, 7) AS month, state, COUNT(*) AS loans, SUM(amount_minor) AS amount"
        f" FROM (SELECT disbursed_on, amount_minor, {STATE} AS state FROM p_loan WHERE tenant = :tenant)"
        " AS found GROUP BY month, state ORDER BY month DESC",
        {"tenant": books.tenant, **day_values(books.today())},
    )
    months: dict[str, dict[str, int]] = {}
    for row in rows:
        found = months.setdefault(row["month"], {"loans": 0, "disbursed_minor": 0})
        found["loans"] += row["loans"]
        found["disbursed_minor"] += row["amount"]
        found[_MONTH_FIELDS[row["state"]]] = row["amount"]
    latest = sorted(months, reverse=True)[:MONTHS_SHOWN]
    return tuple(MonthSum(month=month, **months[month]) for month in latest)


_MONTH_FIELDS = {
    "current": "current_minor",
    "1-30": "past_1_30_minor",
    "31-60": "past_31_60_minor",
    "61-90": "past_61_90_minor",
    "90+": "past_90_minor",
    "written_off": "written_off_minor",
    "closed": "closed_minor",
}


def _ledger(books: Books, behind: int, vkey: str) -> Ledger:
    size = books.reader.size(books.tenant)
    last: Event | None = books.reader.at(books.tenant, size - 1) if size else None
    notes = books.reader.checkpoints(books.tenant, last=1)
    sums = _postings(books)
    closed = _active(books, "day", "closed")
    return Ledger(
        size=size,
        recorded_at=last.recorded_at if last else None,
        checkpoint=checkpoint_of(notes[-1], vkey) if notes else None,
        behind=behind,
        postings=sums["count"],
        postings_sum_minor=sums["total"] or 0,
        closed_day=date.fromisoformat(closed) if closed else None,
        strategy=_active(books, "strategy", "prelend", "label") or "",
        model=(_active(books, "model", "application") or "")[:12],
    )


def _active(books: Books, kind: str, name: str, column: str = "value") -> str | None:
    row = books.one(
        f"SELECT {column} AS found FROM p_day_active WHERE tenant = ? AND kind = ? AND name = ?", kind, name
    )
    return str(row["found"]) if row else None


def _postings(books: Books) -> dict[str, Any]:
    row = books.one(
        "SELECT COUNT(*) AS count, SUM(amount_minor) AS total FROM p_loan_posting WHERE tenant = ?"
    )
    return row or {"count": 0, "total": 0}


def _counts(books: Books) -> dict[str, int]:
    row = books.one(
        "SELECT COUNT(*) AS decisions,"
        " COUNT(*) FILTER (WHERE COALESCE(overridden, outcome) = 'approve') AS approved"
        " FROM p_decision WHERE tenant = ? AND stage = 'prelend'"
    )
    loans = books.one("SELECT COUNT(*) AS loans FROM p_loan WHERE tenant = ?")
    return {**(row or {"decisions": 0, "approved": 0}), **(loans or {"loans": 0})}
