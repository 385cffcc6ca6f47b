"""Published figures: day counts, currencies, identifiers."""

from datetime import date
from fractions import Fraction

import pytest

from obligor.kernel import EXPONENTS, day_fraction

# ISDA, "30/360 day count conventions" (2008), the worked examples for the bond and Eurobond bases.
# Columns: start, end, days of 30/360, days of 30E/360.
THIRTY = """
2006-08-20 2007-02-20 180 180
2007-02-20 2007-08-20 180 180
2007-08-20 2008-02-20 180 180
2008-02-20 2008-08-20 180 180
2008-08-20 2009-02-20 180 180
2009-02-20 2009-08-20 180 180
2006-08-31 2007-02-28 178 178
2007-02-28 2007-08-31 183 182
2007-08-31 2008-02-29 179 179
2008-02-29 2008-08-31 182 181
2008-08-31 2009-02-28 178 178
2009-02-28 2009-08-31 183 182
2006-01-31 2006-02-28 28 28
2006-01-30 2006-02-28 28 28
2006-02-28 2006-03-03 5 5
2006-02-14 2006-02-28 14 14
2006-09-30 2006-10-31 30 30
2006-10-31 2006-11-28 28 28
2007-08-31 2008-02-28 178 178
2008-02-28 2008-08-28 180 180
2008-02-28 2008-08-30 182 182
2008-02-28 2008-08-31 183 182
2007-02-26 2008-02-28 362 362
2007-02-26 2008-02-29 363 363
2008-02-29 2009-02-28 359 359
2008-02-28 2008-03-30 32 32
2008-02-28 2008-03-31 33 32
"""

# ISDA, "EMU and market conventions: recent developments" (1998), the ISDA method's column.
ACTUAL = """
2003-11-01 2004-05-01 61 121
1999-02-01 1999-07-01 150 0
1999-07-01 2000-07-01 184 182
2002-08-15 2003-07-15 334 0
2003-07-15 2004-01-15 170 14
1999-07-30 2000-01-30 155 29
2000-01-30 2000-06-30 0 152
1999-11-30 2000-04-30 32 120
"""


def _rows(table: str) -> list[tuple[date, date, int, int]]:
    rows = [line.split() for line in table.split("\n") if line]
    return [(date.fromisoformat(a), date.fromisoformat(b), int(c), int(d)) for a, b, c, d in rows]


@pytest.mark.parametrize(("start", "end", "bond", "eurobond"), _rows(THIRTY))
def test_thirty_day_months_agree_with_isdas_examples(
    start: date, end: date, bond: int, eurobond: int
) -> None:
    assert day_fraction(start, end, "30/360") == (bond, 360)
    assert day_fraction(start, end, "30E/360") == (eurobond, 360)


@pytest.mark.parametrize(("start", "end", "common", "leap"), _rows(ACTUAL))
def test_actual_days_agree_with_isdas_examples(start: date, end: date, common: int, leap: int) -> None:
    fraction = Fraction(*day_fraction(start, end, "ACT/ACT"))
    assert fraction == Fraction(common, 365) + Fraction(leap, 366)
    assert day_fraction(start, end, "ACT/360") == (common + leap, 360)
    assert day_fraction(start, end, "ACT/365") == (common + leap, 365)


def test_the_half_year_of_isdas_first_example_is_the_published_decimal() -> None:
    numerator, denominator = day_fraction(date(2003, 11, 1), date(2004, 5, 1), "ACT/ACT")
    assert f"{numerator / denominator:.8f}" == "0.49772438"


def test_currencies_are_those_of_iso_4217_list_one() -> None:
    """List one, published on 2026-01-01 by the maintenance agency: 165 codes have minor units."""
    by_digits = {n: {code for code, digits in EXPONENTS.items() if digits == n} for n in range(5)}
    assert {n: len(codes) for n, codes in by_digits.items()} == {0: 17, 1: 0, 2: 139, 3: 7, 4: 2}
    assert by_digits[0] == set(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905
    )
    assert by_digits[3] == {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
    assert by_digits[4] == {"CLF", "UYW"}


@pytest.mark.parametrize(
    "code", ["BGN", "HRK", "ANG", "CUC", "SLL", "ZWL", "VEF", "XXX", "XTS", "XAU", "XDR", "BTC"]
)
def test_codes_that_were_withdrawn_or_have_no_minor_units_are_not_accepted(code: str) -> None:
    assert code not in EXPONENTS


@pytest.mark.parametrize("code", ["XCG", "ZWG", "SLE", "VED", "MRU", "STN", "BYN"])
def test_codes_that_came_lately_are_accepted(code: str) -> None:
    assert EXPONENTS[code] == 2
