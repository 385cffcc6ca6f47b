"""Ids: their layout, their order, and that they follow from what they are about."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from obligor.kernel import InvalidInput, derived_id, short, uuid7

AT = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


def test_uuid7_is_laid_out_as_in_the_example_of_rfc_9562() -> None:
    """Appendix A.6: 2022-02-22 14:22:22-05:00, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F."""
    entropy = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10)
    at = datetime(2022, 2, 22, 14, 22, 22, tzinfo=timezone(timedelta(hours=-5)))
    assert uuid7(at, entropy) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@pytest.mark.parametrize("entropy", [b"\0" * 10, b"\xff" * 10])
def test_version_and_variant_stand_whatever_the_entropy(entropy: bytes) -> None:
    read = uuid.UUID(uuid7(AT, entropy))
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert read.int >> 80 == int(AT.timestamp() * 1000)


def test_later_ids_sort_after_earlier_ones() -> None:
    ids = [uuid7(AT + timedelta(milliseconds=n), b"\xff" * 10 if n % 2 else b"\0" * 10) for n in range(100)]
    assert ids == sorted(ids)


def test_all_74_random_bits_reach_the_id() -> None:
    none = int(uuid7(AT, b"\0" * 10).replace("-", ""), 16)
    changed = {none ^ int(uuid7(AT, (1 << bit).to_bytes(10)).replace("-", ""), 16) for bit in range(80)}
    assert len(changed - {0}) == 74


@pytest.mark.parametrize(
    ("at", "entropy"),
    [
        (AT, b"\0" * 9),
        (AT, b"\0" * 16),
        (AT.replace(tzinfo=None), b"\0" * 10),
        (datetime(1969, 12, 31, tzinfo=UTC), b"\0" * 10),
    ],
)
def test_an_id_without_time_or_entropy_is_refused(at: datetime, entropy: bytes) -> None:
    with pytest.raises(InvalidInput):
        uuid7(at, entropy)


def test_derived_ids_follow_from_their_parts_and_nothing_else() -> None:
    assert derived_id("monitor", 1, "x") == derived_id("monitor", 1, "x")
    # printf '["monitor",1,"x"]' | sha256sum gives 9dc396c1ad4a3d55eeab0f0debef333f…
    assert derived_id("monitor", 1, "x") == "9dc396c1-ad4a-8d55-aeab-0f0debef333f"
    parts = [("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), (1,), ("1",), ("1", 1), (11,), ()]
    assert len({derived_id(*some) for some in parts}) == len(parts)
    assert {uuid.UUID(derived_id(*some)).version for some in parts} == {8}


def test_short_ids_are_eight_letters_that_nobody_misreads() -> None:
    shown = {short(uuid7(AT, n.to_bytes(10))) for n in range(200)}
    assert len(shown) == 200
    assert all(len(one) == 8 and not set(one) & set("ILOU") for one in shown)
    assert short("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == "1G60EECF"
    assert short("P-448210") == "P-448210"
