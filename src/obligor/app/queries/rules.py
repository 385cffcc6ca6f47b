"""What decides: the feature catalogue and the strategies, as they are written, and what came of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date
from typing import Any

from obligor.app.queries.common import Books
from obligor.app.views import (
    FeatureRow,
    Features,
    FeatureView,
    Strategies,
    StrategyInput,
    StrategyRow,
    StrategyRule,
    StrategyStep,
    StrategyTable,
    StrategyView,
    Use,
)
from obligor.features import Feature
from obligor.kernel import NotFound
from obligor.strategy import Strategy
from obligor.strategy.ir import Card, Formulas, Model, Rules, Table

__all__ = ["feature", "features", "strategies", "strategy"]


# ---- Features


def features(books: Books) -> Features:
    """The catalogue that this deployment computes."""
    catalogue = books.means.catalogue
    used = _uses(books)
    return Features(
        catalogue=catalogue.name,
        version=catalogue.version,
        sha256=catalogue.sha256,
        rows=tuple(
            FeatureRow(**_line(name, declared), uses=sum(one.active for one in used.get(name, ())))
            for name, declared in catalogue.features.items()
        ),
    )


def feature(books: Books, name: str) -> FeatureView:
    """One feature as it is declared.

    Raises:
        NotFound: the catalogue has none of this name.
    """
    catalogue = books.means.catalogue
    declared = catalogue.features.get(name)
    if declared is None:
        raise NotFound(f"there is no feature {name!r} in the catalogue {catalogue.name}")
    used = tuple(_uses(books).get(name, ()))
    return FeatureView(
        **_line(name, declared),
        uses=sum(one.active for one in used),
        catalogue=catalogue.name,
        version=catalogue.version,
        catalogue_sha256=catalogue.sha256,
        declared=declared.declared(),
        used_by=used,
    )


def _line(name: str, declared: Feature) -> dict[str, Any]:
    return {
        "name": name,
        "source": declared.source,
        "aggregation": declared.aggregation,
        "window_days": declared.window_days,
        "unit": declared.unit,
        "en": declared.description.en,
        "zh": declared.description.zh,
    }


def _uses(books: Books) -> dict[str, list[Use]]:
    """Who reads each feature: every version of a strategy that was published, and the models that score."""
    found: dict[str, list[Use]] = {}
    for row in _rows(books):
        compiled = _kept(books, row.sha256)
        read = () if compiled is None else compiled.inputs.items()
        use = Use(kind="strategy", name=f"{row.name} {row.version}", sha256=row.sha256, active=row.active)
        for name, given in read:
            if given.source == "feature":
                found.setdefault(name, []).append(use)
    for active in books.rows("SELECT name, value FROM p_day_active WHERE tenant = ? AND kind = 'model'"):
        model = books.means.artifacts.model(active["value"])
        use = Use(kind="model", name=active["name"], sha256=active["value"], active=True)
        for item in model.characteristics:
            if item.name in books.means.catalogue.features:
                found.setdefault(item.name, []).append(use)
    return found


# ---- Strategies


def strategies(books: Books) -> Strategies:
    """Every version that was published."""
    return Strategies(rows=_rows(books))


def strategy(books: Books, sha256: str) -> StrategyView:
    """One version of a strategy, by its digest.

    Raises:
        NotFound: none of this digest was published. Corrupted: its files are no longer what it says.
    """
    row = next((one for one in _rows(books) if one.sha256 == sha256), None)
    if row is None:
        raise NotFound(f"no strategy with the digest {sha256} was published")
    compiled = books.means.artifacts.strategy(sha256)
    decided = books.rows(
        "SELECT outcome, COUNT(*) AS count FROM p_decision WHERE tenant = ? AND strategy = ?"
        " GROUP BY outcome",
        _label(row.name, row.version),
    )
    counts = {one["outcome"]: one["count"] for one in decided}
    return StrategyView(
        **{name: getattr(row, name) for name in StrategyRow.__struct_fields__},
        about=compiled.about,
        outcomes=tuple((name, counts.get(name, 0)) for name in compiled.outcomes),
        inputs=tuple(
            StrategyInput(
                name=name,
                type=given.type,
                unit=given.unit,
                source=given.source,
                nullable=given.nullable,
                values=given.values,
            )
            for name, given in compiled.inputs.items()
        ),
        steps=tuple(_steps(books, compiled)),
        outputs=tuple((one.name, one.text) for one in compiled.program.outputs),
    )


def _rows(books: Books) -> tuple[StrategyRow, ...]:
    rows = books.rows(
        "SELECT s.*, a.value AS active, COALESCE(d.decided, 0) AS decided FROM p_book_strategy AS s"
        " LEFT JOIN p_day_active AS a ON a.tenant = s.tenant AND a.kind = 'strategy' AND a.name = s.stage"
        " LEFT JOIN (SELECT tenant, strategy, COUNT(*) AS decided FROM p_decision GROUP BY tenant, strategy)"
        " AS d ON d.tenant = s.tenant AND d.strategy = s.name || ' ' || s.version"
        " WHERE s.tenant = ? ORDER BY s.stage, s.published_on DESC, s.version DESC, s.sha256"
    )
    return tuple(
        StrategyRow(
            sha256=row["sha256"],
            name=row["name"],
            version=row["version"],
            stage=row["stage"],
            published_on=date.fromisoformat(row["published_on"]),
            activated_on=date.fromisoformat(row["activated_on"]) if row["activated_on"] else None,
            active=row["active"] == row["sha256"],
            decided=row["decided"],
            event_id=row["event_id"],
        )
        for row in rows
    )


def _label(name: str, version: str) -> str:
    """How decisions name their strategy."""
    return f"{name} {version}"


def _kept(books: Books, sha256: str) -> Strategy | None:
    """A strategy whose files are still here; one that was published elsewhere may not be."""
    try:
        return books.means.artifacts.strategy(sha256)
    except NotFound:
        return None


def _steps(books: Books, compiled: Strategy) -> Iterable[StrategyStep]:
    mains = books.rows(
        "SELECT reason, COUNT(*) AS count FROM p_decision WHERE tenant = ? AND strategy = ?"
        " AND reason IS NOT NULL AND outcome NOT IN ('approve', 'release') GROUP BY reason",
        _label(compiled.name, compiled.version),
    )
    counts = {row["reason"]: row["count"] for row in mains}
    for part in compiled.program.statements:
        match part:
            case Rules():
                rules = tuple(
                    StrategyRule(
                        when=rule.text,
                        outcome=compiled.outcomes[rule.outcome],
                        reason=books.reason(rule.code),
                        count=counts.get(rule.code, 0),
                    )
                    for rule in part.rules
                )
                yield StrategyStep(name=part.step, kind="rules", stops=part.stop, rules=rules)
            case Formulas():
                formulas = tuple((name, text) for name, _, text in part.items)
                yield StrategyStep(name=part.step, kind="formulas", formulas=formulas)
            case Table():
                yield StrategyStep(name=part.step, kind="table", table=_table(compiled, part.file))
            case Card():
                yield StrategyStep(name=part.step, kind="scorecard", table=_table(compiled, part.file))
            case Model():
                yield StrategyStep(name=part.step, kind="model", model=part.role)


def _table(compiled: Strategy, file: str) -> StrategyTable:
    text = compiled.files[file].decode("utf-8-sig")
    header, *rows = [tuple(row) for row in csv.reader(io.StringIO(text)) if row]
    return StrategyTable(file=file, header=header, rows=tuple(rows))
