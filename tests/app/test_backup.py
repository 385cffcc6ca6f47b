"""Backing up: one moment of a running lender, only what is new, nothing secret, never a broken archive."""

import contextlib
import threading

import pytest

from obligor.app import backup, backup_files, backup_log
from obligor.app.backup import beside, take
from obligor.app.backup_files import check_file, read_rows
from obligor.app.backup_manifest import MANIFEST, Manifest, load_manifest
from obligor.app.settings import Settings
from obligor.kernel import Conflict, Corrupted, InvalidInput, NotFound, Unavailable, sha256_hex
from tests.app.archives import back, checked, keyed, manifest_of, rows_of, taken, vault_of
from tests.app.conftest import Lender


@pytest.fixture(scope="module")
def lender(tmp_path_factory, scorecard):
    """A lender for all tests here: each has an archive of its own, and the journal only grows."""
    made = Lender(tmp_path_factory.mktemp("lender") / "var", scorecard)
    with contextlib.closing(made):
        yield made


@pytest.fixture
def own(tmp_path, scorecard):
    """A lender that nobody else uses."""
    made = Lender(tmp_path / "var", scorecard)
    with contextlib.closing(made):
        yield made


@pytest.fixture
def small(monkeypatch):
    """Segments of 16 entries, so that a short life has several."""
    monkeypatch.setattr(backup_log, "SEGMENT", 16)


def named(archive):
    """Every file of an archive with what tells whether it was written again."""
    return {
        file.name: ((archive / file.name).stat().st_ino, (archive / file.name).stat().st_mtime_ns)
        for file in manifest_of(archive).named
    }


def on_disk(archive):
    return {path.relative_to(archive).as_posix() for path in archive.rglob("*") if path.is_file()}


# ---- one moment


def test_backups_taken_while_clients_write_verify_and_only_grow(lender, tmp_path, small):
    stop = threading.Event()

    def client(name):
        number = 0
        while not stop.is_set():
            keyed(lender)
            number += 1

    threads = [threading.Thread(target=client, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    try:
        sizes = []
        for _ in range(4):
            sizes.append(taken(lender, tmp_path / "archive").logs["main"])
            found = checked(tmp_path / "archive")
            assert (found.ok, found.why, found.logs["main"]) == (True, "", sizes[-1])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


# ---- only what is new


def test_a_second_run_leaves_full_segments_alone_and_adds_what_is_new(lender, tmp_path, small):
    archive = tmp_path / "archive"
    while lender.service.journal.size("main") < 40:
        keyed(lender)
    lender.settle()
    first = taken(lender, archive)
    before, closed = named(archive), manifest_of(archive).logs[0].closed
    assert closed >= 32
    again = taken(lender, archive)
    # The tail's checkpoints may have grown by those that waited to be stored.
    assert again.entries_added == 0
    keyed(lender)
    lender.settle()
    second = taken(lender, archive)
    assert second.entries_added == second.logs["main"] - first.logs["main"] > 0
    after = named(archive)
    full = [each for each in manifest_of(archive).logs[0].segments if each.stop <= closed]
    assert len(full) == closed // 16
    for segment in full:
        for file in (segment.entries, segment.checkpoints):
            assert after[file.name] == before[file.name]
    artifacts = [name for name in before if name.startswith("artifacts/")]
    assert artifacts
    assert all(after[name] == before[name] for name in artifacts)
    # Nothing that no manifest names stays behind.
    assert on_disk(archive) == {*after, MANIFEST, backup.LOCK}
    assert checked(archive).ok


def test_an_archive_grown_by_many_runs_says_what_one_run_says(own, tmp_path, small):
    for _ in range(4):
        keyed(own)
        own.settle()
        taken(own, tmp_path / "grown")
    own.service.journal.close()
    taken(own, tmp_path / "grown")
    taken(own, tmp_path / "fresh")
    grown, fresh = manifest_of(tmp_path / "grown"), manifest_of(tmp_path / "fresh")
    assert grown.logs == fresh.logs
    assert grown.tables == fresh.tables
    assert grown.files == fresh.files


# ---- the right archive


def test_an_archive_takes_one_journal_and_no_other(lender, tmp_path, scorecard):
    archive = tmp_path / "archive"
    keyed(lender)
    taken(lender, archive)
    other = Lender(tmp_path / "other", scorecard)
    try:
        keyed(other)
        with pytest.raises(Conflict, match="another key"):
            taken(other, archive)
    finally:
        other.close()
    assert checked(archive).ok


def test_a_journal_that_was_set_back_is_not_taken_for_the_one_in_the_archive(lender, tmp_path, small):
    archive = tmp_path / "archive"
    lender.settle()
    taken(lender, tmp_path / "early")
    keyed(lender)
    lender.settle()
    taken(lender, archive)
    back(tmp_path / "early", tmp_path / "set-back")
    directory = tmp_path / "set-back"
    with pytest.raises(Conflict, match="another journal was backed up there"):
        take(directory, archive)
    second = Lender(directory, None)
    try:
        for _ in range(5):
            keyed(second)
        second.settle()
    finally:
        second.close()
    with pytest.raises(Conflict, match="another journal was backed up there"):
        take(directory, archive)
    assert checked(archive).ok


def test_places_that_hold_something_else_or_belong_together_are_refused(lender, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letters.txt").write_text("mine")
    with pytest.raises(Conflict, match=r"letters\.txt"):
        taken(lender, tmp_path / "full")
    archive = tmp_path / "archive"
    for given in (
        {"keys_to": archive / "keys"},
        {"vault_to": archive / "vault"},
        {"keys_to": beside(archive)},
        {"keys_to": beside(archive) / "keys"},
        {"vault_to": tmp_path},
    ):
        with pytest.raises(InvalidInput):
            take(lender.directory, archive, **given)
    assert not archive.exists()
    with pytest.raises(NotFound):
        take(tmp_path / "nowhere", archive)


def test_two_runs_at_once_do_not_write_one_archive(lender, tmp_path, monkeypatch):
    archive = tmp_path / "archive"
    seen = []

    def inside(what, done, of):
        if not seen:
            with pytest.raises(Unavailable):
                taken(lender, archive)
            seen.append(what)

    taken(lender, archive, progress=inside)
    assert seen
    assert checked(archive).ok


def test_a_damaged_journal_is_not_kept_as_the_good_one(lender, tmp_path):
    import apsw

    from obligor.journal.schema import FILE

    keyed(lender)
    lender.settle()
    taken(lender, tmp_path / "good")
    database = apsw.Connection(str(lender.directory / "journal" / FILE))
    try:
        database.set_busy_timeout(10_000)
        (sealed,) = database.execute("SELECT sealed FROM event WHERE known_seq = 3").fetchone()
        damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
        assert damaged != sealed
        database.execute("UPDATE event SET sealed = ? WHERE known_seq = 3", (damaged,))
        for place in ("good", "fresh"):
            with pytest.raises(Corrupted, match="entry 3"):
                taken(lender, tmp_path / place)
        database.execute("UPDATE event SET sealed = ? WHERE known_seq = 3", (sealed,))
    finally:
        database.close()
    assert load_manifest(tmp_path / "fresh", Manifest) is None
    assert checked(tmp_path / "good").ok


# ---- nothing secret


def plain_bytes(*places):
    """Everything that lies in archives, rows unpacked."""
    found = []
    for place in places:
        for path in place.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                found.append(data)
                if path.suffix in (".entries", ".checkpoints", ".rows"):
                    file = backup_files.FileOf(
                        path.relative_to(place).as_posix(), sha256_hex(data), len(data)
                    )
                    for row in read_rows(place, file):
                        found += [each if isinstance(each, bytes) else str(each).encode() for each in row]
    return b"\0".join(found)


def test_no_key_that_opens_anything_lies_in_an_archive_but_where_keys_were_asked_for(own, tmp_path):
    from tests.app.test_erasure import EVERY, WORDS, live

    person, *_ = live(own)
    taken(own, tmp_path / "archive")
    secrets = [
        bytes.fromhex((own.directory / "keys" / name).read_text().split()[1]) for name in ("kek", "log")
    ]
    keys = own.service._vault.ring("main", person).keys
    raw = [*secrets, *(key.raw for key in keys.values()), own.service._vault.index_key("main")]
    assert len(raw) >= 6
    found = plain_bytes(tmp_path / "archive", beside(tmp_path / "archive"))
    for secret in raw:
        assert secret not in found
        assert secret.hex().encode() not in found
    assert own.token.encode() not in found
    assert [word for word in EVERY if word.encode() in found and word != WORDS["source_ref"]] == []
    # Control: the same search finds what is there.
    assert person.encode() in found
    beside_them = plain_bytes(tmp_path / "archive-keys")
    assert all(secret.hex().encode() in beside_them for secret in secrets)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "archive-keys").iterdir()} == {0o600}


def test_where_the_store_is_stays_behind(own, tmp_path):
    path = own.directory / "obligor.yaml"
    path.write_text("lender: North\nstore: postgresql://who:hunter2@db/x\n")
    take(own.directory, tmp_path / "archive", settings=Settings())
    (kept,) = (tmp_path / "archive" / "settings").glob("*/obligor.yaml")
    assert kept.read_text() == "lender: North\n"
    assert b"hunter2" not in plain_bytes(tmp_path / "archive")


def test_a_key_destroyed_since_leaves_the_vaults_archive_with_the_next_run(own, tmp_path):
    from tests.app.test_erasure import live

    person, *_ = live(own)
    archive = tmp_path / "archive"
    key = keyed(own).json()["person_id"]
    taken(own, archive)

    def wrapped():
        rows = read_rows(beside(archive), vault_of(archive).keys)
        return {row[3]: row[4] for row in rows if row[0] == "person" and row[2] == person}

    before = wrapped()
    assert set(before) == {"conduct", "identity", "money"}
    assert all(before.values())
    answers = rows_of(archive, "answer")
    assert [answer for *_, whose, answer in answers if whose == key] != [None]
    for whose in (person, key):
        own.event(
            "person.erased", {"person_id": whose, "classes": ["identity", "conduct"], "ground": "request"}
        )
    taken(own, archive)
    after = wrapped()
    assert (after["conduct"], after["identity"]) == (None, None)
    assert after["money"] == before["money"]
    everything = plain_bytes(archive, beside(archive))
    assert before["conduct"] not in everything
    assert [answer for *_, whose, answer in rows_of(archive, "answer") if whose == key] == [None]
    assert {row[2] for row in rows_of(archive, "destroyed") if row[1] == person} == {"conduct", "identity"}


# ---- never a broken archive


class Stop(Exception):
    """A run ends here."""


def stopping_at(monkeypatch, step):
    """Let the run fail at its n-th file that is put in place; returns what counts them."""
    counted = [0]
    places = (backup, backup_files)
    plain_place, plain_done = backup_files.place_file, backup_files.RowsFile.done

    def count():
        counted[0] += 1
        if counted[0] == step:
            raise Stop

    def place_file(*given, **more):
        count()
        return plain_place(*given, **more)

    def done(self, name):
        count()
        return plain_done(self, name)

    for module in places:
        monkeypatch.setattr(module, "place_file", place_file)
    monkeypatch.setattr(backup_files.RowsFile, "done", done)
    return counted


def grown(lender, archive):
    keyed(lender)
    lender.settle()
    taken(lender, archive)
    size = manifest_of(archive).logs[0].size
    keyed(lender)
    lender.settle()
    return size


def test_a_run_that_ends_anywhere_leaves_the_archive_as_it_was(lender, tmp_path, small):
    archive = tmp_path / "archive"
    size = grown(lender, archive)
    step, ended = 0, 0
    while True:
        step += 1
        with pytest.MonkeyPatch.context() as patch:
            counted = stopping_at(patch, step)
            try:
                take(lender.directory, archive, settings=lender.service.settings)
            except Stop:
                ended += 1
            else:
                break
        found = checked(archive)
        assert (found.ok, found.why) == (True, "")
        # The manifest is last but for the note that the data directory keeps.
        assert found.logs["main"] == size or step == counted[0]
        if found.logs["main"] != size:
            break
    assert ended >= 5
    taken(lender, archive)
    assert checked(archive).logs["main"] > size


def test_a_manifest_whose_rows_never_came_would_be_noticed(lender, tmp_path, small, monkeypatch):
    """The control of the claim above: a run that names what it has not kept."""
    archive = tmp_path / "archive"
    grown(lender, archive)
    plain = backup_files.RowsFile.done

    def nameless(self, name):
        file = plain(self, name)
        (archive / file.name).unlink(missing_ok=True)
        return file

    monkeypatch.setattr(backup_files.RowsFile, "done", nameless)
    take(lender.directory, archive, settings=lender.service.settings)
    found = checked(archive)
    assert (found.ok, "missing" in found.why) == (False, True)


def test_every_file_the_manifest_names_is_as_it_says(lender, tmp_path):
    keyed(lender)
    taken(lender, tmp_path / "archive")
    for file in manifest_of(tmp_path / "archive").named:
        check_file(tmp_path / "archive", file)
        assert (tmp_path / "archive" / file.name).stat().st_mode & 0o077 == 0
