"""What an open finds, mends or refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from obligor.journal import Accepted, FileKeys, Journal, Vault, View, open_reader, rows
from obligor.journal.schema import VERSION
from obligor.kernel import Conflict, Corrupted, InvariantBroken, NotFound, Unavailable
from obligor.proof import Checkpoint, Signer, open_note, root_of
from tests.journal.places import rows_of, tamper
from tests.journal.support import (
    SIGNER,
    TENANT,
    backend_at,
    command,
    erased,
    fee,
    house,
    party,
    running,
    vault_at,
)


def _filled(directory: Path, store: str | None, events: int = 5) -> None:
    with house(directory, store=store) as h:
        h.journal.submit_many([command(fee("l1", n)) for n in range(1, events + 1)]).result(30)


def test_a_second_opener_is_refused_and_the_first_goes_on(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
        with pytest.raises(Unavailable, match="another process"), house(tmp_path, store=store):
            pass
        script = (
            "import sys; from pathlib import Path; from tests.journal.support import house\n"
            "from obligor.kernel import Unavailable\n"
            "try:\n    house(Path(sys.argv[1]), store=sys.argv[2] or None).__enter__()\n"
            "except Unavailable: print('refused')"
        )
        command_line = [sys.executable, "-c", script, str(tmp_path), store or ""]
        ran = subprocess.run(command_line, capture_output=True, text=True, check=True)
        assert ran.stdout == "refused\n"
        h.do(fee("l1", 1))


def test_a_journal_is_locked_apart_from_its_vault(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
        with pytest.raises(Unavailable):
            Journal.open(backend_at(tmp_path, store), None, h.vault, SIGNER, None, None)  # type: ignore[arg-type]


def test_a_head_that_a_crash_left_unsigned_is_signed_at_the_next_start(
    tmp_path: Path, store: str | None
) -> None:
    _filled(tmp_path, store)
    tamper(tmp_path, store, "DELETE FROM checkpoint")
    with house(tmp_path, store=store) as h:
        note = h.journal.checkpoint(TENANT)
        assert Checkpoint.parse(open_note(note, [SIGNER.verifier]).text).size == 5
        assert h.journal.reader().checkpoints(TENANT) == [note]


def test_another_signing_key_is_refused(tmp_path: Path, store: str | None) -> None:
    _filled(tmp_path, store)
    for signer in (Signer("bank.example", bytes(32)), Signer("other.example", bytes(range(32)))):
        with (
            pytest.raises(Conflict, match="not signed with the key"),
            house(tmp_path, store=store, signer=signer),
        ):
            pass
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))


@pytest.mark.parametrize(
    "tampering",
    [
        [("UPDATE event SET leaf = ? WHERE known_seq = 2", bytes(32))],
        [("UPDATE head SET root = ?", bytes(32))],
        [("DELETE FROM event WHERE known_seq = ?", 4), ("UPDATE head SET size = ?", 4)],
        [("DELETE FROM event WHERE known_seq = ?", 4)],
    ],
    ids=["leaf", "root", "cut", "hole"],
)
def test_a_log_that_contradicts_itself_is_not_opened(
    tmp_path: Path, store: str | None, tampering: list[tuple[str, Any]]
) -> None:
    _filled(tmp_path, store)
    for sql, value in tampering:
        tamper(tmp_path, store, sql, (value,))
    with pytest.raises(InvariantBroken), house(tmp_path, store=store):
        pass


def test_a_log_that_lost_what_was_signed_is_not_opened(tmp_path: Path, store: str | None) -> None:
    _filled(tmp_path, store, 3)
    ((size, root),) = rows_of(tmp_path, store, "SELECT size, root FROM head")
    _filled(tmp_path, store, 2)
    tamper(tmp_path, store, "DELETE FROM event WHERE known_seq >= ?", (size,))
    tamper(tmp_path, store, "UPDATE head SET size = ?, root = ?", (size, root))
    with pytest.raises(InvariantBroken, match="were signed"), house(tmp_path, store=store):
        pass


def test_a_log_that_was_rewritten_since_it_was_signed_is_not_opened(
    tmp_path: Path, store: str | None
) -> None:
    _filled(tmp_path, store)
    forged = b"f" * 32
    leaves = [bytes(row[0]) for row in rows_of(tmp_path, store, "SELECT leaf FROM event ORDER BY known_seq")]
    assert forged not in leaves
    leaves[2] = forged
    tamper(tmp_path, store, "UPDATE event SET leaf = ? WHERE known_seq = 2", (forged,))
    tamper(tmp_path, store, "UPDATE head SET root = ?", (root_of(leaves),))
    with pytest.raises(InvariantBroken, match="not those that were signed"), house(tmp_path, store=store):
        pass


def _claim_format(directory: Path, store: str | None, file: str, number: int) -> None:
    """Have a store say that another release wrote it."""
    if store is None:
        connection = apsw.Connection(str(directory / file))
        connection.pragma("user_version", number)
        connection.close()
    elif file == "journal.db":
        tamper(directory, store, "UPDATE alembic_version SET version_num = ?", (f"{number:04}",))
    else:
        tamper(directory, store, "UPDATE state SET format = ?", (number,), file=file)


def test_a_store_of_a_newer_release_is_refused(tmp_path: Path, store: str | None) -> None:
    _filled(tmp_path, store)
    _claim_format(tmp_path, store, "journal.db", 99)
    with pytest.raises(Conflict, match=f"format 99, this release reads and writes {VERSION}"):
        house(tmp_path, store=store).__enter__()
    with pytest.raises(Conflict, match="format 99"):
        open_reader(backend_at(tmp_path, store))


def test_a_vault_of_another_release_is_refused(tmp_path: Path, store: str | None) -> None:
    _filled(tmp_path, store)
    _claim_format(tmp_path, store, "vault.db", 99)
    with pytest.raises(Conflict, match="format 99"), house(tmp_path, store=store):
        pass
    with pytest.raises(Conflict, match="format 99"):
        Vault.open_read_only(vault_at(tmp_path, store), FileKeys(tmp_path / "kek"))


def test_a_lost_key_file_is_missed(tmp_path: Path, store: str | None) -> None:
    _filled(tmp_path, store)
    (tmp_path / "kek").rename(tmp_path / "kek.old")
    with pytest.raises(Corrupted, match="another key file"), house(tmp_path, store=store):
        pass
    (tmp_path / "kek.old").rename(tmp_path / "kek")
    with house(tmp_path, store=store) as h:
        assert h.journal.reader().at(TENANT, 0).body.amount_minor == 1


def test_a_vault_without_the_keys_is_noticed_and_is_no_erasure(tmp_path: Path, store: str | None) -> None:
    _filled(tmp_path, store)
    for table in ("person_key", "tenant_key"):
        tamper(tmp_path, store, f"DELETE FROM {table}", file="vault.db")
    with house(tmp_path, store=store) as h, pytest.raises(Corrupted, match="does not open"):
        h.journal.reader().at(TENANT, 0)


def test_an_erasure_that_a_crash_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with house(tmp_path, store=store) as h:
        h.do(party("p1", name="Wei"))
        monkeypatch.setattr("obligor.journal.erasure.Eraser.finish", crash)
        with pytest.raises(Unavailable):
            h.do(erased("p1"))
        assert not h.journal.alive
        monkeypatch.undo()
        assert h.vault.key(TENANT, "p1", "identity") is not None
    with house(tmp_path, store=store) as h:
        assert h.vault.key(TENANT, "p1", "identity") is None
        assert h.vault.key(TENANT, "p1", "money") is not None
        assert h.journal.reader().at(TENANT, 0).body.name is None
        assert h.journal.reader().query("SELECT count(*) AS n FROM erasure") == [{"n": 0}]


def test_a_broken_invariant_stops_the_journal_and_everybody_is_told(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))

        def contradict(*_: object) -> None:
            raise InvariantBroken("two heads")

        # In the middle of writing: the store has begun to take the group's rows.
        monkeypatch.setattr(rows, "_events", contradict)
        with pytest.raises(InvariantBroken):
            h.do(fee("l1", 2))
        assert not h.journal.alive
        monkeypatch.undo()
        with pytest.raises(Unavailable, match="has stopped"):
            h.do(fee("l1", 3))
    with house(tmp_path, store=store) as h:
        assert h.journal.reader().size(TENANT) == 1
        h.do(fee("l1", 3))


def test_reading_needs_a_journal(tmp_path: Path, store: str | None) -> None:
    with pytest.raises(NotFound):
        open_reader(backend_at(tmp_path, store))
    with pytest.raises(NotFound):
        Vault.open_read_only(vault_at(tmp_path, store), FileKeys(tmp_path / "kek"))


def test_states_and_memories_are_there_again(tmp_path: Path, store: str | None) -> None:
    def look(view: View) -> Accepted:
        return Accepted((), lambda _: [view.state("loan/l1").fees, view.memory("totals").fees])

    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1), fee("l2", 2))
        before = h.journal.submit(running(look)).result(30)
    with house(tmp_path, store=store) as h:
        assert h.journal.submit(running(look)).result(30).data == before.data
