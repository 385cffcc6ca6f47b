"""Values as people read them."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obligor.kernel import derived_id, format_minor
from obligor.web.wording import Words

EN, ZH = Words("en", "Asia/Shanghai"), Words("zh", "Asia/Shanghai")
AT = datetime(2026, 11, 20, 16, 30, 5, tzinfo=UTC)


@given(st.integers(-(10**15), 10**15), st.sampled_from(["CNY", "JPY", "BHD"]))
def test_an_amount_is_exact_with_a_true_minus(amount, currency):
    assert EN.money(amount, currency) == format_minor(amount, currency).replace("-", "−")


@given(st.integers(0, 10**15))
def test_a_large_amount_is_within_half_of_its_last_digit(amount):
    text = EN.big(amount, "CNY")
    size = {"m": 10**6, "n": 10**9}.get(text[-1], 1)
    shown = float(text.rstrip("mbn").replace(",", "")) * size
    assert abs(shown - amount / 100) <= (size / 20 if size > 1 else 0.5) + 1e-6


@pytest.mark.parametrize(
    ("written", "english", "chinese"),
    [
        (lambda w: w.big(187_400_000_00, "CNY"), "187.4m", "1.9亿"),
        (lambda w: w.big(41_200_000_00, "CNY"), "41.2m", "4,120.0万"),
        (lambda w: w.big(9_999_00, "CNY"), "9,999", "9,999"),
        (lambda w: w.big(None, "CNY"), "–", "–"),
        (lambda w: w.time(AT), "21 Nov 2026, 00:30", "2026年11月21日 00:30"),
        (lambda w: w.long_day(date(2026, 11, 20)), "Friday, 20 November 2026", "2026年11月20日 星期五"),
        (lambda w: w.month("2026-01"), "2026-01", "2026年1月"),
        (lambda w: w.word("special_mention"), "Special mention", "关注"),
        (lambda w: w.value("a_word_of_its_own"), "a word of its own", "a word of its own"),
        (lambda w: w.share(1, 3), "33.3", "33.3"),
        (lambda w: w.share(1, 0), "–", "–"),
        (lambda w: w.signed(-26), "−26", "−26"),
        (lambda w: w.signed(0), "0", "0"),
        (lambda w: w.ppm(64_000), "6.4", "6.4"),
        (lambda w: w.bp(1390), "13.90", "13.90"),
        (lambda w: w.pick("Broker", ""), "Broker", "Broker"),
    ],
)
def test_both_languages_write_it_so(written, english, chinese):
    assert (written(EN), written(ZH)) == (english, chinese)


def test_the_year_goes_without_saying_only_in_its_own_year():
    words = Words("en", "UTC", AT)
    assert words.brief(AT) == "20 Nov, 16:30"
    assert words.brief(AT.replace(year=2025)) == "20 Nov 2025, 16:30"
    assert Words("en").brief_day(date(2026, 11, 20)) == "20 Nov 2026"


def test_a_cap_is_named_by_what_it_limits():
    assert EN.cap("product/instalment") == "product instalment"
    assert EN.cap("obligor/*") == "each obligor"
    assert EN.cap(f"obligor/{derived_id('x')}").startswith("obligor P-")
    assert ZH.cap("obligor/*") == "每个债务人"


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("income_month_minor", 1_234_50, "1,234.50"),
        ("loan_share_bp", 3333, "33.33 %"),
        ("pd_ppm", 64_000, "6.40 %"),
        ("devices_90d", 3, "3"),
        ("housing", "self_employed", "self employed"),
        ("first_payment_missed", True, "yes"),
        ("months_employed", None, "–"),
    ],
)
def test_a_fact_is_written_by_the_unit_of_its_name(name, value, written):
    assert EN.of_fact(name, value, "CNY") == written


def test_an_id_is_short_with_the_letter_of_its_kind_and_others_stay_whole():
    assert EN.name("decision", derived_id("x")).startswith("D-")
    assert len(EN.name("decision", derived_id("x"))) == 10
    assert EN.name("loan", "LC-1077501") == "LC-1077501"
    assert EN.name("loan", None) == "–"
