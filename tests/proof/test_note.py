"""Signed notes and checkpoints."""

import base64
import json
from pathlib import Path

import pytest

from obligor.kernel import Corrupted, InvalidInput
from obligor.proof import EMPTY_ROOT, Checkpoint, Note, Signer, Verifier, VerifierKey, open_note, sign_note
from tests.proof.support import ORIGIN, SIGNER, VERIFIER, flipped

OTHER = Signer("auditor.example", bytes(32))
TEXT = "This is an example message.\n"


def test_a_note_opens_with_the_keys_that_signed_it() -> None:
    note = sign_note(TEXT, [SIGNER, OTHER])
    assert open_note(note, [VERIFIER]) == Note(TEXT, ("bank.example",))
    assert open_note(note, [OTHER.verifier, VERIFIER]) == Note(TEXT, ("bank.example", "auditor.example"))


def test_a_key_says_whose_it_is_and_is_read_back() -> None:
    assert str(SIGNER.verifier) == SIGNER.vkey == str(VerifierKey.parse(SIGNER.vkey))
    assert SIGNER.vkey.startswith("bank.example+")
    assert SIGNER.verifier.name == SIGNER.name == "bank.example"


def test_the_worked_example_of_the_specification_opens(shared: Path) -> None:
    (example,) = json.loads((shared / "vectors" / "notes" / "signed_notes.json").read_text())["signed_notes"]
    verifier = Verifier(example["vkey"])
    assert open_note(example["note"], [verifier]) == Note(TEXT, ("example.com/foo",))
    changed = example["note"].replace("message.", "message,")
    assert changed != example["note"]
    with pytest.raises(Corrupted):
        open_note(changed, [verifier])


def test_all_verifier_keys_of_the_vectors_are_told_apart(shared: Path) -> None:
    lines = (shared / "vectors" / "notes" / "vkeys.jsonl").read_text().splitlines()
    keys = [json.loads(line) for line in lines]
    seen = []
    for key in keys:
        if key["expect"] == "valid":
            parsed = VerifierKey.parse(key["vkey"])
            assert parsed.id.hex() == key["standard_key_id"]
            assert len(parsed.key) == key["key_bytes"]
            assert str(parsed) == key["vkey"]
            if key["algorithm_byte"] == 1:
                assert Verifier(key["vkey"]).name == parsed.name
            else:
                with pytest.raises(InvalidInput, match="vkey"):
                    Verifier(key["vkey"])
        else:
            with pytest.raises(InvalidInput, match="vkey"):
                VerifierKey.parse(key["vkey"])
        seen.append(key["expect"])
    assert (len(seen), seen.count("valid"), seen.count("invalid")) == (15, 12, 1)


@pytest.mark.parametrize(
    "vkey",
    ["", "a", "a+b", "a+12345678+", "+12345678+AA==", "a b+12345678+AA==", "a+zz+AA==", SIGNER.vkey + "=",
     SIGNER.vkey.replace("bank", "bonk"), SIGNER.vkey.upper(), SIGNER.vkey + "\n"],
)  # fmt: skip
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(InvalidInput, match="vkey"):
        Verifier(vkey)


@pytest.mark.parametrize(
    ("name", "key"), [("", bytes(32)), ("a b", bytes(32)), ("a+b", bytes(32)), ("a", bytes(31))]
)
def test_what_cannot_sign_is_refused(name: str, key: bytes) -> None:
    with pytest.raises(InvalidInput):
        Signer(name, key)


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n", "nul\x00\n", "lone\udfff\n"])
def test_only_whole_lines_are_signed(text: str) -> None:
    with pytest.raises(InvalidInput):
        sign_note(text, [SIGNER])


def test_a_note_that_nobody_known_signed_is_refused() -> None:
    with pytest.raises(Corrupted, match="no key"):
        open_note(sign_note(TEXT, [OTHER]), [VERIFIER])
    with pytest.raises(Corrupted, match="no key"):
        open_note(sign_note(TEXT, [SIGNER]), [])


def test_a_false_signature_of_a_known_key_spoils_the_note() -> None:
    forged = sign_note(TEXT, [OTHER]) + sign_note("Something else.\n", [SIGNER]).split("\n\n")[1]
    with pytest.raises(Corrupted, match=r"bank\.example"):
        open_note(forged, [OTHER.verifier, VERIFIER])
    assert open_note(forged, [OTHER.verifier]).signed_by == ("auditor.example",)


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note[:-1],
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.replace("\u2014 ", "- "),
        lambda note: note + "\n",
        lambda note: note + "\u2014 lone\n",
        lambda note: note + "\u2014 x AAAA\n",
        lambda note: note + "\u2014 x !!!!\n",
        lambda note: note.replace("This", "Th\x07s"),
        lambda note: note.replace("This", "Th\ud800s"),
        lambda note: note + "\u2014 x AAAAAAAA\n" * 100,
        lambda note: "x" * 1_000_001 + note,
        lambda note: "",
    ],
)
def test_what_is_no_note_is_refused(change) -> None:
    note = sign_note(TEXT, [SIGNER])
    assert change(note) != note
    with pytest.raises(Corrupted):
        open_note(change(note), [VERIFIER])


# ---- checkpoints


def test_a_checkpoint_is_three_lines_and_is_read_back() -> None:
    checkpoint = Checkpoint(ORIGIN, 20_852_163, EMPTY_ROOT)
    assert checkpoint.text() == f"{ORIGIN}\n20852163\n{base64.b64encode(EMPTY_ROOT).decode()}\n"
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    extended = Checkpoint(ORIGIN, 0, EMPTY_ROOT, ("more", "and more"))
    assert Checkpoint.parse(extended.text()) == extended


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        f"\n1\n{'A' * 43}=\n",
        f"a\n01\n{'A' * 43}=\n",
        f"a\n-1\n{'A' * 43}=\n",
        f"a\n+1\n{'A' * 43}=\n",
        f"a\n١\n{'A' * 43}=\n",
        f"a\n1\n{'A' * 43}\n",
        f"a\n1\n{'A' * 42}B=\n",
        f"a\n1\n{'A' * 44}\n",
        f"a\n1\n{'A' * 43}=",
        f"a\n1\n{'A' * 43}=\n\n",
        f"a\n{'9' * 5000}\n{'A' * 43}=\n",
    ],
)
def test_what_is_no_checkpoint_in_its_one_form_is_refused(text: str) -> None:
    with pytest.raises(Corrupted):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, EMPTY_ROOT), ("a\nb", 1, EMPTY_ROOT), ("a", -1, EMPTY_ROOT), ("a", 1, b"")],
)
def test_a_checkpoint_of_nothing_is_refused(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(InvalidInput):
        Checkpoint(origin, size, root)


def test_every_flipped_bit_of_a_signed_checkpoint_is_found() -> None:
    note = sign_note(Checkpoint(ORIGIN, 1234, EMPTY_ROOT).text(), [SIGNER]).encode()
    assert _opens(note)
    for bit, changed in flipped(note):
        assert changed != note
        assert not _opens(changed), f"bit {bit}"


def _opens(note: bytes) -> bool:
    try:
        return bool(Checkpoint.parse(open_note(note.decode(), [VERIFIER]).text))
    except (Corrupted, UnicodeDecodeError):
        return False
