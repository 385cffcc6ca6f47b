"""The rows of a group: everything it had accepted, sealed, committed to and put into the tree.

What is the same for many events is done for all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from obligor.events import FieldClass
from obligor.journal.numbering import Numbered
from obligor.journal.sealing import seal_answer, seal_parts
from obligor.journal.store import AnswerRow, Batch, CursorRow, EventRow, Head
from obligor.journal.tree import LogTree
from obligor.journal.vault import NO_KEYS, OPEN_PADS, Ring, Vault
from obligor.journal.view import TenantGroup
from obligor.kernel import InvariantBroken
from obligor.kernel.failpoints import reach
from obligor.proof import entry_bytes, leaf_hash

__all__ = ["batches"]

# So many events are sealed at a time: a store may be writing them while the next ones are.
PIECE = 32


def batches(group: TenantGroup, vault: Vault, tree: LogTree, nonces: Iterator[bytes]) -> Iterator[Batch]:
    """What a tenant's part of a group writes, in pieces, each made when it is asked for.

    The keys of all are durable before the first.

    Raises:
        InvariantBroken: the tree is not where the events begin.
        StoreFailed: keys could not be made durable.
    """
    tenant = group.tenant
    rings = _rings(group, vault)
    if tree.size != group.first:
        raise InvariantBroken(f"the log of {tenant} has {tree.size} leaves for {group.first} events")
    yield Batch(
        lookups=[*group.finds.values()],
        answers=[_answer_row(row, rings, nonces) for row in group.answers.values()],
        cursors=[CursorRow(tenant, *cursor) for cursor in group.cursors.items()],
    )
    for start in range(0, len(group.accepted), PIECE):
        yield _events(group.accepted[start : start + PIECE], rings, tree, nonces)
    last = Batch(statements=[*group.statements.values()])
    if group.accepted:
        last.tiles = tree.take_tiles()
        last.heads = [Head(tenant, tree.size, tree.root())]
    yield last


def _events(
    accepted: Sequence[Numbered], rings: dict[str, Ring], tree: LogTree, nonces: Iterator[bytes]
) -> Batch:
    theirs = [_ring_of(numbered, rings) for numbered in accepted]
    roots = _roots(accepted, theirs)
    rows = [
        _event_row(numbered, ring, root, nonces)
        for numbered, ring, root in zip(accepted, theirs, roots, strict=True)
    ]
    for row in rows:
        tree.append(row.leaf)
    subjects = [
        (event.tenant, subject, event.known_seq)
        for event in (numbered.event for numbered in accepted)
        for subject in dict.fromkeys(event.subjects)
    ]
    return Batch(events=rows, subjects=subjects)


def _rings(group: TenantGroup, vault: Vault) -> dict[str, Ring]:
    """The keys of everybody something is sealed for; new ones are durable on return."""
    persons = {numbered.event.subjects[0] for numbered in group.accepted if numbered.event.subjects}
    persons.update(row.person for row in group.answers.values() if row.person is not None)
    ordered = sorted(persons)
    vault.ensure(group.tenant, ordered, fresh=group.fresh)
    reach("keys.made")
    return vault.rings(group.tenant, ordered)


def _ring_of(numbered: Numbered, rings: dict[str, Ring]) -> Ring:
    subjects = numbered.event.subjects
    return rings[subjects[0]] if subjects else NO_KEYS


def _roots(accepted: Sequence[Numbered], rings: Sequence[Ring]) -> list[bytes]:
    """The commitment to each body: what `proof.commit` makes of its parts."""
    from obligor.proof.batch import body_roots, hmac_each

    pads, ids = [], []
    for numbered, ring in zip(accepted, rings, strict=True):
        event_id = numbered.event.id.encode()
        for kind in numbered.plain:
            pads.append(OPEN_PADS if kind is FieldClass.OPEN else ring.keys[kind].pads)
            ids.append(event_id)
    keys = iter(hmac_each(pads, ids))
    return body_roots(
        [[(kind, next(keys), text) for kind, text in numbered.plain.items()] for numbered in accepted]
    )


def _event_row(numbered: Numbered, ring: Ring, root: bytes, nonces: Iterator[bytes]) -> EventRow:
    event = numbered.event
    sealed = seal_parts(numbered.plain, numbered.dropped, ring.keys, numbered.envelope, nonces)
    return EventRow(
        event.tenant,
        event.known_seq,
        event.id,
        event.stream,
        event.stream_version,
        event.type,
        numbered.envelope,
        sealed,
        root,
        leaf_hash(entry_bytes(numbered.envelope, root, sha256(sealed).digest())),
    )


def _answer_row(row: AnswerRow, rings: dict[str, Ring], nonces: Iterator[bytes]) -> AnswerRow:
    if row.person is None or row.answer is None:
        return row
    key = rings[row.person].keys.get(FieldClass.CONDUCT)
    sealed = seal_answer(row.answer, key, row.tenant, row.key, nonces) if key else None
    return row._replace(answer=sealed)
