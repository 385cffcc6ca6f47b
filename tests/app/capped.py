"""A lender with caps on partners, persons and products, and a crowd that draws, repays and lets expire."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from obligor.app.activation import use_model
from obligor.app.seat import open_service
from obligor.app.service_protocol import SCOPES, Principal
from obligor.app.settings import load
from tests.app.conftest import application
from tests.app.crowd import Child, request
from tests.applicants import BUREAU, FIELDS

CAP_MINOR = 2_000_000
LINE_MINOR = 15_000_000
FILL_MINOR = 50_000
PRODUCTS = {"product/instalment": 1_000 * CAP_MINOR, "product/bullet": CAP_MINOR}
FIRST_DAY = date(2026, 1, 5)
DAYS_MOST = 20  # nobody falls into arrears within these, who could then draw no more
SETTINGS = {"reservation_days": 1, "future_days_most": 36_500, "lease_seconds": 0.5}


@dataclass
class Line:
    """What a person may draw on."""

    application_id: str
    person_id: str


@dataclass
class Lender:
    """Where it lives, how it is asked, and what it has begun with: a line and a cap for each person."""

    data: Path
    settings: dict[str, Any]
    token: str
    lines: list[Line]
    partners: list[str]

    @property
    def caps(self) -> list[str]:
        return [
            *(f"partner/{partner}" for partner in self.partners),
            *(f"obligor/{line.person_id}" for line in self.lines),
            *PRODUCTS,
        ]

    def start(self) -> Child:
        return Child(self.data, **self.settings)


def founded(data: Path, scorecard: Any, store: str, pairs: int) -> Lender:
    """A lender with as many persons as partners, before any server of it was started."""
    given = {**SETTINGS, "store": store}
    data.mkdir(parents=True)
    (data / "obligor.yaml").write_text(json.dumps(given))
    service = open_service(data, load(data))
    everything = Principal("main", "founder", frozenset(SCOPES))

    def ask(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(service.submit(everything, kind, payload, None).result().body)
        return answer

    def event(kind: str, number: object, **body: Any) -> None:
        sent = {"type": kind, "source": "founder", "source_ref": f"{kind}-{number}", "at": moment(FIRST_DAY)}
        ask("event", {**sent, "body": body})

    try:
        service.start()
        use_model(service, scorecard, "1")
        lines = []
        for number in range(pairs):
            body = asked(f"person-{number}", LINE_MINOR, FIRST_DAY)
            made = ask("application", body)
            lines.append(Line(made["application_id"], made["person_id"]))
            named = {"application_id": made["application_id"]}
            event("offer.made", number, **named)
            event("offer.accepted", number, **named)
            event("contract.signed", number, **named, contract_id=f"C-{number}", document_sha256="cd" * 32)
        lender = Lender(
            data,
            given,
            service.keys.create("crowd", "main", SCOPES),
            lines,
            [f"P-{number:02}" for number in range(pairs)],
        )
        event("day.closed", FIRST_DAY, day=(FIRST_DAY + timedelta(days=1)).isoformat())
        for cap in lender.caps:
            limit = PRODUCTS.get(cap, CAP_MINOR)
            event("cap.set", cap, cap=cap, limit_minor=limit, currency="CNY")
    finally:
        service.close()
    return lender


def moment(day: date) -> str:
    """Noon of a day, as it goes over the wire."""
    return datetime.combine(day, time(4), UTC).isoformat()


def asked(person: str, amount_minor: int, day: date, **changes: Any) -> dict[str, Any]:
    """An application that is decided at once, by somebody who earns enough for any line."""
    fields = {**FIELDS, **BUREAU, "income_month_minor": 5_000_000}
    whole = {"person": {"reference": person}, "amount_minor": amount_minor, "fields": fields}
    return application(**whole, at=moment(day), **changes)


class Sender:
    """One client on a connection of its own. It asks under one key until it is answered."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self._crowd = crowd
        self._number = number
        self._count = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the body of the answer that counts."""
        self._count += 1
        key = f'"{self._number}-{self._count}"'
        data = request(path, self._crowd.lender.token, json.dumps(body).encode(), idempotency_key=key)
        while True:
            try:
                status, answer = await self._exchange(data)
            except (OSError, asyncio.IncompleteReadError):
                self._hang_up()
                self._crowd.cut += 1
                await asyncio.sleep(0.1)  # by then it is known that the server is gone
                await self._crowd.up.wait()
                continue
            if status not in {429, 503}:
                return status, json.loads(answer)
            await asyncio.sleep(0.05)

    async def event(self, kind: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """Something that happened today."""
        named = {"type": kind, "source": f"s{self._number}", "source_ref": f"{self._count}"}
        return await self.ask("/v1/events", {**named, "at": moment(self._crowd.today), "body": body})

    async def draw(self, line: Line, partner: str, amount_minor: int) -> dict[str, Any]:
        """Ask for money, and have it paid out if it is released."""
        wanted = {"application_id": line.application_id, "amount_minor": amount_minor, "currency": "CNY"}
        status, drawn = await self.ask(
            "/v1/drawdowns", {**wanted, "partner": partner, "at": moment(self._crowd.today)}
        )
        assert status == 201, drawn
        self._crowd.answers.append(drawn)
        if drawn["outcome"] == "release":
            paid, told = await self.event("loan.disbursed", loan_id=drawn["loan_id"])
            assert paid == 201, told
            self._crowd.loans.append((drawn["loan_id"], amount_minor))
        return drawn

    async def _exchange(self, data: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._crowd.port)
        reader, writer = self._streams
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
        return int(head[9:12]), await reader.readexactly(length)

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


@dataclass
class Crowd:
    """What clients share: the lender, its present server, and what they have been told."""

    lender: Lender
    operations: int
    kills: int
    clients: int = 64
    today: date = FIRST_DAY + timedelta(days=2)
    port: int = 0
    cut: int = 0  # requests whose answer was lost with the server
    done: int = 0
    loans: list[tuple[str, int]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    # Why the last draw of each person through each partner was refused.
    ended: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    up: asyncio.Event = field(default_factory=asyncio.Event)
    _server: Any = None

    async def run(self) -> None:
        """Operations at random under kills, then draw until every cap refuses; the server ends in order."""
        await self._start()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._kill())
                for number in range(self.clients):
                    tasks.create_task(self._act(Sender(self, number)))
            pairs = len(self.lender.lines)
            fillers = [Sender(self, self.clients + number) for number in range(pairs)]
            for shift in range(pairs):
                async with asyncio.TaskGroup() as tasks:
                    for number, filler in enumerate(fillers):
                        tasks.create_task(self._fill(filler, number, shift))
        finally:
            await asyncio.to_thread(self._server.__exit__)

    async def _start(self) -> None:
        self._server = await asyncio.to_thread(self.lender.start)
        self.port = self._server.port
        self.up.set()

    async def _kill(self) -> None:
        """Kill the server whenever another part of the operations is done."""
        for number in range(1, self.kills + 1):
            while self.done < number * self.operations // (self.kills + 1):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            self.up.clear()
            self._server.process.kill()
            await asyncio.to_thread(self._server.process.wait)
            self._server.__exit__()
            await self._start()

    async def _act(self, sender: Sender) -> None:
        chance = random.Random(sender._number)
        while self.done < self.operations:
            self.done += 1
            kind = chance.choices((self._draw, self._repay, self._reserve, self._close), (50, 35, 12, 3))[0]
            await kind(sender, chance)

    async def _draw(self, sender: Sender, chance: random.Random) -> None:
        line, partner = chance.choice(self.lender.lines), chance.choice(self.lender.partners)
        await sender.draw(line, partner, chance.choice((40_000, 80_000, 200_000)))

    async def _repay(self, sender: Sender, chance: random.Random) -> None:
        if not self.loans:
            return
        loan_id, amount = chance.choice(self.loans)
        part = chance.choice((amount // 5, amount * 2))  # the second pays all of it
        paid, told = await sender.event(
            "repayment.received", loan_id=loan_id, amount_minor=part, currency="CNY"
        )
        assert paid == 201 or told["code"] == "conflict", told

    async def _reserve(self, sender: Sender, chance: random.Random) -> None:
        """Ask for another line: what is approved holds room until it expires."""
        person = f"person-{chance.randrange(9 * len(self.lender.lines))}"  # most of them have no line
        product = chance.choice(("instalment", "bullet"))
        body = asked(person, chance.choice((100_000, 400_000)), self.today, product=product)
        status, told = await sender.ask("/v1/applications", body)
        assert status == 201, told
        self.answers.append(told)

    async def _close(self, sender: Sender, _chance: random.Random) -> None:
        if self.today < FIRST_DAY + timedelta(days=DAYS_MOST):
            day, self.today = self.today, self.today + timedelta(days=1)
            await sender.event("day.closed", day=day.isoformat())

    async def _fill(self, sender: Sender, number: int, shift: int) -> None:
        """Draw on one line through one partner until that is refused."""
        line = self.lender.lines[number]
        partner = self.lender.partners[(number + shift) % len(self.lender.partners)]
        while (told := await sender.draw(line, partner, FILL_MINOR))["outcome"] == "release":
            pass
        self.ended[line.person_id, partner] = {reason["code"] for reason in told["reasons"]}
