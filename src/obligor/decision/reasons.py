"""What reason codes say to people, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec
import yaml

from obligor.kernel import InvalidInput, Violation

__all__ = ["Reason", "load_reasons"]


class Reason(msgspec.Struct, frozen=True):
    """The texts of one reason code."""

    code: str
    en: str
    zh: str


def load_reasons(path: Path | Traversable) -> Mapping[str, Reason]:
    """Texts by code, from a YAML map of code to `en` and `zh`.

    Raises:
        InvalidInput: the file is no such map; every entry that is not is named.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput.field(path.name, str(error), "YAML in UTF-8") from None
    entries = document if isinstance(document, dict) else {}
    wrong = [
        Violation.of(f"{path.name}: {code}", texts, "a code with texts en and zh")
        for code, texts in entries.items()
        if not (isinstance(code, str) and _is_text(texts))
    ]
    if wrong or not entries:
        raise InvalidInput(f"{path.name} is no map of reason codes to texts", wrong)
    return {code: Reason(code, texts["en"], texts["zh"]) for code, texts in entries.items()}


def _is_text(texts: object) -> bool:
    return (
        isinstance(texts, dict)
        and set(texts) == {"en", "zh"}
        and all(isinstance(text, str) and text for text in texts.values())
    )
