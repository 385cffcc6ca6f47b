"""What holds of the ground for all values."""

import json
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from obligor.kernel import (
    BUSINESS_DAY_RULES,
    DAY_COUNTS,
    EXPONENTS,
    MAX_INTEGER,
    AmountMinor,
    AwareTime,
    Day,
    InvalidInput,
    Text,
    Violation,
    add_months,
    business_day,
    day_fraction,
    decode,
    encode,
    format_minor,
    is_business_day,
    parse,
    round_half_even,
    split,
    to_minor,
    uuid7,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=40,
)
ANYTHING = st.recursive(
    SCALARS | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DATES = st.dates(date(1950, 1, 1), date(2150, 12, 31))


# ---- canonical bytes


@given(VALUES)
@example({"\x7f": "\x7f\x80\u2028", "\x00": [-MAX_INTEGER, MAX_INTEGER], "": {}})
def test_canonical_bytes_are_those_of_another_implementation_of_rfc_8785(value: Any) -> None:
    if _largest(value) < MAX_INTEGER:  # the other one stops one short of 2^53
        assert encode(value) == rfc8785.dumps(value)


def _largest(value: Any) -> int:
    if isinstance(value, dict | list):
        return max(map(_largest, value.values() if isinstance(value, dict) else value), default=0)
    return abs(value) if isinstance(value, int) else 0


@given(VALUES)
def test_canonical_bytes_are_read_back_as_the_value_they_were_made_of(value: Any) -> None:
    assert parse(encode(value)) == value
    assert encode(parse(encode(value))) == encode(value)


@given(VALUES)
def test_another_order_of_keys_gives_the_same_bytes(value: Any) -> None:
    assert encode(_turned(value)) == encode(value)


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(item) for key, item in reversed(value.items())}
    return [_turned(item) for item in value] if isinstance(value, list) else value


@given(ANYTHING)
def test_a_value_is_either_written_as_rfc_8785_does_or_refused(value: Any) -> None:
    try:
        written = encode(value)
    except InvalidInput:
        return
    if _largest(value) < MAX_INTEGER:
        assert written == rfc8785.dumps(value)


@given(VALUES, st.integers(0, 3))
def test_the_guard_reads_any_json_as_the_standard_library_does(value: Any, indent: int) -> None:
    for ascii_ in (True, False):
        data = json.dumps(value, indent=indent, ensure_ascii=ascii_).encode()
        assert parse(data, max_depth=1000) == value


@given(st.binary(max_size=40))
def test_the_guard_answers_any_bytes_with_a_value_or_a_refusal(data: bytes) -> None:
    try:
        parse(data)
    except InvalidInput:
        return
    json.loads(data)


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Text | None = None
    born_on: Day | None = None


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    party: Party
    amount_minor: AmountMinor
    at: AwareTime
    facts: dict[str, int | bool | str | None] = {}
    parties: list[Party] = []


GOOD: dict[str, Any] = {
    "party": {"name": "x", "born_on": "1990-02-28"},
    "amount_minor": 5,
    "at": "2026-01-01T08:00:00+08:00",
    "facts": {"a": 1},
    "parties": [{}, {"name": "y"}],
}
PLACES: list[tuple[str | int, ...]] = [
    (), ("party",), ("party", "name"), ("party", "born_on"), ("amount_minor",), ("at",), ("facts",),
    ("facts", "a"), ("parties",), ("parties", 1), ("parties", 1, "name"), ("extra",), ("party", "extra"),
]  # fmt: skip


@given(st.sampled_from(PLACES), st.sampled_from(PLACES), ANYTHING, ANYTHING)
def test_every_value_that_does_not_fit_is_named_by_its_path(
    one: tuple[str | int, ...], other: tuple[str | int, ...], value: Any, another: Any
) -> None:
    if other[: len(one)] == one or one[: len(other)] == other:
        other = one
    request = _put(_put(GOOD, one, value), other, another if other != one else value)
    places = {".".join(map(str, place)).replace(".1", "[1]") for place in (one, other)}
    for violation in _violations(request):
        assert violation.field == "$" or violation.field.startswith(tuple(places))
        assert violation.accepted


def _violations(request: Any) -> tuple[Violation, ...]:
    try:
        decode(request, Asked)
    except InvalidInput as refusal:
        return refusal.violations or pytest.fail("a refusal without a violation")
    return ()


def _put(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    if not place:
        return new
    first, rest = place[0], place[1:]
    if isinstance(value, list):
        return [_put(item, rest, new) if index == first else item for index, item in enumerate(value)]
    return {**value, first: _put(value.get(first), rest, new)}


# ---- money


@given(st.integers(-(10**30), 10**30), st.integers(-(10**12), 10**12).filter(bool))
def test_rounding_to_even_is_that_of_exact_fractions(n: int, d: int) -> None:
    assert round_half_even(n, d) == round(Fraction(n, d))


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(any))
def test_shares_sum_to_the_total_and_none_is_off_by_a_unit(total: int, weights: list[int]) -> None:
    shares = split(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * whole - total * weight) < whole
        assert share == 0 or weight > 0


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_that_is_shown_is_read_back(amount: int, code: str) -> None:
    assert to_minor(format_minor(amount, code).replace(",", ""), code) == amount


# ---- the calendar


@given(DATES, DATES, st.sampled_from(DAY_COUNTS))
def test_a_fraction_of_a_year_is_near_the_days_by_365(one: date, other: date, convention: str) -> None:
    start, end = sorted((one, other))
    numerator, denominator = day_fraction(start, end, convention)
    days = (end - start).days
    assert abs(Fraction(numerator, denominator) - Fraction(days, 365)) <= Fraction(days, 60) * Fraction(
        1, 360
    ) + (Fraction(3, 360))


@given(DATES, st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(["ACT/360", "ACT/365", "ACT/ACT"]))
def test_actual_day_counts_add_up_over_adjoining_periods(
    start: date, n: int, m: int, convention: str
) -> None:
    middle, end = start + timedelta(n), start + timedelta(n + m)
    whole = day_fraction(start, end, convention)
    parts = [day_fraction(start, middle, convention), day_fraction(middle, end, convention)]
    assert sum(Fraction(*part) for part in parts) == Fraction(*whole)


@given(DATES, st.integers(1, 600), st.sampled_from(["30/360", "30E/360"]))
def test_twelve_months_of_thirty_days_are_a_year(start: date, n: int, convention: str) -> None:
    first = start.replace(day=min(start.day, 28))
    assert Fraction(*day_fraction(first, add_months(first, n), convention)) == Fraction(n, 12)


@given(DATES, st.integers(-600, 600))
def test_months_land_in_the_month_and_never_past_the_anchor(d: date, n: int) -> None:
    later = add_months(d, n)
    assert (later.year - d.year) * 12 + later.month - d.month == n
    assert later.day == d.day or (later.day < d.day and (later + timedelta(1)).day == 1)


@given(DATES, st.sets(DATES, max_size=20), st.sampled_from(BUSINESS_DAY_RULES))
def test_a_business_day_rule_leaves_business_days_and_finds_one(d: date, some: set[date], rule: str) -> None:
    holidays = frozenset(some | {d + timedelta(1)})
    moved = business_day(d, rule, holidays)
    if rule == "unadjusted" or is_business_day(d, holidays):
        assert moved == d
    else:
        assert is_business_day(moved, holidays)
        between = range(1, abs((moved - d).days))
        step = 1 if moved > d else -1
        assert not any(is_business_day(d + step * timedelta(n), holidays) for n in between)
    if rule == "modified_following":
        assert moved.month == d.month


# ---- ids

TIMES = st.integers(0, 7_258_118_400_000_000).map(lambda n: EPOCH + timedelta(microseconds=n))


@given(TIMES, st.binary(min_size=10, max_size=10))
def test_an_id_tells_the_millisecond_it_was_made_in(at: datetime, entropy: bytes) -> None:
    milliseconds = int(uuid7(at, entropy).replace("-", "")[:12], 16)
    assert EPOCH + timedelta(milliseconds=milliseconds) <= at
    assert at - EPOCH < timedelta(milliseconds=milliseconds + 1)


def test_the_other_implementation_refuses_what_ours_refuses() -> None:
    for value in ({"a": float("nan")}, {"a": "\ud800"}, {"a": 2**53 + 1}):
        with pytest.raises(InvalidInput):
            encode(value)
        with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
            rfc8785.dumps(value)
