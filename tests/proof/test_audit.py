"""The audit names the first entry that fails."""

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from obligor.kernel import Corrupted
from obligor.proof import (
    AuditReport,
    Checkpoint,
    Signer,
    StoredEntry,
    Unsealed,
    audit,
    entry_bytes,
    leaf_hash,
    root_of,
    sign_note,
)
from tests.proof.support import ORIGIN, SIGNER, VERIFIER, SmallLog, flipped

LOG = SmallLog(40)
BIG = SmallLog(1100, group=100)


def _audit(log: SmallLog, changes: dict[int, StoredEntry] | None = None, **given: object) -> AuditReport:
    entries = [(changes or {}).get(n, entry) for n, entry in enumerate(log.entries)]
    return audit(entries, log.checkpoints, VERIFIER, tiles=log.tile, **given)  # type: ignore[arg-type]


def _rehashed(entry: StoredEntry, sealed: bytes) -> StoredEntry:
    """An entry changed by somebody who also knows to change its leaf."""
    changed = replace(entry, sealed=sealed)
    return replace(changed, leaf=changed.computed_leaf())


def test_a_good_log_passes() -> None:
    report = _audit(LOG)
    assert report == AuditReport(True, 40, None, "", 6, root_of(LOG.leaves), unsigned=0, bodies=0, erased=0)
    big = _audit(BIG)
    assert (big.ok, big.entries, big.checkpoints_checked) == (True, 1100, 11)


def test_an_empty_log_passes() -> None:
    assert audit([], [], VERIFIER).ok
    assert audit([], [SmallLog(1).checkpoint(0)], VERIFIER).ok


def test_entries_past_the_last_checkpoint_are_counted() -> None:
    report = audit(LOG.entries, LOG.checkpoints[:-1], VERIFIER)
    assert (report.ok, report.unsigned) == (True, 5)


def test_every_flipped_bit_of_an_entry_names_it() -> None:
    log = SmallLog(2)
    entry = log.entries[1]
    for field in ("envelope", "body_root", "sealed", "leaf"):
        data = getattr(entry, field)
        for bit, changed in flipped(data):
            assert changed != data
            report = _audit(log, {1: replace(entry, **{field: changed})})
            assert (report.ok, report.first_bad) == (False, 1), f"{field}, bit {bit}"


def test_every_flipped_bit_of_a_tile_names_the_entry_it_stands_for() -> None:
    log = SmallLog(5)
    stored = log.tile(0, 0, 5)
    for bit, changed in flipped(stored):
        assert changed != stored
        report = audit(log.entries, log.checkpoints, VERIFIER, tiles=lambda *_, data=changed: data)
        assert (report.ok, report.first_bad) == (False, bit // 256)


@pytest.mark.parametrize("place", [0, 6, 39])
def test_the_first_of_several_bad_entries_is_named(place: int) -> None:
    changes = {n: replace(LOG.entries[n], sealed=b"other") for n in range(place, 40, 3)}
    assert _audit(LOG, changes).first_bad == place


def test_an_entry_changed_with_its_leaf_is_named_by_the_tile() -> None:
    changed = {n: _rehashed(BIG.entries[n], b"other") for n in (320, 700)}
    report = _audit(BIG, changed)
    assert report.first_bad == 320
    assert "tile/0/001" in report.why


def test_an_entry_in_the_last_tile_changed_with_its_leaf_is_named_too() -> None:
    report = audit(
        [*BIG.entries[:1090], _rehashed(BIG.entries[1090], b"other"), *BIG.entries[1091:]],
        BIG.checkpoints[:-1],
        VERIFIER,
        tiles=BIG.tile,
    )
    assert report.first_bad == 1090


def test_an_entry_changed_with_its_leaf_and_tiles_is_caught_by_the_checkpoint_after_it() -> None:
    entries = [*LOG.entries[:17], _rehashed(LOG.entries[17], b"other"), *LOG.entries[18:]]
    report = audit(entries, LOG.checkpoints, VERIFIER)
    assert (report.ok, report.first_bad, report.entries) == (False, 14, 21)
    assert "from 14 to 20" in report.why


def test_a_tile_that_was_changed_alone_is_found() -> None:
    def tile(level: int, index: int, width: int) -> bytes:
        data = BIG.tile(level, index, width)
        if (level, index) != (1, 0):
            return data
        changed = data[:32] + bytes(32) + data[64:]
        assert changed != data
        return changed

    report = audit(BIG.entries, BIG.checkpoints, VERIFIER, tiles=tile)
    assert (report.ok, report.first_bad) == (False, 256)
    assert "tile/1/000" in report.why


def test_missing_moved_and_added_entries_are_named() -> None:
    assert audit(LOG.entries[:9] + LOG.entries[10:], LOG.checkpoints, VERIFIER).first_bad == 9
    swapped = [*LOG.entries[:9], LOG.entries[10], LOG.entries[9], *LOG.entries[11:]]
    assert audit(swapped, LOG.checkpoints, VERIFIER).first_bad == 9
    renumbered = [replace(entry, known_seq=n) for n, entry in enumerate(swapped)]
    assert audit(renumbered, LOG.checkpoints, VERIFIER).first_bad == 9
    cut = audit(LOG.entries[:35], LOG.checkpoints, VERIFIER)
    assert (cut.first_bad, cut.why) == (35, "40 entries were signed for and 35 are there")
    cut_early = audit(LOG.entries[:30], LOG.checkpoints, VERIFIER)
    assert cut_early.first_bad == 30


Change = Callable[[list[str]], list[str]]


@pytest.mark.parametrize(
    "change",
    [
        lambda notes: [notes[0].replace("bank.example/north", "bank.example/south"), *notes[1:]],
        lambda notes: [*notes, sign_note(Checkpoint(ORIGIN, 40, bytes(32)).text(), [Signer("x", bytes(32))])],
        lambda notes: [*notes, "nonsense"],
        lambda notes: [*notes, sign_note(Checkpoint("another/log", 0, root_of([])).text(), [SIGNER])],
        lambda notes: [*notes, sign_note("no checkpoint\n", [SIGNER])],
        lambda notes: [*notes, sign_note(Checkpoint(ORIGIN, 0, bytes(32)).text(), [SIGNER])],
    ],
)
def test_a_bad_checkpoint_is_no_entrys_fault(change: Change) -> None:
    changed = change(LOG.checkpoints)
    assert changed != LOG.checkpoints
    report = audit(LOG.entries, changed, VERIFIER)
    assert (report.ok, report.first_bad) == (False, None)
    assert report.why


def test_two_signed_roots_of_one_size_are_a_split_view() -> None:
    forked = sign_note(Checkpoint(ORIGIN, 21, bytes(32)).text(), [SIGNER])
    report = audit(LOG.entries, [*LOG.checkpoints, forked], VERIFIER)
    assert not report.ok
    assert "size 21" in report.why


# ---- bodies


def _unseal(entry: StoredEntry) -> Unsealed | None:
    n = entry.known_seq
    return None if n % 5 == 0 else (LOG.bodies[n], LOG.salt_keys(n))


def test_bodies_are_committed_to_anew_where_their_keys_are_left() -> None:
    report = _audit(LOG, unseal=_unseal)
    assert (report.ok, report.bodies, report.erased) == (True, 32, 8)


def test_a_body_that_is_not_the_one_committed_to_is_named() -> None:
    def unseal(entry: StoredEntry) -> Unsealed | None:
        parts, keys = LOG.bodies[entry.known_seq], LOG.salt_keys(entry.known_seq)
        if entry.known_seq == 23:
            parts = {**parts, "money": {**parts["money"], "amount_minor": 1}}
        return parts, keys

    report = _audit(LOG, unseal=unseal)
    assert (report.first_bad, report.bodies) == (23, 23)


def test_a_body_that_does_not_open_is_named() -> None:
    def unseal(entry: StoredEntry) -> Unsealed | None:
        raise Corrupted("it does not open")

    report = _audit(LOG, unseal=unseal)
    assert report.first_bad == 0
    assert "does not open" in report.why


def test_an_entry_may_be_given_as_values_or_as_canonical_bytes() -> None:
    entry = LOG.entries[3]
    given = entry_bytes(json.loads(entry.envelope), entry.body_root, bytes(32))
    assert given == entry_bytes(entry.envelope, entry.body_root, bytes(32))
    assert leaf_hash(entry.data()) == entry.leaf == entry.computed_leaf()
