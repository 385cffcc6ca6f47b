"""A map of a strategy's document, read key by key; what is missing or not known becomes a problem."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from obligor.strategy.problems import Flaw, Place, Problems
from obligor.strategy.source import MAIN, Doc, Leaf, Series, Tree
from obligor.strategy.syntax import WORDS
from obligor.strategy.types import scaled

__all__ = ["IDENTIFIER", "Form", "Said"]

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Said(msgspec.Struct, frozen=True):
    """A text of the document with its place."""

    text: str
    place: Place


class Form:
    """One map with its path in the document."""

    def __init__(self, tree: Tree, path: str, problems: Problems) -> None:
        self.tree = tree
        self.path = path
        self.problems = problems

    def place(self, key: str = "") -> Place:
        """The place of a value, or of the map itself."""
        doc = self.tree.items.get(key, self.tree)
        return Place(MAIN, doc.line, f"{self.path}.{key}".strip(".") if key else self.path or "-")

    def wrong(self, key: str, text: object, message: str, code: str = "schema") -> None:
        """Note a problem with a value."""
        self.problems.add(code, self.place(key), text, message)

    def only(self, *keys: str) -> None:
        """Note every key that is none of these."""
        for key in self.tree.items:
            if key not in keys:
                self.wrong(key, key, f"one of {', '.join(keys)}")

    def has(self, key: str) -> bool:
        """Whether a key is there."""
        return key in self.tree.items

    def text(self, key: str, *, required: bool = True) -> str:
        """A text, empty where there is none."""
        doc = self.tree.items.get(key)
        if isinstance(doc, Leaf) and doc.text:
            return doc.text
        if doc is not None or required:
            self.wrong(key, "nothing" if doc is None else "…", f"{key}: a text")
        return ""

    def said(self, key: str) -> Said:
        """A text with its place."""
        return Said(self.text(key), self.place(key))

    def choice(self, key: str, accepted: Iterable[str], default: str | None = None) -> str:
        """One of some texts; without one, the default, or a problem."""
        if default is not None and not self.has(key):
            return default
        accepted = tuple(accepted)
        text = self.text(key) if self.has(key) else "nothing"
        if text and text not in accepted:
            self.wrong(key, text, f"one of {', '.join(accepted)}")
        return text if text in accepted else accepted[0]

    def flag(self, key: str) -> bool:
        """Whether a flag is true; one that is not given is false."""
        return self.choice(key, ("false", "true"), "false") == "true"

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int | None:
        """A whole number within limits; without one, the default."""
        if not self.has(key):
            return default
        text = self.text(key)
        try:
            value = scaled(text, 0)
        except Flaw:
            value = least - 1
        if least <= value <= most:
            return value
        self.wrong(key, text, f"a whole number from {least} to {most}")
        return default

    def texts(self, key: str, *, required: bool = True) -> tuple[str, ...]:
        """A list of different texts."""
        doc = self.tree.items.get(key)
        if doc is None and not required:
            return ()
        items = doc.items if isinstance(doc, Series) else ()
        found = tuple(item.text for item in items if isinstance(item, Leaf) and item.text)
        if not found or len(found) < len(items) or len(set(found)) < len(found):
            self.wrong(key, "…" if doc else "nothing", f"{key}: a list of different texts, [a, b]")
        return tuple(dict.fromkeys(found))

    def forms(self, key: str) -> list[Form]:
        """A list of maps."""
        doc = self.tree.items.get(key)
        if not isinstance(doc, Series) or not doc.items:
            self.wrong(key, "…" if doc else "nothing", f"{key}: a list of maps")
            return []
        return [
            form
            for index, item in enumerate(doc.items)
            if (form := self._form(item, f"{key}[{index}]", key)) is not None
        ]

    def named(self, key: str, *, required: bool = True) -> dict[str, Form]:
        """A map of maps, by name."""
        return {
            name: form
            for name, doc in self.entries(key, required=required).items()
            if (form := self._form(doc, f"{key}.{name}", key)) is not None
        }

    def entries(self, key: str, *, required: bool = True) -> dict[str, Doc]:
        """A map by names that formulas can use."""
        doc = self.tree.items.get(key)
        if doc is None and not required:
            return {}
        if not isinstance(doc, Tree) or not doc.items:
            self.wrong(key, "…" if doc else "nothing", f"{key}: a map by name")
            return {}
        for name, item in doc.items.items():
            if not IDENTIFIER.fullmatch(name) or name in WORDS:
                place = Place(MAIN, item.line, f"{self.path}.{key}.{name}".strip("."))
                self.problems.add("name", place, name, "a name of a-z, 0-9 and _ that is no word of formulas")
        return {name: item for name, item in doc.items.items() if IDENTIFIER.fullmatch(name)}

    def _form(self, doc: Doc, path: str, key: str) -> Form | None:
        path = f"{self.path}.{path}".strip(".")
        if isinstance(doc, Tree):
            return Form(doc, path, self.problems)
        self.problems.add("schema", Place(MAIN, doc.line, path), "…", f"{key}: here a map is expected")
        return None
