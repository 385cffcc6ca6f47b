"""Unary tests of cells mean what S-FEEL says, on whole numbers of a scale."""

import pytest

from obligor.strategy.cells import Constant, matches, resolve
from obligor.strategy.problems import Flaw
from obligor.strategy.syntax import parse_unary
from obligor.strategy.types import Kind, Type, boolean, category, number

PARAMETERS = {
    "limit": Constant(number(600, 600), 600),
    "half": Constant(number(5, 5, 1), 5),
    "colour": Constant(category("red"), "red"),
}
SCORE = Type(Kind.NUMBER, 0, 0, 1000, nullable=True)
RATE = Type(Kind.NUMBER, 2, -1000, 1000)
COLOUR = Type(Kind.CATEGORY, values=("red", "green", "self-made"), nullable=True)
DAY = Type(Kind.DATE, 0, -10_000, 40_000)


def holds(text: str, kind: Type, value: object) -> bool:
    return matches(resolve(parse_unary(text), kind, PARAMETERS), value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("600", [600], [599, 601, None]),
        ("= 600", [600], [599, None]),
        ("!= 600", [599, 601], [600, None]),
        ("< 600", [0, 599], [600, None]),
        ("<= 600", [600], [601, None]),
        ("> 600", [601], [600, None]),
        (">= 600", [600], [599, None]),
        ("[600..650]", [600, 650], [599, 651, None]),
        ("[600..650)", [600, 649], [599, 650]),
        ("(600..650]", [601, 650], [600, 651]),
        ("(600..650)", [601, 649], [600, 650]),
        ("]600..650[", [601, 649], [600, 650]),
        ("1, 3, > 10", [1, 3, 11], [0, 2, 4, 10, None]),
        ("[1..3], [7..9]", [1, 3, 7, 9], [0, 4, 6, 10]),
        ("not(1, 3)", [0, 2, 4], [1, 3, None]),
        ("not([1..3], > 10)", [0, 4, 10], [1, 3, 11, None]),
        ("not(null)", [0, 600], [None]),
        ("not(null, 3)", [0, 600], [None, 3]),
        ("null", [None], [0, 600]),
        ("missing", [None], [0, 600]),
        ("null, < 5", [None, 4], [5]),
        ("-", [None, 0, 1000], []),
        ("-5", [-5], [5]),
        ("> -5", [-4], [-5]),
        (">= limit", [600], [599]),
        ("(limit..650]", [601, 650], [600]),
    ],
)
def test_tests_of_numbers(text: str, inside: list, outside: list) -> None:
    assert [value for value in inside if not holds(text, SCORE, value)] == []
    assert [value for value in outside if holds(text, SCORE, value)] == []


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("< 0.5", [49, -1], [50]),
        ("[0.05..1.25)", [5, 124], [4, 125]),
        ("> 1", [101], [100]),
        ("< half", [49], [50]),
        ("-0.50", [-50], [50]),
        ("1.50", [150], [149, 151]),
    ],
)
def test_tests_of_decimals_are_on_units_of_the_scale(text: str, inside: list, outside: list) -> None:
    assert [value for value in inside if not holds(text, RATE, value)] == []
    assert [value for value in outside if holds(text, RATE, value)] == []


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ('"red"', ["red"], ["green", None]),
        ("red", ["red"], ["green", None]),
        ('"red","green"', ["red", "green"], ["self-made", None]),
        ('"self-made"', ["self-made"], ["red"]),
        ('not("red")', ["green", "self-made"], ["red", None]),
        ('!= "red"', ["green", "self-made"], ["red", None]),
        ('null,"red"', [None, "red"], ["green"]),
        ("-", [None, "red", "green"], []),
    ],
)
def test_tests_of_categories(text: str, inside: list, outside: list) -> None:
    assert [value for value in inside if not holds(text, COLOUR, value)] == []
    assert [value for value in outside if holds(text, COLOUR, value)] == []


def test_tests_of_booleans_and_dates() -> None:
    assert holds("true", boolean(), True)
    assert not holds("true", boolean(), False)
    assert holds("!= true", boolean(), False)
    assert holds("not(true)", boolean(), False)
    assert holds("2000-01-01", DAY, 10_957)
    assert holds('date("2000-01-01")', DAY, 10_957)
    assert holds("< 2000-01-01", DAY, 10_956)
    assert not holds("< 2000-01-01", DAY, 10_957)
    assert holds("[2000-01-01..2000-01-31]", DAY, 10_987)
    assert not holds("[2000-01-01..2000-01-31]", DAY, 10_988)


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("", SCORE, "syntax"),
        ("6 00", SCORE, "syntax"),
        ("[1..2", SCORE, "syntax"),
        ("[..2]", SCORE, "syntax"),
        ("not(1", SCORE, "syntax"),
        ("1,", SCORE, "syntax"),
        (">", SCORE, "syntax"),
        ("<> 3", SCORE, "syntax"),
        ("1.5", SCORE, "type"),
        ("1e3", SCORE, "syntax"),
        ("[3..1]", SCORE, "type"),
        ("(3..3)", SCORE, "type"),
        ("3", COLOUR, "type"),
        ('"red"', SCORE, "type"),
        ("true", SCORE, "type"),
        ("2000-01-01", SCORE, "type"),
        ("2000-13-01", DAY, "type"),
        ("2001-02-29", DAY, "type"),
        ("blue", COLOUR, "unknown-category"),
        ('> "red"', COLOUR, "type"),
        ("highest", SCORE, "unknown-name"),
        ("colour", SCORE, "type"),
        ("limit", DAY, "type"),
        ("> true", boolean(), "type"),
        ("null", RATE, "type"),
        ("99999999999999999999", SCORE, "type"),
        ("9999999999999999999", SCORE, "overflow"),
    ],
)
def test_what_is_no_test_of_a_type_is_refused(text: str, kind: Type, code: str) -> None:
    with pytest.raises(Flaw) as caught:
        resolve(parse_unary(text), kind, PARAMETERS)
    assert caught.value.code == code
