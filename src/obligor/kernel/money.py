"""Money is an integer in minor units with its currency, and rounding is done in integers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from obligor.kernel.errors import InvalidInput

__all__ = [
    "EXPONENTS",
    "MOST_MINOR",
    "Money",
    "currency",
    "format_minor",
    "round_half_even",
    "split",
    "to_minor",
]

# ISO 4217, list one as published on 2026-01-01: the codes that have minor units, by their number of digits.
_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
        "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
        "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
        "USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

EXPONENTS: Mapping[str, int] = MappingProxyType(
    {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
)

# Far more than any loan or book; it keeps every sum of amounts within 64 bits.
MOST_MINOR = 10**15

_DECIMAL = re.compile(r"(-?)([0-9]{1,16})(?:\.([0-9]{1,8}))?")


def currency(code: str) -> str:
    """The code itself, if it is one.

    Raises:
        InvalidInput: no active currency of ISO 4217 has this code.
    """
    if code not in EXPONENTS:
        raise InvalidInput.field("currency", code, "an ISO 4217 code in capitals, such as EUR")
    return code


class Money(msgspec.Struct, frozen=True, order=False):
    """An amount in minor units (cents, fen, yen) of a currency.

    Raises:
        InvalidInput: an unknown currency.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        currency(self.currency)

    def __str__(self) -> str:
        return f"{format_minor(self.amount_minor, self.currency)} {self.currency}"


def to_minor(text: str, code: str) -> int:
    """Decimal text, such as "12.34", in minor units. It is exact or refused; nothing is rounded.

    Raises:
        InvalidInput: no plain decimal, more places than the currency has, more than 10^15 minor units, or an
            unknown currency.
    """
    exponent = EXPONENTS[currency(code)]
    match = _DECIMAL.fullmatch(text)
    places = (match[3] or "").rstrip("0") if match else ""
    amount = int(match[2] + places.ljust(exponent, "0")) if match else 0
    if match is None or len(places) > exponent or amount > MOST_MINOR:
        accepted = f"a decimal with at most {exponent} places for {code}, up to {MOST_MINOR} minor units"
        raise InvalidInput.field("amount", text, accepted)
    return -amount if match[1] else amount


def format_minor(amount_minor: int, code: str) -> str:
    """An amount for people: "1,234.56" for 123456 minor units of EUR, "1,235" for 1235 of JPY.

    Raises:
        InvalidInput: an unknown currency.
    """
    exponent = EXPONENTS[currency(code)]
    whole, part = divmod(abs(amount_minor), 10**exponent)
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{whole:,}.{part:0{exponent}}" if exponent else f"{sign}{whole:,}"


def round_half_even(n: int, d: int) -> int:
    """The integer nearest to n / d; of two equally near the even one (IEEE 754 roundTiesToEven).

    Raises:
        ZeroDivisionError: d is zero.
    """
    if d < 0:
        n, d = -n, -d
    quotient, rest = divmod(n, d)
    twice = 2 * rest
    return quotient + 1 if twice > d or (twice == d and quotient & 1) else quotient


def split(total_minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Shares of a total in proportion to weights, which sum to the total to the minor unit.

    Largest remainder (Hamilton's method): each share is rounded towards zero, and what is left goes, one unit
    each, to the largest remainders; of equal ones to the first. A negative total is split like its opposite.

    Raises:
        InvalidInput: no weights, a negative one, or all of them zero.
    """
    whole = sum(weights)
    if not weights or min(weights) < 0 or not whole:
        raise InvalidInput.field("weights", list(weights), "weights of at least 0, one of them above 0")
    sign = -1 if total_minor < 0 else 1
    total = abs(total_minor)
    shares = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    left = total - sum(shares)
    for index in sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)[:left]:
        shares[index] += 1
    return tuple(sign * share for share in shares)
