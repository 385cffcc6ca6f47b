"""Projections: what is rebuilt is what was live, and what has changed is filled anew."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from obligor.events import FeeCharged
from obligor.journal import Fold, Projection, WrongStatement
from obligor.journal import projections as module
from obligor.kernel import NotFound
from tests.journal.places import tamper
from tests.journal.support import PROJECTIONS, TENANT, House, command, device, fee, house, party

TABLES = ("p_loan", "p_person", "p_person_device", "lookup")


def _dump(h: House) -> dict[str, list[dict[str, Any]]]:
    reader = h.journal.reader()
    return {each: reader.query(f"SELECT * FROM {each} ORDER BY 1, 2, 3") for each in TABLES}


def _mixed(h: House, rounds: int = 40) -> None:
    commands = []
    for number in range(rounds):
        person, loan = f"p{number % 7}", f"l{number % 5}"
        if number < 7:
            commands.append(command(party(person, national_id=f"11{number}")))
        commands += [command(fee(loan, number + 1, person=person)), command(device(person, f"d{number % 9}"))]
    h.journal.submit_many(commands).result(30)


@pytest.mark.parametrize("cached", [50_000, 2])
def test_rebuilt_is_live(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch, cached: int
) -> None:
    with house(tmp_path, store=store) as h:
        _mixed(h)
        h.do(fee("l1", 9, person="p1"), tenant="south")
        live = _dump(h)
        assert all(live.values())
        subjects = h.journal.reader().query("SELECT * FROM subject_event")
        monkeypatch.setattr(module, "SLOTS_CACHED", cached)
        assert h.journal.rebuild() == ["loan", "person", "lookup"]
        assert _dump(h) == live
        assert h.journal.reader().query("SELECT * FROM subject_event") == subjects
        h.do(fee("l1", 1), device("p1", "new"))
        changed = _dump(h)
        assert changed != live
        h.journal.rebuild(["person", "loan"])
        assert _dump(h) == changed


def test_a_rebuild_mends_what_was_damaged(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        _mixed(h)
        live = _dump(h)
        tamper(tmp_path, store, "UPDATE p_loan SET fees_minor = 0")
        tamper(tmp_path, store, "DELETE FROM lookup")
        assert _dump(h) != live
        h.journal.rebuild(["loan"])
        assert _dump(h)["p_loan"] == live["p_loan"]
        h.journal.rebuild(["lookup"])
        assert _dump(h) == live


def test_only_what_is_registered_can_be_rebuilt(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        with pytest.raises(NotFound, match="loan, person, lookup"):
            h.journal.rebuild(["nothing"])
        assert h.journal.rebuild([]) == []


def test_a_failed_rebuild_leaves_the_old_rows_and_the_journal_goes_on(
    tmp_path: Path, store: str | None
) -> None:
    faults = itertools.count()

    def project(event, states) -> Iterator[tuple[str, tuple[Any, ...]]]:
        if next(faults) >= 2:
            raise ValueError
        yield "INSERT INTO p_odd VALUES (?)", (event.known_seq,)

    odd = Projection("odd", "CREATE TABLE p_odd(n INTEGER)", project)
    with house(tmp_path, store=store, registry={"projections": (odd,)}) as h:
        h.do(fee("l1", 1), fee("l1", 2))
        with pytest.raises(ValueError):
            h.journal.rebuild()
        assert h.journal.reader().query("SELECT n FROM p_odd ORDER BY n") == [{"n": 0}, {"n": 1}]
        assert h.journal.alive


def test_a_new_or_changed_projection_is_filled_when_the_journal_opens(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store, registry={"projections": PROJECTIONS[:1]}) as h:
        _mixed(h)
        loans = h.journal.reader().query("SELECT * FROM p_loan ORDER BY loan")
    with house(tmp_path, store=store) as h:
        live = _dump(h)
        assert live["p_loan"] == loans
        assert len(live["p_person"]) == 7
    wider = replace(
        PROJECTIONS[0], schema=PROJECTIONS[0].schema.replace("fees INTEGER", "fees INTEGER, more TEXT")
    )

    def project(event, states):
        for sql, values in PROJECTIONS[0].project(event, states):
            yield sql.replace("?, ?)", "?, ?, 'more')"), values

    with house(
        tmp_path, store=store, registry={"projections": (replace(wider, project=project), PROJECTIONS[1])}
    ) as h:
        rows = h.journal.reader().query("SELECT * FROM p_loan ORDER BY loan")
        assert [row.pop("more") for row in rows] == ["more"] * len(loans)
        assert rows == loans


def test_a_projection_that_is_no_longer_registered_leaves_no_stale_table(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        _mixed(h)
    with house(tmp_path, store=store, registry={"projections": PROJECTIONS[:1]}) as h:
        assert h.journal.reader().query("SELECT count(*) AS n FROM p_loan") == [{"n": 5}]
        for gone in ("p_person", "p_person_device"):
            with pytest.raises(WrongStatement, match=gone):
                h.journal.reader().query(f"SELECT * FROM {gone}")
        h.do(device("p1", "unseen"))
    with house(tmp_path, store=store) as h:
        devices = h.journal.reader().query("SELECT device FROM p_person_device WHERE device = 'unseen'")
        assert devices == [{"device": "unseen"}]


def test_projections_see_the_state_after_each_event_and_not_after_the_command(
    tmp_path: Path, store: str | None
) -> None:
    def project(event, states):
        if isinstance(event.body, FeeCharged):
            seen = (event.known_seq, len(states.state(event.stream).fees), states.version(event.stream))
            yield "INSERT INTO p_steps VALUES (?, ?, ?)", seen

    steps = Projection("steps", "CREATE TABLE p_steps(seq INTEGER, fees INTEGER, version INTEGER)", project)
    with house(tmp_path, store=store, registry={"projections": (steps,)}) as h:
        h.do(*(fee("l1", n) for n in range(1, 5)))
        rows = h.journal.reader().query("SELECT * FROM p_steps ORDER BY seq")
        assert [(row["fees"], row["version"]) for row in rows] == [(n, n) for n in range(1, 5)]
        h.journal.rebuild()
        assert h.journal.reader().query("SELECT * FROM p_steps ORDER BY seq") == rows


def test_a_state_is_never_changed_under_whoever_holds_it(tmp_path: Path, store: str | None) -> None:
    held: list[Any] = []
    fold = {"loan": Fold(list, lambda state, event: [*state, event.body.amount_minor])}

    def project(event, states):
        held.append(states.state(event.stream))
        return ()

    keep = Projection("keep", "CREATE TABLE p_keep(a INTEGER)", project)
    with house(tmp_path, store=store, registry={"folds": fold, "projections": (keep,)}) as h:
        h.do(fee("l1", 1), fee("l1", 2))
        h.do(fee("l1", 3))
        assert h.journal.reader().size(TENANT) == 3
    assert held == [[1], [1, 2], [1, 2, 3]]


def test_projections_see_the_state_before_an_event_live_and_in_a_rebuild(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def project(event, states):
        before = states.before
        known = sum(before.fees) if before is not None else None
        yield "INSERT INTO p_before VALUES (?, ?)", (event.known_seq, known)

    before = Projection("before", "CREATE TABLE p_before(seq INTEGER, known INTEGER)", project)
    with house(tmp_path, store=store, registry={"projections": (before,)}) as h:
        h.do(fee("l1", 1), fee("l2", 10), fee("l1", 2))
        h.do(fee("l1", 4))
        rows = h.journal.reader().query("SELECT * FROM p_before ORDER BY seq")
        assert [row["known"] for row in rows] == [None, None, 1, 3]
        monkeypatch.setattr(module, "SLOTS_CACHED", 1)
        h.journal.rebuild()
        assert h.journal.reader().query("SELECT * FROM p_before ORDER BY seq") == rows
