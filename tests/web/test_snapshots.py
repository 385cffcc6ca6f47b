"""The pages' words, kept as text: a change of what people read is seen in a diff.

`OBLIGOR_SNAPSHOTS=write pytest tests/web/test_snapshots.py` writes them anew.
"""

import os
import re
from html import unescape
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "snapshots"
BLOCKS = re.compile(
    r"</?(?:p|div|tr|li|h\d|dt|dd|section|table|nav|form|label|option|summary|text|figure)\b[^>]*>"
)


def words_of(html):
    html = re.sub(r"<(script|style|head)\b.*?</\1>", "", html, flags=re.DOTALL)
    html = re.sub(r"</(?:td|th)>", " | ", BLOCKS.sub("\n", html))
    text = unescape(re.sub(r"<[^>]+>", " ", html))
    lines = (re.sub(r"\s+", " ", line).strip(" |") for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "name", ["overview", "decisions", "decision", "loan", "alert", "book", "feature", "strategy"]
)
def test_the_words_of_a_page_are_those_that_were_agreed(page, service, name, lang):
    path = {
        "overview": "/",
        "decisions": "/decisions?outcome=refer",
        "decision": "/decisions/" + next(row.decision_id for row in service.rows if row.overridden),
        "loan": "/loans/" + service.loan_rows[5].loan_id,
        "alert": "/alerts/" + service.alert_rows[0].alert_id,
        "book": "/book",
        "feature": "/features/inflow_90d_minor",
        "strategy": "/strategies/" + "4a" * 32,
    }[name]
    found = words_of(page.get(f"{path}{'&' if '?' in path else '?'}lang={lang}").text)
    file = FOLDER / f"{name}.{lang}.txt"
    if os.environ.get("OBLIGOR_SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")
