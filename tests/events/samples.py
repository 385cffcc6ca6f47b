"""One body of every type, with every field told; run as a program to write golden bytes that are missing."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from obligor import events
from obligor.events import BODIES, split
from obligor.kernel import Body, encode

GOLDEN = Path(__file__).parent / "golden"

_BY_NAME: dict[str, Any] = {
    "allocation": events.Allocation(
        fee_minor=100, interest_minor=2300, principal_minor=40000, excess_minor=7
    ),
    "caps": ("product/instalment-12", "obligor/p-1"),
    "classes": ("identity", "conduct"),
    "currency": "CNY",
    "evidence": {"hops": [["a-1", "a-2", 3120000]], "days": 3, "label": "证券"},
    "expires_at": datetime(2026, 3, 31, 16, tzinfo=UTC),
    "facts": {"income_month_minor": 1140000, "employment": "salaried", "since": "2020-05-01", "late": None},
    "fields": {"age_years": 34, "housing": "rent", "married": True, "months_employed": None},
    "inputs_sha256": "d" * 64,
    "known_at": (118, 118, 121),
    "name": "陈静 (Chén Jìng)",
    "opening_minor": 250000,
    "outcomes": {"normal": 310, "special_mention": 12},
    "outputs": {"outcome": "approve", "limit_minor": 4000000},
    "reads": {"application/a-1": 2, "person/p-1": 1},
    "reasons": ("R214", "R118"),
    "schedule": (
        events.Instalment(number=1, due_on=date(2026, 4, 1), principal_minor=300000, interest_minor=4000),
        events.Instalment(number=2, due_on=date(2026, 5, 1), principal_minor=301000, interest_minor=3000),
    ),
    "shares": (
        events.PartnerShare(partner="P-02", share_bp=7000),
        events.PartnerShare(partner="own", share_bp=3000),
    ),
    "trace": [["rules", "eligible", 7], ["table", "grade", 6, {"grade": "C"}]],
}
_BY_TYPE: dict[Any, Any] = {
    bool: True,
    date: date(2026, 2, 28),
    datetime: datetime(2026, 2, 28, 8, 30, tzinfo=UTC),
}


def sample(body: type[Body]) -> Body:
    """A body with a value for each field that its default does not have."""
    return body(**{field.name: _value(field) for field in msgspec.structs.fields(body)})


def _value(field: msgspec.structs.FieldInfo) -> Any:
    if field.name in _BY_NAME:
        return _BY_NAME[field.name]
    bare = field.type.__origin__
    if get_origin(bare) is tuple:
        return (f"{field.name}-1", f"{field.name}-2")
    kind = next(kind for kind in get_args(bare) or (bare,) if kind is not type(None))
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    if kind is int:
        return 1000 + len(field.name)
    return f"{field.name}-1"


def golden_path(name: str, schema: int) -> Path:
    return GOLDEN / f"{name}.{schema}.json"


if __name__ == "__main__":
    for name, body in sorted(BODIES.items()):
        path = golden_path(name, body.SCHEMA)
        if not path.exists():
            parts = split(sample(body))
            path.write_bytes(encode({"type": name, "schema": body.SCHEMA, "parts": parts}))
