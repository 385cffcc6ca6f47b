"""The tree of errors."""

from itertools import pairwise

import pytest

from obligor import kernel
from obligor.kernel import InvalidInput, InvariantBroken, ObligorError, Refusal, Violation

REFUSALS = [kind for kind in vars(kernel).values() if isinstance(kind, type) and issubclass(kind, Refusal)]


def test_every_refusal_has_a_stable_code_of_its_own() -> None:
    assert {kind.__name__: kind.code for kind in REFUSALS} == {
        "Refusal": "refused",
        "InvalidInput": "invalid",
        "Malformed": "malformed",
        "TooLarge": "too-large",
        "Unauthorised": "unauthorised",
        "Forbidden": "forbidden",
        "NotFound": "not-found",
        "Conflict": "conflict",
        "KeyReused": "idempotency-key-reused",
        "Gone": "erased",
        "Corrupted": "corrupted",
        "Unavailable": "unavailable",
    }


def test_a_broken_invariant_is_no_refusal() -> None:
    assert not issubclass(InvariantBroken, Refusal)
    assert issubclass(InvariantBroken, ObligorError)


def test_a_violation_shows_the_value_as_json_and_no_longer_than_a_line() -> None:
    assert Violation.of("a", {"b": 1}, "c").value == '{"b":1}'
    assert len(Violation.of("a", "x" * 1000, "c").value) == 80
    assert Violation.of("a", object, "c").value.startswith("<class")
    assert Violation.of("a", "\ud800", "c").value


@pytest.mark.parametrize("kind", [kind for kind in REFUSALS if issubclass(kind, InvalidInput)])
def test_a_refusal_over_a_field_keeps_its_kind_and_leaves_the_value_out_of_the_detail(
    kind: type[InvalidInput],
) -> None:
    refusal = kind.field("amount_minor", "secret", "an integer")
    assert type(refusal) is kind
    assert "secret" not in refusal.detail
    assert refusal.violations == (Violation("amount_minor", '"secret"', "an integer"),)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    from obligor.kernel import errors

    lines = [line for line in (errors.__doc__ or "").splitlines() if "──" in line]
    depths = [(line.index("──"), line.split("── ")[1].split()[0]) for line in lines]
    for name in (name for _, name in depths):
        assert issubclass(getattr(errors, name), ObligorError)
    for (outer, above), (inner, below) in pairwise(depths):
        if inner > outer:
            assert issubclass(getattr(errors, below), getattr(errors, above))
