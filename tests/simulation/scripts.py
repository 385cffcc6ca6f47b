"""What clients do: people who borrow, an officer, a treasurer, and whoever only looks."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.applicants import BUREAU, FIELDS
from tests.simulation.attempts import Attempt
from tests.simulation.clients import Client, Reply, Script
from tests.simulation.ground import DOCUMENT, Line, application

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["crowd"]


class Author(Client):
    """Writes attempts: each has a name of its own, by which its events can be found."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self._numbers = itertools.count(1)

    def _attempt_of(self, kind: str, bodies: list[Mapping[str, Any]], name: str, *, keyless: bool) -> Attempt:
        return Attempt(self.name, name, kind, bodies, None if keyless else f"key-{name}")

    def apply(self, person: str, amount_minor: int, term_months: int, *, at_once: bool) -> Attempt:
        name = f"{self.name}-{next(self._numbers)}"
        body = application(person, amount_minor, term_months, reference=name)
        if not at_once:
            body["fields"] = FIELDS
        other = {**body, "amount_minor": amount_minor + 100}
        return self._attempt_of("application", [body, other], name, keyless=False)

    def draw(self, application_id: str, amount_minor: int, partner: str | None) -> Attempt:
        name = f"{self.name}-{next(self._numbers)}"
        body = {
            "application_id": application_id,
            "amount_minor": amount_minor,
            "currency": "CNY",
            "partner": partner,
            "payee": name,
        }
        other = {**body, "amount_minor": amount_minor + 100}
        return self._attempt_of("drawdown", [body, other], name, keyless=False)

    def event(self, kind: str, /, **body: Any) -> Attempt:
        name = f"{self.name}-{next(self._numbers)}"
        sent = {"type": kind, "source": "simulation", "source_ref": name, "body": body}
        keyless = self.world.chance.random() < self.world.plan.keyless
        bodies: list[Mapping[str, Any]] = [sent]
        if "amount_minor" in body and not keyless:
            bodies.append({**sent, "body": {**body, "amount_minor": body["amount_minor"] + 1}})
        return self._attempt_of("event", bodies, name, keyless=keyless)


def borrower(me: Author) -> Script:
    """Draw a line, spend, pay back, ask for another; again, as long as there is time."""
    chance, world = me.world.chance, me.world
    while True:
        if chance.random() < 0.25 and (line := (yield from new_line(me))):
            world.lines.append(line)
        yield from drawdown(me, chance.choice(world.lines))


def new_line(me: Author) -> Generator[Attempt, Reply, Line | None]:
    """Apply, accept, sign; nothing where that is refused, and all of it may come too late."""
    chance, world = me.world.chance, me.world
    person = f"person-{chance.randint(1, me.world.plan.persons)}"
    amount = chance.choice((300_000, 800_000, 1_200_000))
    applied = yield me.apply(person, amount, chance.choice((3, 12)), at_once=chance.random() < 0.7)
    if applied is None:
        return None
    application_id = applied["application_id"]
    world.applications.append(application_id)
    world.persons.add(applied["person_id"])
    if applied["status"] == "needs":
        yield from bureau(me, application_id)
    account = None
    if chance.random() < 0.7:
        wanted = f"account-{application_id[-12:]}"
        person_id = applied["person_id"]
        opened = yield me.event("account.opened", account_id=wanted, person_id=person_id, currency="CNY")
        account = wanted if opened else None
    yield from contract(me, application_id)
    return Line(application_id, amount, account)


def bureau(me: Author, application_id: str) -> Script:
    """What the bureau says, if it answers."""
    if me.world.chance.random() < 0.8:
        yield me.event("source.answered", application_id=application_id, name="bureau", facts=BUREAU)
    else:
        yield me.event("source.failed", application_id=application_id, name="bureau")


def contract(me: Author, application_id: str) -> Script:
    yield me.event("offer.made", application_id=application_id)
    yield me.event("offer.accepted", application_id=application_id)
    yield me.event(
        "contract.signed",
        application_id=application_id,
        contract_id=f"C-{application_id[-12:]}",
        document_sha256=DOCUMENT,
    )


def drawdown(me: Author, line: Line) -> Script:
    """Draw a part of a line, have it paid out, spend it and pay it back."""
    chance, plan = me.world.chance, me.world.plan
    wanted = line.amount_minor // chance.choice((1, 2, 4, 4))
    if chance.random() < plan.wish:
        wanted = line.amount_minor * 9
    reply = yield me.draw(line.application_id, wanted, chance.choice((None, "P-01", "P-01", "P-02")))
    if reply is None or reply["outcome"] != "release":
        return
    loan = reply["loan_id"]
    given = {} if line.account_id is None else {"account_id": line.account_id}
    if (yield me.event("loan.disbursed", loan_id=loan, **given)) is None:
        return
    me.world.loans.append(loan)
    if line.account_id is not None:
        yield from spend(me, line.account_id, wanted)
    yield from pay(me, chance.choice((loan, loan, chance.choice(me.world.loans))), wanted)


def spend(me: Author, account: str, amount: int) -> Script:
    chance = me.world.chance
    for number in range(chance.randint(0, 3)):
        out = {
            "account_id": account,
            "transfer_id": f"t-{me.name}-{len(me.attempts)}-{number}",
            "direction": chance.choice(("out", "out", "out", "in")),
            "amount_minor": amount // chance.choice((2, 4)),
            "currency": "CNY",
            "counterparty": chance.choice(("shop-1", "casino-1", f"broker-{chance.randint(1, 9)}")),
        }
        label = {"shop": "retail", "casino": "gambling", "broker": "securities_broker"}
        kind = label[str(out["counterparty"]).partition("-")[0]]
        posted = yield me.event("transfer.posted", **out, counterparty_class=kind)
        if posted is not None and chance.random() < 0.2:
            yield me.event("transfer.reversed", account_id=account, transfer_id=out["transfer_id"])


def pay(me: Author, loan: str, amount: int) -> Script:
    chance = me.world.chance
    for _ in range(chance.randint(0, 3)):
        part = chance.choice((amount // 12, amount // 3, amount * 2))
        paid = yield me.event("repayment.received", loan_id=loan, amount_minor=part, currency="CNY")
        if paid is not None and chance.random() < 0.25:
            yield me.event("repayment.reversed", loan_id=loan, event_id=paid["event_id"])
    if chance.random() < 0.1:
        yield me.event("fee.charged", loan_id=loan, amount_minor=5_000, currency="CNY", kind="late")
    if chance.random() < 0.1:
        yield me.event("loan.written_off", loan_id=loan)
        yield me.event("recovery.received", loan_id=loan, amount_minor=10_000, currency="CNY")


def officer(me: Author) -> Script:
    """Overrides decisions, and erases who asks for it."""
    chance, world = me.world.chance, me.world
    while True:
        if world.persons and chance.random() < 0.4:
            classes = chance.choice((["identity"], ["conduct"], ["identity", "conduct"]))
            person = chance.choice(sorted(world.persons))
            yield me.event("person.erased", person_id=person, classes=classes, ground="asked")
        elif world.applications:
            outcome = chance.choice(("approve", "approve", "decline"))
            terms: dict[str, Any] = {"limit_minor": chance.choice((400_000, 900_000, 2_500_000))}
            yield me.event(
                "application.overridden",
                application_id=chance.choice(world.applications),
                outcome=outcome,
                officer="o-1",
                authority="committee",
                reason_code="R1",
                **({**terms, "rate_bp": 1_000, "term_months": 12} if outcome == "approve" else {}),
            )
        else:
            yield me.event("cap.set", cap="partner/P-02", limit_minor=900_000, currency="CNY")


def treasurer(me: Author) -> Script:
    """Sets limits and closes days."""
    chance, world = me.world.chance, me.world
    for cap, limits in (("obligor/*", (900_000, 2_000_000)), ("partner/P-01", (600_000, 1_500_000))):
        yield me.event("cap.set", cap=cap, limit_minor=chance.choice(limits), currency="CNY")
    while True:
        if chance.random() < 0.3:
            cap = chance.choice(("product/instalment", "partner/P-01", "obligor/*"))
            limit = chance.choice((500_000, 1_000_000, 3_000_000, 8_000_000))
            yield me.event("cap.set", cap=cap, limit_minor=limit, currency="CNY")
        else:
            day = (world.clock.now() + timedelta(hours=8) - timedelta(days=1)).date()
            yield me.event("day.closed", day=day.isoformat())


def crowd(world: World) -> list[Client]:
    """The clients of a seed."""
    clients: list[Client] = []
    for name, script in (
        *((f"b{number}", borrower) for number in range(world.plan.borrowers)),
        ("o", officer),
        ("t", treasurer),
    ):
        author = Author(world, name)
        author.script = script(author)
        clients.append(author)
    return clients
