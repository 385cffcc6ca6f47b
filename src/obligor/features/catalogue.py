"""A set of features that is computed together, known by its digest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import yaml
from msgspec import Meta

from obligor.features.build import Built, Place, build, build_place, default_cache
from obligor.features.declaration import Feature
from obligor.features.emit_kernel import NULL, Kernel, emit
from obligor.features.emit_oracle import Oracle, emit_oracle, load_oracle
from obligor.features.history import History, microseconds
from obligor.kernel import InvalidInput, Malformed, NotFound, Violation, decode, digest

__all__ = ["Catalogue", "load"]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_-]{0,62}\Z")]
    version: Annotated[int, Meta(ge=1)]
    features: Annotated[dict[str, Feature], Meta(min_length=1, max_length=2_000)]


class Catalogue:
    """Features by name, in the order of their file, and the kernels that compute them.

    A value depends on the history's rows with at ≤ as_of that were known to whoever had seen the journal
    up to `known_upto`, and on nothing else. `sha256` is over every declaration.
    """

    def __init__(
        self, name: str, version: int, features: Mapping[str, Feature], *, cache_dir: Path | None = None
    ) -> None:
        """A catalogue of checked declarations; kernels are kept in `cache_dir`.

        Raises:
            InvalidInput: with one violation for everything that cannot be compiled.
        """
        wrong = [problem for name, feature in features.items() for problem in feature.problems(name)]
        if wrong:
            raise InvalidInput(f"the feature catalogue {name} does not compile", wrong)
        self.name = name
        self.version = version
        self.features: Mapping[str, Feature] = dict(features)
        self.names: tuple[str, ...] = tuple(features)
        self.sha256 = digest(
            {
                "name": name,
                "version": version,
                "features": [[key, feature.declared()] for key, feature in features.items()],
            }
        )
        self._cache_dir = cache_dir
        self._nullable = tuple(key for key, feature in features.items() if feature.empty is None)

    @cached_property
    def kernel(self) -> Kernel:
        """The text of the kernel set and what it takes."""
        return emit(self.features)

    @cached_property
    def built(self) -> Built:
        """The compiled kernel set.

        Raises:
            Unavailable: the cache directory cannot be written to.
        """
        return build(self.kernel, self._cache_dir or default_cache())

    @cached_property
    def place(self) -> Place:
        """The compiled function that makes rows out of a table's columns.

        Raises:
            Unavailable: the cache directory cannot be written to.
        """
        return build_place(self._cache_dir or default_cache())

    @cached_property
    def _oracle(self) -> Oracle:
        return load_oracle(emit_oracle(self.features))

    def warm(self) -> None:
        """Make the kernels ready, from the cache or by compiling them, and run them once.

        Raises:
            Unavailable: the cache directory cannot be written to.
        """
        self.compute(History(), datetime(1970, 1, 1, tzinfo=UTC), 0)

    def compute(
        self, history: History, as_of: datetime, known_upto: int, currency: str | None = None
    ) -> dict[str, int | None]:
        """Every feature of a person as of a moment, out of the events with known_seq < `known_upto`.

        Amounts in another currency than `currency` are not seen. It may be left out while a history has
        one currency only.

        Raises:
            InvalidInput: `as_of` has no zone, or the history has several currencies and none was named.
        """
        walks = self.built.walks
        kernel = self.kernel
        rows, count = history.buffer
        code = history.code
        codes = np.array([code(text) for _, text in kernel.texts], np.int64)
        seen = np.zeros((kernel.stamps, len(history.texts)), np.int32)
        out = np.empty(len(self.names), np.int64)
        at_us = microseconds(as_of)
        money = code(_currency(history, currency)) if history.currencies else -1
        for walk in walks:
            walk(rows, count, at_us, known_upto, codes, money, seen, 1, out)
        values: dict[str, int | None] = dict(zip(self.names, out.tolist(), strict=True))
        for name in self._nullable:
            if values[name] == NULL:
                values[name] = None
        return values

    def oracle(
        self, history: History, as_of: datetime, known_upto: int, currency: str | None = None
    ) -> dict[str, int | None]:
        """The same values from the same declarations by plain Python: what `compute` is tested against."""
        chosen = _currency(history, currency) if history.currencies else currency
        return self._oracle(history.records(), microseconds(as_of), known_upto, chosen)


def _currency(history: History, named: str | None) -> str:
    if named is not None:
        return named
    if len(history.currencies) > 1:
        raise InvalidInput.field("currency", None, f"one of {', '.join(sorted(history.currencies))}")
    return history.currencies[0]


def load(path: str | Path | Traversable, *, cache_dir: Path | None = None) -> Catalogue:
    """The catalogue of a YAML file; a text that begins with `packs/` is a file of the installed package.

    Raises:
        NotFound: there is no such file. Malformed: it is not YAML. InvalidInput: a declaration is wrong;
            every violation names its feature and field.
    """
    source: Traversable
    if isinstance(path, str):
        source = files("obligor").joinpath(path) if path.startswith("packs/") else Path(path)
    else:
        source = path
    try:
        text = source.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"no feature catalogue at {path}") from None
    found = decode(_yaml(text, str(path)), _File)
    return Catalogue(found.name, found.version, found.features, cache_dir=cache_dir)


class _Unique(yaml.SafeLoader):
    """YAML in which a key may stand once: a second declaration of a feature is a mistake, not a change."""


def _mapping(loader: _Unique, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            place = f"line {key_node.start_mark.line + 1}"
            raise InvalidInput(
                f"{key} is declared twice, again in {place}",
                [Violation.of(str(key), place, "each name once")],
            )
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Unique.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _yaml(text: str, name: str) -> Any:
    try:
        return yaml.load(text, Loader=_Unique)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Malformed(f"{name} is not YAML: {error.problem} in line {line}") from None
