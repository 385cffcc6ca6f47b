"""Commits whose answer never came: nothing is said that may not be so, and what is so is found out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from obligor.journal import StoreFailed
from obligor.journal.store import Retry
from obligor.kernel import Event, Unavailable
from obligor.proof import Checkpoint, open_note
from tests.journal.support import SIGNER, TENANT, House, command, erased, fee, house, party


def _until(happened: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def _signed(h: House) -> int:
    return Checkpoint.parse(open_note(h.journal.checkpoint(TENANT), [SIGNER.verifier]).text).size


def _unanswered(h: House, monkeypatch: pytest.MonkeyPatch, *, takes_effect: bool) -> None:
    """Lose the answer to the next commit, whether that was carried out or not."""
    store = h.journal._store
    genuine = store.commit
    left = iter([True])

    def commit(_self: object) -> None:
        if next(left, False):
            if takes_effect:
                genuine()
            raise StoreFailed("the connection was lost")
        genuine()

    monkeypatch.setattr(type(store), "commit", commit)


@pytest.mark.parametrize("takes_effect", [True, False], ids=["committed", "lost"])
def test_an_unanswered_commit_is_acknowledged_only_when_it_is_known(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch, takes_effect: bool
) -> None:
    heard: list[Event] = []
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
        h.journal.subscribe(heard.extend)
        _unanswered(h, monkeypatch, takes_effect=takes_effect)
        with pytest.raises(Unavailable, match="out of reach"):
            h.do(fee("l1", 2), fee("l1", 3), key="k")
        _until(lambda: not h.journal._committer.unfinished)
        # Found out without another command: signed, and told to whoever listens.
        assert (
            _signed(h)
            == h.journal.size(TENANT)
            == h.journal.reader().size(TENANT)
            == (3 if takes_effect else 1)
        )
        _until(lambda: len(heard) == (2 if takes_effect else 0))
        again = h.do(fee("l1", 2), fee("l1", 3), key="k")
        assert again.replayed is takes_effect
        assert [each["known_seq"] for each in again.value] == [1, 2]
        _until(lambda: [event.known_seq for event in heard] == [1, 2])
        h.do(fee("l1", 4))
        assert h.journal.reader().query("SELECT fees_minor FROM p_loan") == [{"fees_minor": 10}]


@pytest.mark.parametrize("takes_effect", [True, False], ids=["committed", "lost"])
def test_the_command_after_an_unanswered_commit_comes_after_it(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch, takes_effect: bool
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
        _unanswered(h, monkeypatch, takes_effect=takes_effect)
        unlucky, following = h.journal.submit(command(fee("l1", 2))), h.journal.submit(command(fee("l1", 4)))
        outcomes = [future.exception(30) for future in (unlucky, following)]
        # The second is in the same group or in the next; the next one always knows what is committed.
        assert isinstance(outcomes[0], Unavailable)
        last = h.do(fee("l1", 8))
        amounts = [event.body.amount_minor for event in h.journal.reader().events(TENANT)]
        assert last.value[0]["known_seq"] == len(amounts) - 1
        assert (2 in amounts) is takes_effect
        assert amounts == sorted(amounts)
        assert _signed(h) == len(amounts)


def test_an_unanswered_erasure_that_was_committed_is_carried_out(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        _unanswered(h, monkeypatch, takes_effect=True)
        with pytest.raises(Unavailable):
            h.do(erased("p1"), key="k")
        assert h.do(erased("p1"), key="k").replayed
        assert h.vault.key(TENANT, "p1", "identity") is None
        assert h.journal.reader().at(TENANT, 0).body.name is None


@pytest.mark.parametrize(("times", "accepted"), [(1, True), (2, True), (3, False)])
def test_a_group_in_anothers_way_is_tried_three_times(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch, times: int, accepted: bool
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
        genuine = h.journal._store.write
        left = iter(range(times))

        def write(_self: object, batch) -> None:
            genuine(batch)
            if next(left, None) is not None:
                raise Retry("deadlock detected")

        monkeypatch.setattr(type(h.journal._store), "write", write)
        futures = h.journal.submit_many([command(fee("l1", 2), key="k"), command(fee("l1", 3))]).result(30)
        assert [isinstance(outcome, Unavailable) for outcome in futures] == [not accepted] * 2
        monkeypatch.undo()
        assert h.do(fee("l1", 2), key="k").replayed is accepted
        total = 6 if accepted else 3
        assert h.journal.reader().query("SELECT fees_minor FROM p_loan") == [{"fees_minor": total}]
