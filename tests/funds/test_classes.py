"""Classes of counterparties are data; a table with mistakes is refused with all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from obligor.funds import load_classes
from obligor.kernel import InvalidInput, Malformed

GOOD = """\
version: 1
floor_minor: {USD: 5}
floor_minor_elsewhere: 7
classes:
  casino: {kind: prohibited, en: Casino, zh: 赌场}
  shop: {kind: allowed, en: Shop, zh: 商店}
"""


def test_the_shipped_table_bars_what_the_rules_on_internet_loans_bar() -> None:
    classes = load_classes()
    barred = (
        "property_purchase",
        "mortgage_repayment",
        "securities_broker",
        "futures_broker",
        "wealth_products",
        "fixed_asset_investment",
        "equity_investment",
    )
    assert {classes.kind(name) for name in barred} == {"prohibited"}
    assert classes.kind("gambling") == "prohibited"
    assert classes.label("gambling").zh == "博彩"
    for one in classes.classes.values():
        assert one.en != one.zh


def test_no_label_and_an_unknown_one_are_unknown(tmp_path: Path) -> None:
    file = tmp_path / "classes.yaml"
    file.write_text(GOOD, encoding="utf-8")
    classes = load_classes(file)
    assert classes.kind(None) == classes.kind("temple") == "unknown"
    assert (classes.label(None).en, classes.label("temple").en) == ("", "temple")
    assert classes.label("casino").prohibited
    assert (classes.floor("USD"), classes.floor("JPY")) == (5, 7)


def test_a_table_with_mistakes_is_refused_with_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "classes.yaml"
    changed = GOOD.replace("kind: allowed", "kind: fine").replace("USD: 5", "DOL: 5")
    assert changed != GOOD
    file.write_text(changed, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_classes(file)
    assert [one.field for one in caught.value.violations] == ["floor_minor.DOL", "classes.shop.kind"]
    file.write_text("version: [", encoding="utf-8")
    with pytest.raises(Malformed):
        load_classes(file)
