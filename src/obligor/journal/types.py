"""What goes into the journal and what comes out: commands, answers, and what rooms register.

A command is run inside the writer, over a view of everything that was accepted before it, and returns the
events it proposes. It must be pure: it may be run again when its group could not be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from obligor.kernel import Draft, Event

if TYPE_CHECKING:
    from obligor.journal.reader import Reader

__all__ = [
    "Accepted",
    "Answer",
    "Command",
    "Fold",
    "Idempotency",
    "Lookup",
    "Memory",
    "Projecting",
    "Projection",
    "Registry",
    "Statement",
    "States",
    "View",
]

Statement = tuple[str, tuple[Any, ...]]


class States(Protocol):
    """What follows from a tenant's events up to a point: live in the writer, or again in a rebuild."""

    @property
    def tenant(self) -> str:
        """Whose journal it is."""
        ...

    def state(self, stream: str) -> Any:
        """The fold registered for the stream's prefix, over its events; None without events or fold.

        It is shared: whoever reads it must not change it.
        """
        ...

    def version(self, stream: str) -> int:
        """How many events the stream has."""
        ...

    def memory(self, name: str) -> Any:
        """A registered memory, over all events; whoever reads it must not change it.

        Raises:
            KeyError: nothing is registered under the name.
        """
        ...


class Projecting(States, Protocol):
    """What a projection sees: the states after an event, and what the event's own stream was before it."""

    @property
    def before(self) -> Any:
        """The fold of the event's stream before the event; None where it is the first, or without a fold."""
        ...


class View(States, Protocol):
    """What a command sees: everything accepted before it, earlier commands of its group included."""

    @property
    def now(self) -> datetime:
        """The group's time, in UTC: the `recorded_at` of its events."""
        ...

    @property
    def size(self) -> int:
        """How many events are known: the `known_seq` of the next one."""
        ...

    @property
    def reads(self) -> Mapping[str, int]:
        """The version of every stream this command has looked at so far."""
        ...

    def find(self, kind: str, key: str) -> str | None:
        """What was last looked up under (kind, key), or None."""
        ...

    def fresh(self, stream: str, subject: str | None = None) -> None:
        """Take it that a stream has no events yet, since its name holds an id that was made just now.

        Nobody looks for them then, nor for keys of the `subject`, where it is one that was made just now.
        Should there be some, the group is refused, and nothing is written.
        """
        ...

    def events(self, stream: str) -> Iterator[Event]:
        """A stream's events in order, those of earlier commands of the group included."""
        ...


class Answer(msgspec.Struct, frozen=True):
    """What a command answers: canonical JSON, equal to the byte however often the command is repeated."""

    data: bytes
    replayed: bool = False

    @property
    def value(self) -> Any:
        """The answer as plain values."""
        return msgspec.json.decode(self.data)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a command proposes: events in their order, and the answer once they are numbered.

    `answer` gets the numbered events and returns plain values within the profile of canonical JSON.
    `seal_answer_for` is the person whose conduct key seals the stored answer, where the command could not
    know it beforehand.
    """

    drafts: Sequence[Draft] = ()
    answer: Callable[[Sequence[Event]], Any] = lambda _events: None
    seal_answer_for: str | None = None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A name for an attempt, chosen by the sender, and the digest of what was sent under it."""

    key: str
    body_sha256: str


@dataclass(frozen=True, slots=True)
class Command:
    """Something to be done once, or refused.

    `run` raises a Refusal to refuse. `finds` are the (kind, key) of look-ups that it will make, as far as
    they are known beforehand: those of a group are read together. `cursor` is a processor's name and the last
    `known_seq` it has dealt with, moved in the same transaction; it never moves back. `seal_answer_for` is
    the person whose conduct key seals the stored answer; an answer without one is stored as it is and must
    say nothing personal.
    """

    tenant: str
    run: Callable[[View], Accepted]
    idempotency: Idempotency | None = None
    finds: Sequence[tuple[str, str]] = ()
    cursor: tuple[str, int] | None = None
    seal_answer_for: str | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """How the events of a stream add up. `apply` returns a new state and leaves the old one as it was."""

    initial: Callable[[], Any]
    apply: Callable[[Any, Event], Any]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A way to find something by a key: the last value under (kind, key) holds.

    What is personal in a key is a keyed hash (see `Vault.index_key`). With a `person`, the row is taken out
    when that person is erased.
    """

    kind: str
    key: str
    value: str
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """A value over all events of a tenant that the writer keeps, such as caps or packed histories.

    `initial` makes an empty one for a tenant, `apply` takes in one event in place, `forget` takes a person
    out in place, after the person was erased. `load` makes the one for all that is committed, faster than
    by applying every event; without it, every event is applied. `types` are the types of events that change
    it, where not all may.
    """

    initial: Callable[[str], Any]
    apply: Callable[[Any, Event], None]
    forget: Callable[[Any, str], None] = lambda _memory, _person: None
    load: Callable[[Reader, str], Any] | None = None
    types: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Projection:
    """Tables that follow from the events and can be made again from them.

    `schema` is DDL whose tables are called `p_<name>` or `p_<name>_<more>`, the tenant first in every key.
    `project` returns the statements for one event; the states are those after it. For `person.erased` it
    takes out what is personal. What it writes may depend on nothing but the events.

    `types` are the types of events that change it, where not all may. `gather` takes the statements of a
    group of events, in order, and gives others that leave the same rows: fewer, and equal ones together.
    """

    name: str
    schema: str
    project: Callable[[Event, Projecting], Iterable[Statement]]
    gather: Callable[[list[Statement]], list[Statement]] = lambda statements: statements
    types: frozenset[str] | None = None


class Followers(NamedTuple):
    """The memories, by name, and the projections that events of a type change."""

    memories: tuple[tuple[str, Memory], ...]
    projections: tuple[Projection, ...]


@dataclass(frozen=True, slots=True)
class Registry:
    """What the journal keeps beside the events, for whom. Folds by the stream's prefix, such as `loan`."""

    folds: Mapping[str, Fold] = field(default_factory=dict)
    lookups: Callable[[Event], Iterable[Lookup]] = lambda _event: ()
    memories: Mapping[str, Memory] = field(default_factory=dict)
    projections: Sequence[Projection] = ()
    _followers: dict[str, Followers] = field(default_factory=dict, init=False, repr=False, compare=False)

    def followers(self, event_type: str) -> Followers:
        """Who follows the events of a type."""
        found = self._followers.get(event_type)
        if found is None:
            memories = [item for item in self.memories.items() if _follows(item[1], event_type)]
            projections = [each for each in self.projections if _follows(each, event_type)]
            found = self._followers[event_type] = Followers(tuple(memories), tuple(projections))
        return found


def _follows(what: Memory | Projection, event_type: str) -> bool:
    return what.types is None or event_type in what.types
