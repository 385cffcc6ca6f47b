"""Bytes that were once written are read for ever, through every schema since."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from obligor.events import BODIES, UPCASTERS, FieldClass, join, registry, split
from obligor.events.classes import CONDUCT, MONEY
from obligor.kernel import Body, digest, encode
from tests.events.samples import GOLDEN, golden_path

CORPUS = sorted(GOLDEN.glob("*.json"))
EVERY = pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)


def _read(path: Path) -> tuple[str, int, dict[FieldClass, dict[str, Any]]]:
    told = msgspec.json.decode(path.read_bytes())
    return told["type"], told["schema"], {FieldClass(kind): part for kind, part in told["parts"].items()}


@EVERY
def test_golden_bytes_decode(path: Path) -> None:
    name, schema, parts = _read(path)
    body = join(name, schema, parts)
    assert type(body) is BODIES[name]
    assert path == golden_path(name, schema)


@EVERY
def test_golden_bytes_of_the_present_schema_are_written_again_to_the_bit(path: Path) -> None:
    name, schema, parts = _read(path)
    if schema == BODIES[name].SCHEMA:
        again = {"type": name, "schema": schema, "parts": split(join(name, schema, parts))}
        assert encode(again) == path.read_bytes()


def test_every_schema_there_ever_was_has_golden_bytes() -> None:
    """Write what is missing with `python -m tests.events.samples`, before a schema is first used."""
    wanted = {golden_path(name, n + 1) for name, body in BODIES.items() for n in range(body.SCHEMA)}
    assert wanted <= set(CORPUS)


def test_golden_bytes_are_never_changed() -> None:
    """A new file gets a new line in SHA256SUMS; a line that is there stays as it is."""
    lines = (GOLDEN / "SHA256SUMS").read_text().splitlines()
    listed = {name: sum_ for sum_, name in (line.split("  ") for line in lines)}
    assert listed == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in CORPUS}


def test_every_old_schema_has_its_upcaster() -> None:
    wanted = {(name, step) for name, body in BODIES.items() for step in range(1, body.SCHEMA)}
    assert set(UPCASTERS) == wanted


class MoodReported(Body, frozen=True, kw_only=True):
    """A type made up here. Schema 1 had `mood` as text; 2 counted it; 3 renamed that and added a source."""

    TYPE: ClassVar[str] = "mood.reported"
    SCHEMA: ClassVar[int] = 3
    person_id: Annotated[str, MONEY]
    source: Annotated[str, MONEY]
    mood_points: Annotated[int, CONDUCT] = 0


def _count(fields: dict[str, Any]) -> dict[str, Any]:
    if "mood" in fields:
        return {**fields, "mood": len(fields["mood"])}
    return fields


def _rename(fields: dict[str, Any]) -> dict[str, Any]:
    renamed = {"mood_points" if name == "mood" else name: value for name, value in fields.items()}
    return {**renamed, "source": "unknown"}


@pytest.fixture
def moods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BODIES", {**BODIES, MoodReported.TYPE: MoodReported})
    steps = {(MoodReported.TYPE, 1): _count, (MoodReported.TYPE, 2): _rename}
    monkeypatch.setattr(registry, "UPCASTERS", {**UPCASTERS, **steps})


@pytest.mark.usefixtures("moods")
@pytest.mark.parametrize(
    ("schema", "money", "conduct"),
    [
        (1, {"person_id": "p"}, {"mood": "good"}),
        (2, {"person_id": "p"}, {"mood": 4}),
        (3, {"person_id": "p", "source": "unknown"}, {"mood_points": 4}),
    ],
)
def test_each_schema_is_read_as_the_present_one(
    schema: int, money: dict[str, Any], conduct: dict[str, Any]
) -> None:
    parts = {FieldClass.MONEY: money, FieldClass.CONDUCT: conduct}
    before = digest(parts)
    read = join("mood.reported", schema, parts)
    assert read == MoodReported(person_id="p", source="unknown", mood_points=4)
    assert digest(parts) == before, "upcasting changed what was stored"


@pytest.mark.usefixtures("moods")
def test_an_old_schema_whose_conduct_was_erased_is_read_too() -> None:
    read = join("mood.reported", 1, {FieldClass.MONEY: {"person_id": "p"}})
    assert read == MoodReported(person_id="p", source="unknown")
