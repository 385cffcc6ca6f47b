"""Commands folded in order, each accepted or refused alone: pure, and the same over every store."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from obligor.events import FieldClass, PersonErased
from obligor.journal.numbering import Numbered, Place, number
from obligor.journal.store import AnswerRow, ErasureRow, LookupRow, StoreFailed
from obligor.journal.types import Accepted, Answer, Command, Idempotency, Registry, Statement
from obligor.journal.view import ERASED_ANSWER, Cache, CommandView, Known, Slot, TenantGroup
from obligor.kernel import Conflict, Draft, Event, Gone, InvalidInput, InvariantBroken, KeyReused, encode

__all__ = ["ERASABLE", "Group", "Outcome", "attempts_of", "keys_of"]

Outcome = Answer | Exception

# What may be erased while a loan lives; amounts, dates and pseudonyms stay for their legal term.
ERASABLE = (FieldClass.CONDUCT, FieldClass.IDENTITY)
_NOTHING: frozenset[FieldClass] = frozenset()


def attempts_of(commands: Sequence[Command], known: Known) -> list[Idempotency | None]:
    """The attempts of commands as they are stored: senders put what they like into a key.

    Raises:
        StoreFailed: the key they are hidden with could not be read.
    """
    texts: dict[str, list[tuple[str, str]]] = {}
    for command in commands:
        if (sent := command.idempotency) is not None:
            texts.setdefault(command.tenant, []).extend(
                [("idempotency key", sent.key), ("idempotent body", f"{sent.key}\n{sent.body_sha256}")]
            )
    hidden = {tenant: iter(known.hidden(tenant, each)) for tenant, each in texts.items()}
    return [
        None
        if command.idempotency is None
        else Idempotency(next(hidden[command.tenant]), next(hidden[command.tenant]))
        for command in commands
    ]


def keys_of(commands: Sequence[Command], attempts: Sequence[Idempotency | None]) -> dict[str, list[str]]:
    """The idempotency keys of attempts by tenant, without those of whom there are none."""
    keys: dict[str, list[str]] = {}
    for command, attempt in zip(commands, attempts, strict=True):
        if attempt is not None:
            keys.setdefault(command.tenant, []).append(attempt.key)
    return keys


class Group:
    """What becomes of a group of commands, to be written in one transaction or dropped whole.

    An accepted erasure closes it: keys are destroyed before anything else is written about the person.
    `taken` are the (tenant, id) of events that are in the journal; who folds a group looks for those of its
    own ids, and folds it again when there are any.
    """

    def __init__(
        self,
        known: Known,
        registry: Registry,
        cache: Cache,
        now: datetime,
        *,
        taken: AbstractSet[tuple[str, str]],
    ) -> None:
        self._known = known
        self._registry = registry
        self._cache = cache
        self._now = now
        self._taken = taken
        self._stored: dict[str, dict[str, AnswerRow]] = {}
        self.tenants: dict[str, TenantGroup] = {}
        self.erasures: list[ErasureRow] = []

    @property
    def closed(self) -> bool:
        """Whether the next command has to wait for the next group."""
        return bool(self.erasures)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(group.accepted or group.answers or group.cursors for group in self.tenants.values())

    def run(self, commands: Sequence[Command], attempts: Sequence[Idempotency | None]) -> list[Outcome]:
        """For each command its answer, its refusal, or the exception that is its own fault.

        `attempts` are theirs, see `attempts_of`.

        Fewer than there are commands when one of them closes the group.

        Raises:
            StoreFailed: what is committed could not be read; the group cannot go on.
        """
        self._recall(commands, attempts)
        outcomes = []
        for command, attempt in zip(commands, attempts, strict=True):
            outcomes.append(self._run(command, attempt))
            if self.closed:
                break
        for projection in self._registry.projections:
            for group in self.tenants.values():
                if (found := group.statements.get(projection.name)) is not None:
                    group.statements[projection.name] = projection.gather(found)
        return outcomes

    def _run(self, command: Command, attempt: Idempotency | None) -> Outcome:
        group = self.tenants[command.tenant]
        view = CommandView(self._known, self._registry, self._cache, group, self._now)
        try:
            if attempt is not None:
                earlier = self._earlier(group, attempt)
                if earlier is not None:
                    return earlier
            self._check_cursor(group, command)
            accepted = command.run(view)
            answer = self._accept(group, view, accepted)
        except StoreFailed:
            raise
        except Exception as error:  # noqa: BLE001  a command's bug fails that command alone
            if view.staged:
                self._cache.drop_memories(command.tenant)
            return error
        row = None
        if attempt is not None:
            person = accepted.seal_answer_for or command.seal_answer_for
            row = AnswerRow(command.tenant, attempt.key, attempt.body_sha256, person, answer)
        self._keep(view, command, row)
        return Answer(answer)

    # ---- the same attempt again

    def _recall(self, commands: Sequence[Command], attempts: Sequence[Idempotency | None]) -> None:
        """Make each tenant's part of the group, and look for the answers to all its attempts at once."""
        for tenant in dict.fromkeys(command.tenant for command in commands):
            self.tenants[tenant] = TenantGroup(tenant, self._known.size(tenant))
        for tenant, keys in keys_of(commands, attempts).items():
            self._stored[tenant] = {row.key: row for row in self._known.answers(tenant, keys)}
        self._look_up(commands)

    def _look_up(self, commands: Sequence[Command]) -> None:
        """Read what commands will look for: a statement for each kind."""
        wanted: dict[tuple[str, str], dict[str, None]] = {}
        for command in commands:
            for kind, key in command.finds:
                wanted.setdefault((command.tenant, kind), {})[key] = None
        for (tenant, kind), keys in wanted.items():
            found = self.tenants[tenant].found
            found.update(((kind, key), None) for key in keys)
            found.update(((kind, key), value) for key, value in self._known.find_many(tenant, kind, keys))

    def _earlier(self, group: TenantGroup, attempt: Idempotency) -> Answer | None:
        row = group.answers.get(attempt.key)
        if row is not None and row.answer is not None:
            _same_body(row, attempt)
            if row.person is not None and FieldClass.CONDUCT in self._erased(group, row.person):
                # As it will be from the next group on: nothing seals it.
                raise Gone(ERASED_ANSWER)
            return Answer(row.answer, replayed=True)
        row = self._stored[group.tenant].get(attempt.key)
        if row is None:
            return None
        _same_body(row, attempt)
        return Answer(self._known.open_answer(row), replayed=True)

    def _check_cursor(self, group: TenantGroup, command: Command) -> None:
        if command.cursor is None:
            return
        name, wanted = command.cursor
        current = group.cursors.get(name)
        if current is None:
            current = self._known.cursor(group.tenant, name)
        if current is not None and wanted < current:
            raise Conflict(f"cursor {name} is at {current} and does not go back to {wanted}")

    # ---- numbering, and everything that follows from an event

    def _accept(self, group: TenantGroup, view: CommandView, accepted: Accepted) -> bytes:
        statements: dict[str, list[Statement]] = {}
        for draft in accepted.drafts:
            self._stage(group, view, draft, statements)
        answer = encode(accepted.answer([numbered.event for numbered in view.staged]))
        for name, found in statements.items():
            group.statements.setdefault(name, []).extend(found)
        return answer

    def _stage(
        self, group: TenantGroup, view: CommandView, draft: Draft, statements: dict[str, list[Statement]]
    ) -> None:
        tenant = group.tenant
        if view.staged and isinstance(view.staged[-1].event.body, PersonErased):
            raise InvariantBroken("an erasure is the last event of its command")
        if self._is_taken(group, view, draft.id):
            raise Conflict(f"event {draft.id} is already in the journal")
        slot = view.slot(draft.stream)
        erased = self._erased(group, draft.subjects[0]) if draft.subjects else _NOTHING
        numbered = number(draft, Place(tenant, view.size, slot.version + 1, self._now, erased))
        event = numbered.event
        _check_erasure(event)
        fold = self._registry.folds.get(event.stream.partition("/")[0])
        state = None
        if fold is not None:
            state = fold.apply(slot.state if slot.version else fold.initial(), event)
        memories, projections = self._registry.followers(event.type)
        view.before = slot.state if slot.version else None
        # From here on the cache runs ahead: should anything fail, memories are dropped.
        view.staged.append(numbered)
        view.staged_slots[event.stream] = Slot(event.stream_version, state)
        for name, memory in memories:
            if (value := self._cache.memories.get((tenant, name))) is not None:
                memory.apply(value, event)
        for found in self._registry.lookups(event):
            row = LookupRow(tenant, found.kind, found.key, found.value, found.person)
            view.staged_finds[found.kind, found.key] = row
        for projection in projections:
            statements.setdefault(projection.name, []).extend(projection.project(event, view))

    def _erased(self, group: TenantGroup, person: str) -> frozenset[FieldClass]:
        """The classes of a person without a key: none is destroyed while a group is folded."""
        found = group.erased.get(person)
        if found is None:
            found = group.erased[person] = self._known.erased(group.tenant, person)
        return found

    def _is_taken(self, group: TenantGroup, view: CommandView, event_id: str) -> bool:
        if event_id in group.ids or (group.tenant, event_id) in self._taken:
            return True
        return any(numbered.event.id == event_id for numbered in view.staged)

    # ---- nothing below fails

    def _keep(self, view: CommandView, command: Command, answer: AnswerRow | None) -> None:
        group = self.tenants[command.tenant]
        tenant = group.tenant
        group.accepted += view.staged
        group.finds |= view.staged_finds
        for stream, slot in view.staged_slots.items():
            self._cache.slots[tenant, stream] = slot
        for numbered in view.staged:
            group.ids.add(numbered.event.id)
            if isinstance(numbered.event.body, PersonErased):
                self.erasures.append(_erasure(numbered))
        if command.cursor is not None:
            name, known_seq = command.cursor
            group.cursors[name] = known_seq
        if answer is not None:
            group.answers[answer.key] = answer


def _same_body(row: AnswerRow, attempt: Idempotency) -> None:
    if row.body != attempt.body_sha256:
        raise KeyReused("this idempotency key was used for another body")


def _check_erasure(event: Event) -> None:
    if not isinstance(event.body, PersonErased):
        return
    classes = event.body.classes
    if not classes or not {*classes} <= {*ERASABLE}:
        raise InvalidInput.field("classes", list(classes), "one or both of " + ", ".join(ERASABLE))


def _erasure(numbered: Numbered) -> ErasureRow:
    body = numbered.event.body
    return ErasureRow(
        numbered.event.tenant, body.person_id, numbered.event.known_seq, " ".join(sorted(body.classes))
    )
