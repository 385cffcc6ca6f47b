"""From what was sent to a command for the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from obligor.app import wire
from obligor.app.call import Call, Means
from obligor.app.commands import HANDLERS, applications, drawdowns, finds_of, parties
from obligor.app.proposal import Proposal
from obligor.app.service_protocol import EVENT_SCOPES, Principal
from obligor.journal import Accepted, Command, Idempotency, View
from obligor.kernel import Forbidden, InvalidInput, Refusal, decode

__all__ = ["command_of", "event_command"]

Handle = Callable[[Proposal], dict[str, Any]]


def command_of(
    means: Means,
    principal: Principal,
    kind: str,
    payload: Mapping[str, Any],
    now: datetime,
    *,
    idempotency: tuple[str, str] | None = None,
) -> Command:
    """The command that a request of a kind asks for.

    Raises:
        InvalidInput: the payload is not what the kind takes. Forbidden: the sender lacks a scope.
    """
    named = Idempotency(*idempotency) if idempotency else None
    if kind == "application":
        asked = decode(payload, wire.ApplicationRequest)
        call = _call(means, principal, now, asked.at, "api")
        keys = parties.keys_of(call, asked.person)
        return _command(call, lambda p: applications.apply(p, asked, keys), named, tuple(keys.items()))
    if kind == "drawdown":
        wanted = decode(payload, wire.DrawdownRequest)
        call = _call(means, principal, now, wanted.at, "api")
        return _command(call, lambda p: drawdowns.request(p, wanted), named, ())
    return event_command(means, principal, decode(payload, wire.EventRequest), now, named)


def event_command(
    means: Means,
    principal: Principal,
    request: wire.EventRequest,
    now: datetime,
    idempotency: Idempotency | None = None,
) -> Command:
    """The command that records an event; one that is known already is answered as a duplicate.

    Raises:
        InvalidInput: an unknown type, or a body that the type does not take. Forbidden: a scope is missing.
    """
    shape = wire.EVENT_BODIES.get(request.type)
    if shape is None:
        raise InvalidInput.field("type", request.type, f"one of {', '.join(sorted(wire.EVENT_BODIES))}")
    needed = EVENT_SCOPES.get(request.type)
    if needed and needed not in principal.scopes:
        raise Forbidden(f"this key lacks the scope {needed}, which {request.type} takes")
    body = _body(request.body, shape)
    call = _call(means, principal, now, request.at, request.source)
    tagged = msgspec.structs.replace(call, source_tag=call.tag("source_ref", request.source_ref))
    handler = HANDLERS[request.type]
    finds = (_said(tagged), *finds_of(body))
    return _command(tagged, lambda p: _handled(p, handler, body), idempotency, finds)


def _said(call: Call) -> tuple[str, str]:
    """The look-up of what its sender has said before."""
    return "source_ref", f"{call.source}|{call.source_tag}"


def _body(given: Mapping[str, Any], shape: type[wire.WireBody]) -> wire.WireBody:
    """An event's body as its type takes it; what is wrong is named from the request's top."""
    try:
        return decode(given, shape)
    except InvalidInput as error:
        within = [msgspec.structs.replace(v, field=f"body.{v.field}") for v in error.violations]
        raise type(error)(error.detail, within) from None


def _handled(p: Proposal, handler: Callable[[Proposal, Any], dict[str, Any]], body: Any) -> dict[str, Any]:
    """What a handler makes of a body; lower floors know its fields and not where they stand in a request."""
    try:
        return handler(p, body)
    except Refusal as refusal:
        refusal.violations = tuple(
            msgspec.structs.replace(v, field=f"body.{v.field}") if hasattr(body, v.field) else v
            for v in refusal.violations
        )
        raise


def _call(means: Means, principal: Principal, now: datetime, at: datetime | None, source: str) -> Call:
    limit = now + timedelta(days=means.settings.future_days_most)
    if at is not None and at > limit:
        raise InvalidInput.field("at", at.isoformat(), f"a time up to {limit.isoformat()}")
    return Call(
        means=means,
        tenant=principal.tenant,
        actor=f"key:{principal.name}",
        received_at=now,
        at=at or now,
        source=source,
    )


def _command(
    call: Call, handle: Handle, idempotency: Idempotency | None, finds: tuple[tuple[str, str], ...]
) -> Command:
    def run(view: View) -> Accepted:
        if call.source_tag and (known := view.find(*_said(call))):
            return _duplicate(known)
        proposal = Proposal(view, call)
        extra = handle(proposal)
        return proposal.accepted(extra)

    return Command(tenant=call.tenant, run=run, idempotency=idempotency, finds=finds)


def _duplicate(known: str) -> Accepted:
    event_id, _, known_seq = known.partition(" ")
    body = {"event_id": event_id, "known_seq": int(known_seq), "duplicate": True}
    return Accepted(drafts=(), answer=lambda _events: {"status": 200, "body": body})
