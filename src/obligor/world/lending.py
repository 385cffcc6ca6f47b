"""The customer's side of the conversation: ask, answer for the sources, hear the outcome, weigh the offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp
from typing import Any

from obligor.world import cash, drawing, repaying
from obligor.world.asking import REFERENCE_RATE_BP, Standing, ask, instalment_minor
from obligor.world.drawing import end, tick
from obligor.world.identity import device_id, person_payload
from obligor.world.luck import Purpose, stream
from obligor.world.messages import Answer
from obligor.world.people import Person
from obligor.world.scene import Scene, clock
from obligor.world.state import REFERENCE, Debt, Folk, Petition, RingApplies, TakeUp

__all__ = ["apply", "hear", "ring_applies", "take_up", "told"]

LAPSE_DAYS = 30
# The share of the declined who find the money elsewhere.
ELSEWHERE = 0.6
PLATFORMS = ("android", "ios")


def apply(scene: Scene, number: int, seconds: int) -> None:
    """A person applies."""
    person, folk = scene.person(number)
    place = len(scene.state.petitions)
    owed = sum(_monthly_minor(scene.state.debts[loan]) for loan in folk.loans)
    standing = Standing(len(folk.loans), folk.outside, owed + folk.outside_due_minor, folk.worst_dpd)
    # The luck of an application belongs to the person and their how-manieth it is, not to who came before.
    rng = stream(scene.seed, Purpose.ASKING, number, folk.applications)
    asked = ask(person, scene.today, scene.start, rng, standing, lines=scene.settings.lines)
    folk.devices += asked.new_device
    petition = Petition(
        number=place,
        person=number,
        turn=folk.applications,
        day=scene.state.today,
        seconds=seconds,
        product=asked.product,
        purpose=asked.purpose,
        amount_minor=asked.amount_minor,
        asked_months=asked.term_months,
        index=asked.index,
        outside_bp=asked.outside_bp,
        patience=asked.patience,
        haste=asked.haste,
        bureau=asked.bureau,
    )
    scene.state.petitions.append(petition)
    known = folk.person_id is not None and asked.channel == "partner"
    folk.applications += 1
    folk.pending = place
    scene.watch(number, max(folk.watched_until, scene.state.today + scene.settings.watched_days))
    payload = {
        "person": person_payload(person, known=known),
        "product": asked.product,
        "channel": asked.channel,
        "amount_minor": asked.amount_minor,
        "currency": scene.settings.currency,
        "term_months": asked.term_months,
        "purpose": asked.purpose,
        "fields": asked.fields,
        "device_id": device_id(person, folk.devices),
        "reference": f"{REFERENCE}{place:07d}",
        "consents": _consents(scene, person, folk),
        "at": clock(scene.today, seconds),
    }
    scene.state.reacting[scene.post("application", payload)] = place


def _consents(scene: Scene, person: Person, folk: Folk) -> list[str]:
    """What a person consents to; told by the month, once."""
    if scene.settings.telling == "monthly" and folk.person_id is not None:
        return []
    return ["bureau", "device", "accounts"] if person.seen else ["bureau", "device"]


def ring_applies(scene: Scene, task: RingApplies) -> None:
    """The ring's day has come for one of its members."""
    if scene.state.folks[task.person].pending is None:
        apply(scene, task.person, task.seconds)


def hear(scene: Scene, answer: Answer) -> None:
    """Take in what the lender said to one request, the world's or the lender's own."""
    request, response = answer.request, answer.response
    kind = request.payload.get("type", request.kind)
    place = scene.state.reacting.pop(request.id, None)
    if answer.refused:
        scene.state.refused[kind] = scene.state.refused.get(kind, 0) + 1
        if place is not None:
            end(scene, scene.state.petitions[place], "refused")
    elif place is None:
        if kind in _HEARD:
            told(scene, kind, {**request.payload.get("body", {}), **response})
    elif kind == "drawdown":
        drawing.answered(scene, scene.state.petitions[place], response)
    else:
        _application_answered(scene, scene.state.petitions[place], response)


def told(scene: Scene, kind: str, data: Mapping[str, Any]) -> None:
    """Learn of a step that the lender made; kinds that concern no customer are passed over."""
    state = scene.state
    if kind in _OF_LOANS:
        if kind == "loan.disbursed" and data["loan_id"] in state.by_loan:
            drawing.disbursed(scene, state.petitions[state.by_loan[data["loan_id"]]], data)
        elif data["loan_id"] in state.debts:
            repaying.told(scene, state.debts[data["loan_id"]], kind, data)
        return
    step = _STEPS.get(kind)
    place = state.by_application.get(str(data.get("application_id")))
    if step is not None and place is not None:
        step(scene, state.petitions[place], data)


def take_up(scene: Scene, task: TakeUp) -> None:
    """Accept an offer that was slept on."""
    petition = scene.state.petitions[task.petition]
    if petition.fate == "open" and petition.outcome == "approve":
        petition.seconds = task.seconds
        drawing.accept(scene, petition)


def lapsed(scene: Scene, petition: Petition) -> bool:
    """Whether an application has waited so long that the person thinks of another."""
    if scene.state.today - petition.day <= LAPSE_DAYS:
        return False
    end(scene, petition, "lapsed")
    return True


def _application_answered(scene: Scene, petition: Petition, response: Mapping[str, Any]) -> None:
    folk = scene.state.folks[petition.person]
    if response.get("application_id"):
        petition.application_id = str(response["application_id"])
        scene.state.by_application[petition.application_id] = petition.number
    if response.get("person_id") and folk.person_id is None:
        folk.person_id = str(response["person_id"])
        if scene.settings.telling == "daily":
            _seen_at_the_door(scene, petition)
    if response.get("outcome"):
        _decided(scene, petition, response)
    elif response.get("needs"):
        _show_accounts(scene, petition)
        for name in response["needs"]:
            _source(scene, petition, str(name))


def _source(scene: Scene, petition: Petition, name: str) -> None:
    """Answer for a source. There is a bureau, which is down now and then; what else is asked for fails."""
    if name in petition.answered:
        return
    petition.answered.append(name)
    body: dict[str, Any] = {"application_id": petition.application_id, "name": name}
    down = petition.haste * 1009.0 % 1.0 < scene.settings.bureau_outage
    if name == "bureau" and not down:
        request = scene.event(
            "source.answered", "bureau", tick(petition, 3), body | {"facts": petition.bureau}
        )
    else:
        why = "timeout" if name == "bureau" else "no such source in the simulated world"
        request = scene.event("source.failed", "gateway", tick(petition, 3), body | {"why": why})
    scene.state.reacting[request] = petition.number


def _seen_at_the_door(scene: Scene, petition: Petition) -> None:
    person, folk = scene.person(petition.person)
    body = {
        "person_id": folk.person_id,
        "device_id": device_id(person, folk.devices),
        "platform": PLATFORMS[person.number % 2],
        "country": "CN",
    }
    scene.event("device.seen", "app", tick(petition, 1), body)


def _show_accounts(scene: Scene, petition: Petition) -> None:
    person, folk = scene.person(petition.person)
    if person.seen and not folk.accounts:
        cash.show_accounts(scene, person, folk, petition.seconds)


def _decided(scene: Scene, petition: Petition, data: Mapping[str, Any]) -> None:
    petition.outcome = str(data["outcome"])
    petition.limit_minor = data.get("limit_minor")
    petition.rate_bp = data.get("rate_bp")
    petition.term_months = data.get("term_months")
    if petition.outcome == "decline":
        _declined(scene, petition)


def _overridden(scene: Scene, petition: Petition, data: Mapping[str, Any]) -> None:
    petition.outcome = str(data["outcome"])
    for name in ("limit_minor", "rate_bp", "term_months"):
        if data.get(name) is not None:
            setattr(petition, name, data[name])
    if petition.outcome == "approve" and petition.fate == "declined" and petition.day == scene.state.today:
        _reopened(scene, petition)
    elif petition.outcome == "decline" and petition.fate == "open":
        _declined(scene, petition)


def _declined(scene: Scene, petition: Petition) -> None:
    """Who is declined stays away for a while; most find the money elsewhere, and dearer."""
    folk = scene.state.folks[petition.person]
    end(scene, petition, "declined")
    folk.quiet_until = scene.state.today + 20 + int(60 * petition.haste)
    if petition.patience < ELSEWHERE:
        _borrow_elsewhere(scene, petition)
    if scene.people[petition.person].ring is not None and folk.applications < 2:
        scene.plan(9 + petition.number % 4, RingApplies(petition.person, petition.seconds))


def _reopened(scene: Scene, petition: Petition) -> None:
    """A decline that is taken back on the same day has had no consequences yet."""
    folk = scene.state.folks[petition.person]
    petition.fate, folk.pending, folk.quiet_until = "open", petition.number, 0
    if petition.patience < ELSEWHERE:
        _borrow_elsewhere(scene, petition, -1)


def _offered(scene: Scene, petition: Petition, data: Mapping[str, Any]) -> None:
    """Weigh an offer: its rate against what others would give, and its amount against what was asked for."""
    if petition.fate != "open" or petition.taken:
        return
    amount = data.get("amount_minor") or petition.limit_minor or petition.amount_minor
    petition.offered_minor = min(int(amount), petition.amount_minor)
    petition.rate_bp = data.get("rate_bp") or petition.rate_bp
    petition.term_months = data.get("term_months") or petition.term_months
    _catch_up(scene, petition, data.get("at"))
    _show_accounts(scene, petition)
    rate = REFERENCE_RATE_BP if petition.rate_bp is None else petition.rate_bp
    short = 1.0 - petition.offered_minor / petition.amount_minor
    pull = 1.9 + (petition.outside_bp - rate) / 350.0 - 3.0 * short
    ring = scene.people[petition.person].ring is not None
    if not ring and petition.patience > 1.0 / (1.0 + exp(-pull)):
        folk = scene.state.folks[petition.person]
        folk.quiet_until = scene.state.today + 40
        end(scene, petition, "went_elsewhere")
        _borrow_elsewhere(scene, petition)
    elif petition.haste > 0.82 and not ring:
        petition.taken = True
        scene.plan(1 + petition.number % 3, TakeUp(petition.number, petition.seconds))
    else:
        drawing.accept(scene, petition)


def _borrow_elsewhere(scene: Scene, petition: Petition, loans: int = 1) -> None:
    folk = scene.state.folks[petition.person]
    folk.outside += loans
    months = max(petition.asked_months, 6)
    monthly = instalment_minor(petition.amount_minor, petition.outside_bp + 400, months)
    folk.outside_due_minor += loans * (monthly // 2)


def _catch_up(scene: Scene, petition: Petition, at: object) -> None:
    """Stay behind a step of the lender's that is stamped with a later time of today."""
    moment = str(at or "")
    if moment.startswith(scene.today.isoformat()) and len(moment) >= 19:
        hour, minute, second = moment[11:19].split(":")
        petition.seconds = max(petition.seconds, int(hour) * 3600 + int(minute) * 60 + int(second))


def _monthly_minor(debt: Debt) -> int:
    months = max(1, round((debt.due_on[-1] - debt.disbursed_on) / 30.4))
    return debt.cumulative_minor[-1] // months


_STEPS: dict[str, Callable[[Scene, Petition, Mapping[str, Any]], None]] = {
    "application.decided": _decided,
    "application.overridden": _overridden,
    "drawdown.decided": drawing.answered,
    "offer.made": _offered,
}
_OF_LOANS = frozenset({"loan.disbursed", "loan.written_off", "fee.charged"})
_HEARD = _OF_LOANS | set(_STEPS)
