"""`obligor story world`: the simulated lender's months, headless, and what came of them.

The world's customers ask, pay and misuse; the system is the real one, in this process, on the same command
path as behind HTTP. The world's truth is joined at the end only. Everything is simulated, and labelled so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from obligor.app.queries.common import Books
from obligor.cli.common import app, run
from obligor.cli.playing import Deadline, Progress
from obligor.cli.playing.scorecard import from_world
from obligor.cli.playing.world import Manner, WorldPlayer
from obligor.cli.story import chronicle
from obligor.cli.story.behaviour import Behaviour, Ranked
from obligor.cli.story.local import Lender, LocalClient
from obligor.cli.story.misuse import FirstHop, Supervision, supervised
from obligor.cli.story.report import html
from obligor.cli.story.summary import Funds, Meter, Summary, failures, finish, summed
from obligor.cli.story.world_page import page_of
from obligor.funds import load_classes
from obligor.kernel import Conflict, InvalidInput, add_months
from obligor.scoring import auc
from obligor.world import SMOKE, Answer, Request, World

__all__ = ["CpuParts", "WorldSummary", "main", "unmet"]

cli = app("story world", __doc__)
START: Final = date(2024, 1, 1)
HISTORY: Final = 4_000
PEOPLE_LEAST, MONTHS_MOST = 100, 120
CURRENCY: Final = "CNY"
SETTINGS: Final[Mapping[str, Any]] = {
    "lender": "Simulated Lender",
    "label": "Simulated data",
    "currency": CURRENCY,
    "future_days_most": 36_500,
}
FOUND_LEAST, HONEST_MOST = 0.70, 0.01
OUTCOME_MONTHS: Final = 12


class CpuParts(msgspec.Struct, frozen=True, kw_only=True):
    """Processor seconds: the first scorecard, the world's own steps, the lender, audit and replay."""

    training: float
    world: float
    lender: float
    checks: float


class WorldSummary(Summary, frozen=True, kw_only=True):
    """The last line, and at its end what only a world can tell."""

    people: int
    months: int
    seed: int
    supervision: Supervision
    behaviour: Ranked | None
    cpu: CpuParts


class StoryPlayer(WorldPlayer):
    """The world's player, taking note of the transfers that the lender sees, scoring behaviour at closes."""

    def __init__(self, lender: Lender, client: LocalClient, world: World, progress: Progress) -> None:
        manner = Manner(closes="month", in_order=True, saves=False)
        zone = lender.service.settings.zone
        super().__init__(client, world, lender.directory, zone, progress, manner=manner)
        self.baseline = FirstHop(load_classes(), CURRENCY)
        self.behaviour = Behaviour(lender.service)
        self.trains_on: date | None = None
        self._drawn: dict[str, int] = {}

    async def closed(self, day: date) -> None:
        """Train the behaviour score on its day, and score from then on."""
        if day == self.trains_on:
            self.behaviour.train(day)
        self.behaviour.score(day)

    async def _post(self, requests: Sequence[Request]) -> list[Answer]:
        answers = await super()._post(requests)
        for answer in answers:
            payload = answer.request.payload
            if payload.get("type") == "transfer.posted" and not answer.refused:
                self.baseline.transfer(payload["body"], date.fromisoformat(payload["at"][:10]))
            elif answer.request.kind == "drawdown" and answer.response.get("loan_id"):
                self._drawn[answer.response["loan_id"]] = payload["amount_minor"]
        return answers

    def _lent(self, day: date, step: Request, response: dict[str, Any]) -> None:
        super()._lent(day, step, response)
        account, loan_id = step.payload["body"].get("account_id"), response["loan_id"]
        amount = self._drawn.pop(loan_id)
        if account:
            self.baseline.disburse(loan_id, account, amount, day)


@cli.default
def world(
    *,
    people: Annotated[int, Parameter(help="How many simulated customers.")] = 20_000,
    months: Annotated[int, Parameter(help="How many months to play.")] = 24,
    seed: Annotated[int, Parameter(help="The simulation's seed.")] = 7,
    out: Annotated[Path, Parameter(help="Where report.html and summary.json go.")] = Path("var/story-world"),
    keep: Annotated[
        bool, Parameter(negative="", help="Keep the lender in OUT/lender, for `obligor up --data`.")
    ] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="Say nothing on the way, only the last line.")
    ] = False,
) -> int:
    """Play the smoke world through the system, audit it all, write a report.

    The last line is one JSON object. 1 if decisions replay differently, the audit fails, postings do not sum
    to 0, or the supervision of loan money finds too little, or too much.
    """
    if people < PEOPLE_LEAST:
        raise InvalidInput.field("--people", people, f"at least {PEOPLE_LEAST}")
    if not 1 <= months <= MONTHS_MOST:
        raise InvalidInput.field("--months", months, f"months from 1 to {MONTHS_MOST}")
    place = out / "lender" if keep else None
    if place is not None and place.exists():
        raise Conflict(f"{place} is there already; name another OUT, or delete it")
    meter, progress = Meter(), Progress(quiet=as_json)
    progress.say("Training the first scorecard on the simulated past.")
    crowd = World(seed, people, START, SMOKE)
    model = msgspec.json.decode(from_world(crowd.history(HISTORY), START).to_json())
    trained = meter.cpu_seconds
    with Lender(SETTINGS, place) as lender:
        player = asyncio.run(_play(lender, crowd, model, months, progress))
        played = meter.cpu_seconds
        progress.say("Auditing the journal and replaying every decision.")
        truth = crowd.truth()
        books = lender.service.books(lender.service.settings.tenant)
        funds, supervision = supervised(truth, _alerted(books), player.baseline)
        bad = _would_be_bad(truth)
        told = summed(
            "world",
            lender.service,
            meter,
            auc_as_known=_auc(books),
            bad_rate_approved=_share(bad, truth, "approve"),
            bad_rate_declined_truth=_share(bad, truth, "decline"),
            funds=funds,
        )
        summary = WorldSummary(
            **{name: getattr(told, name) for name in Summary.__struct_fields__},
            people=people,
            months=months,
            seed=seed,
            supervision=supervision,
            behaviour=player.behaviour.ranked(add_months(START, months)),
            cpu=CpuParts(
                training=round(trained, 2),
                world=round(player.cpu_seconds, 2),
                lender=round(played - trained - player.cpu_seconds, 2),
                checks=round(meter.cpu_seconds - played, 2),
            ),
        )
        problems = [*failures(told), *unmet(funds, supervision)]
        page = page_of(summary, chronicle.read(books, bad), problems)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.html").write_text(html(page), encoding="utf-8")
    progress.say(f"The report is {out / 'report.html'}.")
    for problem in problems:
        progress.say(f"✗ {problem}")
    finish(summary, problems, out)
    return 1 if problems else 0


async def _play(
    lender: Lender, crowd: World, model: Mapping[str, Any], months: int, progress: Progress
) -> StoryPlayer:
    async with lender.client() as client:
        named = {"version": "1", "known_on": START.isoformat(), "model": model}
        await client.post("/v1/models", named)
        player = StoryPlayer(lender, client, crowd, progress)
        middle = add_months(START, max(1, months // 2))
        player.trains_on = date.fromordinal(middle.toordinal() - 1)
        await player.play(Deadline(None), (add_months(START, months) - START).days)
        await client.settled()
    return player


def unmet(funds: Funds, more: Supervision) -> list[str]:
    """What the supervision of loan money was to reach and did not."""
    found, seen = funds.found or 0, funds.misusers_visible or 0
    wrong, honest = funds.honest_alerted or 0, funds.honest_borrowers or 0
    told = []
    if found < FOUND_LEAST * seen:
        told.append(f"{found} of {seen} visible misusers were found, fewer than {FOUND_LEAST:.0%}")
    if wrong > HONEST_MOST * honest:
        told.append(f"{wrong} of {honest} honest borrowers were alerted, more than {HONEST_MOST:.0%}")
    if seen and found <= (funds.found_first_hop_baseline or 0):
        told.append("looking one hop far finds as many misusers")
    if more.honest_alerted_first_hop and wrong >= more.honest_alerted_first_hop:
        told.append("looking one hop far alerts no more honest borrowers")
    return told


def _alerted(books: Books) -> list[str]:
    """The loan of each alert of misuse."""
    rows = books.rows("SELECT loan_id FROM p_alert WHERE tenant = ? AND kind = 'fund_use'")
    return [row["loan_id"] for row in rows]


def _auc(books: Books) -> float | None:
    """The first scores' area under the curve against what the lender saw: 90+ within 12 months on book."""
    rows = books.rows(
        "SELECT d.score, MIN(l.disbursed_on) AS lent_on, MIN(l.bad_on) AS bad_on"
        " FROM p_decision AS d JOIN p_loan AS l"
        " ON l.tenant = d.tenant AND l.application_id = d.application_id"
        " WHERE d.tenant = ? AND d.stage = 'prelend' AND d.score IS NOT NULL GROUP BY d.decision_id, d.score"
    )
    today = books.today()
    bad, scores = [], []
    for row in rows:
        until = add_months(date.fromisoformat(row["lent_on"]), OUTCOME_MONTHS)
        failed = row["bad_on"] is not None and date.fromisoformat(row["bad_on"]) <= until
        if failed or until <= today:
            bad.append(failed)
            scores.append(row["score"])
    return auc(bad, scores) if len(set(bad)) == 2 else None


def _would_be_bad(truth: Mapping[str, Any]) -> dict[str, bool]:
    """By luck's own account: how applications would have gone on the terms asked for, by the lender's ids."""
    return {
        application["application_id"]: application["would_have_been"]["bad_12m"]
        for application in truth["applications"]
        if application["application_id"] is not None
    }


def _share(bad: Mapping[str, bool], truth: Mapping[str, Any], outcome: str) -> float | None:
    some = [
        bad[application["application_id"]]
        for application in truth["applications"]
        if application["outcome"] == outcome and application["application_id"] in bad
    ]
    return sum(some) / len(some) if some else None


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
