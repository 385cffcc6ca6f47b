"""What a command proposes, with the streams as they will be once it is accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from obligor import loans
from obligor.app import states
from obligor.app.call import Call
from obligor.journal import Accepted, View
from obligor.kernel import Body, Draft, Event, NotFound

__all__ = ["FOLDS", "Proposal", "fold"]

# The folds of the streams that commands read, by the first part of the stream's name.
FOLDS: Mapping[str, Callable[[Any, Event], Any]] = {
    "account": states.account,
    "alert": states.alert,
    "application": states.application,
    "case": states.case,
    "loan": loans.apply,
    "person": states.person,
}


def fold(events: Iterable[Event]) -> Any:
    """What the events of one stream add up to; None without events."""
    state = None
    for event in events:
        state = FOLDS[event.stream.partition("/")[0]](state, event)
    return state


class Proposal:
    """Events that a command would write, in order, over the journal's view.

    A later step of the same command sees what an earlier step proposed; nothing is written unless the whole
    command is accepted.
    """

    def __init__(self, view: View, call: Call) -> None:
        self.view = view
        self.call = call
        self.drafts: list[Draft] = []
        self.events: list[Event] = []
        self.status = 201
        self._states: dict[str, Any] = {}
        self._unfolded: dict[str, list[Event]] = {}
        self._versions: dict[str, int] = {}

    def add(self, stream: str, body: Body, subjects: tuple[str, ...] = (), **told: Any) -> Event:
        """Propose an event; returns it as it will be numbered if nothing comes between."""
        told.setdefault("first", not self.drafts)
        draft = self.call.draft(stream, body, subjects, **told)
        event = Event(
            id=draft.id,
            tenant=self.view.tenant,
            stream=stream,
            stream_version=self.version(stream) + 1,
            subjects=draft.subjects,
            type=body.TYPE,
            schema=body.SCHEMA,
            at=draft.at,
            recorded_at=self.view.now,
            known_seq=self.view.size + len(self.drafts),
            source=draft.source,
            source_ref=draft.source_ref,
            actor=draft.actor,
            cause=draft.cause,
            replaces=draft.replaces,
            body=body,
        )
        self._unfolded.setdefault(stream, []).append(event)
        self._versions[stream] = event.stream_version
        self.drafts.append(draft)
        self.events.append(event)
        return event

    def fresh(self, kind: str) -> str:
        """The id of something new, whose stream `kind/id` has no events; of a person, who has no keys."""
        made = self.call.new_id()
        self.view.fresh(f"{kind}/{made}", made if kind == "person" else None)
        return made

    def state(self, stream: str) -> Any:
        """The stream's state, proposed events included; None where nothing has happened."""
        state = self._states[stream] if stream in self._states else self.view.state(stream)
        # Most of what a command proposes it never looks at.
        if (events := self._unfolded.pop(stream, None)) and (step := FOLDS.get(stream.partition("/")[0])):
            for event in events:
                state = step(state, event)
            self._states[stream] = state
        return state

    def version(self, stream: str) -> int:
        """The stream's version, proposed events included."""
        return self._versions.get(stream) or self.view.version(stream)

    @property
    def size(self) -> int:
        """The number that the next proposed event will get."""
        return self.view.size + len(self.drafts)

    def need(self, kind: str, key: str) -> Any:
        """The state of `kind/key`.

        Raises:
            NotFound: there is no such thing.
        """
        found = self.state(f"{kind}/{key}")
        if found is None:
            raise NotFound(f"there is no {kind} {key!r}")
        return found

    def application(self, application_id: str) -> states.Application:
        """An application's state, which must exist."""
        found: states.Application = self.need("application", application_id)
        return found

    def accepted(self, extra: Mapping[str, Any]) -> Accepted:
        """The proposal as the journal takes it, answered with `extra` and the place of its first event.

        Times in `extra` are in UTC.
        """
        # Plain values are written as they are; structs would be taken apart in Python.
        status, told = self.status, msgspec.to_builtins(extra)

        def answer(events: Sequence[Event]) -> dict[str, Any]:
            first = {"event_id": events[0].id, "known_seq": events[0].known_seq}
            return {"status": status, "body": {**first, **told}}

        # A stored answer holds scores and reasons: it is sealed with the key of the person it is about.
        person = next((event.subjects[0] for event in self.events if event.subjects), None)
        return Accepted(drafts=tuple(self.drafts), answer=answer, seal_answer_for=person)
