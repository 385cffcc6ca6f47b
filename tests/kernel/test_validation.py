"""Decoding: everything that is wrong is named, and nothing is coerced."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from obligor.kernel import (
    AmountMinor,
    AwareTime,
    Currency,
    Day,
    Fact,
    Ident,
    InvalidInput,
    Malformed,
    NonNegativeMinor,
    Text,
    decode,
)


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reference: Ident | None = None
    name: Text | None = None
    born_on: Day | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    person: Person
    amount_minor: AmountMinor
    currency: Currency
    fee_minor: NonNegativeMinor = 0
    at: AwareTime | None = None
    fields: dict[str, Fact] = {}
    tags: list[Ident] = []
    history: tuple[Person, ...] = ()


class Circle(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    radius: int


class Square(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    side: int


class Drawing(msgspec.Struct):
    shapes: list[Circle | Square]


GOOD: dict[str, Any] = {"person": {"reference": "P-1"}, "amount_minor": 5000, "currency": "CNY"}


def _violations(data: Any, kind: Any = Request) -> dict[str, tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        decode(data, kind)
    return {violation.field: (violation.value, violation.accepted) for violation in refusal.value.violations}


def test_a_good_request_is_decoded_from_bytes_or_values() -> None:
    data = msgspec.json.encode(GOOD)
    assert decode(data, Request) == decode(GOOD, Request)
    assert decode(GOOD, Request).person.reference == "P-1"


def test_every_violation_is_listed_with_field_value_and_what_would_do() -> None:
    found = _violations(
        {
            "person": {"reference": "has space", "born_on": "1850-01-01", "nick": "x"},
            "amount_minor": -5,
            "currency": "ABC",
            "fee_minor": 1.5,
            "at": "2026-01-01T00:00:00",
            "fields": {"ok": 1, "bad": 1.5, "worse": [1]},
            "tags": ["fine", "not fine"],
            "history": [{}, {"name": 7}],
            "surprise": 1,
        }
    )
    assert set(found) == {
        "person.reference", "person.nick", "amount_minor", "currency", "fee_minor", "at", "fields.bad",
        "fields.worse", "tags[1]", "history[1].name", "surprise",
    }  # fmt: skip
    assert found["amount_minor"] == ("-5", "an integer from 1 to 1000000000000000")
    assert found["fee_minor"][0] == "1.5"
    assert found["currency"] == ('"ABC"', "an ISO 4217 code in capitals, such as EUR")
    assert "zone" in found["at"][1]
    assert found["fields.bad"][1] == "an integer, or true or false, or text, or null"
    assert found["surprise"][1].startswith("one of person, amount_minor")
    assert found["history[1].name"][1].startswith("text of at most 500 characters")


def test_missing_fields_are_listed_too() -> None:
    found = _violations({"currency": "EUR"})
    assert found == {
        "person": ("(missing)", "an object"),
        "amount_minor": ("(missing)", "an integer from 1 to 1000000000000000"),
    }


@pytest.mark.parametrize("data", [[], "text", 5, None])
def test_what_is_no_object_is_refused_as_a_whole(data: Any) -> None:
    assert _violations(data)["$"][1] == "an object"


@pytest.mark.parametrize("amount", [0, -1, 10**15 + 1, 1.0, "5", True, None, 2**70])
def test_an_amount_is_a_positive_integer_of_minor_units(amount: Any) -> None:
    assert list(_violations(GOOD | {"amount_minor": amount})) == ["amount_minor"]


@pytest.mark.parametrize("code", ["eur", "EURO", "XXX", "EUR\n", "", 978, "ZZZ"])
def test_only_active_currencies_are_accepted(code: Any) -> None:
    assert list(_violations(GOOD | {"currency": code})) == ["currency"]


@pytest.mark.parametrize("name", ["", " ", "a b", "a" * 129, "é", "a\n", "a\x00"])
def test_an_identifier_has_a_narrow_alphabet(name: str) -> None:
    assert list(_violations(GOOD | {"tags": [name]})) == ["tags[0]"]


@pytest.mark.parametrize("name", ["x" * 501, "nul\x00"])
def test_text_is_bounded(name: str) -> None:
    assert list(_violations(GOOD | {"person": {"name": name}})) == ["person.name"]
    assert decode(GOOD | {"person": {"name": "陈" * 500}}, Request)


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-01T00:00:00",
        "2026-01-01",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        1767225600,
    ],
)
def test_a_time_has_a_zone_and_a_plausible_year(at: Any) -> None:
    found = _violations(GOOD | {"at": at})
    assert list(found) == ["at"]


@pytest.mark.parametrize(
    "day", ["1899-12-31", "2201-01-01", "2026-02-29", "2026-1-1", "10000-01-01", "today"]
)
def test_a_date_is_a_date_of_a_plausible_year(day: str) -> None:
    assert list(_violations(GOOD | {"person": {"born_on": day}})) == ["person.born_on"]
    assert list(_violations(GOOD | {"history": [{"born_on": day}]})) == ["history[0].born_on"]


def test_times_are_turned_to_utc() -> None:
    at = decode(GOOD | {"at": "2026-01-01T07:30:00+08:00"}, Request).at
    assert at == datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    assert at is not None
    assert at.tzinfo is UTC


def test_values_that_are_typed_already_are_held_to_the_same_rules() -> None:
    class Bare(msgspec.Struct):
        at: datetime
        days: list[date] = []

    zone = timezone(timedelta(hours=-5))
    assert decode({"at": datetime(2026, 1, 1, tzinfo=zone)}, Bare).at.tzinfo is UTC
    assert list(_violations({"at": datetime(2026, 1, 1)}, Bare)) == ["at"]  # noqa: DTZ001
    days = [date(2026, 1, 1), date(1, 1, 1)]
    assert list(_violations({"at": "2026-01-01T00:00:00Z", "days": days}, Bare)) == ["days[1]"]


def test_one_of_several_shapes_is_told_by_its_tag() -> None:
    shapes = [{"type": "Circle", "radius": 1}, {"type": "Square", "side": "x", "extra": 1}]
    assert set(_violations({"shapes": shapes}, Drawing)) == {"shapes[1].side", "shapes[1].extra"}
    assert list(_violations({"shapes": [{"type": "Blob"}]}, Drawing)) == ["shapes[0]"]


def test_scalars_and_containers_decode_without_a_struct() -> None:
    assert decode(b"[1,2]", list[int]) == [1, 2]
    assert set(_violations(b'[1,"x",2.5]', list[int])) == {"[1]", "[2]"}
    assert list(_violations(5, date)) == ["$"]


def test_bytes_pass_the_guard_first() -> None:
    with pytest.raises(Malformed):
        decode(b'{"amount_minor":NaN}', Request)
    with pytest.raises(InvalidInput, match="amount_minor"):
        decode(b'{"amount_minor":1,"amount_minor":2}', Request)


def test_the_detail_of_a_refusal_names_fields_and_no_values() -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode(GOOD | {"person": {"reference": "secret name"}}, Request)
    assert "person.reference" in refusal.value.detail
    assert "secret" not in refusal.value.detail


def test_the_number_of_violations_is_bounded() -> None:
    assert len(_violations(GOOD | {"tags": ["a b"] * 5000})) == 100
