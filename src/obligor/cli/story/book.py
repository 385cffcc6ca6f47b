"""`obligor story book`: a lender's own table, decided month by month, lived, and checked against itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from obligor.app.service import Service
from obligor.cli.common import app, run
from obligor.cli.playing import BookPlayer, Deadline, Progress
from obligor.cli.playing.book import settings_of
from obligor.cli.playing.scorecard import hindsight
from obligor.cli.story import chronicle
from obligor.cli.story.book_page import page_of
from obligor.cli.story.local import Lender
from obligor.cli.story.report import html
from obligor.cli.story.summary import Meter, Summary, failures, finish, summed
from obligor.kernel import Conflict
from obligor.scoring import auc
from obligor.sources import Book
from obligor.sources import Mapping as BookMapping

__all__ = ["main"]

cli = app("story book", __doc__)
# Applications that are put to the journal together: here nobody waits for an answer.
AT_ONCE = 500


@cli.default
def book(
    *,
    data: Annotated[Path, Parameter(help="The lender's table, Parquet or CSV.")],
    mapping: Annotated[str, Parameter(help="The mapping that explains it: a shipped one's name, or a path.")],
    out: Annotated[Path, Parameter(help="Where report.html and summary.json go.")] = Path("var/story-book"),
    keep: Annotated[
        bool, Parameter(negative="", help="Keep the lender in OUT/lender, for `obligor up --data`.")
    ] = False,
    limit: Annotated[
        int | None, Parameter(help="Decide no more loans than these, evenly taken from the window.")
    ] = None,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="Say nothing on the way, only the last line.")
    ] = False,
) -> int:
    """Decide a lender's loans as they came, let them be repaid as they were, audit it all, write a report.

    The last line is one JSON object. 1 if decisions replay differently, the audit fails, postings do not sum
    to 0, a loan does not come to what the table says, or scores rank better than they honestly could.
    """
    meter = Meter()
    progress = Progress(quiet=as_json)
    explained = BookMapping.load(mapping)
    progress.say(f"Reading {data} as {explained.name} explains it.")
    table = Book.open(data, explained)
    place = _place(out) if keep else None
    with Lender(settings_of(explained), place) as lender:
        player = asyncio.run(_play(lender, table, progress, limit))
        progress.say("Auditing the journal and replaying every decision.")
        told = _told(table, player, lender.service, meter)
        ended = _ended(table, player)
        bads = sum(ended.values())
        sure = alarms(told, explained.spec.auc_alarm, bads, len(ended) - bads, part=limit is not None)
        problems = [*failures(told), *sure]
        books = lender.service.books(lender.service.settings.tenant)
        page = page_of(table, player, told, chronicle.read(books, _truth(player, ended)), problems)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.html").write_text(html(page), encoding="utf-8")
    progress.say(f"The report is {out / 'report.html'}.")
    for problem in problems:
        progress.say(f"✗ {problem}")
    finish(told, problems, out)
    return 1 if problems else 0


def _place(out: Path) -> Path:
    """Where the lender is kept; one that an earlier story left there goes."""
    place = out / "lender"
    if place.exists():
        raise Conflict(f"{place} is there already; name another OUT, or delete it")
    return place


async def _play(lender: Lender, table: Book, progress: Progress, limit: int | None) -> BookPlayer:
    async with lender.client() as client:
        player = BookPlayer(client, table, progress, at_once=AT_ONCE, most=limit)
        await player.play(Deadline(None))
        await client.settled()
    return player


def _ended(table: Book, player: BookPlayer) -> dict[int, bool]:
    """How the decided loans ended, by row; open ones are left out."""
    found = {row: table.outcome(row) for row in player.decided}
    return {row: bad for row, bad in found.items() if bad is not None}


def _truth(player: BookPlayer, ended: Mapping[int, bool]) -> dict[str, bool]:
    return {player.decided[row].application_id: bad for row, bad in ended.items()}


def _told(table: Book, player: BookPlayer, service: Service, meter: Meter) -> Summary:
    ended = _ended(table, player)
    return summed(
        "book",
        service,
        meter,
        auc_as_known=player.auc(),
        auc_hindsight=in_hindsight(table, ended) if table.dated else None,
        bad_rate_approved=_bad_rate(ended, player, approved=True),
        bad_rate_declined_truth=_bad_rate(ended, player, approved=False),
        table_equals_book=not differing(table, player, service) if table.lived else None,
    )


def in_hindsight(table: Book, ended: Mapping[int, bool]) -> float | None:
    """How well a model ranks loans by row that was told how every loan before the window ended."""
    frame = table.deciding_frame()
    frame = frame.filter(frame["_row"].is_in(list(ended)))
    if frame["bad"].n_unique() < 2:
        return None
    return auc(frame["bad"].to_numpy(), hindsight(table).score_frame(frame)["score"].to_numpy())


def _bad_rate(ended: Mapping[int, bool], player: BookPlayer, *, approved: bool) -> float | None:
    known = [bad for row, bad in ended.items() if player.decided[row].approved == approved]
    return sum(known) / len(known) if known else None


def alarms(told: Summary, most: float, bads: int, goods: int, *, part: bool = False) -> list[str]:
    """Areas under the curve that no honest scores reach: something knew the outcome.

    Of a part of the window an area is taken two standard errors lower (Hanley and McNeil 1982).
    """
    found = {"auc_as_known": told.auc_as_known, "auc_hindsight": told.auc_hindsight}
    return [
        f"{name} is {value:.4f}, above auc_alarm, {most:g}: a fact knows the outcome"
        for name, value in found.items()
        if value is not None and value - (2 * _error(value, bads, goods) if part else 0) > most
    ]


def _error(area: float, bads: int, goods: int) -> float:
    one, two = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (bads - 1) * (one - area * area) + (goods - 1) * (two - area * area)
    return math.sqrt(spread / (bads * goods))


def differing(table: Book, player: BookPlayer, service: Service) -> list[int]:
    """The rows whose loan in the books does not come to what the table says, by its postings.

    Compared are principal, interest and fees that came in, recoveries, their cost, and principal written off.
    """
    sums: dict[str, dict[tuple[str, str], int]] = {}
    for row in service.books(service.settings.tenant).rows(
        "SELECT loan_id, account, type, SUM(amount_minor) AS amount FROM p_loan_posting WHERE tenant = ?"
        " GROUP BY loan_id, account, type"
    ):
        sums.setdefault(row["loan_id"], {})[row["account"], row["type"]] = row["amount"]
    return [row for row, loan_id in player.loans.items() if _differs(table, row, sums.get(loan_id, {}))]


def _differs(table: Book, row: int, posted: dict[tuple[str, str], int]) -> bool:
    def of(account: str, *types: str) -> int:
        return sum(amount for (name, kind), amount in posted.items() if name == account and kind in types)

    def all_of(account: str) -> int:
        return sum(amount for (name, _), amount in posted.items() if name == account)

    wanted = table.totals(row)
    principal = -of("loan_principal", "repayment.received")
    fees = -all_of("fee_income")
    found = (
        principal,
        of("cash", "repayment.received") - principal - fees,
        fees,
        -all_of("recovery_income"),
        all_of("recovery_cost"),
        -of("loan_principal", "loan.written_off"),
    )
    return found != (
        wanted.principal_minor,
        wanted.interest_minor,
        wanted.fees_minor,
        wanted.recoveries_minor,
        wanted.costs_minor,
        wanted.written_off_minor,
    )


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
