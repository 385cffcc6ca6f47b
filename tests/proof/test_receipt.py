"""Receipts: they hold by themselves, for ever, and not with a single bit changed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from obligor.kernel import Corrupted, InvariantBroken, encode
from obligor.proof import (
    Report,
    Signer,
    build_receipt,
    commit,
    inclusion,
    open_fields,
    sign_note,
    verify_receipt,
)
from obligor.proof.verify import LEAF, OPENED, PATH, READ, ROOT, SIGNED
from tests.proof.support import SIGNER, VKEY, SmallLog, flipped

LOG = SmallLog(21)
WANTED = [("money", "amount_minor"), ("identity", "reference"), ("conduct", "fields.housing")]
RECEIPT = LOG.receipt(13, 21, WANTED)
OTHER = Signer("bank.example", bytes(32))


def _failed(report: Report) -> list[str]:
    return [step.name for step in report.steps if step.ok is False]


def test_a_receipt_holds_step_by_step() -> None:
    report = verify_receipt(RECEIPT, vkey=VKEY)
    assert report.ok
    assert [(step.name, step.ok) for step in report.steps] == [
        ("The receipt can be read", True),
        ("Entry hashes to its leaf", True),
        ("Inclusion proof leads to a root", True),
        ("Root is the checkpoint's", True),
        ("Log key signed the checkpoint", True),
        ("Opened fields are the entry's", True),
    ]
    assert (report.index, report.size, report.origin) == (13, 21, "bank.example/north/0/0")
    assert report.envelope is not None
    assert report.envelope["known_seq"] == 13
    assert report.fields == (
        ("conduct", "fields.housing", "rent"),
        ("identity", "reference", "陈静-13"),
        ("money", "amount_minor", 100_013),
    )


def test_every_entry_has_a_receipt_at_every_size() -> None:
    for size in (1, 2, 8, 20, 21):
        for n in range(size):
            assert verify_receipt(LOG.receipt(n, size), vkey=VKEY).ok


def test_without_a_key_of_ones_own_the_report_says_whose_key_was_taken() -> None:
    report = verify_receipt(RECEIPT)
    assert report.ok
    assert "compare it" in report.steps[4].detail
    assert "compare it" not in verify_receipt(RECEIPT, vkey=VKEY).steps[4].detail


def test_a_receipt_of_another_log_does_not_hold_under_the_key_one_knows() -> None:
    report = verify_receipt(RECEIPT, vkey=OTHER.vkey)
    assert not report.ok
    assert _failed(report) == ["Log key signed the checkpoint"]
    assert not verify_receipt(RECEIPT, vkey="no key at all").ok


def test_what_is_not_opened_is_not_in_the_receipt() -> None:
    assert "陈静".encode() not in LOG.receipt(13, 21, [("money", "amount_minor")])
    assert "陈静".encode() in RECEIPT


def test_a_receipt_holds_after_the_person_was_erased() -> None:
    """Nothing but the file and the log's key goes into verifying: bodies, keys and journal may be gone."""
    log = SmallLog(8)
    receipt = log.receipt(3, 8, WANTED)
    log.bodies.clear()
    del log
    assert verify_receipt(receipt, vkey=VKEY).ok


def test_every_flipped_bit_of_a_receipt_is_found() -> None:
    receipt = SmallLog(2).receipt(1, 2, [("money", "amount_minor")])
    assert verify_receipt(receipt).ok
    for bit, changed in flipped(receipt):
        assert changed != receipt
        assert not verify_receipt(changed).ok, f"bit {bit}: {changed[bit // 8 - 20 : bit // 8 + 20]!r}"


Edit = Callable[[dict[str, Any]], object]


def _edit(change: Edit) -> bytes:
    value = json.loads(RECEIPT)
    change(value)
    edited = encode(value)
    assert edited != RECEIPT
    return edited


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda r: r["entry"]["envelope"].update(type="application.decided"), ROOT),
        (lambda r: r["entry"]["envelope"].update(known_seq=12), LEAF),
        (lambda r: r["entry"]["envelope"].pop("known_seq"), LEAF),
        (lambda r: r["entry"].update(sealed_sha256="0" * 64), ROOT),
        (lambda r: r["entry"].update(body_root="A" * 64), READ),
        (lambda r: r["entry"].update(more=1), READ),
        (lambda r: r.update(index=12), LEAF),
        (lambda r: r.update(index=True), READ),
        (lambda r: r.update(v=2), READ),
        (lambda r: r.update(more=None), READ),
        (lambda r: r.pop("vkey"), READ),
        (lambda r: r.update(size=20), ROOT),
        (lambda r: r.update(size=13), PATH),
        (lambda r: r["proof"].pop(), PATH),
        (lambda r: r["proof"].append(r["proof"][0]), PATH),
        (lambda r: r["proof"].reverse(), ROOT),
        (lambda r: r["proof"].__setitem__(0, 7), PATH),
        (lambda r: r["proof"].__setitem__(0, "AAAA"), PATH),
        (lambda r: r.update(checkpoint=LOG.checkpoint(20)), ROOT),
        (lambda r: r.update(checkpoint="nonsense"), ROOT),
        (lambda r: r.update(checkpoint=r["checkpoint"] + "\u2014 x\n"), SIGNED),
        (lambda r: r.update(checkpoint=r["checkpoint"].replace("21", "9" * 9999, 1)), ROOT),
        (lambda r: r.update(vkey=OTHER.vkey), SIGNED),
        (lambda r: r.update(vkey=r["vkey"].replace("+A", "+B", 1)), SIGNED),
        (lambda r: r["openings"][0].update(value="own"), OPENED),
        (lambda r: r["openings"][0].update(path="fields.age_years"), OPENED),
        (lambda r: r["openings"][0].update(size=r["openings"][0]["size"] + 1), OPENED),
        (lambda r: r["openings"][0].update(salt="AAAA"), OPENED),
        (lambda r: r["openings"][0].pop("salt"), READ),
    ],
)  # fmt: skip
def test_a_changed_receipt_fails_at_the_step_that_is_about_it(change: Edit, step: str) -> None:
    report = verify_receipt(_edit(change))
    assert not report.ok
    assert step in _failed(report)
    assert [one.name for one in report.steps] == [one.name for one in verify_receipt(RECEIPT).steps]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        b'{"a":1,"a":1}',
        b'{"a":1.5}',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b"1" * 5000,
        json.dumps(json.loads(RECEIPT), indent=1).encode(),
        RECEIPT + b"\n",
        b"x" * 4_000_001,
    ],
)
def test_what_is_no_receipt_is_said_to_be_none(data: bytes) -> None:
    report = verify_receipt(data)
    assert not report.ok
    assert _failed(report) == ["The receipt can be read"]
    assert [step.ok for step in report.steps[1:]] == [None] * 5


# ---- what is not given out


def test_no_receipt_is_built_that_would_not_hold() -> None:
    entry, proof = LOG.entries[13], inclusion(13, 21, LOG.read)
    with pytest.raises(Corrupted, match="another root"):
        build_receipt(entry, LOG.checkpoint(21), [bytes(32), *proof[1:]], VKEY)
    with pytest.raises(Corrupted, match="hashes"):
        build_receipt(entry, LOG.checkpoint(20), proof[1:], VKEY)
    with pytest.raises(Corrupted, match="no key"):
        build_receipt(entry, LOG.checkpoint(21), proof, OTHER.vkey)
    with pytest.raises(Corrupted, match="checkpoint"):
        build_receipt(entry, sign_note("hello\n", [SIGNER]), proof, VKEY)


def test_an_entry_that_is_not_its_leafs_stops_the_program() -> None:
    entry = replace(LOG.entries[13], sealed=b"other")
    with pytest.raises(InvariantBroken, match="13"):
        build_receipt(entry, LOG.checkpoint(21), inclusion(13, 21, LOG.read), VKEY)


def test_an_opening_of_another_body_does_not_hold() -> None:
    keys = LOG.salt_keys(13)
    other = {**LOG.bodies[13], "money": {**LOG.bodies[13]["money"], "amount_minor": 1}}
    assert commit(other, keys) != LOG.entries[13].body_root
    openings = open_fields(other, keys, [("money", "amount_minor")])
    receipt = build_receipt(LOG.entries[13], LOG.checkpoint(21), inclusion(13, 21, LOG.read), VKEY, openings)
    assert _failed(verify_receipt(receipt)) == ["Opened fields are the entry's"]
