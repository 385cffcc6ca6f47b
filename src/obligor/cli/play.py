"""`obligor run`: a lender's life through the real HTTP API, so that there is something to see."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from cyclopts import Parameter

from obligor.app.settings import FILE
from obligor.cli.common import app, run
from obligor.cli.playing import BookPlayer, Deadline, Player, Progress, Server, WorldPlayer
from obligor.cli.playing.book import settings_of
from obligor.cli.playing.scorecard import from_book, from_world
from obligor.client import Client
from obligor.kernel import Conflict, InvalidInput
from obligor.scoring import PointsModel
from obligor.sources import Book, Mapping
from obligor.world import World

__all__ = ["main"]

cli = app("run", __doc__)
HISTORY = 6_000
MONTHS_BACK = 30


@cli.default
def play(
    *,
    data: Annotated[Path, Parameter(help="The data directory; a second run goes on where it was.")] = Path(
        "var"
    ),
    book: Annotated[Path | None, Parameter(help="A lender's own table, Parquet or CSV.")] = None,
    map_: Annotated[str | None, Parameter(name="--map", help="The mapping that explains it.")] = None,
    for_seconds: Annotated[float | None, Parameter(help="Stop so long after listening.")] = None,
    port: Annotated[int | None, Parameter(help="The port to listen on; 0 takes a free one.")] = None,
    people: Annotated[int, Parameter(help="How many simulated customers.")] = 2_000,
    seed: Annotated[int, Parameter(help="The simulation's seed.")] = 7,
) -> int:
    """Play the simulated lender, or with --book and --map a book of your own, until Ctrl-C or its end.

    The last line is one JSON object with what the server then says of itself.
    """
    if (book is None) != (map_ is None):
        raise InvalidInput.field("--map" if book else "--book", None, "--book FILE and --map NAME together")
    data.mkdir(parents=True, exist_ok=True)
    progress = Progress()
    mapping = Mapping.load(map_) if map_ else None
    _settle(data, mapping)
    table = None
    if book and mapping:
        progress.say(f"Reading {book} as {mapping.name} explains it.")
        table = Book.open(book, mapping)
    world = None if table else _world(data, people, seed)
    model = _model(data, table, world, progress)
    with Server(data, port) as server:
        deadline = Deadline(None if for_seconds is None else server.listening_at + for_seconds)
        name = f"player-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        token = server.key(name)
        progress.say(f"Listening on {server.url}")
        progress.say(f"Console: {server.url}/enter?ticket={server.ticket()}  (this link signs in once)")
        performance = Performance(server, token, deadline, progress, table, world, model)
        code = asyncio.run(performance.play(data))
        server.revoke(name)
    return code


def _world(data: Path, people: int, seed: int) -> World:
    """The world that an earlier run left, or a new one that begins in the past."""
    directory = data / "world"
    directory.mkdir(parents=True, exist_ok=True)
    found = WorldPlayer.saved(directory)
    if found is not None:
        return found
    start = (datetime.now(UTC).date() - timedelta(days=MONTHS_BACK * 365 // 12)).replace(day=1)
    return World(seed, people, start)


def _model(data: Path, table: Book | None, world: World | None, progress: Progress) -> PointsModel:
    """The scorecard to go live with, trained once for a data directory."""
    path = data / "first-model.json"
    if path.is_file():
        return PointsModel.from_json(path.read_bytes())
    if table is not None:
        progress.say("Training on what was knowable before the deciding window.")
        model = from_book(table)
    else:
        assert world is not None  # noqa: S101  one of the two is played
        progress.say("Training the first scorecard on the simulated past.")
        model = from_world(world.history(HISTORY), world.next_day)
    path.write_bytes(model.to_json())
    return model


@dataclass(frozen=True, slots=True)
class Performance:
    """One play from its beginning to its last line."""

    server: Server
    token: str
    deadline: Deadline
    progress: Progress
    table: Book | None
    world: World | None
    model: PointsModel

    async def play(self, data: Path) -> int:
        """Play to the end, the deadline or Ctrl-C, and print what the server then says of itself."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with Client(self.server.url, self.token) as client:
            player = await self._player(client, data)
            ended = await player.play(_Either(self.deadline, stop))
            if ended and not self.deadline.passed and sys.stdin.isatty():
                self.progress.say(f"Played to the end. {self.server.url} stays until Ctrl-C.")
                await stop.wait()
            self.progress.say("Auditing the journal and replaying every decision.")
            summary = await _summary(client, self.server, player)
        print(msgspec.json.encode(summary).decode(), flush=True)
        return 0 if summary["audit_ok"] and summary["replay_mismatches"] == 0 else 1

    async def _player(self, client: Client, data: Path) -> Player:
        summary = await client.get("/v1/summary")
        if not summary["model"]:
            known_on = self.model.artifact.training.known_on
            await client.post(
                "/v1/models",
                {
                    "version": "1",
                    "known_on": known_on.isoformat() if known_on else None,
                    "model": msgspec.json.decode(self.model.to_json()),
                },
            )
        if self.table is not None:
            return BookPlayer(client, self.table, self.progress)
        assert self.world is not None  # noqa: S101  one of the two is played
        return WorldPlayer(client, self.world, data / "world", summary["zone"], self.progress)


class _Either(Deadline):
    """The deadline, or somebody who wants to stop."""

    def __init__(self, deadline: Deadline, stop: asyncio.Event) -> None:
        super().__init__(None)
        self._deadline, self._stop = deadline, stop

    @property
    def passed(self) -> bool:
        return self._deadline.passed or self._stop.is_set()


async def _summary(client: Client, server: Server, player: Player) -> dict[str, Any]:
    """What the server says of itself, read back over HTTP."""
    used = server.cpu_seconds()
    told = await client.get("/v1/summary")
    audit = await client.post("/v1/audits")
    replay = await client.post("/v1/replays")
    return {
        "url": server.url,
        "book": player.book,
        "decisions": told["decisions"],
        "approved": told["approved"],
        "auc_as_known": player.auc(),
        "loans": told["loans"],
        "disbursed_minor": told["disbursed_minor"],
        "repaid_minor": told["repaid_minor"],
        "alerts": told["alerts"],
        "entries": told["entries"],
        "audit_ok": audit["ok"],
        "replay_mismatches": replay["mismatches"],
        "postings_sum_minor": told["postings_sum_minor"],
        "decisions_per_cpu_second": round(told["decisions"] / used, 1) if used else None,
    }


def _settle(data: Path, mapping: Mapping | None) -> None:
    """Write the settings of a new data directory; one that belongs to another book is refused."""
    path = data / FILE
    wanted: dict[str, Any] = {
        "lender": "Simulated Lender",
        "label": "Simulated data",
        "currency": "CNY",
        "future_days_most": 36_500,
    }
    if mapping:
        wanted = settings_of(mapping)
    if not path.is_file():
        path.write_text(yaml.safe_dump(wanted, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return
    found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if found.get("lender") != wanted["lender"]:
        raise Conflict(
            f"{data} belongs to {found.get('lender')!r}, not to {wanted['lender']!r};"
            " choose another directory with DATA=…"
        )


def main(argv: Sequence[str]) -> int:
    return run(cli, argv)
