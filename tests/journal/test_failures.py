"""Disk full, keys that cannot be written, statements that are wrong: nothing half done, and on it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from obligor.journal import Accepted, Answer, Projection, View, rows
from obligor.journal.store import WrongStatement
from obligor.kernel import InvariantBroken, Unavailable
from obligor.proof import root_of
from tests.journal.broken import no_space, out_of_reach
from tests.journal.support import (
    PROJECTIONS,
    TENANT,
    House,
    command,
    device,
    erased,
    fee,
    house,
    party,
    refusing,
    running,
)

PADDING = "x" * 400


def _state(h: House) -> list[object]:
    def look(view: View) -> Accepted:
        return Accepted((), lambda _: [view.state("loan/l1").fees, view.memory("totals").fees, view.size])

    return h.journal.submit(running(look)).result(30).value


def test_a_full_disk_refuses_the_whole_group_and_work_goes_on_when_there_is_space(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"), fee("l1", 1))
        before, note = _state(h), h.journal.checkpoint(TENANT)
        many = [command(fee("l1", n, kind=PADDING), key=f"k{n}") for n in range(2, 60)]
        with no_space(h, store):
            outcomes = h.journal.submit_many([*many, refusing()]).result(30)
            assert [type(outcome) for outcome in outcomes] == [Unavailable] * 59
            assert h.journal.alive
            assert h.journal.checkpoint(TENANT) == note
            assert h.journal.reader().size(TENANT) == 2
            assert h.journal.reader().query("SELECT count(*) AS n FROM idempotency") == [{"n": 0}]
        assert _state(h) == before
        outcomes = h.journal.submit_many(many).result(30)
        assert all(isinstance(outcome, Answer) and not outcome.replayed for outcome in outcomes)
        assert _state(h)[2] == 60
        entries = list(h.journal.reader().entries(TENANT))
        assert [entry.known_seq for entry in entries] == list(range(60))
        live = h.journal.reader().query("SELECT * FROM p_loan")
        assert live[0]["fees"] == 59
    with house(tmp_path, store=store) as h:
        assert h.journal.reader().size(TENANT) == 60
        assert h.journal._logs.tree(TENANT).root() == root_of([entry.leaf for entry in entries])


def test_no_event_is_written_whose_keys_could_not_be(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        persons = [f"somebody-{number}" for number in range(300)]
        with no_space(h, store, "vault.db"):
            outcomes = h.journal.submit_many([command(party(person)) for person in persons]).result(30)
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
            h.do(device("p1", "phone"))
        assert h.journal.reader().size(TENANT) == 2
        assert all(h.vault.key(TENANT, person, "identity") is None for person in persons)
        h.journal.submit_many([command(party(person)) for person in persons]).result(30)
        assert h.journal.reader().size(TENANT) == 302
        assert [event.body.name for event in h.journal.reader().events(TENANT, subject="somebody-7")] == [
            "Wei"
        ]


def test_an_erasure_whose_keys_cannot_be_destroyed_yet_says_so_and_is_made_good(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        with out_of_reach(h, store, "vault.db"), pytest.raises(Unavailable, match="will be finished"):
            h.do(erased("p1"), key="k")
        assert h.journal.reader().size(TENANT) == 2
        h.do(fee("l1", 1))
        _until(lambda: not h.journal._committer.unfinished)
        assert h.vault.key(TENANT, "p1", "identity") is None
        assert h.journal.reader().query("SELECT * FROM erasure") == []
        assert h.do(erased("p1"), key="k").replayed


def _until(happened) -> None:
    import time

    for _ in range(500):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_projections_wrong_statement_fails_its_own_command_alone(tmp_path: Path, store: str | None) -> None:
    def project(event, _states):
        if event.body.amount_minor == 13:
            yield "INSERT INTO p_odd VALUES (?, ?)", (None, 1)
        elif event.body.amount_minor == 14:
            yield "INSERT INTO p_nowhere VALUES (?)", (1,)
        else:
            yield "INSERT INTO p_odd VALUES (?, ?)", (event.tenant, event.body.amount_minor)

    odd = Projection("odd", "CREATE TABLE p_odd(tenant TEXT NOT NULL, amount INTEGER)", project)
    with house(tmp_path, store=store, registry={"projections": (odd,)}) as h:
        outcomes = h.journal.submit_many([command(fee("l1", n)) for n in (12, 13, 14, 15)]).result(30)
        assert [type(outcome) for outcome in outcomes] == [Answer, WrongStatement, WrongStatement, Answer]
        assert [row["amount"] for row in h.journal.reader().query("SELECT amount FROM p_odd")] == [12, 15]
        assert h.journal.reader().size(TENANT) == 2


@pytest.mark.parametrize("bad", [2, 3 * rows.PIECE - 1])
def test_a_bug_while_writing_fails_the_commands_it_belongs_to(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    genuine = rows._event_row

    def sometimes(numbered, *more):
        if numbered.event.body.amount_minor == bad:
            raise LookupError
        return genuine(numbered, *more)

    amounts = range(1, 3 * rows.PIECE)
    with house(tmp_path, store=store) as h:
        # The last is in a piece that is made while the store already writes the ones before.
        monkeypatch.setattr(rows, "_event_row", sometimes)
        outcomes = h.journal.submit_many([command(fee("l1", n)) for n in amounts]).result(30)
        wanted = [LookupError if n == bad else Answer for n in amounts]
        assert [type(outcome) for outcome in outcomes] == wanted
        good = [n for n in amounts if n != bad]
        assert _state(h) == [good, {"l1": sum(good)}, len(good)]
        assert [entry.known_seq for entry in h.journal.reader().entries(TENANT)] == [*range(len(good))]


def test_a_memory_that_fails_half_way_is_made_again(tmp_path: Path, store: str | None) -> None:
    def apply(memory, event):
        memory.append(event.body.amount_minor)
        if event.body.amount_minor == 13:
            raise ValueError

    def look(view: View) -> Accepted:
        return Accepted((), lambda _: view.memory("amounts"))

    from obligor.journal import Memory

    memories = {"amounts": Memory(lambda _tenant: [], apply)}
    with house(tmp_path, store=store, registry={"memories": memories, "projections": PROJECTIONS[:1]}) as h:
        outcomes = h.journal.submit_many(
            [running(look), *(command(fee("l1", n)) for n in (12, 13, 14)), running(look)]
        ).result(30)
        assert [type(outcome) for outcome in outcomes] == [Answer, Answer, ValueError, Answer, Answer]
        assert outcomes[-1].value == [12, 14]


def test_a_store_that_cannot_be_read_refuses_the_group(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
        for unlucky in (
            command(fee("l9", 1)),
            running(lambda view: Accepted((), lambda _: view.version("x/y"))),
        ):
            with out_of_reach(h, store), pytest.raises(Unavailable):
                h.journal.submit(unlucky).result(30)
        assert h.do(fee("l9", 1)).value[0]["known_seq"] == 1


def test_a_projection_may_not_make_tables_in_anothers_name(tmp_path: Path, store: str | None) -> None:
    for schema in ("CREATE TABLE p_other(a)", "CREATE TABLE event2(a)", "CREATE TABLE"):
        bad = replace(PROJECTIONS[0], schema=schema)
        with pytest.raises(InvariantBroken), house(tmp_path, store=store, registry={"projections": (bad,)}):
            pass
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1))
