"""A behaviour score in the middle of a story: trained on month ends whose outcome was knowable, then at work.

From then on every month's close scores the loans that are open and not in default, as they are known on that
day. How well it ranked them is asked when the story is over, beside the days past due alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from obligor.app.service import Service
from obligor.journal import Accepted, Command, View
from obligor.loans import Loan
from obligor.scoring import (
    Characteristic,
    PointsModel,
    Reason,
    auc,
    behaviour_facts,
    behaviour_frame,
    behaviour_outcome,
    train_behaviour,
)

__all__ = ["Behaviour", "Ranked"]

AHEAD_MONTHS = 6
# What the application's own score still tells once a loan is on the book.
APPLICATION = Characteristic(
    name="application_score",
    kind="int",
    risk="falling",
    reason=Reason(code="H90", en="The application's own score was low", zh="申请评分较低"),
)
BADS_LEAST = 25
DEFAULT_DAYS = 90
AT_ONCE = 500


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """How the score ranked loans at month ends whose outcome came to be known.

    `trained_on` is the day the score was made on, of `trained_rows` month ends with `trained_bads`. Areas
    under the curve are of `rows` month ends with `bads` that were more than 90 days past due within six
    months.
    """

    trained_on: date
    trained_rows: int
    trained_bads: int
    rows: int
    bads: int
    auc: float | None
    auc_days_past_due: float | None


class _Scored(msgspec.Struct, frozen=True):
    loan_id: str
    on: date
    score: int
    days_past_due: int


class Behaviour:
    """The score of one story. `train` once there is something to learn, then `score` at every close."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.model: PointsModel | None = None
        self._trained_on: date | None = None
        self._trained = (0, 0)
        self._scored: list[_Scored] = []
        self._applied: dict[str, int] = {}

    def train(self, known_on: date) -> None:
        """Fit a score on the month ends of all loans, open or over; too few defaults make none."""
        loans = self._loans("TRUE")
        frame = behaviour_frame(loans, known_on, months=AHEAD_MONTHS, extra=self._more)
        bads = int(frame["bad"].sum())
        if bads < BADS_LEAST or bads == len(frame):
            return
        note = "month ends of the simulated lender, what was knowable"
        self.model = train_behaviour(
            frame, known_on=known_on, kind="logistic", characteristics=(APPLICATION,), note=note
        )
        self._trained_on, self._trained = known_on, (len(frame), bads)

    def score(self, on: date) -> None:
        """Score the open loans that are not in default at a month's end."""
        if self.model is None:
            return
        for loan in self._loans("status = 'open'"):
            late = loan.days_past_due(on)
            if late <= DEFAULT_DAYS:
                facts = behaviour_facts(loan, on) | self._more(loan, on)
                points = self.model.score(facts).points
                self._scored.append(_Scored(loan.loan_id, on, points, late))

    def ranked(self, known_on: date) -> Ranked | None:
        """What became of it; None where no score was trained."""
        if self._trained_on is None:
            return None
        loans = {loan.loan_id: loan for loan in self._loans("TRUE")}
        told = [
            (one, behaviour_outcome(loans[one.loan_id], one.on, known_on, months=AHEAD_MONTHS))
            for one in self._scored
        ]
        known = [(one, bad) for one, bad in told if bad is not None]
        bad = [bad for _, bad in known]
        both = 0 < sum(bad) < len(bad)
        return Ranked(
            trained_on=self._trained_on,
            trained_rows=self._trained[0],
            trained_bads=self._trained[1],
            rows=len(known),
            bads=sum(bad),
            auc=round(auc(bad, [one.score for one, _ in known]), 4) if both else None,
            auc_days_past_due=round(auc(bad, [-one.days_past_due for one, _ in known]), 4) if both else None,
        )

    def _more(self, loan: Loan, _: date) -> dict[str, int | None]:
        return {APPLICATION.name: self._applied.get(loan.application_id)}

    def _loans(self, condition: str) -> Sequence[Loan]:
        """Loans as the writer knows them now; notes the scores that their applications were decided with."""
        tenant = self._service.settings.tenant
        scores = self._service.books(tenant).rows(
            "SELECT application_id, score FROM p_decision"
            " WHERE tenant = ? AND stage = 'prelend' AND score IS NOT NULL"
        )
        self._applied = {row["application_id"]: row["score"] for row in scores}
        rows = self._service.books(tenant).rows(
            f"SELECT loan_id FROM p_loan WHERE tenant = ? AND {condition} ORDER BY known_seq"
        )
        ids = [row["loan_id"] for row in rows]
        found: list[Loan] = []
        for begin in range(0, len(ids), AT_ONCE):
            some = ids[begin : begin + AT_ONCE]

            def look(view: View, some: Sequence[str] = some) -> Accepted:
                states: list[Any] = [view.state(f"loan/{loan_id}") for loan_id in some]
                found.extend(state for state in states if state is not None)
                return Accepted()

            self._service.submit_command(Command(tenant=tenant, run=look))
        return found
