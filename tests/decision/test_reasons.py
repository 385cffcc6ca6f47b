"""Texts of reason codes, in English and Chinese."""

import pytest

from obligor.decision import Reason, load_reasons
from obligor.kernel import InvalidInput


def test_texts_are_read_by_code(tmp_path) -> None:
    path = tmp_path / "reasons.yaml"
    path.write_text("E01: {en: Too young, zh: 年龄不足}\n", encoding="utf-8")
    assert load_reasons(path) == {"E01": Reason("E01", "Too young", "年龄不足")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "E01",
        "- E01",
        "E01: Too young",
        "E01: {en: Too young}",
        "E01: {en: a, zh: ''}",
        "1: {en: a, zh: b}",
        "a: [",
    ],
)
def test_a_file_that_is_no_map_of_texts_is_refused(tmp_path, text: str) -> None:
    path = tmp_path / "reasons.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"reasons\.yaml"):
        load_reasons(path)


def test_every_entry_that_is_wrong_is_named(tmp_path) -> None:
    path = tmp_path / "reasons.yaml"
    path.write_text("A1: {en: a, zh: b}\nA2: {en: a}\nA3: 7\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_reasons(path)
    assert [violation.field for violation in caught.value.violations] == [
        "reasons.yaml: A2",
        "reasons.yaml: A3",
    ]
