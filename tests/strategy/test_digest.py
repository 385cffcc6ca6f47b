"""A strategy's digest is its content's, and its text is never taken for code."""

import re

import pytest

from obligor.kernel import Corrupted
from obligor.strategy import Strategy, load
from tests.strategy.making import FACTS, FILES, MAIN, formula, make, problems, swapped

CHANGES = [
    ("strategy.yaml", "age < 18", "age < 19"),
    ("strategy.yaml", "code: K01", "code: K09"),
    ("strategy.yaml", 'version: "1"', 'version: "2"'),
    ("strategy.yaml", "value: 500", "value: 501"),
    ("strategy.yaml", "max: 120", "max: 121"),
    ("strategy.yaml", "unit: minor, source", "unit: fen, source"),
    ("strategy.yaml", "scale: 4", "scale: 3"),
    ("bands.csv", "low,2000", "low,2001"),
    ("bands.csv", "< 600", "<600"),
    ("limits.csv", "own,90000", "own,90001"),
    ("points.csv", "true,5", "true,6"),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[2])
def test_any_content_that_can_matter_changes_the_digest(change: tuple[str, str, str]) -> None:
    assert make(swapped(change)).sha256 != make().sha256


def test_the_order_of_what_has_an_order_changes_the_digest() -> None:
    first = "      share: {formula: limit / income, scale: 4}\n"
    second = '      tenure: joined - date("2000-01-01")\n'
    moved = swapped(("strategy.yaml", first + second, second + first))
    assert make(moved).sha256 != make().sha256


def test_comments_quotes_and_line_ends_do_not_change_the_digest() -> None:
    files = dict(FILES)
    files["strategy.yaml"] = "# For people.\n" + MAIN.replace("stage: prelend", "stage: 'prelend'  # lending")
    files["bands.csv"] = files["bands.csv"].replace("low,2000", '"low",2000')
    encoded = {name: text.replace("\n", "\r\n").encode() for name, text in files.items()}
    assert Strategy(encoded).sha256 == make().sha256


def test_the_digest_is_the_same_for_ever() -> None:
    # Recorded decisions name strategies by it: if this changes, replay of the past breaks.
    assert make().sha256 == "930423d5da1413851f925bcc194998f4a598fcc6def5d7ee72914151280384f8"


def test_published_files_load_again_under_their_digest(tmp_path) -> None:
    strategy = make()
    for name, data in strategy.files.items():
        (tmp_path / name).write_bytes(data)
    again = load(tmp_path, strategy.sha256)
    assert again.sha256 == strategy.sha256
    assert again.run(again.parse_facts(FACTS)) == strategy.run(strategy.parse_facts(FACTS))


def test_files_that_are_not_those_of_a_digest_are_refused(tmp_path) -> None:
    strategy = make()
    for name, data in strategy.files.items():
        (tmp_path / name).write_bytes(data)
    changed = (tmp_path / "limits.csv").read_bytes().replace(b"800000", b"800001")
    assert changed != strategy.files["limits.csv"]
    (tmp_path / "limits.csv").write_bytes(changed)
    with pytest.raises(Corrupted):
        load(tmp_path, strategy.sha256)


HOSTILE = [
    "__import__('os').system('true')",
    'a") or __import__("os").system("true") or ("',
    "\\u0022",
    "'''\nimport os\n'''",
    "{0.__class__}",
    "a\nreturn 1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_reach_the_source_as_literals_only(text: str) -> None:
    quoted = "'" + text.replace("'", "''").replace("\n", " ") + "'"
    main = MAIN.replace("values: [low, high]", f"values: [low, high, {quoted}]")
    strategy = make(dict(FILES) | {"strategy.yaml": main})
    outcome = strategy.run(strategy.parse_facts(FACTS))
    assert outcome.outcome == "approve"
    main = MAIN.replace("work, ", "").replace("step: bands", f"step: {quoted}")
    assert {problem.code for problem in problems(dict(FILES) | {"strategy.yaml": main})} == {"schema"}


@pytest.mark.parametrize("text", ["it's", 'a\\"b', "a\\nb", "{x}", "%s", "中文"])
def test_a_category_may_hold_any_text(text: str) -> None:
    strategy = formula(
        f'if t then "{text}" else "other"' if '"' not in text else 'if t then "q" else "other"'
    )
    typed = strategy.parse_facts(
        {
            "a": 1,
            "b": 1,
            "d": 1,
            "n": 1,
            "c": "red",
            "k": "red",
            "t": True,
            "u": "2020-01-01",
            "v": "2020-01-01",
        }
    )
    assert strategy.run(typed) == strategy.interpret(typed)
    assert strategy.run(typed).outputs["x"] == (text if '"' not in text else "q")


@pytest.mark.parametrize("name", ["class", "import", "f", "o", "r", "ask", "lambda_", "print"])
def test_words_of_python_are_names_like_others(name: str) -> None:
    files = {file: re.sub(r"\bage\b", name, text) for file, text in FILES.items()}
    strategy = make(files)
    facts = {name if key == "age" else key: value for key, value in FACTS.items()}
    assert strategy.run(strategy.parse_facts(facts)).outcome == "approve"
