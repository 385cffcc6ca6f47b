"""The overview: a window of days from application to repayment, the book, the caps and the proof."""

from __future__ import annotations

from datetime import date, datetime

from obligor.app.views.alerts import AlertRow
from obligor.app.views.common import Checkpoint, View

__all__ = ["BandSum", "CapUse", "DaySum", "Flow", "Ledger", "MonthSum", "Overview"]


class Flow(View, frozen=True, kw_only=True):
    """Counts and amounts of the window's days.

    `waiting` are applications that still wait for a source. `due_minor` is principal and interest that fell
    due in the window, `due` how many instalments; `repaid` and `repaid_minor` are payments, less reversed
    ones. `held` are drawdowns that were not released.
    """

    applications: int = 0
    asked_minor: int = 0
    decided: int = 0
    waiting: int = 0
    approved: int = 0
    referred: int = 0
    declined: int = 0
    granted_minor: int = 0
    drawn: int = 0
    drawn_minor: int = 0
    held: int = 0
    due: int = 0
    due_minor: int = 0
    repaid: int = 0
    repaid_minor: int = 0


class DaySum(View, frozen=True, kw_only=True):
    """One day of the window, for the small curves."""

    on: date
    applications: int = 0
    decided: int = 0
    approved: int = 0
    drawn_minor: int = 0
    repaid_minor: int = 0


class BandSum(View, frozen=True, kw_only=True):
    """First decisions of the window whose score lies in `low`..`high`, both inclusive.

    `observed` counts loans of the band whose outcome can be known (12 months on book, or 90+ before), `bad`
    those that were 90+ days past due within 12 months.
    """

    low: int
    high: int
    decided: int
    approved: int
    referred: int
    declined: int
    mean_granted_minor: int | None = None
    mean_pd_ppm: int | None = None
    observed: int = 0
    bad: int = 0


class CapUse(View, frozen=True, kw_only=True):
    """A cap with what is used of it now."""

    cap: str
    currency: str
    limit_minor: int
    committed_minor: int
    reserved_minor: int


class MonthSum(View, frozen=True, kw_only=True):
    """Loans by month of disbursement ("2026-01"): where the amounts disbursed stand now, by days past due."""

    month: str
    loans: int
    disbursed_minor: int
    current_minor: int = 0
    past_1_30_minor: int = 0
    past_31_60_minor: int = 0
    past_61_90_minor: int = 0
    past_90_minor: int = 0
    written_off_minor: int = 0
    closed_minor: int = 0


class Ledger(View, frozen=True, kw_only=True):
    """The state of the journal and its proof.

    `behind` counts entries that projections and monitors have not seen yet. `postings_sum_minor` is the sum
    over all `postings` of all loans, which must be zero; None until it was taken. Of `replayed` decisions
    `replayed_equal` came out equal. `strategy` and `model` are those that decide now.
    """

    size: int
    recorded_at: datetime | None = None
    checkpoint: Checkpoint | None = None
    behind: int = 0
    postings: int = 0
    postings_sum_minor: int | None = None
    closed_day: date | None = None
    replayed: int | None = None
    replayed_equal: int | None = None
    strategy: str = ""
    model: str = ""


class Overview(View, frozen=True, kw_only=True):
    """Everything on the first page, for the `days` days that end with `on`, both inclusive.

    Bands run from low to high scores and cover all of them; caps are nearest to full first; alerts are the
    first of the open queue; months latest first, at most 15.
    """

    on: date | None
    days: int
    flow: Flow
    trend: tuple[DaySum, ...] = ()
    bands: tuple[BandSum, ...] = ()
    alerts: tuple[AlertRow, ...] = ()
    alerts_open: int = 0
    caps: tuple[CapUse, ...] = ()
    months: tuple[MonthSum, ...] = ()
    ledger: Ledger
