"""What a loan product promises: how it is repaid, how interest is reckoned, what it may cost.

Data in packs.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from obligor.kernel import BUSINESS_DAY_RULES, DAY_COUNTS, InvalidInput, NotFound, Violation, decode
from obligor.kernel import currency as known_currency

__all__ = ["COMPONENTS", "Product", "parse", "product", "products"]

Component = Literal["fee", "interest", "principal"]
COMPONENTS: tuple[Component, ...] = ("fee", "interest", "principal")
Name = Annotated[
    str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,62}\Z", description="lower-case letters, digits, hyphens")
]
Positive = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the product is called, for people."""

    en: Text
    zh: Text


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of a product. Amounts are in minor units, rates in basis points a year, terms in months.

    `repayment` is `annuity` (equal instalments each month) or `bullet` (principal at the end, its interest as
    `bullet_interest` says). `day_count` and `business_day` are conventions of `obligor.kernel`; a due date is
    moved by the business-day rule, the interest of its period is not. `interest` says what early and late
    payments cost: `scheduled`, the interest of the schedule, whatever day a payment comes, except that a
    payment in full owes interest to its own day only; `daily`, what accrues on the balance that is really
    outstanding. `allocation` is the order within what is paid, `instalment_multiple_minor` what a regular
    instalment is rounded to. `fees` are the kinds that may be charged with the most of each at a time (None:
    no bound); None in place of a currency: any. Of a `revolving` product what was repaid may be drawn again.
    """

    name: Name
    label: Label
    repayment: Literal["annuity", "bullet"]
    currency: str | None
    day_count: str
    business_day: str
    interest: Literal["scheduled", "daily"]
    bullet_interest: Literal["monthly", "maturity"] = "monthly"
    revolving: bool = False
    instalment_multiple_minor: Positive = 1
    allocation: tuple[Component, ...] = COMPONENTS
    minimum_minor: Positive
    maximum_minor: Positive
    minimum_term_months: Positive
    maximum_term_months: Positive
    maximum_rate_bp: Annotated[int, Meta(ge=0)]
    fees: dict[Name, Positive | None] = {}


def parse(text: str | bytes, source: str = "product") -> Product:
    """A product from YAML. `source` is what errors call the text, such as its file.

    Raises:
        InvalidInput: no YAML mapping, or with every field that is wrong.
    """
    try:
        plain: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"{source} is no YAML: {str(error).splitlines()[0]}") from None
    try:
        found = decode(plain, Product)
    except InvalidInput as error:
        raise InvalidInput(f"{source}: {error.detail}", error.violations) from None
    violations = tuple(_violations(found))
    if violations:
        names = ", ".join(violation.field for violation in violations)
        raise InvalidInput(f"{source}: not acceptable: {names}", violations)
    return found


def _violations(found: Product) -> list[Violation]:
    """What no single field's type can say."""
    wrong: list[Violation] = []

    def unless(holds: bool, field: str, accepted: str) -> None:
        if not holds:
            wrong.append(Violation.of(field, msgspec.to_builtins(getattr(found, field)), accepted))

    unless(found.day_count in DAY_COUNTS, "day_count", "one of " + ", ".join(DAY_COUNTS))
    unless(
        found.business_day in BUSINESS_DAY_RULES, "business_day", "one of " + ", ".join(BUSINESS_DAY_RULES)
    )
    unless(found.maximum_minor >= found.minimum_minor, "maximum_minor", f"at least {found.minimum_minor}")
    unless(
        found.maximum_term_months >= found.minimum_term_months,
        "maximum_term_months",
        f"at least {found.minimum_term_months}",
    )
    each_once = sorted(found.allocation) == sorted(COMPONENTS)
    unless(
        each_once and found.allocation[1] != "fee",
        "allocation",
        "fee, interest and principal, each once, with fee first or last",
    )
    unless(
        found.interest != "daily" or found.allocation == COMPONENTS,
        "allocation",
        "fee, interest, principal: daily interest is paid before principal",
    )
    if found.currency is not None:
        try:
            known_currency(found.currency)
        except InvalidInput as error:
            wrong.extend(error.violations)
    return wrong


@cache
def products() -> tuple[str, ...]:
    """The names of the products in the package, sorted."""
    folder = files("obligor") / "packs" / "products"
    return tuple(
        sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))
    )


@cache
def product(name: str) -> Product:
    """A product of the package.

    Raises:
        NotFound: there is none of this name.
        InvalidInput: its file is wrong.
    """
    if name not in products():
        raise NotFound(f"there is no product {name!r}; there are {', '.join(products())}")
    file = files("obligor") / "packs" / "products" / f"{name}.yaml"
    found = parse(file.read_bytes(), f"packs/products/{name}.yaml")
    if found.name != name:
        raise InvalidInput.field("name", found.name, f"{name}, as the file is called")
    return found
