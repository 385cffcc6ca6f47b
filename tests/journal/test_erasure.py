"""What is left of a person who was erased: money, proofs, and no word more in any file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from obligor.events import BODIES, FieldClass, classes_of
from obligor.journal import Accepted, FileKeys, Vault, View, open_reader
from obligor.kernel import Body, Gone, InvalidInput, InvariantBroken
from obligor.proof import Checkpoint, open_note, root_of, verify_inclusion
from tests.journal.places import rows_of, words_in_files
from tests.journal.support import (
    SIGNER,
    TENANT,
    House,
    backend_at,
    blind,
    cap,
    command,
    device,
    draft,
    erased,
    fee,
    house,
    party,
    running,
    said,
    vault_at,
)

CANARY = "kanarienvogel"
SECRET = {FieldClass.IDENTITY, FieldClass.CONDUCT}


def _value(name: str, annotation: str, path: str) -> Any:
    """A value for a field: a canary where a text, list or object can hold one."""
    canary = f"{CANARY}-{path}"
    if name == "born_on" or annotation == "date":
        return date(1990, 1, 1)
    if "dict" in annotation:
        return {"key": canary, "n": 7}
    if "tuple" in annotation or "list" in annotation:
        return [canary]
    return canary if "str" in annotation else 7


def canaried(kind: type[Body]) -> Body:
    """A body with a canary in every field of identity or conduct that can hold text."""
    classes = classes_of(kind)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        sort = msgspec.inspect.type_info(field.type)
        inner = sort.type if isinstance(sort, msgspec.inspect.Metadata) else sort
        if classes[field.name] in SECRET:
            fields[field.name] = _value(field.name, str(field.type), f"{kind.TYPE}.{field.name}")
        elif field.required:
            fields[field.name] = "p1" if field.name == "person_id" else _plain(inner)
    return msgspec.convert(msgspec.to_builtins(fields), kind)


def _plain(sort: Any) -> Any:
    inspect = msgspec.inspect
    plain = {
        inspect.StrType: "x",
        inspect.IntType: 1,
        inspect.BoolType: True,
        inspect.DateType: "2026-03-01",
        inspect.DateTimeType: "2026-03-01T00:00:00Z",
        inspect.DictType: {},
        inspect.ListType: [],
        inspect.VarTupleType: [],
        inspect.UnionType: None,
    }
    if isinstance(sort, inspect.StructType):
        return {field.name: _plain(field.type) for field in sort.fields if field.required}
    return plain[type(sort)]


SECRET_KINDS = [
    kind
    for kind in BODIES.values()
    if SECRET & set(classes_of(kind).values()) and kind.TYPE != "person.erased"
]


def _fill(h: House) -> None:
    drafts = [draft(f"all/{kind.TYPE}", canaried(kind), subjects=("p1",)) for kind in SECRET_KINDS]
    h.do(*drafts)
    identity = {
        name: f"{CANARY}-{name}" for name in ("name", "phone", "national_id", "email", "address", "reference")
    }
    h.do(party("p1", **identity), device("p1", f"{CANARY}-device"))
    h.do(fee("l1", 100, source_ref="ab"), fee("l1", 20))
    h.do(fee("l2", 7, person="p2"), party("p2", name="Li"))
    h.do(key=f"{CANARY}-key", answer=lambda _: {"said": f"{CANARY}-answer"}, seal_answer_for="p1")


def test_canaries_are_in_every_event_type_with_secrets() -> None:
    assert len(SECRET_KINDS) >= 15
    for kind in SECRET_KINDS:
        assert CANARY.encode() in msgspec.json.encode(canaried(kind)), kind


def test_no_file_holds_a_word_of_an_erased_person(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        _fill(h)
        reader = h.journal.reader()
        # The controls: it can be read before, and a table of names does hold it in clear.
        read = msgspec.json.encode([event.body for event in reader.events(TENANT, subject="p1")])
        assert read.count(CANARY.encode()) > 2 * len(SECRET_KINDS)
        assert words_in_files(tmp_path, store, CANARY.encode())
        h.do(erased("p1"))
        assert words_in_files(tmp_path, store, CANARY.encode()) == set()
        read = msgspec.json.encode([event.body for event in reader.events(TENANT)])
        assert CANARY.encode() not in read
    assert words_in_files(tmp_path, store, CANARY.encode()) == set()


def test_sealed_classes_are_in_no_file_even_before(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store, registry={"projections": ()}) as h:
        _fill(h)
        assert words_in_files(tmp_path, store, CANARY.encode()) == set()
        assert words_in_files(tmp_path, store, b"party.registered")  # the search does find what is there


def test_destroyed_keys_are_in_no_file(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        _fill(h)
        wrapped = [
            row[0]
            for row in rows_of(
                tmp_path,
                store,
                "SELECT wrapped FROM person_key WHERE person = 'p1' AND class <> 'money'",
                file="vault.db",
            )
        ]
        assert len(wrapped) == 2
        assert words_in_files(tmp_path, store, *wrapped)
        h.do(erased("p1"))
        assert words_in_files(tmp_path, store, *wrapped) == set()


def test_money_others_and_proofs_stay(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        _fill(h)
        reader = h.journal.reader()
        before = list(reader.entries(TENANT))
        old = Checkpoint.parse(open_note(h.journal.checkpoint(TENANT), [SIGNER.verifier]).text)
        proofs = [reader.inclusion(TENANT, entry.known_seq, old.size) for entry in before]
        loans = reader.query("SELECT * FROM p_loan ORDER BY loan")
        h.do(erased("p1"))
        after = list(reader.entries(TENANT))
        assert after[: old.size] == before
        assert all(entry.computed_leaf() == entry.leaf for entry in after)
        for entry, proof in zip(before, proofs, strict=True):
            verify_inclusion(entry.known_seq, old.size, entry.leaf, proof, old.root)
        new = Checkpoint.parse(open_note(h.journal.checkpoint(TENANT), [SIGNER.verifier]).text)
        assert new.root == root_of([entry.leaf for entry in after])
        for entry in after:
            proof = reader.inclusion(TENANT, entry.known_seq, new.size)
            verify_inclusion(entry.known_seq, new.size, entry.leaf, proof, new.root)
        assert [event.body.amount_minor for event in reader.events(TENANT, stream="loan/l1")] == [100, 20]
        assert next(reader.events(TENANT, subject="p2", types=["party.registered"])).body.name == "Li"
        assert reader.query("SELECT * FROM p_loan ORDER BY loan") == loans


def test_erased_classes_are_named_and_have_their_defaults(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1", name="Wei", national_id="1101"), device("p1", "phone"))
        h.do(erased("p1", "identity"))
        registered, seen, _ = h.journal.reader().events(TENANT, subject="p1")
    assert (registered.body.name, registered.body.national_id, registered.body.person_id) == (
        None,
        None,
        "p1",
    )
    assert registered.erased == {"identity"}
    assert (seen.body.device_id, seen.erased) == ("phone", frozenset())


def test_what_is_learned_after_the_erasure_is_not_kept(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        h.do(erased("p1"))
        live: list[Any] = []
        h.do(device("p1", "phone"), fee("l1", 5), answer=live.extend)
        read = list(h.journal.reader().events(TENANT, after=1))
        assert read == live
        assert (live[0].body.device_id, live[0].erased) == (None, {"conduct"})
        assert live[1].body.amount_minor == 5
        assert h.vault.key(TENANT, "p1", "conduct") is None
        entry = h.journal.reader().entry(TENANT, 2)
        assert entry.computed_leaf() == entry.leaf


def test_states_memories_and_lookups_forget(tmp_path: Path, store: str | None) -> None:
    def look(view: View) -> Accepted:
        person = view.state("person/p1")
        found = [
            person.name,
            list(person.devices),
            view.memory("totals").devices,
            view.find("national_id", index),
        ]
        return Accepted((), lambda _: found)

    with house(tmp_path, store=store) as h:
        index = blind(h.vault.index_key(TENANT), "1101")
        h.do(party("p1", national_id="1101"), device("p1", "phone"), fee("l1", 1, source_ref="ab"))
        h.do(device("p2", "tablet"))
        assert h.journal.submit(running(look)).result(30).value == [
            "Wei",
            ["phone"],
            {"p1": 1, "p2": 1},
            "p1",
        ]
        h.do(erased("p1"))
        live = h.journal.submit(running(look)).result(30)
        assert live.value == [None, [None], {"p2": 1}, None]
        assert h.journal.reader().find(TENANT, "source_ref", "ab") is not None


def test_an_erasure_ends_its_group_and_the_next_commands_see_it(tmp_path: Path, store: str | None) -> None:
    def look(view: View) -> Accepted:
        return Accepted((), lambda _: view.state("person/p1").name)

    with house(tmp_path, store=store) as h:
        outcomes = h.journal.submit_many(
            [
                command(party("p1")),
                running(look),
                command(erased("p1"), key="k"),
                running(look),
                command(erased("p1"), key="k"),
                command(device("p1", "phone")),
                command(erased("p1", "conduct")),
                running(look),
            ]
        ).result(30)
        assert [outcomes[1].value, outcomes[3].value, outcomes[7].value] == ["Wei", None, None]
        assert outcomes[4].replayed
        assert h.journal.reader().size(TENANT) == 4


@pytest.mark.parametrize("classes", [("money",), ("identity", "money"), ("open",), ("all",)])
def test_money_is_not_erased(tmp_path: Path, store: str | None, classes: tuple[str, ...]) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        with pytest.raises(InvalidInput, match="conduct, identity"):
            h.do(erased("p1", *classes))
        assert h.vault.key(TENANT, "p1", "money") is not None
        assert h.journal.reader().size(TENANT) == 1


def test_nothing_follows_an_erasure_within_its_command(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        with pytest.raises(InvariantBroken):
            h.do(erased("p1"), device("p1", "phone"))
        h.do(device("p1", "phone"), erased("p1"))


def test_somebody_never_seen_can_be_erased_and_never_gets_keys(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(erased("ghost"))
        h.do(party("ghost"))
        assert h.journal.reader().at(TENANT, 1).body.name is None
        assert h.vault.key(TENANT, "ghost", "identity") is None


def test_a_reader_in_another_process_stops_reading_what_was_erased(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        keys = FileKeys(tmp_path / "kek", create=False)
        vault = Vault.open_read_only(vault_at(tmp_path, store), keys)
        reader = open_reader(backend_at(tmp_path, store), vault)
        assert reader.at(TENANT, 0).body.name == "Wei"
        h.do(erased("p1"))
        assert reader.at(TENANT, 0).body.name is None
        reader.close()
        vault.close()


def test_rebuilt_is_live_after_an_erasure(tmp_path: Path, store: str | None) -> None:
    def dump(h: House) -> dict[str, list[dict[str, Any]]]:
        tables = ("p_loan", "p_person", "p_person_device", "lookup")
        return {
            each: h.journal.reader().query(f"SELECT * FROM {each} ORDER BY 1, 2, 3, 4") for each in tables
        }

    with house(tmp_path, store=store) as h:
        _fill(h)
        h.do(erased("p1"))
        h.do(device("p1", "again"), device("p2", "tablet"), fee("l1", 5), cap("c", 1))
        live = dump(h)
        assert all(live[each] for each in ("p_loan", "p_person", "lookup"))
        assert sorted(h.journal.rebuild()) == ["loan", "lookup", "person"]
        assert dump(h) == live
        assert words_in_files(tmp_path, store, CANARY.encode()) == set()


def test_the_answer_to_an_erasure_can_be_kept(tmp_path: Path, store: str | None) -> None:
    with house(tmp_path, store=store) as h:
        h.do(party("p1"))
        first = h.do(erased("p1"), key="k", answer=said)
        assert h.do(erased("p1"), key="k").data == first.data
        h.do(party("p2"))
        h.do(erased("p2"), key="sealed", seal_answer_for="p2")
        with pytest.raises(Gone):
            h.do(erased("p2"), key="sealed", seal_answer_for="p2")
