"""What loan money is used for: its purpose, a prohibited use, a ring's hub, or an honest look-alike.

Misuse is a chain of transfers: one hop straight to a prohibited place, two over the borrower's own second
account, three over an accomplice's. Some chains leave the lender's sight before the sink. Shuttlers carry
loan money over two hops to an honest place.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from obligor.kernel import InvariantBroken
from obligor.world.counterparties import PROHIBITED, Counterparty
from obligor.world.luck import Purpose, stream
from obligor.world.people import Person
from obligor.world.scene import Scene
from obligor.world.state import Debt, Folk, Leg, Petition, Tale, Trail

__all__ = ["leg", "payee", "plan"]

PURPOSE_KINDS = {
    "shopping": "retail",
    "renovation": "retail",
    "education": "education",
    "medical": "medical",
    "travel": "travel",
    "debt_consolidation": "loan_repayment",
    "working_capital": "supplier",
    "other": "cash_withdrawal",
}
MISUSES_AGAIN = 0.85
ADDS_SAVINGS = 0.65
MORNING = 6_000


def payee(scene: Scene, petition: Petition) -> Counterparty | None:
    """Whom the money is for, when the customer says so.

    Half name a payee, fewer of those who have something else in mind; all do when the lender insists.
    """
    person = scene.people[petition.person]
    names = 0.0 if person.ring is not None else 0.25 if person.hops else 0.5
    asked_again = petition.draws > 0
    if petition.purpose == "other" or (not asked_again and petition.patience * 613.0 % 1.0 >= names):
        return None
    return scene.places.pick(PURPOSE_KINDS.get(petition.purpose, "retail"), petition.haste)


class Plot(msgspec.Struct, frozen=True):
    """One loan's money on the account that it came to, and the luck of what becomes of it."""

    scene: Scene
    petition: Petition
    debt: Debt
    account: str
    person: Person
    folk: Folk
    rng: np.random.Generator

    def chance(self) -> float:
        """The next number in [0, 1)."""
        return float(self.rng.random())

    def share(self, least: float) -> int:
        """Part of the loan, from a least share of it to all."""
        return int(self.debt.principal_minor * (least + (1.0 - least) * self.chance()))


def plan(scene: Scene, petition: Petition, debt: Debt) -> None:
    """Plan what happens to the money of a loan that was just paid into a seen account.

    Money that was paid straight to a payee leaves no trail here. Of misuse from an account that is not seen
    only the truth is told.
    """
    person, folk = scene.person(debt.person)
    rng = stream(scene.seed, Purpose.SPENDING, petition.person, petition.turn + (debt.draw << 32))
    if debt.account is None:
        if person.hops and not petition.entrusted and rng.random() < MISUSES_AGAIN:
            _misuse_out_of_sight(scene, debt, person, rng)
        return
    plot = Plot(scene, petition, debt, debt.account, person, folk, rng)
    if person.ring is not None:
        _to_the_hub(plot)
    elif person.hops and plot.chance() < MISUSES_AGAIN:
        _misuse(plot)
    elif person.shuttles:
        _shuttle(plot)
    else:
        _spend(plot)
        if person.invests:
            _trail(plot, "investor", [scene.places.usual("securities_broker", person.number)])


def leg(scene: Scene, task: Leg) -> None:
    """Carry out one planned transfer, note its truth, and plan the one after it."""
    moved = scene.move(task)
    if not moved:
        return
    if task.trail is not None:
        trail = scene.state.trails[task.trail]
        trail.last_on = scene.state.today
        if task.first:
            trail.moved_minor += moved
        if task.sink:
            trail.reached_minor += moved
            if task.label in PROHIBITED:
                trail.visible_minor += moved
    if task.then is not None:
        scene.plan(task.wait_days, msgspec.structs.replace(task.then, amount_minor=moved))


def _spend(plot: Plot) -> None:
    """Most of the money goes where it was asked for, in one to three payments over the first days."""
    place = _honest_place(plot)
    for days, amount in _parts(plot, plot.share(0.70)):
        plot.scene.plan(days, _chain(plot, [place], amount))


def _shuttle(plot: Plot) -> None:
    """Honest, and looks otherwise: a large sum, over a second account, to a school or a shop."""
    chain = [*_own_second(plot), _honest_place(plot)]
    trail = _trail(plot, "shuttle", chain)
    plot.scene.plan(1, _chain(plot, chain, plot.share(0.75), trail))


def _misuse(plot: Plot) -> None:
    """Carry most of the loan to a prohibited place over as many hops as this person takes."""
    places = plot.scene.places
    stops = _stops(plot)
    chain = [*stops, places.pick(plot.person.sink or PROHIBITED[0], plot.chance())]
    trail = _trail(plot, "misuse", chain, unseen=plot.person.unseen_hop)
    if plot.person.unseen_hop:
        # The chain leaves sight at its last stop before the sink; what is beyond is not the lender's to know.
        chain = [*stops[:-1], places.stranger(plot.chance())]
    # Who speculates with borrowed money mostly puts their own savings in with it.
    savings = plot.scene.state.balances[plot.account] - plot.debt.principal_minor
    own = max(0, savings) if plot.chance() < ADDS_SAVINGS else 0
    for days, amount in _parts(plot, plot.share(0.65) + own):
        plot.scene.plan(days, _chain(plot, chain, amount, trail, ends=not plot.person.unseen_hop))


def _misuse_out_of_sight(scene: Scene, debt: Debt, person: Person, rng: np.random.Generator) -> None:
    """The lender sees not even the first hop."""
    sink = scene.places.pick(person.sink or PROHIBITED[0], float(rng.random()))
    moved = int(debt.principal_minor * (0.65 + 0.35 * float(rng.random())))
    scene.state.trails.append(
        Trail(
            loan_id=debt.loan_id,
            person=person.number,
            kind="misuse",
            planned_hops=person.hops,
            sink=sink.kind,
            label=sink.label,
            unseen=True,
            first_seen=False,
            drawn_minor=debt.principal_minor,
            moved_minor=moved,
            last_on=scene.state.today,
        )
    )


def _to_the_hub(plot: Plot) -> None:
    """A ring pools its money with one of its members, who takes it out in cash."""
    folks = plot.scene.state.folks
    ring = (p.number for p in plot.scene.people if p.ring == plot.person.ring)
    hub = next(folks[number].accounts[0] for number in ring if folks[number].accounts)
    chain = [plot.scene.places.pick("cash_withdrawal", plot.chance())]
    if hub != plot.account:
        chain.insert(0, Counterparty(hub, "person", None))
    trail = _trail(plot, "ring", chain)
    plot.scene.plan(1, _chain(plot, chain, plot.debt.principal_minor, trail))


def _honest_place(plot: Plot) -> Counterparty:
    kind = PURPOSE_KINDS.get(plot.petition.purpose, "retail")
    return payee(plot.scene, plot.petition) or plot.scene.places.pick(kind, plot.chance())


def _own_second(plot: Plot) -> list[Counterparty]:
    return [Counterparty(account, "person", "person") for account in plot.folk.accounts[1:2]]


def _stops(plot: Plot) -> list[Counterparty]:
    """The accounts between loan and sink: one's own second, then somebody else's that the lender sees."""
    stops = _own_second(plot) if plot.person.hops > 1 else []
    if plot.person.hops > 2:
        folks, people = plot.scene.state.folks, plot.scene.people
        for number in plot.rng.integers(0, len(folks), 200).tolist():
            helps = folks[number].accounts and folks[number].loans and people[number].ring is None
            if helps and number != plot.person.number:
                stops.append(Counterparty(folks[number].accounts[0], "person", "person"))
                break
    return stops


def _chain(
    plot: Plot, places: Sequence[Counterparty], amount: int, trail: int | None = None, *, ends: bool = True
) -> Leg:
    """An amount over places one after the other, as its first leg with the others behind it."""
    sources = [plot.account, *(place.name for place in places[:-1])]
    following: Leg | None = None
    for hop in range(len(places) - 1, -1, -1):
        following = Leg(
            person=plot.person.number,
            seconds=MORNING + int(plot.chance() * 40_000),
            source=sources[hop],
            target=places[hop].name,
            label=places[hop].label,
            amount_minor=amount,
            trail=trail,
            first=hop == 0,
            sink=ends and hop == len(places) - 1,
            then=following,
            wait_days=int(plot.chance() * 3.0),
        )
    if following is None:
        raise InvariantBroken("a chain of transfers needs a place to go to")
    return following


def _parts(plot: Plot, amount: int) -> list[tuple[int, int]]:
    """An amount in one to three parts, each with the day after the loan on which it moves."""
    count = 1 + int(plot.chance() * 2.4)
    days = sorted(plot.rng.integers(1, 7, count).tolist())
    share = amount // count
    return [(day, share if place else amount - share * (count - 1)) for place, day in enumerate(days)]


def _trail(plot: Plot, kind: Tale, chain: Sequence[Counterparty], *, unseen: bool = False) -> int:
    """Begin the truth about this money; returns its place among the trails."""
    trails = plot.scene.state.trails
    trails.append(
        Trail(
            loan_id=plot.debt.loan_id,
            person=plot.person.number,
            kind=kind,
            planned_hops=len(chain),
            sink=chain[-1].kind,
            label=chain[-1].label,
            unseen=unseen,
            drawn_minor=plot.debt.principal_minor,
        )
    )
    return len(trails) - 1
