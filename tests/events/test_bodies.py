"""What every event type promises: a class for each field, and silence where a class was erased."""

from typing import Annotated, ClassVar

import msgspec
import pytest

from obligor.events import BODIES, UPCASTERS, FieldClass, body_type, classes_of, join, read, registry, split
from obligor.events.classes import IDENTITY
from obligor.kernel import Body, Conflict, Corrupted, encode
from tests.events.samples import sample

ERASABLE = {FieldClass.IDENTITY, FieldClass.CONDUCT}
# Defaults that say nothing: they are the same for everybody.
SILENT = (None, 0, (), [], {})
EVERY = pytest.mark.parametrize("body", BODIES.values(), ids=lambda body: body.TYPE)


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def test_the_catalogue_has_each_body_under_its_own_type() -> None:
    assert all(name == body.TYPE for name, body in BODIES.items())
    assert len(BODIES) >= 40


@EVERY
def test_every_field_has_a_class(body: type[Body]) -> None:
    assert set(classes_of(body)) == set(body.__struct_fields__)


def test_a_field_without_a_class_is_found() -> None:
    class Careless(Body, frozen=True, kw_only=True):
        TYPE: ClassVar[str] = "careless"
        SCHEMA: ClassVar[int] = 1
        name: str = ""

    with pytest.raises(TypeError, match=r"Careless\.name"):
        classes_of(Careless)


@EVERY
def test_every_field_that_can_be_erased_has_a_default_that_says_nothing(body: type[Body]) -> None:
    classes = classes_of(body)
    for field in msgspec.structs.fields(body):
        if classes[field.name] in ERASABLE:
            assert not field.required, f"{body.TYPE}.{field.name} cannot be left out"
            assert _default(field) in SILENT, f"{body.TYPE}.{field.name}"


@EVERY
def test_a_body_is_about_persons_or_about_none(body: type[Body]) -> None:
    assert {FieldClass.OPEN} == set(classes_of(body).values()) or FieldClass.OPEN not in classes_of(
        body
    ).values()


@EVERY
def test_a_body_survives_being_split_by_class_and_joined(body: type[Body]) -> None:
    told = sample(body)
    assert join(body.TYPE, body.SCHEMA, split(told)) == told


@EVERY
def test_a_body_can_be_read_after_everything_erasable_was_erased(body: type[Body]) -> None:
    told = sample(body)
    kept = {kind: part for kind, part in split(told).items() if kind not in ERASABLE}
    read = join(body.TYPE, body.SCHEMA, kept)
    for field in msgspec.structs.fields(body):
        gone = classes_of(body)[field.name] in ERASABLE
        assert getattr(read, field.name) == (_default(field) if gone else getattr(told, field.name))


@EVERY
def test_what_is_read_from_canonical_json_is_what_its_parts_join_to(body: type[Body]) -> None:
    parts = split(sample(body))
    assert [*parts] == sorted(parts)
    for kept in (parts, {kind: part for kind, part in parts.items() if kind not in ERASABLE}):
        texts = {kind: encode(part) for kind, part in kept.items()}
        assert read(body.TYPE, body.SCHEMA, texts) == join(body.TYPE, body.SCHEMA, kept)


def test_an_older_schema_is_read_through_its_upcasters(monkeypatch: pytest.MonkeyPatch) -> None:
    told = sample(body_type("fee.charged"))
    parts = split(told)
    texts = {
        kind: encode({"cause" if n == "kind" else n: v for n, v in part.items()})
        for kind, part in parts.items()
    }
    upcast = {
        ("fee.charged", 0): lambda fields: {"kind" if n == "cause" else n: v for n, v in fields.items()}
    }
    monkeypatch.setattr(registry, "UPCASTERS", {**UPCASTERS, **upcast})
    assert read("fee.charged", 0, texts) == told


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b'{"amount_minor":1', b'{"amount_minor":"1"}', b'x"a":1}']
)
def test_what_is_no_such_body_is_corrupted_however_its_parts_stand_together(text: bytes) -> None:
    with pytest.raises(Corrupted):
        read("fee.charged", 1, {FieldClass.MONEY: text})
    with pytest.raises(Corrupted):
        read("fee.charged", 1, {FieldClass.CONDUCT: b'{"kind":"late"}', FieldClass.MONEY: text})


@EVERY
def test_no_body_takes_a_float(body: type[Body]) -> None:
    assert "'type': 'number'" not in str(msgspec.json.schema(body))


@EVERY
def test_an_unknown_field_is_refused(body: type[Body]) -> None:
    parts = split(sample(body))
    next(iter(parts.values()))["surprise"] = 1
    with pytest.raises(Corrupted, match="surprise"):
        join(body.TYPE, body.SCHEMA, parts)


def test_what_this_release_does_not_know_is_refused() -> None:
    with pytest.raises(Conflict, match=r"loan\.forgotten"):
        body_type("loan.forgotten")
    with pytest.raises(Conflict, match="schema 2"):
        join("offer.accepted", 2, {})


def test_the_class_of_a_field_is_found_among_other_metadata() -> None:
    class Marked(Body, frozen=True, kw_only=True):
        TYPE: ClassVar[str] = "marked"
        SCHEMA: ClassVar[int] = 1
        name: Annotated[str | None, msgspec.Meta(description="a name"), IDENTITY] = None

    assert classes_of(Marked) == {"name": FieldClass.IDENTITY}
