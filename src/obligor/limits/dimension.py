"""What a cap is a cap on: `dimension/value`, such as `product/instalment`; `dimension/*` for each value."""

from __future__ import annotations

import re

from obligor.kernel import InvalidInput

__all__ = ["DIMENSIONS", "cap_name", "checked", "default_of", "dimension_of"]

# The dimensions a lender may limit. Which of them a loan counts under is the caller's to say.
DIMENSIONS = (
    "obligor",
    "group",
    "partner",
    "region",
    "industry",
    "product",
    "channel",
    "employer",
    "purpose",
)
_NAME = re.compile(r"([a-z]+)/([A-Za-z0-9._:/-]{1,128}|\*)")
_ACCEPTED = "a dimension, a slash and a value or *, such as product/instalment or obligor/*; dimensions are "


def cap_name(dimension: str, value: str) -> str:
    """The name of the cap on one value of a dimension.

    Raises:
        InvalidInput: an unknown dimension, or a value that cannot stand in a name.
    """
    name = f"{dimension}/{value}"
    if dimension_of(name) is None or value == "*":
        raise InvalidInput.field("cap", name, _ACCEPTED + ", ".join(DIMENSIONS))
    return name


def checked(name: str) -> str:
    """A cap's name as someone sent it, defaults (`dimension/*`) included.

    Raises:
        InvalidInput: it is none.
    """
    if dimension_of(name) is None:
        raise InvalidInput.field("cap", name, _ACCEPTED + ", ".join(DIMENSIONS))
    return name


def dimension_of(name: str) -> str | None:
    """The dimension of a cap's name; None where the name is none."""
    match = _NAME.fullmatch(name)
    return match[1] if match and match[1] in DIMENSIONS else None


def default_of(name: str) -> str:
    """The cap that holds for each value of this one's dimension."""
    return name.partition("/")[0] + "/*"
