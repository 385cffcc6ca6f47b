"""What is read for a group at once, before it is folded, is what each command would have read by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obligor.journal import Accepted, Answer, Command, Memory, Registry
from tests.journal.support import (
    PROJECTIONS,
    TENANT,
    Totals,
    blind,
    command,
    erased,
    fee,
    house,
    party,
    running,
)

REFS = [f"r{n}" for n in range(4)]


def looking(ref: str, *, ahead: bool, write: bool) -> Command:
    """A command that says what it finds under a reference, and writes an event under it if asked to."""

    def run(view: Any) -> Accepted:
        found = view.find("source_ref", ref)
        drafts = [fee("l1", 1, source_ref=ref)] if write else []
        return Accepted(drafts, lambda events: [found, [event.id for event in events]])

    return running(run, finds=(("source_ref", ref), ("source_ref", "nobody")) if ahead else ())


@given(asked=st.lists(st.tuples(st.sampled_from(REFS), st.booleans(), st.booleans()), min_size=1, max_size=8))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_look_up_read_ahead_finds_what_was_written_last(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[str, bool, bool]]
) -> None:
    with house(tmp_path_factory.mktemp("ahead")) as h:
        h.do(fee("l0", 1, source_ref=REFS[0]))
        first = h.journal.reader().find(TENANT, "source_ref", REFS[0])
        known: dict[str, str | None] = {REFS[0]: first}
        commands = [looking(ref, ahead=ahead, write=write) for ref, ahead, write in asked]
        for (ref, _, _), outcome in zip(asked, h.journal.submit_many(commands).result(30), strict=True):
            assert isinstance(outcome, Answer)
            found, written = outcome.value
            assert found == known.get(ref)
            if written:
                known[ref] = written[0]


def test_what_found_a_person_is_not_read_ahead_once_they_are_erased(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1", national_id="SIM1"))
        key = blind(h.vault.index_key(TENANT), "SIM1")

        def look(view: Any) -> Accepted:
            return Accepted((), lambda _events: view.find("national_id", key))

        ask = running(look, finds=(("national_id", key),))
        outcomes = h.journal.submit_many([ask, command(erased("p1")), ask]).result(30)
    assert [outcome.value for outcome in (outcomes[0], outcomes[2])] == ["p1", None]


def test_keys_of_two_kinds_do_not_meet(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1, source_ref="same"))

        def look(view: Any) -> Accepted:
            found = [view.find(kind, "same") is not None for kind in ("source_ref", "national_id")]
            return Accepted((), lambda _events: found)

        finds = (("source_ref", "same"), ("national_id", "same"))
        assert h.journal.submit(running(look, finds=finds)).result(30).value == [True, False]


def test_events_of_a_stream_that_was_called_fresh_and_is_not_are_never_written(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5))

    def lying(view: Any) -> Accepted:
        view.fresh("loan/l1")
        return Accepted([fee("l1", 7)])

    with house(tmp_path, store=store) as h:
        assert isinstance(h.journal.submit(running(lying)).exception(30), Exception)
        h.do(fee("l1", 9))
        versions = [event.stream_version for event in h.journal.reader().events(TENANT, stream="loan/l1")]
    assert versions == [1, 2]


def test_nobody_looks_for_the_keys_of_who_was_made_just_now(tmp_path: Path, store: str | None) -> None:
    def coming(view: Any) -> Accepted:
        view.fresh("person/p1", "p1")
        return Accepted([party("p1", name="Wei")])

    with house(tmp_path, store=store) as h:
        before = h.vault.loads
        h.journal.submit(running(coming)).result(30)
        assert h.vault.loads == before
        h.do(fee("l1", 5, person="p1"))
        assert h.vault.loads == before
    with house(tmp_path, store=store) as h:
        assert [event.erased for event in h.journal.reader().events(TENANT)] == [frozenset()] * 2
        assert h.journal.reader().at(TENANT, 0).body.name == "Wei"


@pytest.mark.parametrize("gone", [False, True])
def test_who_was_called_fresh_and_is_not_gets_no_second_key(
    tmp_path: Path, store: str | None, gone: bool
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1", name="Wei"))
        if gone:
            h.do(erased("p1"))

    def lying(view: Any) -> Accepted:
        view.fresh("person/other", "p1")
        return Accepted([party("p1", name="Wei again")])

    with house(tmp_path, store=store) as h:
        keys = {kind: h.vault.key(TENANT, "p1", kind) for kind in ("identity", "conduct", "money")}
    with house(tmp_path, store=store) as h:
        # It is sealed with the key there is, and refused where that was destroyed.
        told = h.journal.submit(running(lying)).exception(30)
        assert (told is not None) == gone
    with house(tmp_path, store=store) as h:
        assert {kind: h.vault.key(TENANT, "p1", kind) for kind in keys} == keys
        events = [*h.journal.reader().events(TENANT)]
        assert [event.type for event in events] == [
            "party.registered",
            "person.erased" if gone else "party.registered",
        ]
        assert gone or events[1].body.name == "Wei again"


def test_who_follows_some_types_is_told_of_those_alone() -> None:
    told: list[str] = []
    memory = Memory(
        lambda _tenant: told, lambda value, event: value.append(event.type), types=frozenset({"a"})
    )
    made = Registry(memories={"some": memory, "all": Memory(lambda _tenant: told, Totals.apply)})
    assert [name for name, _ in made.followers("a").memories] == ["some", "all"]
    assert [name for name, _ in made.followers("b").memories] == ["all"]


def test_statements_are_gathered_once_for_a_group_and_the_rows_are_those_of_each(
    tmp_path: Path, store: str | None
) -> None:
    groups: list[int] = []

    def gather(statements: list[Any]) -> list[Any]:
        groups.append(len(statements))
        return list({(sql, values[:2]): (sql, values) for sql, values in statements}.values())

    loans = PROJECTIONS[0].__class__(
        PROJECTIONS[0].name, PROJECTIONS[0].schema, PROJECTIONS[0].project, gather
    )
    with house(tmp_path, store=store, registry={"projections": (loans,)}) as h:
        h.journal.submit_many([command(fee(f"l{n % 3}", n + 1)) for n in range(30)]).result(30)
        live = h.journal.reader().query("SELECT * FROM p_loan ORDER BY loan")
        h.journal.rebuild(["loan"])
        assert h.journal.reader().query("SELECT * FROM p_loan ORDER BY loan") == live
    assert sum(groups) >= 30
    assert max(groups) > 1
