"""Formulas: their meaning, their rounding, and what is refused because it would not be total."""

import pytest

from tests.strategy.making import formula, refused, value


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("10 - 4 - 3", 3),
        ("-a", -7),
        ("-a * -b", 21),
        ("a - -b", 10),
        ("min(a, b)", 3),
        ("max(a, b, 99)", 99),
        ("abs(b - a)", 4),
        ("if a > b then 1 else 2", 1),
        ("if a < b then 1 else if a = 7 then 5 else 6", 5),
        ("default(n, 5)", 5),
        ("if known(n) then n else 0 - 1", -1),
        ("a > 3 and b < 4", True),
        ("a > 3 and not b < 4", False),
        ("not(a > 3 or b > 3)", False),
        ("a between 3 and 7", True),
        ("a in [1..7)", False),
        ("a in (1, 3, 7)", True),
        ("a in [1, 3, 7]", True),
        ("a in (< 3, > 6)", True),
        ("a in > 6", True),
        ("a in ([1..2], [6..8])", True),
        ("n in (null, 3)", True),
        ('c in ("red", "blue")', True),
        ('c = "red"', True),
        ('c != "red"', False),
        ("t = false", True),
        ("d", "0.00"),
        ("u - v", 0),
        ('u > date("2019-12-31")', True),
        ('if t then "red" else "none of them"', "none of them"),
        ("if t then 1 else null", None),
        ("if a > 3 then u else v", "2020-01-01"),
    ],
)
def test_what_formulas_mean(text: str, result: object) -> None:
    assert value(text, a=7, b=3) == result


@pytest.mark.parametrize(
    ("text", "scale", "result"),
    [
        ("a / 4", 0, 2),  # 2.5 to the even
        ("(a - 4) / 4", 0, 2),  # 1.5 to the even
        ("a / 4", 1, "2.5"),
        ("a / 3", 4, "3.3333"),
        ("round(a / 4)", None, 2),
        ("floor(a / 3)", None, 3),
        ("ceiling(a / 3)", None, 4),
        ("floor((0 - a) / 3)", None, -4),
        ("ceiling((0 - a) / 3)", None, -3),
        ("round((0 - a) / 4)", None, -2),
        ("floor(1234 + a, -2)", None, 1200),
        ("ceiling(1234 + a, -2)", None, 1300),
        ("round(1240 + a, -2)", None, 1200),  # 1250 to the even
        ("round(1340 + a, -2)", None, 1400),  # 1350 to the even
        ("floor(a * 1000 / 3, -2)", None, 3300),
        ("a * 0.25", None, "2.50"),
        ("a * 0.25", 1, "2.5"),
        ("a * 0.25", 0, 2),
        ("1.005 + a", 2, "11.00"),
        ("round(a / 3, 2) * 3", 2, "9.99"),
        ("round(a / 3, 2) > 3.33", None, False),
        ("round(a / 3, 3) > 3.33", None, True),
        ("if a > 5 then a / 3 else 0", 2, "3.33"),
        ("max(a / 3, 1)", 2, "3.33"),
        ("floor(max(a / 3, 1.999), 1)", None, "3.3"),
        ("1.05 ** a", 4, "1.6289"),
        ("round(1.5 ** 3, 3)", None, "3.375"),
        ("2 ** a", 0, 1024),
        ("1.5 ** (a - 8)", 1, "2.2"),  # 2.25 to the even
        ("2.5 ** (a - 8)", 1, "6.2"),  # 6.25 to the even
        ("a ** 0", 0, 1),
    ],
)
def test_rounding_is_to_the_declared_scale(text: str, scale: int | None, result: object) -> None:
    assert value(text, scale, least=10, most=10, a=10, b=10) == result


def test_a_division_within_a_sum_needs_its_own_rounding() -> None:
    assert refused("1 - a / 4", least=10, most=10) == "scale"
    assert refused("round(1 - a / 4)", least=10, most=10) == "scale"
    assert value("1 - round(a / 4, 2)", least=10, most=10, a=10, b=10) == "-1.50"


def test_a_power_is_rounded_after_each_multiplication() -> None:
    # 1.01 ** 12 is 1.12682503…; by square and multiply at scale 4: 1.01, 1.0201, 1.0303, 1.0615, 1.1268.
    assert value("1.01 ** a", 4, least=0, most=12, a=12, b=0) == "1.1268"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("n + 1", "unguarded-null"),
        ("n > 1", "unguarded-null"),
        ("known(n) or n > 1", "unguarded-null"),
        ("not known(n) and n > 1", "unguarded-null"),
        ("if known(n) then 1 else n + 1", "unguarded-null"),
        ('k = "red"', "unguarded-null"),
        ("max(n, 1)", "unguarded-null"),
        ("abs(n)", "unguarded-null"),
        ("n in (1, 2)", "unguarded-null"),
        ("default(n, n) + 1", "unguarded-null"),
        ("n = null", "unguarded-null"),
        ("a = null", "type"),
        ("null", "type"),
        ("null + 1", "type"),
        ("default(a, 1)", "never-null"),
        ("default(null, 1)", "type"),
        ("a + t", "type"),
        ("a + c", "type"),
        ("u + 1", "type"),
        ("u + v", "type"),
        ("u = 3", "type"),
        ("t > t", "type"),
        ("not a", "type"),
        ("a and t", "type"),
        ("if a then 1 else 2", "type"),
        ('if t then 1 else "x"', "type"),
        ("min(a, c)", "type"),
        ("min(a)", "arity"),
        ("abs(a, b)", "arity"),
        ("round(a, b)", "scale"),
        ("round(a, 13)", "scale"),
        ("known()", "syntax"),
        ("a / b", "scale"),
        ("round(a / b, 2)", "division-by-zero"),
        ("a ** b", "scale"),
        ("round(a ** 2, 0)", "overflow"),
        ("round(2 ** b, 0)", "overflow"),
        ('c = "pink"', "unknown-category"),
        ('c in ("red", "pink")', "unknown-category"),
        ('"pink" = "red"', "unknown-category"),
        ("a b", "syntax"),
        ("a +", "syntax"),
        ("a < b < d", "syntax"),
        ("a; b", "syntax"),
        ("__import__", "unknown-name"),
        ("a.b", "syntax"),
        ("f(a)", "unknown-name"),
        ("'a'", "syntax"),
        ("a == b", "syntax"),
        ("a % b", "syntax"),
        ("lambda", "unknown-name"),
        ("0.1234567890123", "type"),
        (" * ".join(["0.01"] * 7), "scale"),
        (" * ".join(["0.01"] * 10), "overflow"),
        ("x", "unknown-name"),
    ],
)
def test_what_would_not_be_total_or_does_not_fit_is_refused(text: str, code: str) -> None:
    assert refused(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "known(n) and n > 1",
        "not known(n) or n > 1",
        "if known(n) then n + 1 else 0",
        "if not known(n) then 0 else n + 1",
        "if known(n) and n > 3 then n + 1 else 0",
        "if not(not known(n) or t) then n + 1 else 0",
        'known(k) and k = "red"',
        "default(n, 0) + 1",
        "n in (null, 5)",
        "if t and known(n) then (if n > 3 then n else 0) else 0",
        "if b > 0 then round(a / b, 2) else 0",
        "if b < 0 then round(a / b, 2) else 0",
        "if b = 0 then 0 else if b > 0 then round(a / b, 2) else 1",
        "if 0 < b then round(a / b, 2) else 0",
        "if b >= 1 then round(a / b, 2) else 0",
        "if not(b <= 0) then round(a / b, 2) else 0",
        "if b in [1..9] then round(a / b, 2) else 0",
        "if b between 1 and 9 then round(a / b, 2) else 0",
        "if b > 0.5 then round(a / b, 2) else 0",
        "if a > 0 and b > a then round(a / b, 2) else 0",
        "b > 0 and round(a / b, 2) > 3",
        "b <= 0 or round(a / b, 2) > 3",
        "if d > 0.99 then round(a / d, 2) else 0",
        "round(a / max(b, 1), 2)",
        "round(a / (abs(b) + 1), 2)",
        "round(a / (if t then 2 else 3), 2)",
    ],
)
def test_guards_are_understood(text: str) -> None:
    formula(text)


@pytest.mark.parametrize(
    "text",
    [
        "if b >= 0 then round(a / b, 2) else 0",
        "if b != 1 then round(a / b, 2) else 0",
        "if b > 0 or t then round(a / b, 2) else 0",
        "if d > -0.01 then round(a / d, 2) else 0",
        "if b > 0.5 then 0 else round(a / b, 2)",
        "if a > b then round(a / b, 2) else 0",
    ],
)
def test_guards_that_do_not_hold_are_not_taken_for_guards(text: str) -> None:
    assert refused(text) == "division-by-zero"


def test_overflow_is_judged_by_the_declared_bounds() -> None:
    assert refused("a * a * a", least=0, most=3_000_000) == "overflow"
    formula("a * a * a", least=0, most=200_000)
    assert value("a * a * a", least=0, most=200_000, a=200_000) == 8_000_000_000_000_000
    # Within the formula 64 bits count, for its result 2^53: it has to be written as JSON.
    assert refused("a * a * a", least=0, most=300_000) == "overflow"
    assert refused("0 - a * a * a", least=0, most=300_000) == "overflow"
    formula("round(a * a * a / 1000)", least=0, most=300_000)
    assert refused("round(a * a * a * 100 / 1000)", least=0, most=2_000_000) == "overflow"
    assert refused("round(a / 3, 12)", least=0, most=10**9) == "overflow"
    assert refused("round(1.5 ** a, 2)", least=0, most=200) == "overflow"
    formula("round(1.5 ** a, 2)", least=0, most=60)


def test_a_formula_may_run_over_several_lines() -> None:
    assert value("if a > 0\nthen 1\nelse 2", a=1) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a + " * 58 + "a",
        "d * 0.1 + " * 27 + "a",
        "t and " * 50 + "t",
        "a = 7 or " * 50 + "t",
        "(" * 24 + "a" + ")" * 24,
        "round(" * 24 + "a" + ")" * 24,
        "if t then 1 else " * 24 + "2",
        "default(if t then n else " * 5 + "n" + ", 1)" * 5,
        "not " * 24 + "c in (" + '"red"' + ")",
    ],
)
def test_what_is_within_the_limits_of_depth_compiles_and_runs(text: str) -> None:
    value(text)


@pytest.mark.parametrize("part", ["a + ", "a * 1 - ", "t and ", "t or ", "a ** "])
def test_a_chain_without_end_is_refused_and_breaks_nothing(part: str) -> None:
    assert refused(part * (3900 // len(part)) + "a") == "syntax"


def test_a_very_long_formula_is_refused() -> None:
    assert refused("a + " * 1200 + "a") == "syntax"
