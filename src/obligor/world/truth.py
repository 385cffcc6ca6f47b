"""The ground truth of a world, as plain data. The system that is being played must never read it."""

from __future__ import annotations

from datetime import date
from typing import Any

from obligor.world.behaviour import nature
from obligor.world.counterparties import PROHIBITED
from obligor.world.history import terms_of
from obligor.world.identity import national_id, reference
from obligor.world.lives import Outlook, default_probability, outlook
from obligor.world.scene import Scene
from obligor.world.state import REFERENCE, Debt, Petition, Trail

__all__ = ["truth"]


def truth(scene: Scene) -> dict[str, Any]:
    """Who is what, what each application's loan would have become, and where loan money went.

    `pd_12m_ppm` is the true probability of more than 90 days past due within 12 months on the terms asked
    for; `would_have_been` is what luck made of it, whether or not anybody lent. `misuse` lists every
    misused loan with the amount that reached its sink (`reached_minor`) and what of it the lender could
    see (`visible_minor`).
    """
    state = scene.state
    trails = [_trail(scene, trail) for trail in state.trails]
    misuse = [t for t in trails if t["kind"] == "misuse"]
    return {
        "label": "simulated: ground truth, not for the system",
        "seed": scene.seed,
        "people": len(scene.people),
        "start": scene.start.isoformat(),
        "played_until": date.fromordinal(state.today).isoformat(),
        "settings": {
            name: getattr(scene.settings, name) for name in ("misuse", "unlabelled", "ring", "onset")
        },
        "persons": [_person(scene, number) for number in range(len(scene.people))],
        "applications": [_application(scene, petition) for petition in state.petitions],
        "loans": [_loan(debt) for debt in state.debts.values()],
        "misuse": misuse,
        "look_alikes": [t for t in trails if t["kind"] in {"shuttle", "investor"}],
        "rings": [t for t in trails if t["kind"] == "ring"],
        "counterparties": [
            {
                "name": place.name,
                "class": place.kind,
                "label": place.label,
                "prohibited": place.kind in PROHIBITED,
            }
            for places in scene.places.of.values()
            for place in places
        ],
        "summary": {
            "requests": state.sent,
            "refused": dict(state.refused),
            "misusers": len({t["person"] for t in misuse if t["moved_minor"]}),
            "misusers_visible": len({t["person"] for t in misuse if t["visible_minor"]}),
            "borrowers": len({debt.person for debt in state.debts.values()}),
        },
    }


def would_have_been(scene: Scene, petition: Petition) -> tuple[float, Outlook]:
    """The true probability of default of a petition on the terms asked for, and what luck made of it."""
    found = scene.fates.get(petition.number)
    if found is None:
        fraud = scene.people[petition.person].ring is not None
        terms = terms_of(petition.product, petition.asked_months, date.fromordinal(petition.day))
        luck = nature(scene.seed, petition.person, petition.turn, petition.index, fraud=fraud)
        pd = default_probability(petition.index, terms, scene.start, scene.settings)
        found = (1.0 if fraud else pd, outlook(luck, terms, scene.start, scene.settings))
        scene.fates[petition.number] = found
    return found


def _person(scene: Scene, number: int) -> dict[str, Any]:
    person, folk = scene.person(number)
    return {
        "reference": reference(number),
        "national_id": national_id(person),
        "person_id": folk.person_id,
        "risk": round(person.risk, 4),
        "income_minor": person.income_minor,
        "kind": "firm" if person.firm else "person",
        "ring": person.ring,
        "misuser_hops": person.hops,
        "look_alike": "investor" if person.invests else "shuttle" if person.shuttles else None,
        "gambles": person.gambles,
        "accounts": folk.accounts,
        "outside_loans": folk.outside,
    }


def _application(scene: Scene, petition: Petition) -> dict[str, Any]:
    pd, became = would_have_been(scene, petition)
    missed = became.first_missed_on
    return {
        "reference": f"{REFERENCE}{petition.number:07d}",
        "application_id": petition.application_id,
        "person": reference(petition.person),
        "applied_on": date.fromordinal(petition.day).isoformat(),
        "pd_12m_ppm": round(pd * 1_000_000),
        "fraud": scene.people[petition.person].ring is not None,
        "outcome": petition.outcome,
        "fate": petition.fate,
        "loan_id": petition.loan_id,
        "would_have_been": {
            "bad_12m": became.bad,
            "worst_dpd_12m": became.worst_dpd,
            "first_missed_on": missed.isoformat() if missed else None,
        },
    }


def _loan(debt: Debt) -> dict[str, Any]:
    return {
        "loan_id": debt.loan_id,
        "person": reference(debt.person),
        "application": f"{REFERENCE}{debt.petition:07d}",
        "draw": debt.draw,
        "status": debt.status,
        "paid_minor": debt.paid_minor,
        "first_missed_on": date.fromordinal(debt.first_missed_on).isoformat()
        if debt.first_missed_on
        else None,
    }


def _trail(scene: Scene, trail: Trail) -> dict[str, Any]:
    return {
        "loan_id": trail.loan_id,
        "person": reference(trail.person),
        "person_id": scene.state.folks[trail.person].person_id,
        "kind": trail.kind,
        "hops": trail.planned_hops,
        "sink_class": trail.sink,
        "sink_label": trail.label,
        "first_hop_seen": trail.first_seen,
        "leaves_sight": trail.unseen,
        "drawn_minor": trail.drawn_minor,
        "moved_minor": trail.moved_minor,
        "reached_minor": trail.reached_minor,
        "visible_minor": trail.visible_minor,
        "last_on": date.fromordinal(trail.last_on).isoformat() if trail.last_on else None,
    }
