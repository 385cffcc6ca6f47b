"""Declarations: what compiles, and how what does not is refused."""

from pathlib import Path

import pytest

from obligor.features import Between, Catalogue, load
from obligor.kernel import InvalidInput, Malformed, NotFound
from tests.features.samples import feature

AGREED = [
    "repaid_90d_minor",
    "repayments_365d",
    "days_since_repayment",
    "inflow_90d_minor",
    "outflow_30d_minor",
    "applications_30d",
    "devices_90d",
    "gambling_90d_minor",
]
GOOD = """
name: tiny
version: 1
features:
  spent:
    source: transfer
    filter: {direction: out}
    aggregation: sum
    key: amount_minor
    window_days: 30
    empty: 0
    unit: minor
    description: {en: Spent, zh: 支出}
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "catalogue.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_starter_catalogue_declares_the_agreed_names():
    catalogue = load("packs/features/starter.yaml")
    assert list(catalogue.names) == AGREED
    assert len(catalogue.sha256) == 64
    assert all(f.description.en and f.description.zh for f in catalogue.features.values())


def test_a_catalogue_of_ones_own_loads_from_a_path(tmp_path):
    assert load(written(tmp_path, GOOD)).names == ("spent",)
    assert load(str(written(tmp_path, GOOD))).features["spent"].window_days == 30


@pytest.mark.parametrize(
    ("old", "new"),
    [("30", "31"), ("支出", "支付"), ("empty: 0", "empty: null"), ("version: 1", "version: 2")],
)
def test_the_digest_covers_every_declaration(tmp_path, old, new):
    changed = GOOD.replace(old, new)
    assert changed != GOOD
    assert load(written(tmp_path, changed)).sha256 != load(written(tmp_path, GOOD)).sha256


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("source: transfer", "source: salary", "features.spent.source"),
        ("aggregation: sum", "aggregation: median", "features.spent.aggregation"),
        ("window_days: 30", "window_days: 0", "features.spent.window_days"),
        ("window_days: 30", "window_days: 1.5", "features.spent.window_days"),
        ("    window_days: 30\n", "", "features.spent.window_days"),
        ("    empty: 0\n", "", "features.spent.empty"),
        ("empty: 0", "empty: 9007199254740993", "features.spent.empty"),
        ("zh: 支出", "zh: ''", "features.spent.description.zh"),
        (", zh: 支出", "", "features.spent.description.zh"),
        ("unit: minor", "unit: euro", "features.spent.unit"),
        ("unit: minor", "unit: days", "features.spent.unit"),
        ("unit: minor", "unit: minor\n    decay: 3", "features.spent.decay"),
        ("key: amount_minor", "key: counterparty", "features.spent.key"),
        ("    key: amount_minor\n", "", "features.spent.key"),
        ("unit: minor", "unit: minor\n    scale: 2", "features.spent.scale"),
        ("direction: out", "direction: sideways", "features.spent.filter.direction"),
        ("direction: out", "direction: []", "features.spent.filter.direction"),
        ("direction: out", "direction: {at_least: 1}", "features.spent.filter.direction"),
        ("direction: out", "colour: red", "features.spent.filter.colour"),
        ("direction: out", "amount_minor: 7", "features.spent.filter.amount_minor"),
        ("direction: out", "amount_minor: {}", "features.spent.filter.amount_minor"),
        ("  spent:", "  Spent!:", "features.Spent!"),
        ("name: tiny", "name: Tiny Catalogue", "name"),
    ],
)
def test_a_wrong_declaration_is_refused_by_its_path(tmp_path, old, new, field):
    changed = GOOD.replace(old, new, 1)
    assert changed != GOOD
    with pytest.raises(InvalidInput) as refused:
        load(written(tmp_path, changed))
    assert field in [violation.field for violation in refused.value.violations]
    assert all(violation.accepted for violation in refused.value.violations)


def test_every_violation_is_listed_at_once():
    wrong = {
        "one": feature(unit="days"),
        "two": feature(source="device", aggregation="sum", key="amount_minor", unit="minor"),
        "three": feature(aggregation="distinct", key="amount_minor"),
        "four": feature(key="counterparty", filter={"amount_minor": Between()}),
    }
    with pytest.raises(InvalidInput) as refused:
        Catalogue("wrong", 1, wrong)
    assert [violation.field for violation in refused.value.violations] == [
        "features.one.unit",
        "features.two.aggregation",
        "features.three.key",
        "features.four.key",
        "features.four.filter.amount_minor",
    ]


def test_a_name_declared_twice_is_refused_and_not_overwritten(tmp_path):
    twice = GOOD + GOOD[GOOD.index("  spent:") :]
    with pytest.raises(InvalidInput, match="declared twice"):
        load(written(tmp_path, twice))


def test_what_is_no_yaml_or_not_there_is_said_so(tmp_path):
    with pytest.raises(Malformed, match="line 3"):
        load(written(tmp_path, "name: x\nversion: 1\nfeatures: [}"))
    with pytest.raises(NotFound):
        load(tmp_path / "none.yaml")
    with pytest.raises(InvalidInput):
        load(written(tmp_path, ""))
    with pytest.raises(InvalidInput):
        load(written(tmp_path, "name: empty\nversion: 1\nfeatures: {}\n"))
