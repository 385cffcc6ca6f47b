"""The simulated lender.

Its customers are `obligor.world`, its own steps are here, the system is the real one.
"""

from __future__ import annotations

import asyncio
import time as time_module
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from obligor.cli.playing.stage import Deadline, Progress
from obligor.client import ApiError, Client
from obligor.kernel import sha256_hex
from obligor.scoring import auc
from obligor.world import Answer, Request, World

__all__ = ["Manner", "WorldPlayer"]

SAVE_EVERY_DAYS = 20
WRITE_OFF_DPD = 180
PD_MOST_PPM = 90_000
OFFICER = "officer-07"
# A default within 12 months is written off within so many days of the disbursement.
OUTCOME_DAYS = 365 + WRITE_OFF_DPD - 90 + 7
CAPS = (
    ("obligor/*", 20_000_000),
    ("product/instalment", 30_000_000_000),
    ("product/line", 6_000_000_000),
    ("product/business", 6_000_000_000),
    ("product/bullet", 4_000_000_000),
)
# What a declined applicant of the random cell is lent: a little, dear, to learn what declining costs.
CELL_MOST_MINOR = 500_000
CELL_RATE_BP = 2_340
SCORE_REASON = "S01"


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a lender is played.

    `closes` the book every day or every month. `in_order` says that the client keeps the order of what is
    sent at once. Of those declined for their score alone the share `cell`, drawn by lot, is lent a little
    all the same, up to `cell_most` loans: they tell how the declined would have paid. `saves` keeps the
    world in its directory.
    """

    closes: Literal["day", "month"] = "day"
    in_order: bool = False
    cell: float = 0.015
    cell_most: int = 60
    saves: bool = True


class Lent(msgspec.Struct):
    """A loan as the lender's clerk remembers it."""

    score: int | None
    disbursed_on: date
    lost_on: date | None = None


class Clerk(msgspec.Struct):
    """What the lender's own side needs to go on another day."""

    scores: dict[str, int | None] = {}
    loans: dict[str, Lent] = {}
    counts: dict[str, int] = {}

    def count(self, what: str, more: int = 1) -> None:
        """Count something for the progress line."""
        self.counts[what] = self.counts.get(what, 0) + more


class WorldPlayer:
    """Plays day after day: customers ask and pay, the lender offers, disburses, writes off, closes the day.

    The world and the clerk are kept in a file; a player that was stopped goes on with the next day. One
    that was killed plays the days since the last save again: the API takes nothing twice.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        directory: Path,
        zone: str,
        progress: Progress,
        *,
        manner: Manner | None = None,
    ) -> None:
        self.book = "simulated"
        self.manner = manner or Manner()
        self.cpu_seconds = 0.0  # of the world's own steps
        self._client, self._world, self._progress = client, world, progress
        self._directory, self._zone = directory, ZoneInfo(zone)
        self._clerk = Clerk()
        self._asked_for: dict[str, dict[str, Any]] = {}
        clerk = directory / "clerk.msgpack"
        if clerk.is_file():
            self._clerk = msgspec.msgpack.decode(clerk.read_bytes(), type=Clerk)

    @staticmethod
    def saved(directory: Path) -> World | None:
        """The world that an earlier player left, if there is one."""
        path = directory / "world.msgpack"
        return World.thaw(path.read_bytes()) if path.is_file() else None

    async def play(self, deadline: Deadline, days: int | None = None) -> bool:
        """Play until the deadline, or so many days; whether the days are over."""
        await self._set_caps()
        played = 0
        while not deadline.passed and (days is None or played < days):
            await self._day(self._world.next_day)
            played += 1
            if played % SAVE_EVERY_DAYS == 0:
                self._save()
        self._save()
        return days is not None and played >= days

    def auc(self) -> float | None:
        """The scores' area under the curve against what was known of loans that are 15 months old or more.

        Bad is a loan that was more than 90 days past due within 12 months and was written off for it, from
        180 days on; fraud is in it.
        """
        today = self._world.next_day
        old = [
            lent
            for lent in self._clerk.loans.values()
            if lent.score is not None and (today - lent.disbursed_on).days >= OUTCOME_DAYS
        ]
        bad = [
            lent.lost_on is not None and (lent.lost_on - lent.disbursed_on).days <= OUTCOME_DAYS
            for lent in old
        ]
        return None if len(set(bad)) < 2 else auc(bad, [lent.score for lent in old])

    async def _day(self, day: date) -> None:
        self._asked_for.clear()
        requests = self._timed(self._world.day, day)
        while requests:
            answers = await self._post(requests)
            steps = await self._lender(day, answers)
            requests = self._timed(self._world.react, [*answers, *steps])
        last = (day + timedelta(days=1)).day == 1
        if last or self.manner.closes == "day":
            await self._write_off(day)
            await self._event("day.closed", f"close/{day}", day, {"day": day.isoformat()})
            await self.closed(day)
        self._progress.day(day, **self._clerk.counts)

    async def closed(self, day: date) -> None:
        """What a kind of player does once a day's or month's close was taken; nothing here."""

    def _timed(self, step: Callable[[Any], list[Request]], given: Any) -> list[Request]:
        begun = time_module.thread_time()
        said = step(given)
        self.cpu_seconds += time_module.thread_time() - begun
        return said

    async def _post(self, requests: Sequence[Request]) -> list[Answer]:
        """Post what the customers ask: what happened first, then applications, then requests for money."""
        kinds: dict[str, list[Request]] = {"event": [], "application": [], "drawdown": []}
        for request in requests:
            kinds[request.kind].append(request)
        kinds = {kind: some for kind, some in kinds.items() if some}
        sends = [self._send(kind, some) for kind, some in kinds.items()]
        told = await asyncio.gather(*sends) if self.manner.in_order else [await send for send in sends]
        answers: dict[str, Answer] = {}
        for (kind, some), responses in zip(kinds.items(), told, strict=True):
            answers |= {one.id: Answer(one, said) for one, said in zip(some, responses, strict=True)}
            self._clerk.count(f"{kind}s", len(some))
        return [answers[request.id] for request in requests]

    async def _send(self, kind: str, some: Sequence[Request]) -> list[dict[str, Any]]:
        if kind == "event":
            return await self._client.events([request.payload for request in some])
        send = self._client.apply if kind == "application" else self._client.draw
        return await self._client.together(self._asked(send, request) for request in some)

    @staticmethod
    async def _asked(send: Any, request: Request) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await send(request.payload, request.id)
        except ApiError as error:
            return {"status": error.status, "code": error.code}
        return answer

    async def _lender(self, day: date, answers: Iterable[Answer]) -> list[Answer]:
        """The lender's own steps on what was just answered: override, offer, disburse."""
        steps: list[Request] = []
        for answer in answers:
            response = answer.response
            if answer.refused:
                continue
            if response.get("outcome") == "approve":
                self._clerk.scores[response["application_id"]] = response.get("score")
                steps.append(self._step(day, "offer.made", response["application_id"], {}))
                self._clerk.count("approved")
            elif response.get("outcome") == "refer":
                self._clerk.scores[response["application_id"]] = response.get("score")
                steps.extend(self._underwritten(day, response))
            elif response.get("outcome") == "decline" and self._by_lot(answer):
                steps.extend(self._cell(day, response["application_id"]))
            elif response.get("outcome") == "release":
                steps.append(self._disbursed(day, answer.request, response))
            if answer.request.kind == "application":
                self._asked_for[response["application_id"]] = answer.request.payload
            if answer.request.payload.get("type") == "offer.accepted":
                self._clerk.count("taken up")
        if not steps:
            return []
        told = await self._client.events([step.payload for step in steps])
        for step, response in zip(steps, told, strict=True):
            if step.payload["type"] == "loan.disbursed" and response["status"] != "refused":
                self._lent(day, step, response)
        return [Answer(step, response) for step, response in zip(steps, told, strict=True)]

    def _lent(self, day: date, step: Request, response: dict[str, Any]) -> None:
        application_id = step.id.split("|")[1]
        score = self._clerk.scores.get(application_id)
        self._clerk.loans[response["loan_id"]] = Lent(score, day)
        self._clerk.count("loans")

    def _underwritten(self, day: date, response: Mapping[str, Any]) -> list[Request]:
        """An officer's outcome for a referral: approved where there are terms and the risk is bearable."""
        application_id, pd_ppm = response["application_id"], response.get("pd_ppm")
        approve = bool(response.get("limit_minor")) and pd_ppm is not None and pd_ppm <= PD_MOST_PPM
        body = {
            "outcome": "approve" if approve else "decline",
            "officer": OFFICER,
            "authority": "underwriter",
            "reason_code": "OV-REFERRAL",
        }
        made = [self._step(day, "application.overridden", application_id, body)]
        if approve:
            made.append(self._step(day, "offer.made", application_id, {}))
        return made

    def _by_lot(self, answer: Answer) -> bool:
        """Whether somebody who was declined for the score alone belongs to the random cell."""
        response = answer.response
        if [reason["code"] for reason in response["reasons"]][:1] != [SCORE_REASON]:
            return False
        self._clerk.scores[response["application_id"]] = response.get("score")
        lot = int(sha256_hex(f"cell {answer.request.id}".encode())[:8], 16) / 2**32
        known = response["application_id"] in self._asked_for
        return known and lot < self.manner.cell and self._clerk.counts.get("cell", 0) < self.manner.cell_most

    def _cell(self, day: date, application_id: str) -> list[Request]:
        asked = self._asked_for[application_id]
        self._clerk.count("cell")
        body = {
            "outcome": "approve",
            "officer": OFFICER,
            "authority": "test-cell",
            "reason_code": "OV-REJECT-CELL",
            "limit_minor": min(asked["amount_minor"], CELL_MOST_MINOR),
            "rate_bp": CELL_RATE_BP,
            "term_months": asked["term_months"],
        }
        return [
            self._step(day, "application.overridden", application_id, body),
            self._step(day, "offer.made", application_id, {}),
        ]

    def _disbursed(self, day: date, request: Request, response: Mapping[str, Any]) -> Request:
        body = {"loan_id": response["loan_id"], "disbursed_on": day.isoformat()}
        account = request.payload.get("account_id")
        if account and response.get("payment_mode") != "entrusted":
            body["account_id"] = account
        name = f"loan.disbursed|{request.payload['application_id']}|{response['drawdown_id']}"
        return self._made("loan.disbursed", name, day, body)

    def _step(self, day: date, kind: str, application_id: str, body: dict[str, Any]) -> Request:
        return self._made(kind, f"{kind}|{application_id}", day, {"application_id": application_id, **body})

    def _made(self, kind: str, name: str, day: date, body: dict[str, Any]) -> Request:
        at = datetime.combine(day, time(20), self._zone).astimezone(UTC)
        payload = {
            "type": kind,
            "at": at.isoformat(),
            "source": "lender",
            "source_ref": name,
            "body": body,
        }
        return Request(id=name, kind="event", payload=payload)

    async def _write_off(self, day: date) -> None:
        """Once a week, or at the month's close, take off the book what is 180 days past due or more."""
        if day.weekday() != 0 and self.manner.closes == "day":
            return
        overdue = await self._overdue()
        for loan_id in overdue:
            body = {
                "loan_id": loan_id,
                "written_off_on": day.isoformat(),
                "why": f"{WRITE_OFF_DPD} days past due",
            }
            answer = await self._event("loan.written_off", f"written_off|{loan_id}", day, body)
            if answer["status"] != "refused":
                self._clerk.count("written off")
                self._world.notice("loan.written_off", body)
                if loan_id in self._clerk.loans:
                    self._clerk.loans[loan_id].lost_on = day

    async def _overdue(self) -> list[str]:
        found: list[str] = []
        after: str | None = None
        while True:
            page = await self._client.get("/v1/loans", state="90+", after=after)
            found += [row["loan_id"] for row in page["rows"] if row["days_past_due"] >= WRITE_OFF_DPD]
            after = page["next"]
            if after is None:
                return found

    async def _set_caps(self) -> None:
        for cap, limit in CAPS:
            body = {"cap": cap, "limit_minor": limit, "currency": "CNY"}
            await self._event("cap.set", f"cap/{cap}", self._world.next_day - timedelta(days=1), body)

    async def _event(self, kind: str, name: str, day: date, body: dict[str, Any]) -> dict[str, Any]:
        return (await self._client.events([self._made(kind, name, day, body).payload]))[0]

    def _save(self) -> None:
        if not self.manner.saves:
            return
        for name, data in (
            ("world.msgpack", self._world.freeze()),
            ("clerk.msgpack", msgspec.msgpack.encode(self._clerk)),
            ("truth.json", msgspec.json.format(msgspec.json.encode(self._world.truth()), indent=1)),
        ):
            staging = self._directory / f"{name}.new"
            staging.write_bytes(data)
            staging.rename(self._directory / name)
