"""The journal against a model of it, a list of events and a few dictionaries.

Over both stores; opened again, built again, and stopped at any of its failpoints.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from obligor.events import DeviceSeen, FeeCharged, PartyRegistered
from obligor.journal import Accepted, Answer, Command, View
from obligor.journal.group import Group
from obligor.journal.sqlite_store import SqliteStore
from obligor.journal.store import WrongStatement
from obligor.kernel import Conflict, Gone, KeyReused, Unavailable, failpoints
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
from tests.postgres import fresh_database

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
groups = st.lists(attempts, min_size=1, max_size=9)
stops = st.sampled_from(
    [name for name in failpoints.NAMES if name.startswith(("group.", "keys.", "checkpoints.", "erasure."))]
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


class Stopped(BaseException):
    """The writer's thread ends here, whatever it was doing."""


class JournalMachine(RuleBasedStateMachine):
    """A journal beside what it should be. `place` gives its database's URL, or None for its directory."""

    def __init__(self, place: Callable[[], Any]) -> None:
        super().__init__()
        self._things = ExitStack()
        self._directory = Path(self._things.enter_context(tempfile.TemporaryDirectory()))
        self._store = self._things.enter_context(place())
        self._models = {tenant: Model() for tenant in TENANTS}
        self._group_limit = 1
        self._open: Any = None
        self._house: House

    @initialize(group_limit=st.sampled_from([1, 3, 1024]))
    def begin(self, group_limit: int) -> None:
        self._group_limit = group_limit
        self._enter()

    def _enter(self) -> None:
        self._open = house(self._directory, store=self._store, group_limit=self._group_limit)
        self._house = self._open.__enter__()

    def _leave(self) -> None:
        opened, self._open = self._open, None
        opened.__exit__(None, None, None)

    @rule(group=groups)
    def submit(self, group: list[Attempt]) -> None:
        outcomes = self._submit(group)
        for attempt, outcome in zip(group, outcomes, strict=True):
            expected = self._models[attempt.tenant].expect(attempt)
            assert _same(outcome, expected), (attempt, outcome, expected)

    @rule()
    def open_again(self) -> None:
        self._leave()
        self._enter()
        _check(self._house, self._models)

    @rule()
    def build_again(self) -> None:
        self._house.journal.rebuild()

    @rule(group=groups, stop=stops)
    def stop_within(self, group: list[Attempt], stop: str) -> None:
        """The writer stops at a failpoint: what it did is the effect of the first few attempts, or of all."""
        failpoints.arm(_stopping_at(stop))
        try:
            outcomes = self._submit(group)
        except Unavailable:
            outcomes = []
        finally:
            failpoints.disarm()
        told = [outcome for outcome in outcomes if not isinstance(outcome, Unavailable)]
        self._leave()
        self._enter()
        # Those that were told are done; of the others, again, any number of the first.
        again = self._submit(group)
        possible = []
        for done in range(len(told), len(group) + 1):
            models = copy.deepcopy(self._models)
            first = [models[each.tenant].expect(each) for each in group[:done]]
            second = [models[each.tenant].expect(each) for each in group]
            if all(map(_same, told, first)) and all(map(_same, again, second)):
                possible.append(models)
        assert possible, (stop, group, told, again)
        self._models = next((each for each in possible if self._fits(each)), possible[0])
        _check(self._house, self._models)

    def _fits(self, models: dict[str, Model]) -> bool:
        reader = self._house.journal.reader()
        return all(reader.size(tenant) == len(model.events) for tenant, model in models.items())

    def _submit(self, group: list[Attempt]) -> list[Any]:
        return self._house.journal.submit_many([_command(attempt) for attempt in group]).result(60)

    def teardown(self) -> None:
        try:
            if self._open is not None:
                _check(self._house, self._models)
                self._leave()
        finally:
            self._things.close()


def _stopping_at(stop: str) -> Callable[[str], None]:
    def reached(name: str) -> None:
        if name == stop:
            raise Stopped

    return reached


@contextmanager
def _in_its_directory() -> Iterator[None]:
    yield None


@pytest.mark.parametrize(
    ("store", "examples"),
    [
        ("sqlite", 20),
        ("postgresql", 6),
        pytest.param("sqlite", 1_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
        pytest.param("postgresql", 200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
    ],
)
def test_the_journal_is_a_list_of_events_that_nothing_disturbs(
    store: str, examples: int, request: pytest.FixtureRequest
) -> None:
    def place() -> Any:
        if store == "sqlite":
            return _in_its_directory()
        return fresh_database(request.getfixturevalue("postgres_server"))

    run_state_machine_as_test(
        lambda: JournalMachine(place), settings=settings(max_examples=examples, stateful_step_count=8)
    )


def _forgets_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = Group._keep
    monkeypatch.setattr(Group, "_keep", lambda self, view, command, _answer: keep(self, view, command, None))


def _answers_before_it_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    commit, begin = SqliteStore.commit, SqliteStore.begin

    def begin_after(self: SqliteStore, tenants: Any = None) -> None:
        if self._connection.in_transaction:
            commit(self)
        begin(self, tenants)

    monkeypatch.setattr(SqliteStore, "commit", lambda _self: None)
    monkeypatch.setattr(SqliteStore, "begin", begin_after)


@pytest.mark.parametrize("plant", [_forgets_answers, _answers_before_it_commits])
def test_a_journal_with_a_planted_bug_is_disturbed(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    # The first failure will do: nobody needs the shortest.
    once_over = settings(max_examples=100, stateful_step_count=8, phases=[Phase.generate], database=None)
    # What was never committed is missed as a row, or with the whole table.
    with pytest.raises((AssertionError, WrongStatement)):
        run_state_machine_as_test(lambda: JournalMachine(_in_its_directory), settings=once_over)


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
