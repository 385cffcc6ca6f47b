"""What an open finds, mends or refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from obligor.journal import Accepted, FileKeys, Journal, SqliteBackend, Vault, View, open_reader
from obligor.journal.committer import Committer
from obligor.kernel import Conflict, Corrupted, InvariantBroken, NotFound, Unavailable
from obligor.proof import Checkpoint, Signer, open_note, root_of
from tests.journal.support import SIGNER, TENANT, command, erased, fee, house, party, running


def _change(directory: Path, sql: str) -> None:
    connection = apsw.Connection(str(directory / "journal.db"))
    connection.execute(sql).fetchall()
    changes = connection.total_changes()
    connection.close()
    assert changes > 0, "the tampering changed nothing"


def _filled(directory: Path, events: int = 5) -> None:
    with house(directory) as h:
        h.journal.submit_many([command(fee("l1", n)) for n in range(1, events + 1)]).result(30)


def test_a_second_opener_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with house(tmp_path) as h:
        with pytest.raises(Unavailable, match="another process"), house(tmp_path):
            pass
        script = (
            "import sys; from pathlib import Path; from tests.journal.support import house\n"
            "from obligor.kernel import Unavailable\n"
            "try:\n    house(Path(sys.argv[1])).__enter__()\nexcept Unavailable: print('refused')"
        )
        ran = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert ran.stdout == "refused\n"
        h.do(fee("l1", 1))


def test_a_journal_is_locked_apart_from_its_vault(tmp_path: Path) -> None:
    with house(tmp_path) as h, pytest.raises(Unavailable):
        Journal.open(SqliteBackend(tmp_path), None, h.vault, SIGNER, None, None)  # type: ignore[arg-type]


def test_a_head_that_a_crash_left_unsigned_is_signed_at_the_next_start(tmp_path: Path) -> None:
    _filled(tmp_path)
    _change(tmp_path, "DELETE FROM checkpoint")
    with house(tmp_path) as h:
        note = h.journal.checkpoint(TENANT)
        assert Checkpoint.parse(open_note(note, [SIGNER.verifier]).text).size == 5
        assert h.journal.reader().checkpoints(TENANT) == [note]


def test_another_signing_key_is_refused(tmp_path: Path) -> None:
    _filled(tmp_path)
    for signer in (Signer("bank.example", bytes(32)), Signer("other.example", bytes(range(32)))):
        with pytest.raises(Conflict, match="not signed with the key"), house(tmp_path, signer=signer):
            pass
    with house(tmp_path) as h:
        h.do(fee("l1", 1))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE event SET leaf = zeroblob(32) WHERE known_seq = 2",
        "UPDATE head SET root = zeroblob(32)",
        "DELETE FROM event WHERE known_seq = 4; UPDATE head SET size = 4",
        "DELETE FROM event WHERE known_seq = 4",
    ],
    ids=["leaf", "root", "cut", "hole"],
)
def test_a_log_that_contradicts_itself_is_not_opened(tmp_path: Path, sql: str) -> None:
    _filled(tmp_path)
    _change(tmp_path, sql)
    with pytest.raises(InvariantBroken), house(tmp_path):
        pass


def test_a_log_that_lost_what_was_signed_is_not_opened(tmp_path: Path) -> None:
    _filled(tmp_path, 3)
    backup = (tmp_path / "journal.db").read_bytes()
    _filled(tmp_path, 2)
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    note, size = connection.execute("SELECT note, size FROM checkpoint ORDER BY size DESC").fetchone()
    connection.close()
    (tmp_path / "journal.db").write_bytes(backup)
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    connection.execute("INSERT INTO checkpoint VALUES (?, ?, ?)", (TENANT, size, note))
    connection.close()
    with pytest.raises(InvariantBroken, match="were signed"), house(tmp_path):
        pass


def test_a_log_that_was_rewritten_since_it_was_signed_is_not_opened(tmp_path: Path) -> None:
    _filled(tmp_path)
    forged = b"f" * 32
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    leaves = [row[0] for row in connection.execute("SELECT leaf FROM event ORDER BY known_seq")]
    assert forged not in leaves
    leaves[2] = forged
    connection.execute("UPDATE event SET leaf = ? WHERE known_seq = 2", (forged,))
    connection.execute("UPDATE head SET root = ?", (root_of(leaves),))
    connection.close()
    with pytest.raises(InvariantBroken, match="not those that were signed"), house(tmp_path):
        pass


def test_a_store_of_another_release_is_refused(tmp_path: Path) -> None:
    _filled(tmp_path)
    connection = apsw.Connection(str(tmp_path / "journal.db"))
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(Conflict, match="format 99"), house(tmp_path):
        pass
    with pytest.raises(Conflict, match="format 99"):
        open_reader(SqliteBackend(tmp_path))


def test_a_vault_of_another_release_is_refused(tmp_path: Path) -> None:
    _filled(tmp_path)
    connection = apsw.Connection(str(tmp_path / "vault.db"))
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(Conflict, match="format 99"), house(tmp_path):
        pass
    with pytest.raises(Conflict, match="format 99"):
        Vault.open_read_only(tmp_path / "vault.db", FileKeys(tmp_path / "kek"))


def test_a_lost_key_file_is_missed(tmp_path: Path) -> None:
    _filled(tmp_path)
    (tmp_path / "kek").rename(tmp_path / "kek.old")
    with pytest.raises(Corrupted, match="another key file"), house(tmp_path):
        pass
    (tmp_path / "kek.old").rename(tmp_path / "kek")
    with house(tmp_path) as h:
        assert h.journal.reader().at(TENANT, 0).body.amount_minor == 1


def test_a_vault_without_the_keys_is_noticed_and_is_no_erasure(tmp_path: Path) -> None:
    _filled(tmp_path)
    (tmp_path / "vault.db").unlink()
    with house(tmp_path) as h, pytest.raises(Corrupted, match="does not open"):
        h.journal.reader().at(TENANT, 0)


def test_an_erasure_that_a_crash_interrupted_is_finished_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with house(tmp_path) as h:
        h.do(party("p1", name="Wei"))
        monkeypatch.setattr("obligor.journal.erasure.Eraser.finish", crash)
        with pytest.raises(Unavailable):
            h.do(erased("p1"))
        assert not h.journal.alive
        monkeypatch.undo()
        assert h.vault.key(TENANT, "p1", "identity") is not None
    with house(tmp_path) as h:
        assert h.vault.key(TENANT, "p1", "identity") is None
        assert h.vault.key(TENANT, "p1", "money") is not None
        assert h.journal.reader().at(TENANT, 0).body.name is None
        assert h.journal.reader().query("SELECT count(*) AS n FROM erasure") == [{"n": 0}]


def test_a_broken_invariant_stops_the_journal_and_everybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path) as h:
        h.do(fee("l1", 1))

        def contradict(*_: object) -> None:
            raise InvariantBroken("two heads")

        monkeypatch.setattr(Committer, "_add", contradict)
        with pytest.raises(InvariantBroken):
            h.do(fee("l1", 2))
        assert not h.journal.alive
        monkeypatch.undo()
        with pytest.raises(Unavailable, match="has stopped"):
            h.do(fee("l1", 3))
    with house(tmp_path) as h:
        assert h.journal.reader().size(TENANT) == 1
        h.do(fee("l1", 3))


def test_reading_needs_a_journal(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_reader(SqliteBackend(tmp_path))
    with pytest.raises(NotFound):
        Vault.open_read_only(tmp_path / "vault.db", FileKeys(tmp_path / "kek"))


def test_states_and_memories_are_there_again(tmp_path: Path) -> None:
    def look(view: View) -> Accepted:
        return Accepted((), lambda _: [view.state("loan/l1").fees, view.memory("totals").fees])

    with house(tmp_path) as h:
        h.do(fee("l1", 1), fee("l2", 2))
        before = h.journal.submit(running(look)).result(30)
    with house(tmp_path) as h:
        assert h.journal.submit(running(look)).result(30).data == before.data
