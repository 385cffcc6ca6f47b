"""Questions about the journal itself: entries, receipts, the audit, the replay."""

from __future__ import annotations

from dataclasses import replace

from obligor import decision
from obligor.app.queries.batches import spines
from obligor.app.queries.common import Books, event_row, readable
from obligor.app.views import Audited, EventRow, EventView
from obligor.events import ApplicationDecided, DrawdownDecided, body_type, classes_of
from obligor.journal import Opened, Reader
from obligor.kernel import Gone, NotFound, Unavailable
from obligor.proof import (
    AuditReport,
    Checkpoint,
    Opening,
    Verifier,
    audit,
    build_receipt,
    open_fields,
    open_note,
)

__all__ = ["as_view", "audited", "event", "receipt", "replayed"]


def event(books: Books, event_id: str) -> EventView:
    """One entry of the journal."""
    found = books.event(event_id)
    row = event_row(found)
    given = {name: getattr(row, name) for name in EventRow.__struct_fields__} | {"body": readable(found)}
    return EventView(
        **given,
        stream_version=found.stream_version,
        schema=found.schema,
        subjects=found.subjects,
        cause=found.cause,
        replaces=found.replaces,
        classes={name: str(kind) for name, kind in classes_of(body_type(found.type)).items()},
        leaf=books.reader.entry(books.tenant, found.known_seq).leaf.hex(),
    )


def receipt(books: Books, event_id: str, note: str, vkey: str, disclose: tuple[str, ...] = ()) -> bytes:
    """The receipt of an event under the last checkpoint, with some fields opened.

    Raises:
        Unavailable: the checkpoint does not cover the event yet. Gone: a field to open was erased.
        NotFound: no such event, or no such field.
    """
    found = books.event(event_id)
    verifier = Verifier(vkey)
    size = Checkpoint.parse(open_note(note, [verifier]).text).size
    if found.known_seq >= size:
        raise Unavailable("this event is not covered by a signed checkpoint yet; ask again")
    entry = books.reader.entry(books.tenant, found.known_seq)
    proof = books.reader.inclusion(books.tenant, found.known_seq, size)
    openings = _openings(books.reader.opened(books.tenant, event_id), disclose) if disclose else ()
    return build_receipt(entry, note, proof, vkey, openings)


def audited(reader: Reader, tenant: str, vkey: str, *, bodies: bool = True) -> AuditReport:
    """Recompute a tenant's whole log; `bodies` too, where their keys are there."""
    misfiled: list[tuple[int, str]] = []
    report = audit(
        reader.entries(tenant, misfiled=misfiled),
        reader.checkpoints(tenant),
        Verifier(vkey),
        tiles=reader.read_tile(tenant),
        unseal=(lambda entry: reader.unsealed(tenant, entry)) if bodies else None,
    )
    if not report.ok or not misfiled:
        return report
    first_bad, why = misfiled[0]
    return replace(report, ok=False, first_bad=first_bad, why=why)


def replayed(books: Books) -> decision.Tally:
    """Make every recorded decision again, and every batch."""
    events = books.reader.events(books.tenant, types=(ApplicationDecided.TYPE, DrawdownDecided.TYPE))
    return decision.replay_all(events, books.means.artifacts, spines(books))


def _openings(opened: Opened, paths: tuple[str, ...]) -> tuple[Opening, ...]:
    if opened.event.erased:
        raise Gone("parts of this event were erased; what is left cannot be opened field by field")
    kinds = classes_of(body_type(opened.event.type))
    wanted = []
    for path in paths:
        name = path.partition(".")[0]
        if name not in kinds:
            raise NotFound(f"{opened.event.type} has no field {path!r}; it has {', '.join(kinds)}")
        wanted.append((str(kinds[name]), path))
    return open_fields(opened.parts, opened.salt_keys, wanted)


def as_view(report: AuditReport) -> Audited:
    """An audit's report as it is answered."""
    return Audited(
        ok=report.ok,
        entries=report.entries,
        first_bad=report.first_bad,
        why=report.why,
        checkpoints_checked=report.checkpoints_checked,
        unsigned=report.unsigned,
        bodies=report.bodies,
        erased=report.erased,
        root=report.root.hex(),
    )
