"""The journal against a model of it: a list of events and a few dictionaries."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from obligor.events import DeviceSeen, FeeCharged, PartyRegistered
from obligor.journal import Accepted, Answer, Command, View
from obligor.kernel import Conflict, Gone, KeyReused
from obligor.proof import Checkpoint, open_note, root_of
from tests.journal.support import (
    SIGNER,
    TENANT,
    Balance,
    House,
    device,
    draft,
    erased,
    fee,
    house,
    once,
    party,
    said,
)

LIMIT = 60
TENANTS = (TENANT, "south")


@dataclass(frozen=True)
class Attempt:
    """One command of the model."""

    what: str
    tenant: str
    name: str
    amount: int
    key: str | None
    body: str


attempts = st.builds(
    Attempt,
    what=st.sampled_from(["fee"] * 4 + ["two fees", "bug", "device", "party", "erase", "answer"]),
    tenant=st.sampled_from(TENANTS),
    name=st.sampled_from("ab"),
    amount=st.integers(1, 25),
    key=st.none() | st.sampled_from(["k1", "k2", "k3"]),
    body=st.sampled_from(["x", "x", "y"]),
)
steps = st.lists(
    st.lists(attempts, min_size=1, max_size=9) | st.sampled_from(["reopen", "rebuild"]), max_size=8
)


@dataclass
class Model:
    """What one tenant's journal should be."""

    events: list[tuple[str, Any]] = field(default_factory=list)
    answers: dict[str, tuple[str, Any]] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)

    def fees(self, loan: str) -> list[int]:
        return [value[1] for kind, value in self.events if kind == "fee" and value[0] == loan]

    def expect(self, attempt: Attempt) -> Any:
        """The answer, or the type of what is raised."""
        if attempt.key in self.answers:
            body, answer, person = self.answers[attempt.key]
            if body != attempt.body:
                return KeyReused
            return Gone if person in self.erased else answer
        before = len(self.events)
        match attempt.what:
            case "fee" | "two fees":
                amounts = [attempt.amount] * (1 + (attempt.what == "two fees"))
                if sum(self.fees(attempt.name)) + sum(amounts) > LIMIT:
                    return Conflict
                self.events += [("fee", (attempt.name, amount)) for amount in amounts]
            case "bug":
                return ZeroDivisionError
            case "device":
                self.events.append(("device", (attempt.name, attempt.amount)))
            case "party":
                self.events.append(("party", (attempt.name, attempt.amount)))
            case "erase":
                self.events.append(("erase", attempt.name))
                self.erased.add(attempt.name)
        answer = list(range(before, len(self.events)))
        if attempt.key is not None:
            person = attempt.name if attempt.what == "device" else None
            self.answers[attempt.key] = (attempt.body, answer, person)
        return answer


def _command(attempt: Attempt) -> Command:
    person, loan = f"p{attempt.name}", attempt.name

    def run(view: View) -> Accepted:
        balance = view.state(f"loan/{loan}") or Balance()
        assert view.version(f"loan/{loan}") == len(balance.fees)
        assert view.memory("totals").fees.get(loan, 0) == sum(balance.fees)
        drafts = []
        match attempt.what:
            case "fee":
                drafts = [fee(loan, attempt.amount)]
            case "two fees":
                drafts = [fee(loan, attempt.amount), fee(loan, attempt.amount)]
            case "bug":
                raise ZeroDivisionError
            case "device":
                drafts = [device(person, f"d{attempt.amount}")]
            case "party":
                drafts = [party(person, name=f"n{attempt.amount}")]
            case "erase":
                drafts = [erased(person)]
        amounts = [each.body.amount_minor for each in drafts if isinstance(each.body, FeeCharged)]
        if sum(balance.fees) + sum(amounts) > LIMIT:
            raise Conflict("over the limit")
        return Accepted(drafts, said)

    return Command(
        attempt.tenant,
        run,
        idempotency=once(attempt.key, attempt.body) if attempt.key else None,
        seal_answer_for=person if attempt.what == "device" else None,
    )


def _same(outcome: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return isinstance(outcome, Answer) and [each["known_seq"] for each in outcome.value] == expected
    return type(outcome) is expected


def _check(h: House, models: dict[str, Model]) -> None:
    reader = h.journal.reader()
    for tenant, model in models.items():
        events = list(reader.events(tenant))
        assert [event.known_seq for event in events] == list(range(len(model.events)))
        for event, (kind, value) in zip(events, model.events, strict=True):
            body = event.body
            if isinstance(body, FeeCharged):
                assert (kind, value) == ("fee", (body.loan_id, body.amount_minor))
            elif isinstance(body, DeviceSeen):
                shown = None if value[0] in model.erased else f"d{value[1]}"
                assert (kind, shown) == ("device", body.device_id)
            elif isinstance(body, PartyRegistered):
                shown = None if value[0] in model.erased else f"n{value[1]}"
                assert (kind, shown) == ("party", body.name)
        versions: dict[str, int] = {}
        for event in events:
            versions[event.stream] = versions.get(event.stream, 0) + 1
            assert event.stream_version == versions[event.stream]
        signed = Checkpoint.parse(open_note(h.journal.checkpoint(tenant), [SIGNER.verifier]).text)
        leaves = [entry.computed_leaf() for entry in reader.entries(tenant)]
        assert (signed.size, signed.root) == (len(leaves), root_of(leaves))
        loans = reader.query("SELECT loan, fees_minor, fees FROM p_loan WHERE tenant = ?", (tenant,))
        assert {row["loan"]: (row["fees_minor"], row["fees"]) for row in loans} == {
            loan: (sum(model.fees(loan)), len(model.fees(loan))) for loan in "ab" if model.fees(loan)
        }
        devices = reader.query(
            "SELECT person FROM p_person_device WHERE tenant = ? AND device IS NOT NULL", (tenant,)
        )
        assert not {row["person"] for row in devices} & {f"p{name}" for name in model.erased}


@settings(max_examples=40)
@given(steps=steps, group_limit=st.sampled_from([1, 3, 1024]))
def test_the_journal_is_a_list_of_events_that_nothing_disturbs(steps: list[Any], group_limit: int) -> None:
    models = {tenant: Model() for tenant in TENANTS}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        opened = house(directory, group_limit=group_limit)
        h = opened.__enter__()
        try:
            for step in steps:
                if step == "reopen":
                    opened.__exit__(None, None, None)
                    opened = house(directory, group_limit=group_limit)
                    h = opened.__enter__()
                elif step == "rebuild":
                    h.journal.rebuild()
                else:
                    outcomes = h.journal.submit_many([_command(attempt) for attempt in step]).result(60)
                    for attempt, outcome in zip(step, outcomes, strict=True):
                        expected = models[attempt.tenant].expect(attempt)
                        assert _same(outcome, expected), (attempt, outcome, expected)
            _check(h, models)
        finally:
            opened.__exit__(None, None, None)


@given(
    text=st.text(max_size=30),
    number=st.integers(-(2**53), 2**53),
    nested=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(alphabet="abc.", max_size=4), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)
@settings(max_examples=40)
def test_whatever_fits_the_profile_is_read_back_as_it_was(text: str, number: int, nested: Any) -> None:
    from obligor.events import AlertRaised

    body = AlertRaised(
        alert_id="a",
        kind=text,
        severity="info",
        dedupe_key="k",
        person_id="p1",
        loan_id=None,
        amount_minor=number,
        currency=None,
        monitor="m",
        monitor_version="1",
        evidence={"nested": nested, "text": text},
    )
    live: list[Any] = []
    with tempfile.TemporaryDirectory() as name, house(Path(name)) as h:
        h.do(draft("alert/a", body, subjects=("p1",)), answer=live.extend)
        read = h.journal.reader().at(TENANT, 0)
        entry = h.journal.reader().entry(TENANT, 0)
    assert read == live[0]
    assert read.body == body
    assert entry.computed_leaf() == entry.leaf
