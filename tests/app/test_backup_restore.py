"""Restoring: the same lender again on either store, what was erased stays erased, whole or not at all."""

import shutil

import msgspec
import pytest

from obligor.app import backup, backup_restore
from obligor.app.backup import beside, take
from obligor.app.opened import Opened
from obligor.app.settings import load
from obligor.kernel import Conflict, Corrupted, InvalidInput, NotFound
from obligor.proof import Signer
from tests.app.archives import (
    back,
    checked,
    erase,
    keyed,
    keys_of,
    manifest_of,
    opened,
    taken,
    wrapped_keys,
)
from tests.app.conftest import Lender
from tests.app.test_erasure import live

# ---- the same lender again


def test_an_archive_of_a_restored_lender_grows_on(lender, tmp_path):
    keyed(lender, 1)
    lender.settle()
    taken(lender, tmp_path / "archive")
    lender.close()
    back(tmp_path / "archive", tmp_path / "back")
    with opened(tmp_path / "back") as again:
        keyed(again, 2)
        again.settle()
        done = taken(again, tmp_path / "archive")
        assert done.entries_added > 0
    found = checked(tmp_path / "archive")
    assert (found.ok, found.why) == (True, "")


# ---- what was erased


def test_an_erasure_of_which_no_archive_says_what_it_destroyed_is_not_passed_over(
    lender, tmp_path, monkeypatch
):
    person, *_ = live(lender)
    old, archive = tmp_path / "old", tmp_path / "archive"
    taken(lender, old)
    erase(lender, person)
    lender.settle()
    # As if the journal had been archived where its vault is not.
    monkeypatch.setattr(backup, "_vault", lambda _run: iter(()))
    take(lender.directory, archive, settings=lender.service.settings, with_vault=False)
    lender.close()
    with pytest.raises(Conflict, match="1 persons were erased"):
        back(archive, tmp_path / "back", vault=beside(old), keys=keys_of(old))
    assert not (tmp_path / "back").exists()


def test_an_erasure_that_was_not_finished_is_finished(lender, tmp_path, monkeypatch):
    """The event is there, the keys still are: as after a crash between the two."""
    from obligor.journal.erasure import Eraser

    person, *_ = live(lender)
    monkeypatch.setattr(Eraser, "finish", lambda _self: None)
    erase(lender, person)
    lender.settle()
    archive = tmp_path / "archive"
    taken(lender, archive)
    assert all(wrapped_keys(archive, person).values())
    monkeypatch.undo()
    lender.close()
    back(archive, tmp_path / "back")
    with opened(tmp_path / "back") as again:
        assert again.service._vault.ring("main", person).erased == {"identity", "conduct"}
        reader = again.service.journal.reader()
        assert b"CANARY" not in b"".join(
            msgspec.json.encode(e) for e in reader.events("main", subject=person)
        )


def test_a_vault_without_the_keys_of_later_persons_is_refused(lender, tmp_path):
    lender.apply(person={"reference": "early"})
    lender.settle()
    old, archive = tmp_path / "old", tmp_path / "archive"
    taken(lender, old)
    lender.apply(person={"reference": "late"})
    lender.settle()
    take(lender.directory, archive, settings=lender.service.settings, with_vault=False)
    lender.close()
    given = {"vault": beside(old), "keys": keys_of(old)}
    with pytest.raises(Conflict, match="lacks the keys of 1 persons"):
        back(archive, tmp_path / "back", **given)
    assert not (tmp_path / "back").exists()
    # Control: the same vault has all that the journal of its own time needs.
    back(old, tmp_path / "then")


# ---- whole or not at all


@pytest.fixture(scope="module")
def archive(tmp_path_factory, scorecard):
    """An archive that is only read."""
    place = tmp_path_factory.mktemp("archive")
    lender = Lender(place / "var", scorecard)
    keyed(lender, 1)
    lender.settle()
    taken(lender, place / "archive")
    lender.close()
    return place / "archive"


def test_only_an_empty_place_is_filled(archive, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "letters.txt").write_text("mine")
    with pytest.raises(Conflict, match="not empty"):
        back(archive, full)
    assert (full / "letters.txt").read_text() == "mine"
    empty = tmp_path / "empty"
    empty.mkdir()
    back(archive, empty)
    assert (empty / "journal").is_dir()
    with pytest.raises(Conflict, match="not empty"):
        back(archive, empty)


STEPS = ("_place_files", "_place_keys", "_tables", "_log", "_vault", "_fill")


class Stop(Exception):
    """The restore ends here."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.slow), "after"])
def test_a_restore_that_ends_anywhere_leaves_nothing_that_could_be_served(
    archive, tmp_path, monkeypatch, step, when
):
    plain = getattr(backup_restore, step)

    def ending(*given):
        if when == "after":
            plain(*given)
        raise Stop

    monkeypatch.setattr(backup_restore, step, ending)
    with pytest.raises(Stop):
        back(archive, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert not list(tmp_path.glob(".back*"))
    monkeypatch.undo()
    back(archive, tmp_path / "back")


def test_what_a_killed_restore_left_is_taken_away_by_the_next(archive, tmp_path):
    left = tmp_path / ".back.restoring"
    (left / "journal").mkdir(parents=True)
    (left / "journal" / "journal.db").write_bytes(b"half")
    back(archive, tmp_path / "back")
    assert not left.exists()
    assert checked(archive).ok


def test_keys_that_are_missing_or_others_are_refused(archive, tmp_path):
    with pytest.raises(InvalidInput, match="keys"):
        back(archive, tmp_path / "back", keys=None)
    keys = tmp_path / "keys"
    shutil.copytree(keys_of(archive), keys)
    (keys / "log").unlink()
    with pytest.raises(NotFound, match="'log'"):
        back(archive, tmp_path / "back", keys=keys)
    for name, why in (("log", Conflict), ("kek", Corrupted)):
        shutil.rmtree(keys)
        shutil.copytree(keys_of(archive), keys)
        header, _, secret = (keys / name).read_text().strip().partition(" ")
        other = f"{header} {bytes(byte ^ 1 for byte in bytes.fromhex(secret)).hex()}\n"
        (keys / name).write_text(other)
        with pytest.raises(why):
            back(archive, tmp_path / "back", keys=keys)
    stranger = Signer(manifest_of(archive).deployment, bytes(32))
    with pytest.raises(Corrupted, match="no key that is trusted"):
        back(archive, tmp_path / "back", log_key=stranger.vkey)
    assert not (tmp_path / "back").exists()


def test_a_sealed_restore_can_be_audited_and_no_server_starts_on_it(archive, tmp_path):
    from obligor.app.queries import proof
    from obligor.app.service import Service

    done = back(archive, tmp_path / "back", vault=None, keys=None)
    assert done.sealed
    at = Opened.at(tmp_path / "back")
    report = proof.audited(at.reader, "main", manifest_of(archive).log_key, bodies=False)
    assert (report.ok, report.entries) == (True, done.logs["main"])
    at.reader.close()
    with pytest.raises((Conflict, Corrupted)):
        Service(tmp_path / "back", load(tmp_path / "back", {}))


def test_settings_artifacts_and_api_keys_come_back(lender, tmp_path):
    (lender.directory / "obligor.yaml").write_text("lender: North Bank\n")
    keyed(lender, 1)
    taken(lender, tmp_path / "archive")
    token = lender.token
    lender.close()
    back(tmp_path / "archive", tmp_path / "back")
    assert load(tmp_path / "back", {}).lender == "North Bank"
    assert (tmp_path / "back" / "api-keys.json").stat().st_mode & 0o077 == 0
    kept = {path.relative_to(lender.directory) for path in (lender.directory / "artifacts").rglob("*")}
    assert {
        path.relative_to(tmp_path / "back") for path in (tmp_path / "back" / "artifacts").rglob("*")
    } == kept
    with opened(tmp_path / "back") as again:
        found = again.http.get("/v1/summary", headers={"authorization": f"Bearer {token}"})
        assert found.status_code == 200


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("", "store: postgresql://h/x\n"),
        ("lender: North  # ours\n", "lender: North  # ours\nstore: postgresql://h/x\n"),
        ("lender: North", "lender: North\nstore: postgresql://h/x\n"),
        ('{"lender": "North"}', "lender: North\nstore: postgresql://h/x\n"),
    ],
)
def test_where_the_store_is_is_added_to_settings_however_they_are_written(written, kept):
    assert backup_restore._with_store(written, "postgresql://h/x") == kept
