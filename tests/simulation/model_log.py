"""What must hold of the log, computed again with SHA-256 and nothing else (RFC 6962, section 2.1)."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from obligor.proof import entry_bytes
from tests.simulation.final import Final
from tests.simulation.ground import TENANT
from tests.simulation.violation import expect

__all__ = ["check_log", "note_parts", "roots"]


def note_parts(note: str) -> tuple[int, bytes]:
    """Size and root of a signed note (C2SP tlog-checkpoint)."""
    _, size, root, *_ = note.split("\n")
    return int(size), base64.b64decode(root)


def roots(leaves: Iterable[bytes]) -> list[bytes]:
    """The root over the first n leaves, for every n."""
    peaks: list[tuple[int, bytes]] = []
    found = [hashlib.sha256(b"").digest()]
    for leaf in leaves:
        size, top = 1, leaf
        while peaks and peaks[-1][0] == size:
            top = hashlib.sha256(b"\1" + peaks.pop()[1] + top).digest()
            size *= 2
        peaks.append((size, top))
        root = peaks[-1][1]
        for _, peak in reversed(peaks[:-1]):
            root = hashlib.sha256(b"\1" + peak + root).digest()
        found.append(root)
    return found


def leaf_of(envelope: bytes, body_root: bytes, sealed: bytes) -> bytes:
    """The leaf hash of an entry, from what is stored of it."""
    return hashlib.sha256(b"\0" + entry_bytes(envelope, body_root, hashlib.sha256(sealed).digest())).digest()


def check_log(final: Final, checkpoints: Mapping[int, bytes], told: Mapping[int, str]) -> None:
    """Places without a gap, versions without a gap, and every checkpoint anybody saw is of this very log."""
    events = final.events
    expect([event.known_seq for event in events] == list(range(len(events))), "places have a gap")
    expect(len({event.id for event in events}) == len(events), "an event's id is there twice")
    versions: Counter[str] = Counter()
    for event in events:
        versions[event.stream] += 1
        next_one = event.stream_version == versions[event.stream]
        expect(next_one, f"{event.stream} has a gap at {event.known_seq}")
    for place, event_id in told.items():
        known = place < len(events) and events[place].id == event_id
        expect(known, f"event {place} was published and is not in the journal")
    for entry in final.entries:
        leaf = leaf_of(entry.envelope, entry.body_root, entry.sealed)
        expect(leaf == entry.leaf, f"the leaf of {entry.known_seq} is of something else")
    over = roots(entry.leaf for entry in final.entries)
    stored = dict(map(note_parts, final.reader.checkpoints(TENANT)))
    for size, root in (*checkpoints.items(), *stored.items()):
        expect(size < len(over), f"{size} entries were signed, and there are {len(over) - 1}")
        expect(over[size] == root, f"the checkpoint over {size} entries is of another log")
    expect(max(stored) == len(events), "the last checkpoint does not cover the log")
    (head,) = final.rows("SELECT size, root FROM head WHERE tenant = ?", TENANT)
    expect((head["size"], head["root"]) == (len(events), over[-1]), "the head is of another log")
