"""What is backed up from one store and restored into the other is the same lender, and goes on."""

import contextlib
from contextlib import closing

import msgspec
import pytest

from obligor.app import backup_restore
from obligor.app.backup import beside
from obligor.app.opened import Opened
from obligor.app.places import journal_of, vault_of
from obligor.app.service import Service
from obligor.app.settings import Settings, load
from obligor.cli.rebuild import digests
from obligor.journal import PersonKey, PostgresBackend, Source, vault_rows
from obligor.journal.postgres_rows import PostgresRows
from obligor.journal.sqlite_rows import SqliteRows
from obligor.kernel import Conflict, Corrupted, Unavailable
from obligor.proof import Checkpoint, Verifier, open_note, verify_consistency, verify_receipt
from tests.app.archives import (
    back,
    checked,
    differing,
    erase,
    keyed,
    keys_of,
    opened,
    pages,
    rows_of,
    taken,
    wrapped_keys,
)
from tests.app.conftest import either_store
from tests.app.test_erasure import live
from tests.postgres import fresh_database

store = either_store


@pytest.fixture
def other_database(request):
    """Makes new empty databases; only where one is asked for is there a server."""
    open_now = []

    def make():
        made = fresh_database(request.getfixturevalue("postgres_server"))
        open_now.append(made)
        return made.__enter__()

    yield make
    for made in open_now:
        made.__exit__(None, None, None)


def checkpoint_of(lender):
    note = lender.service.journal.checkpoint("main")
    return Checkpoint.parse(open_note(note, [Verifier(lender.service.vkey)]).text)


@pytest.mark.parametrize("to", ["other", pytest.param("same", marks=pytest.mark.slow)])
def test_a_restored_lender_is_the_same_on_either_store_and_goes_on(
    lender, tmp_path, to, store, other_database
):
    live(lender)
    gone = keyed(lender, "erased").json()["person_id"]
    answer = keyed(lender, 1)
    erase(lender, gone)
    lender.settle()
    before = pages(lender)
    old = checkpoint_of(lender)
    receipt = lender.http.get(f"/v1/receipts/{answer.json()['event_id']}").content
    assert len(before) > 30
    rows = digests(lender.service.journal.reader())
    assert {"lookup", "p_loan", "p_decision"} <= set(rows)
    archive = tmp_path / "archive"
    taken(lender, archive)
    lender.close()

    url = other_database() if bool(store) == (to == "same") else ""
    done = back(archive, tmp_path / "back", store=url)
    assert load(tmp_path / "back", {}).store == url
    assert (done.logs["main"], done.roots["main"]) == (old.size, old.root.hex())
    assert (done.sealed, done.answers) == (False, 2)
    with opened(tmp_path / "back", store=url) as again:
        assert differing(before, pages(again)) == {}
        assert digests(again.service.journal.reader()) == rows
        assert again.service.journal.size("main") == old.size
        assert again.get("/v1/summary")["entries"] == old.size
        vkey = again.service.vkey
        assert verify_receipt(receipt, vkey=vkey).ok
        # A repeated key gets equal bytes, an erased answer stays erased, and the chain goes on.
        repeated = keyed(again, 1)
        assert repeated.content == answer.content
        after = keyed(again, 2).json()
        assert after["known_seq"] >= old.size
        new = checkpoint_of(again)
        proof = again.service.journal.reader().consistency("main", old.size, new.size)
        verify_consistency(old.size, new.size, proof, old.root, new.root)
        assert again.service.audit("main").ok
        assert again.service.replay("main").mismatches == 0


def test_deleted_projections_come_back_with_the_same_pages(lender):
    live(lender)
    lender.settle()
    before = pages(lender)
    settings = lender.service.settings
    lender.close()
    opened_store = journal_of(lender.directory, settings).writer()
    opened_store.take(["main"])
    opened_store.begin()
    names = [*opened_store.projections()]
    assert len(names) >= 5
    for name in names:
        opened_store.drop_projection(name)
    opened_store.commit()
    assert opened_store.projections() == {}
    opened_store.close()
    with opened(lender.directory, store=settings.store) as again:
        assert differing(before, pages(again)) == {}


def written_in_between(lender, monkeypatch):
    """Let a keyed application be decided after the heads were read and before the answers are."""
    late = {}
    plain = Source.answers

    def answers(source):
        late.setdefault("answer", keyed(lender, "late"))
        return plain(source)

    monkeypatch.setattr(Source, "answers", answers)
    return late


def test_what_an_archive_answers_under_a_key_it_also_has_as_events(lender, tmp_path, monkeypatch):
    first = keyed(lender, 1)
    late = written_in_between(lender, monkeypatch)
    done = taken(lender, tmp_path / "archive")
    assert late["answer"].json()["known_seq"] >= done.logs["main"] > first.json()["known_seq"]
    assert len(rows_of(tmp_path / "archive", "answer")) == 1
    assert checked(tmp_path / "archive").ok


def test_without_one_moment_an_answer_would_be_there_without_its_event(lender, tmp_path, monkeypatch):
    """The control of the claim above."""

    def unheld(rows):
        return contextlib.nullcontext(rows)

    keyed(lender, 1)
    written_in_between(lender, monkeypatch)
    for rows in (SqliteRows, PostgresRows):
        monkeypatch.setattr(rows, "snapshot", unheld)
    taken(lender, tmp_path / "archive")
    assert len(rows_of(tmp_path / "archive", "answer")) == 2


def test_an_older_vault_does_not_bring_destroyed_keys_back(lender, tmp_path, store, other_database):
    person, *_ = live(lender)
    other = lender.apply(person={"reference": "somebody-else"})["person_id"]
    old, archive = tmp_path / "old", tmp_path / "archive"
    taken(lender, old)
    wrapped = wrapped_keys(old, person)
    assert all(wrapped.values())
    erase(lender, person)
    lender.settle()
    taken(lender, archive, with_vault=False, keys_to=None)
    lender.close()

    url = other_database() if store else ""
    done = back(archive, tmp_path / "back", vault=beside(old), keys=keys_of(old), store=url)
    assert done.destroyed == 2
    settings = load(tmp_path / "back", {})
    rows = vault_rows(vault_of(tmp_path / "back", settings))
    kept = {(row.person, row.kind): row.wrapped for row in rows if isinstance(row, PersonKey)}
    assert (kept[person, "conduct"], kept[person, "identity"]) == (None, None)
    assert kept[person, "money"] == wrapped["money"]
    assert not {wrapped["conduct"], wrapped["identity"]} & {*kept.values()}
    for path in (tmp_path / "back").rglob("*"):
        if path.is_file():
            assert wrapped["conduct"] not in path.read_bytes()
            assert wrapped["identity"] not in path.read_bytes()
    with opened(tmp_path / "back", store=url) as again:
        reader = again.service.journal.reader()
        assert b"CANARY" not in said(reader, person)
        assert b'"erased":[]' in said(reader, other)
        assert again.service.audit("main").ok


def test_an_older_vault_alone_would_open_what_was_erased(
    lender, tmp_path, store, other_database, monkeypatch
):
    """The control of the claim above."""
    person, *_ = live(lender)
    old, archive = tmp_path / "old", tmp_path / "archive"
    taken(lender, old)
    erase(lender, person)
    lender.settle()
    taken(lender, archive, with_vault=False, keys_to=None)
    lender.close()
    monkeypatch.setattr(backup_restore, "without", lambda rows, _destroyed: rows)
    monkeypatch.setattr(backup_restore, "ERASED", "nothing")
    url = other_database() if store else ""
    back(archive, tmp_path / "back", vault=beside(old), keys=keys_of(old), store=url)
    with closing(Opened.at(tmp_path / "back", load(tmp_path / "back", {}))) as with_keys:
        assert b"CANARY" in said(with_keys.reader, person)


def test_a_restore_that_ends_early_leaves_a_store_without_a_journal(
    lender, tmp_path, store, other_database, monkeypatch
):
    keyed(lender, 1)
    lender.settle()
    archive = tmp_path / "archive"
    taken(lender, archive)
    lender.close()
    url = other_database() if store else ""

    def ending(*_given):
        raise Unavailable("this restore ends here")

    monkeypatch.setattr(backup_restore.Filling, "commit", ending)
    with pytest.raises(Unavailable):
        back(archive, tmp_path / "back", store=url)
    monkeypatch.undo()
    assert not (tmp_path / "back").exists()
    if store:
        with closing(PostgresBackend(url).rows()) as rows:
            assert Source(rows).heads() == []
            assert rows.all("SELECT name FROM projection", ()) == []
        # A new lender on it cannot take the keys that came first for its own.
        with pytest.raises(Corrupted):
            Service(tmp_path / "new", Settings(store=url))
        url = other_database()
    back(archive, tmp_path / "back", store=url)
    if store:
        with pytest.raises(Conflict, match="journal already"):
            back(archive, tmp_path / "again", store=url)
        assert not (tmp_path / "again").exists()


def said(reader, person):
    """All that can be read about a person."""
    return b"".join(msgspec.json.encode(event) for event in reader.events("main", subject=person))
