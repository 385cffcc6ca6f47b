"""What a command may count on, and what its answer says."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from obligor.events import AlertRaised, CapSet, FeeCharged, SourceAnswered
from obligor.journal import Accepted, Answer, Command, View
from obligor.kernel import Conflict, Event, InvalidInput, InvariantBroken, Unavailable
from tests.journal.support import (
    START,
    TENANT,
    Balance,
    blind,
    cap,
    command,
    device,
    draft,
    fee,
    house,
    party,
    refusing,
    running,
    said,
)


def test_events_are_numbered_without_gaps_in_the_order_they_were_accepted(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        answers = h.journal.submit_many([command(fee("l1", n), fee("l2", n)) for n in range(1, 11)]).result(
            30
        )
        events = list(h.journal.reader().events(TENANT))
    assert [event.known_seq for event in events] == list(range(20))
    assert [each["event_id"] for answer in answers for each in answer.value] == [event.id for event in events]
    assert [event.body.amount_minor for event in events] == [n for n in range(1, 11) for _ in "12"]
    assert [event.stream_version for event in events if event.stream == "loan/l1"] == list(range(1, 11))


def test_what_is_read_back_is_what_was_folded(tmp_path: Path, store: str | None) -> None:
    seen = []
    with house(tmp_path, store=store) as h:
        h.do(party("p1", name="Wei", phone="138"), fee("l1", 5), answer=seen.extend)
        assert list(h.journal.reader().events(TENANT)) == seen
    assert [event.erased for event in seen] == [frozenset(), frozenset()]


def test_a_body_is_folded_in_the_types_it_is_read_back_in(tmp_path: Path, store: str | None) -> None:
    body = SourceAnswered(application_id="a", name="bureau", facts={})
    loose = AlertRaised(
        alert_id="a",
        kind="fund_use",
        severity="info",
        dedupe_key="k",
        person_id="p1",
        loan_id=None,
        amount_minor=None,
        currency=None,
        monitor="m",
        monitor_version="1",
        events=["e1"],  # type: ignore[arg-type]
        evidence={"hops": ({"to": "x"}, ("y",))},
    )
    seen: list[Event] = []
    with house(tmp_path, store=store) as h:
        h.do(draft("a/1", body, subjects=("p1",)), draft("a/2", loose, subjects=("p1",)), answer=seen.extend)
        assert list(h.journal.reader().events(TENANT)) == seen
    assert seen[1].body.events == ("e1",)
    assert seen[1].body.evidence == {"hops": [{"to": "x"}, ["y"]]}


def test_times_are_kept_in_utc_whatever_zone_they_came_in(tmp_path: Path, store: str | None) -> None:
    at = datetime(2026, 3, 1, 8, 30, 0, 123, tzinfo=timezone(timedelta(hours=8)))
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5, at=at))
        event = h.journal.reader().at(TENANT, 0)
    assert event.at == at
    assert event.at.utcoffset() == timedelta(0)
    assert event.recorded_at == START


def test_a_refused_command_leaves_nothing_and_harms_nobody(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        first, refused, second = h.journal.submit_many(
            [command(fee("l1", 1)), refusing("too late"), command(fee("l1", 2))]
        ).result(30)
        assert h.journal.reader().size(TENANT) == 2
    assert isinstance(refused, Conflict)
    assert refused.detail == "too late"
    assert [first.value[0]["known_seq"], second.value[0]["known_seq"]] == [0, 1]


def test_a_commands_bug_is_its_own(tmp_path: Path, store: str | None) -> None:
    def broken(_view: View) -> Accepted:
        raise ZeroDivisionError

    def late(_events: object) -> None:
        raise LookupError

    with house(tmp_path, store=store) as h:
        outcomes = h.journal.submit_many(
            [
                command(fee("l1", 1)),
                running(broken),
                command(fee("l1", 7), answer=late),
                command(fee("l1", 2)),
            ]
        ).result(30)
        with pytest.raises(ZeroDivisionError):
            h.journal.submit(running(broken)).result(30)
        events = list(h.journal.reader().events(TENANT))
        balance = h.journal.submit(running(lambda view: Accepted((), lambda _: view.state("loan/l1").fees)))
        totals = h.journal.submit(
            running(lambda view: Accepted((), lambda _: view.memory("totals").fees["l1"]))
        )
        assert balance.result(30).value == [1, 2]
        assert totals.result(30).value == 3
    assert [type(outcome) for outcome in outcomes] == [Answer, ZeroDivisionError, LookupError, Answer]
    assert [event.body.amount_minor for event in events] == [1, 2]


def test_a_command_sees_what_was_accepted_before_it_in_its_own_group(
    tmp_path: Path, store: str | None
) -> None:
    def limited(amount: int) -> Command:
        def run(view: View) -> Accepted:
            balance = view.state("loan/l1") or Balance()
            assert view.version("loan/l1") == len(balance.fees)
            assert view.memory("totals").fees.get("l1", 0) == sum(balance.fees)
            if sum(balance.fees) + amount > 100:
                raise Conflict("over the limit")
            return Accepted((fee("l1", amount),), said)

        return running(run)

    with house(tmp_path, store=store) as h:
        outcomes = h.journal.submit_many([limited(30) for _ in range(5)]).result(30)
        assert [isinstance(outcome, Answer) for outcome in outcomes] == [True, True, True, False, False]
        again = h.journal.submit_many([limited(30), limited(10)]).result(30)
        assert [isinstance(outcome, Answer) for outcome in again] == [False, True]


def test_two_commands_of_one_group_cannot_both_take_the_last_of_a_limit(
    tmp_path: Path, store: str | None
) -> None:
    def take(view: View) -> Accepted:
        if view.memory("totals").fees.get("l1", 0) >= 50:
            raise Conflict("nothing left")
        return Accepted((fee("l1", 1),), said)

    with house(tmp_path, store=store) as h:
        futures = []
        barrier = threading.Barrier(8)

        def client() -> None:
            barrier.wait()
            futures.extend(h.journal.submit(running(take)) for _ in range(20))

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted = sum(future.exception(30) is None for future in futures)
        assert accepted == 50
        assert h.journal.reader().size(TENANT) == 50


def test_the_view_says_where_and_when_it_is_and_what_was_read(tmp_path: Path, store: str | None) -> None:
    found = {}

    def look(view: View) -> Accepted:
        found.update(size=view.size, now=view.now, tenant=view.tenant)
        found["state"] = view.state("loan/l1")
        found["nothing"] = view.state("loan/other"), view.version("loan/other")
        found["no fold"] = view.state("cap/c"), view.version("cap/c")
        found["reads"] = dict(view.reads)
        return Accepted()

    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 5), cap("c", 10))
        h.journal.submit(running(look)).result(30)
    assert found["size"] == 2
    assert found["tenant"] == TENANT
    assert found["now"].tzinfo is UTC
    assert found["state"] == Balance((5,), ("late",))
    assert found["nothing"] == (None, 0)
    assert found["no fold"] == (None, 1)
    assert found["reads"] == {"loan/l1": 1, "loan/other": 0, "cap/c": 1}


def test_the_view_gives_a_streams_events_of_its_own_group_too(tmp_path: Path, store: str | None) -> None:
    def look(view: View) -> Accepted:
        amounts = [event.body.amount_minor for event in view.events("loan/l1")]
        return Accepted((), lambda _: amounts)

    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1), fee("l2", 9))
        outcomes = h.journal.submit_many([command(fee("l1", 2), fee("l2", 9)), running(look)]).result(30)
    assert outcomes[1].value == [1, 2]


def test_lookups_are_found_within_the_group_and_after_it(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        index = h.vault.index_key(TENANT)

        def find(view: View) -> Accepted:
            found = view.find("national_id", blind(index, "1101"))
            return Accepted((), lambda _: found)

        before, _, within = h.journal.submit_many(
            [running(find), command(party("p1", national_id="1101")), running(find)]
        ).result(30)
        after = h.journal.submit(running(find)).result(30)
        assert h.journal.reader().find(TENANT, "national_id", blind(index, "1101")) == "p1"
    assert [before.value, within.value, after.value] == [None, "p1", "p1"]


def test_states_are_the_same_when_they_are_folded_again(tmp_path: Path, store: str | None) -> None:
    def state(view: View) -> Accepted:
        return Accepted((), lambda _: [view.state("loan/l1").fees, view.version("loan/l1")])

    with house(tmp_path, store=store) as h:
        h.journal.submit_many([command(fee("l1", n)) for n in range(1, 1203)]).result(30)
        live = h.journal.submit(running(state)).result(30)
    with house(tmp_path, store=store) as h:
        assert h.journal.submit(running(state)).result(30).data == live.data
    assert live.value == [list(range(1, 1203)), 1202]


def test_tenants_do_not_see_each_other(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1), fee("l1", 2))
        south = h.do(fee("l1", 3), tenant="south")
        seen = h.journal.submit(
            running(lambda view: Accepted((), lambda _: view.state("loan/l1").fees), tenant="south")
        ).result(30)
        reader = h.journal.reader()
        assert reader.tenants() == ["north", "south"]
        assert [reader.size("north"), reader.size("south"), reader.size("west")] == [2, 1, 0]
    assert south.value[0]["known_seq"] == 0
    assert seen.value == [3]


def test_a_cursor_moves_with_the_events_of_its_command_and_never_back(
    tmp_path: Path, store: str | None
) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1), cursor=("monitor", 4))
        h.do(cursor=("monitor", 9))
        with pytest.raises(Conflict, match="does not go back"):
            h.do(fee("l1", 2), cursor=("monitor", 8))
        with pytest.raises(Conflict):
            h.do(fee("l2", 2), fee("l2", 2, id="one"), fee("l2", 2, id="one"), cursor=("monitor", 10))
        reader = h.journal.reader()
        assert reader.cursor(TENANT, "monitor") == 9
        assert reader.cursor(TENANT, "other") == -1
        assert reader.size(TENANT) == 1


def test_an_event_id_is_used_once(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 1, id="same"))
        again, twice, fine = h.journal.submit_many(
            [
                command(fee("l1", 2, id="same")),
                command(fee("l1", 3, id="two"), fee("l1", 4, id="two")),
                command(fee("l1", 5, id="two")),
            ]
        ).result(30)
        assert isinstance(again, Conflict)
        assert isinstance(twice, Conflict)
        assert isinstance(fine, Answer)
        assert h.journal.reader().size(TENANT) == 2


def test_ids_are_asked_for_only_when_the_store_has_refused_one(
    tmp_path: Path, store: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path, store=store) as h:
        asked = []
        taken = h.journal._store.taken
        monkeypatch.setattr(
            h.journal._store, "taken", lambda tenant, ids: asked.append({*ids}) or taken(tenant, ids)
        )
        h.do(fee("l1", 1, id="same"))
        assert asked == []
        other, again, last = h.journal.submit_many(
            [command(fee("l1", 2, id="b")), command(fee("l1", 4, id="same")), command(fee("l1", 8, id="c"))]
        ).result(30)
        assert [type(each) for each in (other, again, last)] == [Answer, Conflict, Answer]
        assert asked == [{"b", "same", "c"}, {"b", "c"}]
        assert [event.body.amount_minor for event in h.journal.reader().events(TENANT)] == [1, 2, 8]


@pytest.mark.parametrize(
    ("poison", "raised"),
    [
        (lambda: draft("loan/l", cap("c", 2**60).body), InvalidInput),
        (lambda: draft("loan/l", cap("c", 1.5).body), InvalidInput),  # type: ignore[arg-type]
        (lambda: draft("loan/l", cap("c", "much").body), InvariantBroken),  # type: ignore[arg-type]
        (lambda: draft("loan/l", fee("l", 1).body), InvariantBroken),
        (lambda: fee("l1", 1, at=datetime(2026, 1, 1)), InvariantBroken),  # noqa: DTZ001
        (lambda: fee("l1", 1, source=7), InvariantBroken),
        (lambda: fee("l1", 1, kind="\ud800"), InvalidInput),
    ],
    ids=["integer", "float", "type", "nobody", "naive", "envelope", "surrogate"],
)
def test_an_event_that_could_not_be_read_back_is_not_written(
    tmp_path: Path, store: str | None, poison, raised
) -> None:
    with house(tmp_path, store=store) as h:
        good, bad, other = h.journal.submit_many(
            [command(fee("l1", 1)), command(fee("l1", 9), poison()), command(fee("l1", 2))]
        ).result(30)
        assert isinstance(bad, raised), bad
        assert isinstance(good, Answer)
        assert isinstance(other, Answer)
        assert [event.body.amount_minor for event in h.journal.reader().events(TENANT)] == [1, 2]


def test_an_answer_outside_the_profile_is_refused_with_its_events(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        with pytest.raises(InvalidInput):
            h.do(fee("l1", 1), answer=lambda _: {"rate": 1.5})
        assert h.journal.reader().size(TENANT) == 0


def test_a_full_queue_refuses_and_the_next_request_works(tmp_path: Path, store: str | None) -> None:
    gate, started = threading.Event(), threading.Event()

    def wait(_view: View) -> Accepted:
        started.set()
        gate.wait(30)
        return Accepted()

    with house(tmp_path, store=store, queue_limit=3) as h:
        held = h.journal.submit(running(wait))
        started.wait(30)
        waiting = [h.journal.submit(command(fee("l1", n))) for n in (1, 2, 3)]
        with pytest.raises(Unavailable, match="at most 3"):
            h.journal.submit(command(fee("l1", 4))).result(30)
        many = h.journal.submit_many([command(fee("l1", 5))]).result(30)
        assert isinstance(many[0], Unavailable)
        gate.set()
        held.result(30)
        assert [future.result(30).value[0]["known_seq"] for future in waiting] == [0, 1, 2]
        h.do(fee("l1", 6))


def test_a_cancelled_command_is_not_run(tmp_path: Path, store: str | None) -> None:
    gate, started = threading.Event(), threading.Event()

    def wait(_view: View) -> Accepted:
        started.set()
        gate.wait(30)
        return Accepted()

    with house(tmp_path, store=store) as h:
        held = h.journal.submit(running(wait))
        started.wait(30)
        unwanted = h.journal.submit(command(fee("l1", 1)))
        assert unwanted.cancel()
        gate.set()
        held.result(30)
        h.do(fee("l1", 2))
        assert h.journal.reader().size(TENANT) == 1


def test_closing_finishes_what_is_queued_and_takes_no_more(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        futures = [h.journal.submit(command(fee("l1", n))) for n in range(1, 400)]
        h.journal.close()
        assert [future.result(0).value[0]["known_seq"] for future in futures] == list(range(399))
        assert not h.journal.alive
        with pytest.raises(Unavailable):
            h.do(fee("l1", 1))
    with house(tmp_path, store=store) as h:
        assert h.journal.alive
        assert h.journal.reader().size(TENANT) == 399


def test_an_empty_batch_has_no_outcomes(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        assert h.journal.submit_many([]).result(30) == []


def test_bodies_about_nobody_are_open(tmp_path: Path, store: str | None) -> None:
    body = CapSet(cap="c", limit_minor=5, currency="CNY")
    with house(tmp_path, store=store) as h:
        h.do(draft("cap/c", body))
        assert h.journal.reader().at(TENANT, 0).body == body


def test_only_what_is_declared_can_be_remembered(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h, pytest.raises(KeyError):
        h.journal.submit(running(lambda view: view.memory("nothing"))).result(30)


def test_a_stream_may_hold_several_kinds_of_events(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"), device("p1", "phone"))
        h.do(device("p1", "tablet"))
        person = h.journal.submit(
            running(
                lambda view: Accepted((), lambda _: [view.state("person/p1").name, view.version("person/p1")])
            )
        ).result(30)
    assert person.value == ["Wei", 3]


def test_fields_keep_their_types(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(fee("l1", 3))
        body = h.journal.reader().at(TENANT, 0).body
    assert isinstance(body, FeeCharged)
    assert body.charged_on == date(2026, 3, 1)
