"""A strategy's files as they are: YAML and CSV with the line of everything, and their digest.

YAML is read as texts, lists and maps only: `no`, `1e3` and `2026-11-23` stay the texts they are. The digest
is over that content, so comments, quoting and line ends do not move it and everything that can matter does.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

import msgspec
import yaml

from obligor.kernel import digest
from obligor.strategy.problems import Place, Problems

__all__ = [
    "MAIN",
    "Doc",
    "Leaf",
    "Row",
    "Series",
    "Sheet",
    "Tree",
    "content_digest",
    "read_sheet",
    "read_yaml",
]

MAIN = "strategy.yaml"
MAX_BYTES = 1_048_576
MAX_ROWS = 5_000
MAX_COLUMNS = 64
MAX_NESTING = 8
FORMAT = 1
_BREAKS = re.compile(r"\r\n?")


class Leaf(msgspec.Struct, frozen=True):
    """A text and where it stands."""

    text: str
    line: int


class Series(msgspec.Struct, frozen=True):
    """A list and where it begins."""

    items: tuple[Doc, ...]
    line: int


class Tree(msgspec.Struct, frozen=True):
    """A map and where it begins."""

    items: dict[str, Doc]
    line: int


Doc = Leaf | Series | Tree


class Row(msgspec.Struct, frozen=True):
    """A row's cells, without the space around them."""

    cells: tuple[str, ...]
    line: int


class Sheet(msgspec.Struct, frozen=True):
    """A CSV file: its header and the rows below, all of one length."""

    file: str
    header: Row
    rows: tuple[Row, ...]

    def place(self, row: Row, column: int) -> Place:
        """A cell's place; columns count from 0 and are shown as a spreadsheet names them."""
        letters, rest = "", column + 1
        while rest:
            rest, digit = divmod(rest - 1, 26)
            letters = chr(65 + digit) + letters
        title = self.header.cells[column] if column < len(self.header.cells) else ""
        shown = f"{letters}{row.line}"
        return Place(self.file, row.line, f"{shown} ({title})" if title and row.line > 1 else shown)


def _text(file: str, data: bytes, problems: Problems) -> str | None:
    if len(data) > MAX_BYTES:
        problems.add("file", Place(file, 1, "-"), f"{len(data)} bytes", f"at most {MAX_BYTES} bytes")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.add("file", Place(file, line, "-"), f"byte {error.start}", "text in UTF-8")
        return None
    return _BREAKS.sub("\n", text)


def read_yaml(file: str, data: bytes, problems: Problems) -> Tree | None:
    """A YAML document that is a map; None where problems were found."""
    text = _text(file, data, problems)
    if text is None:
        return None
    try:
        # An alias could make a document of any size out of a few bytes.
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = _line(event.start_mark)
                problems.add("yaml", Place(file, line, "-"), f"*{event.anchor}", "no aliases: write it out")
                return None
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        line = _line(getattr(error, "problem_mark", None))
        what = getattr(error, "problem", None) or "cannot be read"
        problems.add("yaml", Place(file, line, "-"), what, "a YAML document")
        return None
    except RecursionError:
        problems.add("yaml", Place(file, 1, "-"), "…", f"nested at most {MAX_NESTING} levels deep")
        return None
    before = len(problems.found)
    found = None if root is None else _doc(root, file, "", MAX_NESTING, problems)
    if not isinstance(found, Tree):
        problems.add("yaml", Place(file, 1, "-"), text[:40], "a map of settings, one `name: value` a line")
        return None
    return found if len(problems.found) == before else None


def _line(mark: Any) -> int:
    return 1 if mark is None else int(mark.line) + 1


def _doc(node: yaml.Node, file: str, path: str, depth: int, problems: Problems) -> Doc:
    line = _line(node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return Leaf(node.value, line)
    if depth == 0:
        problems.add("yaml", Place(file, line, path), "…", f"nested at most {MAX_NESTING} levels deep")
        return Leaf("", line)
    if isinstance(node, yaml.SequenceNode):
        items = (_doc(item, file, f"{path}[{i}]", depth - 1, problems) for i, item in enumerate(node.value))
        return Series(tuple(items), line)
    tree: dict[str, Doc] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        here = Place(file, _line(key.start_mark), f"{path}.{name}".lstrip("."))
        if not name or not name.isascii():
            problems.add("yaml", here, name, "a name of ASCII letters")
        elif name in tree:
            problems.add("yaml", here, name, "each name once in a map")
        else:
            tree[name] = _doc(value, file, here.cell, depth - 1, problems)
    return Tree(tree, line)


def read_sheet(file: str, data: bytes, problems: Problems) -> Sheet | None:
    """A CSV file (RFC 4180) with a header; None where problems were found."""
    text = _text(file, data, problems)
    if text is None:
        return None
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    last = 0
    try:
        for cells in reader:
            line, last = last + 1, reader.line_num
            if any(cell.strip() for cell in cells):
                rows.append(Row(tuple(cell.strip() for cell in cells), line))
    except csv.Error as error:
        problems.add("csv", Place(file, reader.line_num, "-"), str(error), "a CSV row (RFC 4180)")
        return None
    if len(rows) < 2 or len(rows) > MAX_ROWS or len(rows[0].cells) > MAX_COLUMNS:
        size = f"{len(rows)} rows of {len(rows[0].cells) if rows else 0} cells"
        limits = f"a header and 1 to {MAX_ROWS} rows of at most {MAX_COLUMNS} cells"
        problems.add("csv", Place(file, 1, "-"), size, limits)
        return None
    header, *body = rows
    before = len(problems.found)
    for row in body:
        if len(row.cells) != len(header.cells):
            accepted = f"{len(header.cells)} cells, as in the header; a cell with a comma in it needs quotes"
            problems.add("csv", Place(file, row.line, "-"), f"{len(row.cells)} cells", accepted)
    return Sheet(file, header, tuple(body)) if len(problems.found) == before else None


def _plain(doc: Doc) -> Any:
    """A document as canonical JSON can hold it; maps keep their order, for formulas have one."""
    if isinstance(doc, Leaf):
        return doc.text
    if isinstance(doc, Series):
        return [_plain(item) for item in doc.items]
    return {"map": [[name, _plain(item)] for name, item in doc.items.items()]}


def content_digest(document: Tree, sheets: Iterable[Sheet]) -> str:
    """SHA-256 over the canonical content of all files of a strategy."""
    tables = {sheet.file: [sheet.header.cells, *(row.cells for row in sheet.rows)] for sheet in sheets}
    return digest({"format": FORMAT, "strategy": _plain(document), "tables": tables})
