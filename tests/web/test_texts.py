"""Every text of the console is there in both languages, and none is there for nothing."""

import re
from pathlib import Path

from obligor.web import problems, telling
from obligor.web.texts import TABLE, ZH

WEB = Path(TABLE).parent
SOURCES = {
    path: path.read_text(encoding="utf-8") for path in [*WEB.glob("*.py"), *WEB.glob("templates/*.html")]
}
SAID = re.compile(r"""(?:\b_\(|\bsay\(\s*)(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")""")
COUNTED = re.compile(r"plural\([^,]+, '([^']+)', '([^']+)'\)")
# What stands in tables and not in calls, and what the parts of a page are called by the rooms below.
TABLES = {
    *telling.SENTENCES.values(),
    *(title for title, _ in telling._PARTS.values()),
    *(text for _, text in telling._ALLOCATED),
    "Application and contract",
    *problems.CODES.values(),
    *("Applications", "Decided", "Approved", "Drawn", "Repaid"),
}


def said():
    whole = "\n".join(SOURCES.values())
    plain = {one or two for one, two in SAID.findall(whole)}
    return plain | {text for pair in COUNTED.findall(whole) for text in pair} | TABLES


def places(text):
    return set(re.findall(r"{(\w+)}", text))


def test_every_text_has_its_chinese():
    assert sorted(said() - set(ZH) - {"account.opened"}) == []


def test_both_languages_fill_in_the_same():
    assert [english for english, chinese in ZH.items() if places(english) != places(chinese)] == []
    assert all(ZH.values())


def test_nothing_is_translated_that_is_said_nowhere():
    values = {key for key in ZH if key == key.lower() and "{" not in key and len(key.split()) <= 4}
    steps = {
        key for key in ZH if key in Path(problems.__file__).parents[1].joinpath("proof/verify.py").read_text()
    }
    assert sorted(set(ZH) - said() - values - steps) == []


def test_no_text_is_there_twice():
    keys = [line.partition("\t")[0] for line in TABLE.read_text(encoding="utf-8").splitlines()]
    assert len(keys) == len(set(keys))


def test_no_text_has_a_quote_that_a_chinese_font_would_draw_wide():
    assert [key for key in ZH if set("’‘“”") & set(key)] == []
