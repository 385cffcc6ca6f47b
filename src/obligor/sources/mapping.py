"""A mapping: what the columns of a lender's table mean, checked as far as that goes without the table."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal

from obligor import loans, scoring
from obligor.kernel import InvalidInput, NotFound, Violation, decode, sha256_hex
from obligor.sources.located import Located, read
from obligor.sources.spec import Characteristic, Field, FieldType, Issued, Spec, Term

__all__ = ["ADDED_FACTS", "Mapping", "columns_by_path"]

# Facts that the system itself adds to an application: a field of the same name would be hidden by them.
ADDED_FACTS = frozenset(
    {
        "channel",
        "exposure_minor",
        "headroom_minor",
        "pd_ppm",
        "product",
        "purpose",
        "requested_minor",
        "score",
        "term_months",
    }
)
# Of these a model may use what the applicant asked for.
_ASKED = frozenset({"requested_minor", "term_months", "purpose"})

_UNITS: dict[FieldType, tuple[str, ...]] = {
    "money": ("major", "minor"),
    "rate": ("fraction", "percent", "bp"),
}
_SUFFIX: dict[FieldType, str] = {"money": "_minor", "rate": "_bp", "months_between": "_months"}
_NUMBERS: frozenset[FieldType] = frozenset({"int", "decimal", "money", "rate"})
_ORDERED: frozenset[FieldType] = _NUMBERS.union(("level", "months_between"))
_KINDS: dict[FieldType, Literal["int", "decimal", "category", "bool"]] = {
    "decimal": "decimal",
    "category": "category",
    "flag": "bool",
}
# Options that only some types have.
_OPTIONS: dict[str, frozenset[FieldType]] = {
    "unit": frozenset({"money", "rate"}),
    "scale": frozenset({"decimal"}),
    "values": frozenset({"category", "flag"}),
    "levels": frozenset({"level"}),
    "special": _ORDERED,
    "minimum": _ORDERED,
    "maximum": _ORDERED,
    "format": frozenset({"date", "months_between"}),
    "strip": _NUMBERS,
}
_REQUIRED: dict[FieldType, str] = {
    "money": "unit",
    "rate": "unit",
    "decimal": "scale",
    "level": "levels",
    "flag": "values",
}


class Mapping:
    """A checked mapping file. `spec` holds its sections, `sha256` is of its bytes."""

    def __init__(self, located: Located, spec: Spec, sha256: str) -> None:
        self.located = located
        self.spec = spec
        self.sha256 = sha256

    @property
    def name(self) -> str:
        """What the mapping calls itself."""
        return self.spec.mapping

    @property
    def fields(self) -> dict[str, Field]:
        """The application's fields by fact name."""
        return self.spec.fields

    @property
    def characteristics(self) -> dict[str, Characteristic]:
        """The facts that a model may use, with reason codes and texts."""
        return self.spec.characteristics

    @classmethod
    def load(cls, name: str | Path) -> Mapping:
        """A mapping by name (`lendingclub`, shipped in packs/mappings) or by path (with a / or .yaml in it).

        Raises:
            NotFound: there is no such file. InvalidInput: every mistake in it, each with its line.
        """
        text, shown = _text(name)
        return cls.parse(text, shown)

    @classmethod
    def parse(cls, text: str, name: str = "mapping.yaml") -> Mapping:
        """A mapping from the text of its file; `name` is what messages call it.

        Raises:
            InvalidInput: every mistake in it, each with its line.
        """
        located = read(text, name)
        try:
            spec = decode(located.value, Spec)
        except InvalidInput as refusal:
            raise located.placed(refusal) from None
        problems = tuple(_problems(spec, located))
        if problems:
            raise located.refusal(problems)
        return cls(located, spec, sha256_hex(text.encode()))

    def product(self, term_months: int) -> str:
        """The product of a loan of this term."""
        products = self.spec.product
        return products if isinstance(products, str) else products[term_months]

    def declarations(self) -> tuple[scoring.Characteristic, ...]:
        """The characteristics as `scoring` takes them: kinds, scales, special codes, reasons."""
        return tuple(self._declaration(fact, one) for fact, one in self.characteristics.items())

    def _declaration(self, fact: str, one: Characteristic) -> scoring.Characteristic:
        field = self.fields.get(fact)
        kind = (
            ("category" if fact == "purpose" else "int") if field is None else _KINDS.get(field.type, "int")
        )
        return scoring.Characteristic(
            name=fact,
            kind=kind,
            reason=scoring.Reason(code=one.code, en=one.en, zh=one.zh),
            scale=0 if field is None else field.scale or 0,
            specials=() if field is None else tuple(field.special),
            risk=one.risk or "monotone",
        )


def _text(name: str | Path) -> tuple[str, str]:
    if isinstance(name, Path) or "/" in name or name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise NotFound(f"there is no mapping file {path}")
        return path.read_text(encoding="utf-8"), path.name
    shipped = resources.files("obligor") / "packs" / "mappings"
    file = shipped / f"{name}.yaml"
    if not file.is_file():
        names = sorted(
            one.name.removesuffix(".yaml") for one in shipped.iterdir() if one.name.endswith(".yaml")
        )
        raise NotFound(
            f"there is no mapping {name!r}; shipped are {', '.join(names)}, or give the path of a file"
        )
    return file.read_text(encoding="utf-8"), f"{name}.yaml"


def columns_by_path(spec: Spec) -> Iterator[tuple[str, str]]:
    """Every column that a mapping names, with the path of the value that names it."""
    for path, part in _inputs(spec):
        yield path, part
    for path, part in _learnt_later(spec):
        yield path, part
    if spec.history:
        yield "history.funded.column", spec.history.funded.column
    if spec.issued.column is not None:
        yield "issued.column", spec.issued.column
    if spec.row_id is not None:
        yield "row_id", spec.row_id
    for column in spec.not_inputs:
        yield f"not_inputs.{column}", column


def _inputs(spec: Spec) -> Iterator[tuple[str, str]]:
    yield "amount.column", spec.amount.column
    if spec.term.column is not None:
        yield "term.column", spec.term.column
    if spec.purpose:
        yield "purpose.column", spec.purpose.column
    for fact, field in spec.fields.items():
        yield f"fields.{fact}.column", field.column


def _learnt_later(spec: Spec) -> Iterator[tuple[str, str]]:
    if spec.history:
        yield "history.rate.column", spec.history.rate.column
    yield "outcome.status.column", spec.outcome.status.column
    if spec.outcome.last_payment:
        yield "outcome.last_payment.column", spec.outcome.last_payment.column
    if spec.outcome.off_policy:
        yield "outcome.off_policy.column", spec.outcome.off_policy.column
    if spec.repaid is None:
        return
    for name in spec.repaid.__struct_fields__:
        part = getattr(spec.repaid, name)
        if part is not None:
            yield f"repaid.{name}.column", part.column


def _problems(spec: Spec, at: Located) -> Iterator[Violation]:
    yield from _section_problems(spec, at)
    yield from _leaks(spec, at)
    for fact, field in spec.fields.items():
        yield from _field_problems(fact, field, at)
    yield from _characteristic_problems(spec, at)
    yield from _outcome_problems(spec, at)
    yield from _window_problems(spec, at)


def _section_problems(spec: Spec, at: Located) -> Iterator[Violation]:
    """Sections that need each other, and names that have to be known."""
    issued, term = spec.issued, spec.term
    if (issued.column is None) == (issued.day is None):
        yield at.violation("issued", _given(issued), "a column of dates, or one day: `day: 2005-09-30`")
    if (term.column is None) == (term.months is None):
        yield at.violation("term", _given(term), "a column of terms, or one for all: `months: 36`")
    if spec.repaid and spec.history is None:
        yield at.violation(
            "repaid", "(without history)", "a history section beside it: what was lent, and the rate"
        )
    if spec.repaid and spec.outcome.last_payment is None:
        yield at.violation(
            "outcome.last_payment", None, "the column with each loan's last payment, which repaid needs"
        )
    if spec.repaid and issued.day is not None:
        yield at.violation(
            "repaid", "(without dates)", "no repayments, since `issued` has no column of dates"
        )
    names = [spec.product] if isinstance(spec.product, str) else list(spec.product.values())
    for name in names:
        if name not in loans.products():
            yield at.violation("product", name, f"one of packs/products: {', '.join(loans.products())}")


def _given(part: Issued | Term) -> str:
    return f"column {part.column}" if part.column is not None else "(neither)"


def _leaks(spec: Spec, at: Located) -> Iterator[Violation]:
    later = {column: path for path, column in _learnt_later(spec)}
    for path, column in _inputs(spec):
        if column in later:
            yield at.violation(path, column, f"a column known at the application; {later[column]} is not")
        elif column in spec.not_inputs:
            reason = spec.not_inputs[column]
            yield at.violation(path, column, f"a column that may be an input; not this one: {reason.why}")


def _field_problems(fact: str, field: Field, at: Located) -> Iterator[Violation]:
    path = f"fields.{fact}"
    if fact in ADDED_FACTS:
        yield at.violation(path, fact, "another name: the system adds a fact of this name itself")
    suffix = _SUFFIX.get(field.type)
    if suffix and not fact.endswith(suffix):
        yield at.violation(path, fact, f"a name that ends in {suffix}, the unit of type {field.type}")
    for suffix_type, other in _SUFFIX.items():
        if suffix_type != "months_between" and fact.endswith(other) and field.type != suffix_type:
            yield at.violation(f"{path}.type", field.type, f"{suffix_type}, since the name ends in {other}")
    for option, types in _OPTIONS.items():
        if getattr(field, option) not in (None, (), {}) and field.type not in types:
            yield at.violation(
                f"{path}.{option}", getattr(field, option), f"no {option} for type {field.type}"
            )
    needed = _REQUIRED.get(field.type)
    if needed and getattr(field, needed) is None:
        yield at.violation(f"{path}.{needed}", None, f"{needed}, which type {field.type} needs")
    units = _UNITS.get(field.type)
    if units and field.unit is not None and field.unit not in units:
        yield at.violation(f"{path}.unit", field.unit, f"for type {field.type} one of {', '.join(units)}")
    wanted = bool if field.type == "flag" else str
    for key, value in (field.values or {}).items():
        if type(value) is not wanted:
            accepted = "true or false" if wanted is bool else "a name"
            yield at.violation(f"{path}.values.{key}", value, accepted)
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        yield at.violation(f"{path}.maximum", field.maximum, f"at least the minimum, {field.minimum}")


def _characteristic_problems(spec: Spec, at: Located) -> Iterator[Violation]:
    codes: dict[str, str] = {}
    for fact, characteristic in spec.characteristics.items():
        path = f"characteristics.{fact}"
        field = spec.fields.get(fact)
        if field is None and fact not in _ASKED:
            yield at.violation(path, fact, f"a field, or one of {', '.join(sorted(_ASKED))}")
        elif fact == "purpose" and spec.purpose is None:
            yield at.violation(path, fact, "a purpose section that names its column")
        elif field is not None and field.type == "date":
            yield at.violation(path, fact, "a number or a category; for a date's age use months_between")
        ordered = fact in {"requested_minor", "term_months"} or (field is not None and field.type in _ORDERED)
        if characteristic.risk is not None and not ordered:
            yield at.violation(f"{path}.risk", characteristic.risk, "nothing: its values have no order")
        if characteristic.code in codes:
            taken = codes[characteristic.code]
            yield at.violation(
                f"{path}.code", characteristic.code, f"a code of its own; {taken} has this one"
            )
        codes.setdefault(characteristic.code, fact)


def _outcome_problems(spec: Spec, at: Located) -> Iterator[Violation]:
    status = spec.outcome.status
    seen: dict[str, str] = {}
    for kind in ("repaid", "bad", "open"):
        for value in map(str, getattr(status, kind)):
            if value in seen:
                path = f"outcome.status.{kind}"
                yield at.violation(path, value, f"each status once; it is under {seen[value]} too")
            seen.setdefault(value, kind)
    for kind in ("repaid", "bad"):
        if not getattr(status, kind):
            yield at.violation(f"outcome.status.{kind}", [], "at least one status")


def _window_problems(spec: Spec, at: Located) -> Iterator[Violation]:
    training, deciding = spec.training, spec.deciding
    if spec.issued.day is not None:
        yield from _undated_problems(spec, at)
        return
    if deciding.issued_from is None or deciding.issued_to is None or deciding.one_row_in is not None:
        yield at.violation(
            "deciding", "(other)", "issued_from and issued_to, and not one_row_in: there are dates"
        )
        return
    if training is None:
        yield at.violation(
            "training", None, "a section with known_on: the day on which an outcome had to be known"
        )
        return
    if deciding.issued_from > deciding.issued_to:
        yield at.violation("deciding.issued_to", deciding.issued_to, f"a date from {deciding.issued_from} on")
    if training.known_on >= deciding.issued_from:
        accepted = f"a day before {deciding.issued_from}, when the first loan is decided"
        yield at.violation("training.known_on", training.known_on, accepted)
    if training.known_on > spec.outcome.observed_on:
        yield at.violation("training.known_on", training.known_on, "no later than outcome.observed_on")
    if training.minimum_age_months < training.within_months:
        accepted = f"at least within_months, {training.within_months}: before that a loan has no label"
        yield at.violation("training.minimum_age_months", training.minimum_age_months, accepted)
    if 30 * training.within_months <= training.days_past_due:
        accepted = f"fewer days than {training.within_months} months have"
        yield at.violation("training.days_past_due", training.days_past_due, accepted)


def _undated_problems(spec: Spec, at: Located) -> Iterator[Violation]:
    """Windows are a matter of dates."""
    if spec.training is not None:
        accepted = "no such section: without dates nobody can say what was known when"
        yield at.violation("training", spec.training.known_on, accepted)
    deciding = spec.deciding
    if deciding.one_row_in is None or deciding.issued_from or deciding.issued_to:
        shown = deciding.issued_from or deciding.issued_to or "(neither)"
        yield at.violation(
            "deciding", shown, "`one_row_in: 2` or more, since `issued` has no column of dates"
        )
    if spec.issued.day and spec.outcome.observed_on < spec.issued.day:
        yield at.violation(
            "outcome.observed_on", spec.outcome.observed_on, f"a day from {spec.issued.day} on"
        )
    for fact, field in spec.fields.items():
        if field.type == "months_between":
            yield at.violation(f"fields.{fact}.type", field.type, "another type: no application has a date")
