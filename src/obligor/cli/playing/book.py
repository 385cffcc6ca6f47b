"""A lender's own book, decided in order of date, the approved loans repaid as they really were."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from obligor.cli.playing.scorecard import from_book
from obligor.cli.playing.stage import Deadline, Progress
from obligor.client import Client
from obligor.kernel import add_months, sha256_hex
from obligor.scoring import auc
from obligor.sources import Application, Book, Mapping

__all__ = ["BookPlayer", "Decided", "FittedOn", "settings_of"]

AT_ONCE = 32
LINES_MOST = 2000


def settings_of(mapping: Mapping) -> dict[str, Any]:
    """The settings of a lender whose book a mapping explains."""
    return {
        "lender": f"Book: {mapping.name}",
        "label": "Historical book, replayed",
        "currency": mapping.spec.currency,
        "zone": "UTC",
        "future_days_most": 36_500,
        "stages": {
            "prelend": mapping.spec.strategy,
            "drawdown": "book/drawdown",
            "monitor": "book/monitor",
            "classify": "starter/classify",
            "treat": "starter/treat",
        },
    }


class FittedOn(msgspec.Struct, frozen=True):
    """A model that decided from a month on: what was knowable on the day before, and how it fits that."""

    month: date
    known_on: date | None
    rows: int
    bads: int
    auc_ppm: int
    sha256: str


class Decided(msgspec.Struct, frozen=True):
    """What was said to the application of a row, and on which day."""

    application_id: str
    on: date
    approved: bool
    score: int | None
    pd_ppm: int | None


class BookPlayer:
    """Plays a book through the API: decides the window's applications, then lets the months pass.

    Applications of a day are posted together, and what follows from them step by step; events of loans are
    sent in order of time. A month is closed when the next begins; where the table has dates, a model is then
    fitted to what has become knowable, and decides from there on. A player that is stopped begins again with
    the month it was in: the API takes nothing twice. `decided` and `loans` say, by row, what was decided and
    which loan came of it. `most` plays that many applications, evenly taken from the window.
    """

    def __init__(
        self,
        client: Client,
        book: Book,
        progress: Progress,
        *,
        at_once: int = AT_ONCE,
        most: int | None = None,
    ) -> None:
        self.book = book.mapping.name
        self.decided: dict[int, Decided] = {}
        self.loans: dict[int, str] = {}
        self.models: list[FittedOn] = []
        self._client, self._table, self._progress = client, book, progress
        self._at_once, self._most = at_once, most
        self._due: list[tuple[datetime, int, int, dict[str, Any]]] = []
        self._counts = {"applications": 0, "approved": 0, "loans": 0, "events": 0}
        self._month: date | None = None
        self._fitted: date | None = None
        self._waiting: list[dict[str, Any]] = []

    async def play(self, deadline: Deadline) -> bool:
        """Play until the deadline or the book's end; whether the end was reached."""
        for day in _days(_some(self._table.applications(), self._table.deciding, self._most)):
            await self._until(day[0].at)
            await self._flush()
            await self._fit(day[0].at.date().replace(day=1))
            await self._decide(day)
            if deadline.passed:
                await self._flush()
                return False
        while self._due:
            await self._until(self._due[0][0])
            await self._send(self._due[0][0])
            if deadline.passed:
                await self._flush()
                return False
        await self._flush()
        if self._month:
            await self._close(self._month)
        return True

    def auc(self) -> float | None:
        """The area under the curve of the scores against the final outcome of the same loans."""
        told = [(self._table.outcome(row), one.score) for row, one in self.decided.items()]
        known = [(bad, score) for bad, score in told if bad is not None and score is not None]
        if len({bad for bad, _ in known}) < 2:
            return None
        return auc([bad for bad, _ in known], [score for _, score in known])

    async def _fit(self, month: date) -> None:
        """Let a model decide a month that was fitted to what was knowable when it began."""
        if month == self._fitted:
            return
        self._fitted = month
        known_on = month - timedelta(days=1) if self._table.dated else None
        model = from_book(self._table, known_on)
        told = await self._client.post(
            "/v1/models",
            {
                "version": f"{month:%Y-%m}",
                "known_on": known_on.isoformat() if known_on else None,
                "model": msgspec.json.decode(model.to_json()),
            },
        )
        fit = model.artifact.training
        self.models.append(FittedOn(month, known_on, fit.rows, fit.bads, fit.auc_ppm, told["sha256"]))

    async def _decide(self, day: Sequence[Application]) -> None:
        for begin in range(0, len(day), self._at_once):
            some = day[begin : begin + self._at_once]
            answers = await self._client.together(
                self._client.apply(one.payload, f"{self.book}/{one.row}") for one in some
            )
            approved = []
            for one, answer in zip(some, answers, strict=True):
                self._counts["applications"] += 1
                said = answer.get("outcome") == "approve"
                self.decided[one.row] = Decided(
                    answer["application_id"],
                    one.at.date(),
                    said,
                    answer.get("score"),
                    answer.get("pd_ppm"),
                )
                if said:
                    self._counts["approved"] += 1
                    approved.append((one, answer))
            if approved and self._table.lived:
                await self._pay_out(approved)
        self._progress.day(day[0].at.date(), **self._counts)

    async def _pay_out(self, approved: Sequence[tuple[Application, dict[str, Any]]]) -> None:
        """Offer, accept, sign and draw what was really lent.

        The loans' lives go on the list of what is due.
        """
        lines = []
        for one, answer in approved:
            lines += _contract(self.book, one, answer["application_id"], self._amount(one, answer))
        await self._client.accepted(lines)
        drawn = await self._client.together(
            self._client.draw(self._drawdown(one, answer), f"{self.book}/{one.row}/drawdown")
            for one, answer in approved
        )
        for (one, _), answer in zip(approved, drawn, strict=True):
            if answer["loan_id"] is None:
                continue
            self._counts["loans"] += 1
            self.loans[one.row] = answer["loan_id"]
            for number, event in enumerate(self._table.life(one.row, answer["loan_id"])):
                heapq.heappush(self._due, (datetime.fromisoformat(event["at"]), one.row, number, event))

    def _amount(self, one: Application, answer: dict[str, Any]) -> int:
        return min(self._table.terms(one.row).amount_minor, int(answer["limit_minor"]))

    def _drawdown(self, one: Application, answer: dict[str, Any]) -> dict[str, Any]:
        terms = self._table.terms(one.row)
        return {
            "application_id": answer["application_id"],
            "amount_minor": terms.amount_minor,
            "currency": terms.currency,
            "at": terms.at.isoformat(),
        }

    async def _until(self, at: datetime) -> None:
        """Send what is due before a moment, and close the months that end before it."""
        while True:
            month = at.date().replace(day=1)
            if self._month is None:
                self._month = month
            if self._month >= month:
                break
            following = add_months(self._month, 1)
            await self._send(datetime(following.year, following.month, 1, tzinfo=at.tzinfo), before=True)
            await self._flush()
            await self._close(self._month)
            self._month = following
        await self._send(at, before=True)

    async def _send(self, at: datetime, *, before: bool = False) -> None:
        while self._due and (self._due[0][0] < at or (not before and self._due[0][0] == at)):
            self._waiting.append(heapq.heappop(self._due)[3])
            if len(self._waiting) >= LINES_MOST:
                await self._flush()

    async def _flush(self) -> None:
        if self._waiting:
            await self._client.accepted(self._waiting)
            self._counts["events"] += len(self._waiting)
            self._waiting = []

    async def _close(self, month: date) -> None:
        last = date.fromordinal(add_months(month, 1).toordinal() - 1)
        await self._client.events(
            [
                {
                    "type": "day.closed",
                    "source": "player",
                    "source_ref": f"close/{last.isoformat()}",
                    "body": {"day": last.isoformat()},
                }
            ]
        )
        self._progress.day(last, **self._counts)


def _some(applications: Iterator[Application], count: int, most: int | None) -> Iterator[Application]:
    """So many of them, evenly taken."""
    step = 1 if most is None else max(1, count / most)
    wanted = 0.0
    for place, one in enumerate(applications):
        if place >= wanted:
            wanted += step
            yield one


def _days(applications: Iterator[Application]) -> Iterator[list[Application]]:
    day: list[Application] = []
    for one in applications:
        if day and day[0].at.date() != one.at.date():
            yield day
            day = []
        day.append(one)
    if day:
        yield day


def _contract(book: str, one: Application, application_id: str, amount_minor: int) -> list[dict[str, Any]]:
    """An offer of what was really lent, taken and signed on the spot."""
    at = one.at.isoformat()
    bodies: tuple[tuple[str, dict[str, Any]], ...] = (
        ("offer.made", {"amount_minor": amount_minor}),
        ("offer.accepted", {}),
        (
            "contract.signed",
            {
                "contract_id": f"{book}-{one.row}",
                "document_sha256": sha256_hex(f"{book}/{one.row}/{amount_minor}".encode()),
            },
        ),
    )
    return [
        {
            "type": kind,
            "at": at,
            "source": "player",
            "source_ref": f"{book}/{one.row}/{kind}",
            "body": {"application_id": application_id, **body},
        }
        for kind, body in bodies
    ]
