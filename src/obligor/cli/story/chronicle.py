"""What a story came to, read from the books: approvals, bands, calibration, vintages, alerts, money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from obligor.app.queries.common import Books
from obligor.kernel import add_months

__all__ = ["Alerted", "Band", "Chronicle", "Decile", "Money", "Month", "Vintage", "read"]

BAND_POINTS = 20
BANDS_MOST = 12
DECILES = 10
YEAR = 12
MONTHS_MOST = 24
VINTAGES_MOST = 15


class Month(msgspec.Struct, frozen=True):
    """First decisions of a month, "2011-01"; an officer's outcome where there is one."""

    month: str
    approved: int
    referred: int
    declined: int

    @property
    def decided(self) -> int:
        """All of them."""
        return self.approved + self.referred + self.declined


class Band(msgspec.Struct, frozen=True):
    """First decisions with a score from `low` to `high`; of `known` outcomes, `bad` were bad."""

    low: int
    high: int
    decided: int
    approved: int
    pd_ppm: int
    known: int
    bad: int


class Decile(msgspec.Struct, frozen=True):
    """Loans 12 months old or bad before, by the PD they were made at; `bad` are over 90 days by then."""

    pd_ppm: int
    rows: int
    bad: int


class Vintage(msgspec.Struct, frozen=True):
    """Loans disbursed in a quarter or month.

    `bad_ppm` is the share of the amount lent whose loan had been over 90 days past due by the end of month 0,
    1, 2 … on book: of the original amount, as far as all its loans have come.
    """

    name: str
    loans: int
    amount_minor: int
    bad_ppm: tuple[int, ...]


class Alerted(msgspec.Struct, frozen=True):
    """Alerts of a kind and a severity."""

    kind: str
    severity: str
    count: int


class Money(msgspec.Struct, frozen=True):
    """What became of the money lent, by the postings; amounts in minor units.

    `lent` is `principal` that came back, `written_off` and `open` together; `earned` are interest and fees
    that were paid.
    """

    lent_minor: int
    principal_minor: int
    written_off_minor: int
    open_minor: int
    earned_minor: int
    recovered_minor: int
    recovery_cost_minor: int


class Chronicle(msgspec.Struct, frozen=True, kw_only=True):
    """A story's figures, up to the day that the books have reached."""

    first: date
    last: date
    months: tuple[Month, ...]
    bands: tuple[Band, ...]
    deciles: tuple[Decile, ...]
    vintages: tuple[Vintage, ...]
    alerts: tuple[Alerted, ...]
    money: Money


def read(books: Books, outcomes: Mapping[str, bool] | None = None) -> Chronicle:
    """The chronicle of a tenant's books.

    `outcomes` are the truth of applications by id (True is bad) where a story knows it of the declined too;
    otherwise bands tell what the lender saw: over 90 days past due within 12 months. Where there is no loan
    to be watched, calibration is against the truth too.
    """
    last = books.today()
    decisions = books.rows(
        "SELECT d.application_id, d.day, COALESCE(d.overridden, d.outcome) AS outcome, d.score, d.pd_ppm,"
        " l.disbursed_on, l.bad_on"
        # An application may have several loans: the first counts, and the first that goes bad.
        " FROM p_decision AS d LEFT JOIN"
        " (SELECT application_id, MIN(disbursed_on) AS disbursed_on, MIN(bad_on) AS bad_on"
        " FROM p_loan WHERE tenant = ? GROUP BY application_id) AS l"
        " ON l.application_id = d.application_id"
        " WHERE d.tenant = ? AND d.stage = 'prelend' ORDER BY d.known_seq",
        books.tenant,
    )
    made = [_Made.of(row, last) for row in decisions]
    vintages = _vintages(books, last)
    if outcomes is not None and not vintages:
        watched = [msgspec.structs.replace(one, bad=outcomes.get(one.application_id)) for one in made]
    else:
        watched = made
    return Chronicle(
        first=min((one.on for one in made), default=last),
        last=last,
        months=_months(made),
        bands=_bands(made, outcomes),
        deciles=_deciles(watched),
        vintages=vintages,
        alerts=_alerts(books),
        money=_money(books),
    )


class _Made(msgspec.Struct, frozen=True):
    """A first decision, and what the lender saw of the loan; `bad` is None before it can be known."""

    application_id: str
    on: date
    outcome: str
    score: int | None
    pd_ppm: int | None
    bad: bool | None

    @classmethod
    def of(cls, row: Mapping[str, object], last: date) -> _Made:
        """From a row of the books."""
        values = dict(row)
        lent, failed = values.pop("disbursed_on"), values.pop("bad_on")
        bad: bool | None = None
        if lent is not None:
            until = add_months(date.fromisoformat(str(lent)), YEAR)
            if failed is not None and date.fromisoformat(str(failed)) <= until:
                bad = True
            elif until <= last:
                bad = False
        return msgspec.convert({**values, "on": values.pop("day"), "bad": bad}, cls)


def _months(made: Sequence[_Made]) -> tuple[Month, ...]:
    counts: dict[str, dict[str, int]] = {}
    for one in made:
        found = counts.setdefault(f"{one.on:%Y-%m}", {"approve": 0, "refer": 0, "decline": 0})
        found[one.outcome] = found.get(one.outcome, 0) + 1
    months = [Month(name, of["approve"], of["refer"], of["decline"]) for name, of in sorted(counts.items())]
    return tuple(months[-MONTHS_MOST:])


def _bands(made: Sequence[_Made], outcomes: Mapping[str, bool] | None) -> tuple[Band, ...]:
    """Equal bands of points, coarser where the scores are spread wide; the few at either end are joined."""
    found = [one for one in made if one.score is not None]
    if not found:
        return ()
    scores = sorted(one.score or 0 for one in found)
    edge = len(scores) // 100
    low, high = scores[edge], scores[-1 - edge]
    width = BAND_POINTS
    while high // width - low // width >= BANDS_MOST:
        width += BAND_POINTS // 2
    grouped: dict[int, list[_Made]] = {}
    for one in found:
        grouped.setdefault(min(max(one.score or 0, low), high) // width, []).append(one)
    bands = []
    for place, some in sorted(grouped.items()):
        known = [one.bad if outcomes is None else outcomes.get(one.application_id) for one in some]
        told = [bad for bad in known if bad is not None]
        pds = [one.pd_ppm for one in some if one.pd_ppm is not None]
        bands.append(
            Band(
                low=min(place * width, *(one.score or 0 for one in some)),
                high=max(place * width + width - 1, *(one.score or 0 for one in some)),
                decided=len(some),
                approved=sum(one.outcome == "approve" for one in some),
                pd_ppm=sum(pds) // max(1, len(pds)),
                known=len(told),
                bad=sum(told),
            )
        )
    return tuple(bands)


def _deciles(made: Sequence[_Made]) -> tuple[Decile, ...]:
    known = sorted(
        ((one.pd_ppm, one.bad) for one in made if one.bad is not None and one.pd_ppm is not None),
    )
    found = []
    for place in range(DECILES):
        some = known[place * len(known) // DECILES : (place + 1) * len(known) // DECILES]
        if some:
            pd_ppm = sum(pd for pd, _ in some) // len(some)
            found.append(Decile(pd_ppm, len(some), sum(bad for _, bad in some)))
    return tuple(found)


def _vintages(books: Books, last: date) -> tuple[Vintage, ...]:
    """By month; by quarter where there are many months."""
    loans = books.rows("SELECT disbursed_on, amount_minor, bad_on FROM p_loan WHERE tenant = ?")
    by_month = len({row["disbursed_on"][:7] for row in loans}) <= VINTAGES_MOST
    grouped: dict[str, list[tuple[date, int, date | None]]] = {}
    for row in loans:
        on = date.fromisoformat(row["disbursed_on"])
        name = f"{on:%Y-%m}" if by_month else f"{on.year} Q{(on.month + 2) // 3}"
        failed = date.fromisoformat(row["bad_on"]) if row["bad_on"] else None
        grouped.setdefault(name, []).append((on, row["amount_minor"], failed))
    return tuple(_vintage(name, some, last) for name, some in sorted(grouped.items()))


def _vintage(name: str, loans: Sequence[tuple[date, int, date | None]], last: date) -> Vintage:
    amount = sum(lent for _, lent, _ in loans)
    youngest = max(on for on, _, _ in loans)
    length = max(0, (last.year - youngest.year) * 12 + last.month - youngest.month)
    bad = [0] * (length + 1)
    for on, lent, failed in loans:
        if failed is not None:
            place = (failed.year - on.year) * 12 + failed.month - on.month
            # The month on book ends on the day of the month on which the loan was made.
            place += failed.day > on.day
            if place <= length:
                bad[place] += lent
    reached, curve = 0, []
    for more in bad:
        reached += more
        curve.append(reached * 1_000_000 // max(1, amount))
    return Vintage(name, len(loans), amount, tuple(curve))


def _alerts(books: Books) -> tuple[Alerted, ...]:
    rows = books.rows(
        "SELECT kind, severity, COUNT(*) AS count FROM p_alert WHERE tenant = ?"
        " GROUP BY kind, severity ORDER BY count DESC, kind, severity"
    )
    return tuple(Alerted(**row) for row in rows)


def _money(books: Books) -> Money:
    """Sums by account and event, so that write-offs and payments of principal are told apart."""
    sums = {
        (row["account"], row["type"]): int(row["amount"])
        for row in books.rows(
            "SELECT account, type, SUM(amount_minor) AS amount FROM p_loan_posting WHERE tenant = ?"
            " GROUP BY account, type"
        )
    }

    def of(account: str, kind: str | None = None) -> int:
        return sum(
            amount for (name, what), amount in sums.items() if name == account and kind in (None, what)
        )

    lent = of("loan_principal", "loan.disbursed")
    written_off = -of("loan_principal", "loan.written_off")
    open_ = of("loan_principal")
    # Excess is still the customers'.
    paid = of("cash", "repayment.received") + of("cash", "repayment.reversed") + of("customer_excess")
    principal = lent - written_off - open_
    return Money(
        lent_minor=lent,
        principal_minor=principal,
        written_off_minor=written_off,
        open_minor=open_,
        earned_minor=paid - principal,
        recovered_minor=-of("recovery_income"),
        recovery_cost_minor=of("recovery_cost"),
    )
