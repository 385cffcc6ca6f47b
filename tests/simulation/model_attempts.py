"""What must hold of attempts: what was answered is there once and in order, what was refused is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from obligor import events as e
from obligor.app.call import tag
from obligor.kernel import Event
from tests.simulation.attempts import Attempt
from tests.simulation.clients import Client, body_of
from tests.simulation.final import Final
from tests.simulation.ground import TENANT
from tests.simulation.violation import expect

__all__ = ["check_attempts"]


def check_attempts(final: Final, clients: Iterable[Client]) -> None:
    """Every attempt of every client, against the journal."""
    by_ref: dict[str, list[Event]] = defaultdict(list)
    by_name: dict[str, list[Event]] = defaultdict(list)
    for event in final.events:
        if event.source_ref is not None:
            by_ref[event.source_ref].append(event)
        if isinstance(event.body, e.ApplicationReceived) and event.body.reference is not None:
            by_name[event.body.reference].append(event)
        if isinstance(event.body, e.DrawdownRequested) and event.body.payee is not None:
            by_name[event.body.payee].append(event)
    key = final.vault.index_key(TENANT)
    for client in clients:
        last = -1
        for attempt in client.attempts:
            if attempt.kind == "event":
                found = by_ref[tag(key, "source_ref", attempt.name)]
            else:
                found = by_name[attempt.name]
            if attempt.ended == "answered":
                place = _check_answered(final, attempt, found)
                expect(place > last, f"{attempt.name} stands before what {client.name} was told earlier")
                last = place
            elif attempt.ended == "refused":
                expect(not found, f"{attempt.name} was refused ({attempt.refusal}) and left events")
            elif attempt.ended == "erased":
                expect(any(final.of(e.PersonErased)), f"{attempt.name} is gone, and nobody was erased")
                least = attempt.kind == "event"  # of the others the name may be erased too
                expect(least <= len(found) <= 1, f"{attempt.name} is there {len(found)} times")
            else:
                expect(len(found) <= 1, f"{attempt.name} is there {len(found)} times")


def _check_answered(final: Final, attempt: Attempt, found: list[Event]) -> int:
    """The place of what an answer speaks of."""
    ((sending, data),) = attempt.answers.items()
    told = body_of(data)
    place: int = told["known_seq"]
    there = place < len(final.events) and final.events[place].id == told["event_id"]
    expect(there, f"{attempt.name} was answered with entry {place}, which is not in the journal")
    least = attempt.kind == "event"  # what is sealed of an erased person says no name any more
    expect(least <= len(found) <= 1, f"{attempt.name} is there {len(found)} times")
    late = attempt.after is not None and place > attempt.after
    expect(late, f"{attempt.name} stands before what was known when it was sent")
    sent = attempt.bodies[sending]
    amount = sent.get("amount_minor") or sent.get("body", {}).get("amount_minor")
    if found and amount is not None and not found[0].erased:
        kept = found[0].body.amount_minor
        expect(kept == amount, f"{attempt.name} was done with {kept} and answered for {amount}")
    return place
