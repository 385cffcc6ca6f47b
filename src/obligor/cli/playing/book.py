"""A lender's own book, decided in order of date, the approved loans repaid as they really were."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from obligor.cli.playing.stage import Deadline, Progress
from obligor.client import Client
from obligor.kernel import add_months, sha256_hex
from obligor.scoring import auc
from obligor.sources import Application, Book

__all__ = ["BookPlayer"]

AT_ONCE = 32
LINES_MOST = 2000


class BookPlayer:
    """Plays a book through the API: decides the window's applications, then lets the months pass.

    Applications of a day are posted together, and what follows from them step by step; events of loans are
    sent in order of time. A month is closed when the next begins. A player that is stopped begins again
    with the month it was in: the API takes nothing twice.
    """

    def __init__(self, client: Client, book: Book, progress: Progress) -> None:
        self.book = book.mapping.name
        self._client, self._table = client, book
        self._progress = progress
        self._due: list[tuple[datetime, int, int, dict[str, Any]]] = []
        self._scores: dict[int, int] = {}
        self._counts = {"applications": 0, "approved": 0, "loans": 0, "events": 0}
        self._month: date | None = None
        self._waiting: list[dict[str, Any]] = []

    async def play(self, deadline: Deadline) -> bool:
        """Play until the deadline or the book's end; whether the end was reached."""
        for day in _days(self._table.applications()):
            await self._until(day[0].at)
            await self._flush()
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
        known = [(row, self._table.outcome(row)) for row in self._scores]
        bad = [outcome for _, outcome in known if outcome is not None]
        scores = [self._scores[row] for row, outcome in known if outcome is not None]
        return None if len(set(bad)) < 2 else auc(bad, scores)

    async def _decide(self, day: Sequence[Application]) -> None:
        for begin in range(0, len(day), AT_ONCE):
            some = day[begin : begin + AT_ONCE]
            answers = await self._client.together(
                self._client.apply(one.payload, f"{self.book}/{one.row}") for one in some
            )
            approved = []
            for one, answer in zip(some, answers, strict=True):
                self._counts["applications"] += 1
                if answer.get("score") is not None:
                    self._scores[one.row] = answer["score"]
                if answer.get("outcome") == "approve":
                    approved.append((one, answer))
            if approved:
                await self._pay_out(approved)
        self._progress.day(day[0].at.date(), **self._counts)

    async def _pay_out(self, approved: Sequence[tuple[Application, dict[str, Any]]]) -> None:
        """Offer, accept, sign and draw what was really lent.

        The loans' lives go on the list of what is due.
        """
        self._counts["approved"] += len(approved)
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
