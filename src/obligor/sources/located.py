"""YAML whose every value knows its line, so that a mistake can be pointed at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from obligor.kernel import InvalidInput, Malformed, Violation

__all__ = ["Located", "read"]


class _Loader(yaml.SafeLoader):
    """YAML 1.1 but for its booleans: yes, no, on and off are texts, as people mean them in a table."""


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != _BOOL]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


class Located:
    """Plain values of a YAML file, and the line of each by its path (`fields.dti_bp.column`, `list[0]`)."""

    def __init__(self, name: str, value: Any, lines: Mapping[str, int]) -> None:
        self.name = name
        self.value = value
        self._lines = lines

    def where(self, path: str) -> str:
        """`file:line path`, with the line of the nearest thing that is written there."""
        known = path
        while known and known not in self._lines:
            cut = max(known.rfind("."), known.rfind("["))
            known = known[:cut] if cut > 0 else ""
        return f"{self.name}:{self._lines.get(known, 1)} {path}"

    def violation(self, path: str, value: object, accepted: str) -> Violation:
        """One thing wrong at a path."""
        return Violation.of(self.where(path), value, accepted)

    def refusal(self, problems: Iterable[Violation]) -> InvalidInput:
        """One refusal that lists every problem, in its detail too, since it is read on a terminal."""
        found = tuple(problems)
        listed = "\n".join(f"  {one.field}: {one.value}; expected {one.accepted}" for one in found)
        return InvalidInput(f"{self.name} has {len(found)} problem(s):\n{listed}", found)

    def placed(self, refusal: InvalidInput) -> InvalidInput:
        """A refusal whose violations name bare paths, with their places in the file."""
        return self.refusal(
            Violation(self.where("" if one.field == "$" else one.field), one.value, one.accepted)
            for one in refusal.violations
        )


def read(text: str, name: str) -> Located:
    """The values of a YAML document with their lines; `name` is what messages call the file.

    Raises:
        Malformed: it is no YAML. InvalidInput: a key stands twice in one mapping.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[str, int] = {}
        twice: list[tuple[str, int]] = []
        value = None if node is None else _value(loader, node, "", lines, twice)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Malformed.field(f"{name}:{line}", error.problem, "YAML 1.1") from None
    except (yaml.YAMLError, ValueError) as error:
        raise Malformed.field(name, str(error), "YAML 1.1") from None
    finally:
        loader.dispose()
    located = Located(name, value, lines)
    if twice:
        raise located.refusal(
            Violation.of(f"{name}:{line} {path}", path.rpartition(".")[2], "each key once")
            for path, line in twice
        )
    return located


def _value(
    loader: yaml.SafeLoader, node: yaml.Node, path: str, lines: dict[str, int], twice: list[tuple[str, int]]
) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            here = f"{path}.{key}" if path else str(key)
            if key in found:
                twice.append((here, key_node.start_mark.line + 1))
            lines[here] = key_node.start_mark.line + 1
            found[key] = _value(loader, value_node, here, lines, twice)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(loader, item, f"{path}[{index}]", lines, twice) for index, item in enumerate(node.value)
        ]
    return loader.construct_object(node, deep=True)
