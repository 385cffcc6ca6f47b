"""By which keys things are found again; what is personal in a key is a keyed hash."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from obligor.app.call import tag
from obligor.events import (
    AlertRaised,
    ApplicationDecided,
    DrawdownDecided,
    PartyRegistered,
    TransferPosted,
)
from obligor.journal import Lookup
from obligor.kernel import Event

__all__ = ["lookups"]


def lookups(index_key: Callable[[str], bytes]) -> Callable[[Event], Iterable[Lookup]]:
    """The look-ups that an event gives; `index_key` is the key of a tenant's blind indexes."""

    def of(event: Event) -> Iterable[Lookup]:
        if event.source_ref:
            value = f"{event.id} {event.known_seq}"
            yield Lookup("source_ref", f"{event.source}|{event.source_ref}", value)
        if event.replaces:
            yield Lookup("replaced", event.replaces, event.id)
        match event.body:
            case PartyRegistered() as body:
                key = index_key(event.tenant)
                for kind in ("national_id", "reference"):
                    if value := getattr(body, kind):
                        yield Lookup(kind, tag(key, kind, value), body.person_id, body.person_id)
            case ApplicationDecided() as body:
                yield Lookup("decision", body.decision_id, event.id)
            case DrawdownDecided() as body:
                yield Lookup("decision", body.decision_id, event.id)
                if body.loan_id:
                    yield Lookup("loan", body.loan_id, body.application_id)
            case TransferPosted() as body:
                yield Lookup("transfer", f"{body.account_id}|{body.transfer_id}", event.id)
            case AlertRaised() as body:
                yield Lookup("alert", body.dedupe_key, body.alert_id)
            case _:
                return

    return of
