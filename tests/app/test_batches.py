"""A close classes the open book at once, records it as one batch, and the batch can be made again."""

import threading
from datetime import date

import msgspec
import pytest

from obligor.app.activation import use_strategy
from obligor.app.call import Call
from obligor.app.proposal import Proposal
from obligor.app.queries.batches import spines
from obligor.decision import replay_batch
from obligor.events import BatchDecided, ClassChanged, DayClosed
from obligor.journal import Accepted, Command
from obligor.kernel import InvariantBroken, Unavailable
from obligor.strategy import Strategy, load, vectors
from tests.app.test_crowds import drawable
from tests.strategy.test_starter import PACKS

AT = "2026-01-06T11:00:00+08:00"
LOANS = 3
PRELEND = load(PACKS / "starter" / "prelend")


@pytest.fixture
def loans(lender):
    """Three loans of 1,200,000 over twelve months."""
    found = []
    for number in range(LOANS):
        application_id = drawable(lender, number, 1_200_000)
        asked = {"application_id": application_id, "amount_minor": 1_200_000, "currency": "CNY", "at": AT}
        loan_id = lender.draw(**asked)["loan_id"]
        lender.event("loan.disbursed", {"loan_id": loan_id}, AT)
        found.append(loan_id)
    return found


def close(lender, day):
    lender.event("day.closed", {"day": day})
    lender.settle()


def pay(lender, loan_id, amount_minor, at):
    body = {"loan_id": loan_id, "amount_minor": amount_minor, "currency": "CNY"}
    return lender.event("repayment.received", body, at)


def events(lender, body):
    return list(lender.service.journal.reader().events("main", types=(body.TYPE,)))


def replayed(lender):
    return lender.http.post("/v1/replays").json()


def test_a_close_writes_one_batch_and_an_event_for_each_changed_class(lender, loans):
    pay(lender, loans[0], 200_000, "2026-02-05T11:00:00+08:00")
    close(lender, "2026-02-20")
    (closed,) = events(lender, DayClosed)
    (batch,) = events(lender, BatchDecided)
    changed = events(lender, ClassChanged)
    body = batch.body
    assert (batch.cause, batch.stream) == (closed.id, "day/2026-02-20")
    assert (body.stage, body.as_of, body.rows) == ("classify", date(2026, 2, 20), LOANS)
    assert body.outcomes == {"normal": 1, "special_mention": 2}
    assert body.strategy_sha256 == lender.service.active().strategies["classify"]
    assert body.changed == len(changed) == 2
    assert {event.body.loan_id for event in changed} == set(loans[1:])
    assert {event.cause for event in changed} == {closed.id}
    found = replayed(lender)
    assert (found["mismatches"], found["batches"]) == (0, 1)
    assert found["decisions"] == found["equal"] == 2 * LOANS + 1


def test_a_close_of_an_empty_book_decides_nothing(lender):
    close(lender, "2026-02-20")
    assert events(lender, BatchDecided) == []


def test_batches_are_made_again_as_the_book_was_known_then(lender, loans):
    """Payments, a reversal and a full repayment come between closes and after them."""
    close(lender, "2026-02-20")
    first = pay(lender, loans[0], 400_000, "2026-02-21T11:00:00+08:00")
    pay(lender, loans[1], 2_000_000, "2026-02-21T12:00:00+08:00")
    close(lender, "2026-03-20")
    lender.event(
        "repayment.reversed",
        {"loan_id": loans[0], "event_id": first["event_id"]},
        "2026-03-21T11:00:00+08:00",
    )
    close(lender, "2026-06-20")
    told = [event.body for event in events(lender, BatchDecided)]
    assert [body.rows for body in told] == [3, 2, 2]
    assert told[0].outcomes == {"special_mention": 3}
    assert told[2].outcomes == {"substandard": 2}
    assert (replayed(lender)["mismatches"], replayed(lender)["batches"]) == (0, 3)


def test_a_record_that_was_changed_is_found_out(lender, loans):
    """The control: of everything that a batch says about its cases, nothing can be changed unseen."""
    close(lender, "2026-02-20")
    service = lender.service
    ((event, spine),) = spines(service.books("main"))
    artifacts = service.means.artifacts
    assert replay_batch(event.body, spine, artifacts).equal
    changes = {
        "rows": 4,
        "spine_sha256": "0" * 64,
        "inputs_sha256": "0" * 64,
        "result_sha256": "0" * 64,
        "outcomes": {"normal": 3},
    }
    for name, value in changes.items():
        told = msgspec.structs.replace(event.body, **{name: value})
        assert replay_batch(told, spine, artifacts).differences == (name,)
    for name in ("days_past_due", "written_off"):
        facts = {**spine.facts, name: [*spine.facts[name][:-1], {"days_past_due": 400}.get(name, True)]}
        differences = replay_batch(event.body, spine._replace(facts=facts), artifacts).differences
        assert set(differences) == {"inputs_sha256", "result_sha256", "outcomes"}
    later = msgspec.structs.replace(event.body, as_of=date(2026, 2, 21))
    assert replay_batch(later, spine._replace(as_of=later.as_of), artifacts).differences == ("spine_sha256",)
    assert replay_batch(event.body, None, artifacts).erased


def test_a_forged_batch_counts_as_a_mismatch(lender, loans):
    close(lender, "2026-02-20")
    (event,) = events(lender, BatchDecided)
    forged = msgspec.structs.replace(event.body, outcomes={"normal": LOANS})

    def run(view):
        service = lender.service
        call = Call(
            means=service.means,
            tenant="main",
            actor="tests",
            received_at=service.now(),
            at=event.at,
            source="tests",
        )
        p = Proposal(view, call)
        p.add("day/2026-02-20", forged, cause=event.cause)
        return Accepted(drafts=tuple(p.drafts))

    lender.service.journal.submit(Command(tenant="main", run=run)).result()
    found = replayed(lender)
    assert (found["batches"], found["mismatches"], found["first"]) == (2, 1, event.known_seq + 1)


@pytest.mark.parametrize("written", [False, True], ids=["lost", "unanswered"])
def test_a_close_that_was_interrupted_between_its_parts_says_nothing_twice(
    lender, loans, monkeypatch, written
):
    """The store is out of reach when the loans are looked at, when they are classed, and at the end.

    What was asked of it may have been done all the same.
    """
    journal = lender.service.journal
    submit, seen, failed = journal.submit, [], []

    def refuse_once(command):
        if "close" not in threading.current_thread().name:
            return submit(command)
        seen.append(command)
        # What is open, how it stands, what is classed otherwise unless it is already, and the record.
        if len(seen) in (2, 5, 8 if written else 9):
            failed.append(command)
            if written:
                submit(command).result()
            raise Unavailable("the store is out of reach")
        return submit(command)

    monkeypatch.setattr(journal, "submit", refuse_once)
    close(lender, "2026-02-20")
    assert len(failed) == 3
    assert [command.cursor is not None for command in failed] == [False, False, True]
    assert len(events(lender, BatchDecided)) == 1
    assert sorted(event.body.loan_id for event in events(lender, ClassChanged)) == sorted(loans)
    assert (replayed(lender)["mismatches"], replayed(lender)["batches"]) == (0, 1)


def test_a_strategy_whose_functions_disagree_on_this_machine_is_not_activated(lender, monkeypatch):
    def wrong(sign, a, b):
        return compare("<=" if sign == "<" else sign, a, b)

    compare = vectors.compare
    monkeypatch.setattr(vectors, "compare", wrong)
    before = dict(lender.service.active().strategies)
    other = Strategy(
        {name: data.replace(b'version: "1.0.0"', b'version: "2"') for name, data in PRELEND.files.items()}
    )
    with pytest.raises(InvariantBroken, match="starter_prelend 2"):
        use_strategy(lender.service, other)
    assert lender.service.active().strategies == before
    monkeypatch.undo()
    again = Strategy(other.files)
    use_strategy(lender.service, again)
    assert lender.service.active().strategies["prelend"] == other.sha256
