"""One attempt, one outcome, however often and however fast it is repeated."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from obligor.journal import Accepted, Answer, Command, View
from obligor.kernel import Conflict, Gone, KeyReused
from tests.journal.support import TENANT, command, erased, fee, house, once, party, running, said


def test_sixty_four_threads_with_one_key_make_one_event_and_get_equal_bytes(
    tmp_path: Path, store: str | None
) -> None:
    futures: list[Future[Answer]] = []
    barrier = threading.Barrier(64)

    with house(tmp_path, store=store) as h:

        def client(number: int) -> None:
            mine = command(fee("l1", number), key="pay-1")
            barrier.wait()
            futures.append(h.journal.submit(mine))

        threads = [threading.Thread(target=client, args=(number,)) for number in range(1, 65)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers = [future.result(30) for future in futures]
        assert h.journal.reader().size(TENANT) == 1
    assert len(answers) == 64
    assert len({answer.data for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


def test_a_repeated_key_gets_the_stored_bytes_after_a_restart(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        first = h.do(fee("l1", 5), key="k")
        h.do(fee("l1", 6))
    with house(tmp_path, store=store) as h:
        again = h.do(fee("l1", 5), key="k")
        assert h.journal.reader().size(TENANT) == 2
    assert again.data == first.data
    assert (first.replayed, again.replayed) == (False, True)


def test_a_key_with_another_body_is_refused_in_the_group_and_after_it(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        first, within = h.journal.submit_many(
            [command(fee("l1", 5), key="k"), command(fee("l1", 6), key="k", body="other")]
        ).result(30)
        with pytest.raises(KeyReused):
            h.do(fee("l1", 6), key="k", body="other")
        assert h.journal.reader().size(TENANT) == 1
    assert isinstance(first, Answer)
    assert isinstance(within, KeyReused)


def test_a_refused_attempt_may_be_made_again(tmp_path: Path, store: str | None) -> None:
    def once_there_is_a_loan(view: View) -> Accepted:
        if not view.version("loan/l1"):
            raise Conflict("no such loan")
        return Accepted((fee("l1", 2),), said)

    with house(tmp_path, store=store) as h:
        attempt = Command(TENANT, once_there_is_a_loan, idempotency=once("k"))
        with pytest.raises(Conflict):
            h.journal.submit(attempt).result(30)
        h.do(fee("l1", 1))
        assert h.journal.submit(attempt).result(30).value[0]["known_seq"] == 1
        assert h.journal.submit(attempt).result(30).replayed


def test_keys_belong_to_their_tenant(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5), key="k")
        assert not h.do(fee("l1", 6), key="k", tenant="south").replayed


def test_an_answer_without_events_is_kept_too(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        first = h.do(key="k", answer=lambda _: {"nothing": "done"})
        again = h.do(key="k", answer=lambda _: {"nothing": "else"})
    assert again.data == first.data == b'{"nothing":"done"}'
    assert again.replayed


@pytest.mark.parametrize("said_by", ["command", "accepted"])
def test_a_personal_answer_is_sealed_and_gone_with_its_person(
    tmp_path: Path, store: str | None, said_by: str
) -> None:
    whose = {"seal_answer_for": "p1"} if said_by == "command" else {"accepted_for": "p1"}
    secret = {"decision": "zebra-striped"}
    with house(tmp_path, store=store) as h:
        first = h.do(party("p1"), key="k", answer=lambda _: secret, **whose)
        again = h.do(party("p1"), key="k", **whose)
        assert again.data == first.data
        stored = h.journal.reader().query("SELECT answer FROM idempotency")
        assert stored[0]["answer"] is not None
        assert b"zebra" not in stored[0]["answer"]
        h.do(erased("p1", "conduct"))
        with pytest.raises(Gone):
            h.do(party("p1"), key="k", **whose)
        assert h.journal.reader().size(TENANT) == 2
    with house(tmp_path, store=store) as h:
        with pytest.raises(Gone):
            h.do(party("p1"), key="k", **whose)
        assert h.journal.reader().query("SELECT answer FROM idempotency") == [{"answer": None}]


def test_an_answer_about_somebody_erased_is_given_once(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        h.do(erased("p1"))
        answer = h.do(fee("l1", 3), key="k", seal_answer_for="p1")
        assert answer.value[0]["known_seq"] == 2
        with pytest.raises(Gone):
            h.do(fee("l1", 3), key="k", seal_answer_for="p1")


def test_an_answer_that_nothing_seals_is_as_gone_within_its_group_as_after_it(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        h.do(erased("p1", "conduct"))
        attempt = command(fee("l1", 1), key="k", seal_answer_for="p1")
        first, second = h.journal.submit_many([attempt, attempt]).result(30)
        assert isinstance(first, Answer)
        assert isinstance(second, Gone)
        with pytest.raises(Gone):
            h.journal.submit(attempt).result(30)


def test_neither_keys_nor_bodies_are_stored_as_they_came(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5), key="phone-13800000000", body="b")
        row = h.journal.reader().query("SELECT key, body FROM idempotency")[0]
        assert len(row["key"]) == len(row["body"]) == 64
        assert row["body"] != once("phone-13800000000", "b").body_sha256
        assert "13800000000" not in row["key"]


def test_a_repeated_key_writes_nothing(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5), key="k")
        before = h.journal.checkpoint(TENANT)
        h.do(fee("l1", 5), key="k")
        h.journal.submit(running(lambda _view: Accepted())).result(30)
        assert h.journal.checkpoint(TENANT) == before
