"""Persons: found again or registered, their consents and devices, and their erasure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from obligor.app import wire
from obligor.app.call import Call
from obligor.app.proposal import Proposal
from obligor.events import ConsentGranted, ConsentWithdrawn, DeviceSeen, PartyRegistered, PersonErased
from obligor.kernel import Conflict, InvalidInput

__all__ = ["erase", "grant", "identify", "keys_of", "see_device", "withdraw"]

_FOUND_BY = ("national_id", "reference")


def keys_of(call: Call, who: wire.PersonRef) -> dict[str, str]:
    """The blind indexes by which a person may be found, by kind."""
    return {kind: call.tag(kind, value) for kind in _FOUND_BY if (value := getattr(who, kind)) is not None}


def identify(p: Proposal, who: wire.PersonRef, keys: Mapping[str, str]) -> str:
    """The id of the person a request speaks of; one who is not known yet is registered.

    Raises:
        InvalidInput: nothing to find the person by. Conflict: the references belong to two persons.
    """
    if not keys:
        raise InvalidInput.field("person", None, "a reference or a national_id to find the person by")
    known = {kind: found for kind, key in keys.items() if (found := p.view.find(kind, key))}
    persons = set(known.values())
    if len(persons) > 1:
        raise Conflict(f"{' and '.join(known)} belong to two different persons; say which one it is")
    if persons:
        return persons.pop()
    person_id = p.fresh("person")
    body = PartyRegistered(
        person_id=person_id,
        kind=who.kind,
        reference=who.reference,
        national_id=who.national_id,
        name=who.name,
        phone=who.phone,
        email=who.email,
        address=who.address,
        born_on=who.born_on,
    )
    p.add(f"person/{person_id}", body, (person_id,))
    return person_id


def see_device(p: Proposal, body: wire.DeviceSeen) -> dict[str, Any]:
    """A known person used a device."""
    p.need("person", body.person_id)
    seen = DeviceSeen(
        person_id=body.person_id, device_id=body.device_id, platform=body.platform, country=body.country
    )
    p.add(f"person/{body.person_id}", seen, (body.person_id,))
    return {}


def grant(p: Proposal, body: wire.ConsentGranted) -> dict[str, Any]:
    """A known person consents to a purpose."""
    p.need("person", body.person_id)
    granted = ConsentGranted(person_id=body.person_id, purpose=body.purpose, text_version=body.text_version)
    p.add(f"person/{body.person_id}", granted, (body.person_id,))
    return {}


def withdraw(p: Proposal, body: wire.ConsentWithdrawn) -> dict[str, Any]:
    """A known person takes a consent back that stands."""
    person = p.need("person", body.person_id)
    if body.purpose not in person.consents:
        raise Conflict(f"no consent for {body.purpose!r} stands that could be withdrawn")
    withdrawn = ConsentWithdrawn(person_id=body.person_id, purpose=body.purpose)
    p.add(f"person/{body.person_id}", withdrawn, (body.person_id,))
    return {}


def erase(p: Proposal, body: wire.PersonErased) -> dict[str, Any]:
    """Destroy the keys of a person's identity or conduct; money is kept for its legal term."""
    person = p.need("person", body.person_id)
    classes = tuple(sorted(set(body.classes) - person.erased))
    if not classes:
        raise Conflict(f"{', '.join(sorted(body.classes))} of this person are erased already")
    erased = PersonErased(person_id=body.person_id, classes=classes, ground=body.ground)
    p.add(f"person/{body.person_id}", erased, (body.person_id,))
    return {"person_id": body.person_id, "classes": list(classes)}
