"""Money in minor units."""

import pytest

from obligor.kernel import EXPONENTS, InvalidInput, Money, format_minor, round_half_even, split, to_minor


@pytest.mark.parametrize(
    ("text", "code", "amount"),
    [
        ("12.34", "EUR", 1234),
        ("0.5", "CNY", 50),
        ("-12.3", "USD", -1230),
        ("12", "EUR", 1200),
        ("12.340000", "EUR", 1234),
        ("1234", "JPY", 1234),
        ("1234.0", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
        ("007.10", "EUR", 710),
        ("10000000000000.00", "EUR", 10**15),
    ],
)
def test_decimal_text_becomes_minor_units(text: str, code: str, amount: int) -> None:
    assert to_minor(text, code) == amount


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("12.345", "EUR"),
        ("1.5", "JPY"),
        ("1.2345", "KWD"),
        ("", "EUR"),
        (".5", "EUR"),
        ("5.", "EUR"),
        ("1,000.00", "EUR"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("+1", "EUR"),
        (" 1", "EUR"),
        ("1\n", "EUR"),
        ("١", "EUR"),
        ("10000000000000.01", "EUR"),
        ("1000000000000001", "JPY"),
        ("1" * 17, "JPY"),
        ("1", "XXX"),
        ("1", "eur"),
    ],
)
def test_what_is_not_exact_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidInput):
        to_minor(text, code)


@pytest.mark.parametrize(
    ("amount", "code", "text"),
    [
        (123456, "EUR", "1,234.56"),
        (-123456, "EUR", "-1,234.56"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
        (1234567, "JPY", "1,234,567"),
        (1234, "BHD", "1.234"),
        (100_000_000_000, "CNY", "1,000,000,000.00"),
    ],
)
def test_amounts_are_shown_with_their_currencys_places(amount: int, code: str, text: str) -> None:
    assert format_minor(amount, code) == text


def test_money_knows_its_currency() -> None:
    assert str(Money(123456, "EUR")) == "1,234.56 EUR"
    with pytest.raises(InvalidInput, match="currency"):
        Money(1, "EURO")


def test_the_table_of_currencies_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        EXPONENTS["XYZ"] = 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("n", "d", "nearest"),
    [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (5, -2, -2), (2, 3, 1), (-2, 3, -1), (6, 3, 2)],
)  # fmt: skip
def test_halves_go_to_the_even_integer(n: int, d: int, nearest: int) -> None:
    assert round_half_even(n, d) == nearest


def test_nothing_is_divided_by_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        round_half_even(1, 0)


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (100, (1, 1, 1), (34, 33, 33)),
        (-100, (1, 1, 1), (-34, -33, -33)),
        (10, (7000, 3000), (7, 3)),
        (1, (1, 1), (1, 0)),
        (5, (0, 1, 0), (0, 5, 0)),
        (0, (3, 2), (0, 0)),
        (3, (2, 2, 2, 3), (1, 1, 0, 1)),
    ],
)
def test_shares_follow_the_largest_remainder(
    total: int, weights: tuple[int, ...], shares: tuple[int, ...]
) -> None:
    assert split(total, weights) == shares


@pytest.mark.parametrize("weights", [(), (0, 0), (1, -1), (-1,)])
def test_weights_that_share_nothing_are_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput):
        split(100, weights)
