"""An archive is what was written, or it is said which file and which entry are not."""

import shutil

import msgspec
import pytest

from obligor.app import backup_log
from obligor.app.backup import beside
from obligor.app.backup_manifest import MANIFEST, VAULT_MANIFEST
from obligor.kernel import NotFound
from obligor.proof import Signer
from tests.app.archives import back, checked, keyed, manifest_of, taken
from tests.app.conftest import Lender


@pytest.fixture(scope="module")
def whole(tmp_path_factory, scorecard):
    """An archive with several segments, of which nothing may be changed."""
    place = tmp_path_factory.mktemp("whole")
    lender = Lender(place / "var", scorecard)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup_log, "SEGMENT", 8)
        for number in range(3):
            keyed(lender, number)
        lender.settle()
        (lender.directory / "obligor.yaml").write_text("lender: North\n")
        taken(lender, place / "archive")
    lender.close()
    return place / "archive"


@pytest.fixture
def archive(whole, tmp_path):
    """A copy that may be changed."""
    for name in ("archive", "archive-vault", "archive-keys"):
        shutil.copytree(whole.with_name(name), tmp_path / name)
    return tmp_path / "archive"


def kinds(archive):
    """One file of each kind, by what it is."""
    found = {}
    for file in manifest_of(archive).named:
        parts = file.name.split("/")
        kind = (
            file.name.rpartition(".")[2]
            if parts[0] == "log"
            else f"{parts[0]}:{parts[-1].rpartition('.')[2]}"
        )
        found.setdefault(kind, file.name)
    return found


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    assert bytes(data) != path.read_bytes()
    path.write_bytes(data)


def test_an_archive_that_nobody_touched_verifies(archive):
    found = checked(archive, log_key=manifest_of(archive).log_key)
    assert (found.ok, found.file, found.entry, found.why) == (True, None, None, "")
    assert (found.trusted, found.logs) == (True, {"main": manifest_of(archive).logs[0].size})
    assert found.keys > 0
    assert not checked(archive).trusted
    assert set(kinds(archive)) >= {
        "entries",
        "checkpoints",
        "tables:rows",
        "artifacts:json",
        "artifacts:csv",
        "settings:yaml",
        "settings:json",
    }


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_flipped_bit_in_any_file_is_found_and_the_file_is_named(archive, where):
    names = [*kinds(archive).values()]
    for name in names:
        path = archive / name
        kept = path.read_bytes()
        at = {"first": 0, "middle": len(kept) // 2, "last": len(kept) - 1}[where]
        flip(path, at)
        found = checked(archive)
        assert (found.ok, found.file) == (False, name), (name, found)
        assert found.why
        path.write_bytes(kept)
    assert checked(archive).ok


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_flipped_bit_in_a_manifest_or_the_vaults_archive_is_found(archive, where):
    keys = next(beside(archive).glob("keys-*.rows"))
    for path, name in (
        (archive / MANIFEST, MANIFEST),
        (beside(archive) / VAULT_MANIFEST, f"archive-vault/{VAULT_MANIFEST}"),
        (keys, f"archive-vault/{keys.name}"),
    ):
        kept = path.read_bytes()
        flip(path, {"first": 0, "middle": len(kept) // 2, "last": len(kept) - 1}[where])
        found = checked(archive)
        assert (found.ok, found.file) == (False, name), found
        path.write_bytes(kept)
    assert checked(archive).ok


def test_a_missing_file_of_any_kind_is_found(archive):
    for name in kinds(archive).values():
        kept = (archive / name).read_bytes()
        (archive / name).unlink()
        found = checked(archive)
        assert (found.ok, found.file, found.why) == (False, name, "it is missing"), found
        (archive / name).write_bytes(kept)
    assert checked(archive).ok


def test_a_file_cut_short_is_found(archive):
    for name in kinds(archive).values():
        kept = (archive / name).read_bytes()
        (archive / name).write_bytes(kept[: len(kept) // 2])
        found = checked(archive)
        assert (found.ok, found.file) == (False, name), found
        (archive / name).write_bytes(kept)
    assert checked(archive).ok


# ---- the entry


def signer_of(archive):
    """What the archive is signed with: whoever has it can make a manifest fit, and no more."""
    secret = (archive.with_name("archive-keys") / "log").read_text().split()[1]
    return Signer(manifest_of(archive).deployment, bytes.fromhex(secret))


def rewritten(archive, change):
    """Write every segment again with its rows changed, and let the manifest say so: only the log can tell."""
    from obligor.app.backup_files import FileOf, RowsFile, read_rows
    from obligor.app.backup_manifest import write_manifest

    manifest = manifest_of(archive)
    (log,) = manifest.logs
    segments = []
    for segment in log.segments:
        with RowsFile(archive, {"holds": "entry"}, {"entry": backup_log.COLUMNS["entry"]}) as out:
            for place, row in enumerate(read_rows(archive, segment.entries), segment.first):
                changed = change(place, list(row))
                if changed is not None:
                    out.add(*changed)
            file = out.done(f"log/main/{segment.first:012}-{{}}.entries")
        assert isinstance(file, FileOf)
        segments.append(msgspec.structs.replace(segment, entries=file))
    changed = msgspec.structs.replace(log, segments=tuple(segments))
    write_manifest(archive, msgspec.structs.replace(manifest, logs=(changed,)), signer_of(archive))


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("column", range(1, 5), ids=backup_log.COLUMNS["entry"])
@pytest.mark.parametrize("place", [0, 9, 17])
def test_a_changed_entry_is_named_even_when_its_file_and_manifest_were_made_to_fit(archive, column, place):
    seen = []

    def change(at, row):
        if at == place:
            seen.append(row[column])
            row[column] = flipped(row[column])
        return row

    rewritten(archive, change)
    assert len(seen) == 1
    found = checked(archive)
    assert (found.ok, found.entry) == (False, place), found
    assert f"{place // 8 * 8:012}" in found.file
    with pytest.raises(Exception, match=f"entry {place}"):
        back(archive, archive.with_name("back"))
    assert not archive.with_name("back").exists()


def test_rewriting_alone_changes_nothing(archive):
    """The control of the claims around it."""
    rewritten(archive, lambda _at, row: row)
    assert checked(archive).ok


def test_an_entry_left_out_or_twice_is_named(archive):
    rewritten(archive, lambda at, row: None if at == 9 else row)
    found = checked(archive)
    assert (found.ok, found.entry) == (False, 9), found


def test_the_last_entry_left_out_is_noticed(archive):
    size = manifest_of(archive).logs[0].size
    rewritten(archive, lambda at, row: None if at == size - 1 else row)
    found = checked(archive)
    assert not found.ok
    assert str(size - 1) in found.why


def test_whoever_signs_with_another_key_is_found_by_whoever_knows_the_key(archive):
    from obligor.app.backup_manifest import write_manifest

    manifest = manifest_of(archive)
    known = manifest.log_key
    stranger = Signer(manifest.deployment, bytes(32))
    write_manifest(archive, msgspec.structs.replace(manifest, log_key=stranger.vkey), stranger)
    found = checked(archive, log_key=known)
    assert (found.ok, found.file) == (False, MANIFEST)
    # Even with its own key its checkpoints are not those that key signed.
    assert not checked(archive).ok


def test_no_file_outside_the_archive_is_read(archive):
    from obligor.app.backup_manifest import write_manifest

    manifest = manifest_of(archive)
    outside = archive.with_name("outside")
    outside.write_bytes(b"x")
    files = (*manifest.files, msgspec.structs.replace(manifest.files[0], name="../outside"))
    write_manifest(archive, msgspec.structs.replace(manifest, files=files), signer_of(archive))
    found = checked(archive)
    assert (found.ok, found.file) == (False, "../outside")


def test_where_there_is_no_archive_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(NotFound):
        checked(tmp_path)
