"""What the other side of a transfer is: classes of counterparties, as data."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

from obligor.kernel import Currency, Ident, InvalidInput, Malformed, decode

__all__ = ["Classes", "CounterpartyClass", "Kind", "Label", "load_classes"]

Kind = Literal["prohibited", "allowed", "sink", "unknown"]
Name = Annotated[str, Meta(min_length=1, max_length=100)]


class CounterpartyClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class: what it means when loan money gets there, and its name for people."""

    kind: Kind
    en: Name
    zh: Name


class Label(msgspec.Struct, frozen=True):
    """A class as it is shown; a label that the table does not list is shown as it came."""

    en: str
    zh: str
    prohibited: bool


_NONE = Label("", "", prohibited=False)


class Classes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table. A hit needs loan money at one counterparty of at least a floor and a share of the loan.

    `floor_minor` is the floor by currency, `least_share_bp` the share in basis points.
    """

    version: Annotated[int, Meta(ge=1)]
    floor_minor: dict[Currency, Annotated[int, Meta(ge=1)]]
    floor_minor_elsewhere: Annotated[int, Meta(ge=1)]
    least_share_bp: Annotated[int, Meta(ge=0, le=10_000)] = 0
    classes: dict[Ident, CounterpartyClass]

    def kind(self, name: str | None) -> Kind:
        """What a label means; unknown where there is none, or it is not listed."""
        found = None if name is None else self.classes.get(name)
        return "unknown" if found is None else found.kind

    def label(self, name: str | None) -> Label:
        """How a label is shown; empty where there is none."""
        if name is None:
            return _NONE
        found = self.classes.get(name)
        if found is None:
            return Label(name, name, prohibited=False)
        return Label(found.en, found.zh, found.kind == "prohibited")

    def floor(self, currency: str) -> int:
        """The least amount in minor units that is a hit, whatever the loan."""
        return self.floor_minor.get(currency, self.floor_minor_elsewhere)

    def least(self, loan_minor: int, currency: str) -> int:
        """The least amount in minor units that is a hit of a loan of so much."""
        return max(self.floor(currency), -(-loan_minor * self.least_share_bp // 10_000))


def load_classes(path: Path | Traversable | None = None) -> Classes:
    """A table from a YAML file; the package's own if none is given.

    Raises:
        Malformed: it is no YAML. InvalidInput: every mistake in it.
    """
    file = path or resources.files("obligor") / "packs" / "funds" / "classes.yaml"
    try:
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise Malformed.field(file.name, str(error), "YAML 1.1") from None
    try:
        return decode(value, Classes)
    except InvalidInput as refusal:
        listed = "; ".join(f"{one.field}: {one.value}, expected {one.accepted}" for one in refusal.violations)
        raise InvalidInput(f"{file.name}: {listed}", refusal.violations) from None
