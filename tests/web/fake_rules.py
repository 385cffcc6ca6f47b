"""The book as a whole, features and strategies of the service in memory: invented, in the real shapes."""

import random
from datetime import date, timedelta

from obligor.app.views import (
    Book,
    FeatureRow,
    Features,
    FeatureView,
    Funnel,
    Reason,
    ScoreBand,
    Strategies,
    StrategyInput,
    StrategyRow,
    StrategyRule,
    StrategyStep,
    StrategyTable,
    StrategyView,
    Use,
    VintageRow,
)
from obligor.kernel import NotFound, derived_id

TODAY = date(2026, 11, 20)
SHA = {"4.2.0": "4a" * 32, "4.1.0": "b7" * 32}


class RuleBook:
    """What `FakeService` answers about the book as a whole and about what decides."""

    def book(self, tenant, as_of=None):
        day = as_of or TODAY
        observed = date(day.year - 1, day.month, 1) - timedelta(days=1)
        if not self.size:
            return Book(as_of=day, funnel=Funnel(), observed_to=observed)
        return Book(
            as_of=day,
            funnel=Funnel(
                applications=4218, asked_minor=151_320_000_00, decided=4197, approved=2304, referred=412,
                declined=1481, contracts=2190, drawn=2134, loans=2170, disbursed_minor=63_204_500_00,
            ),
            vintages=_vintages(day),
            bands=tuple(_band(low) for low in range(540, 800, 20)),
            observed_to=observed,
        )  # fmt: skip

    def features(self, tenant):
        return Features(catalogue="lending", version=3, sha256="c5" * 32, rows=FEATURES)

    def feature(self, tenant, name):
        row = next((one for one in FEATURES if one.name == name), None)
        if row is None:
            raise NotFound(f"there is no feature {name!r} in the catalogue lending")
        line = {field: getattr(row, field) for field in row.__struct_fields__}
        return FeatureView(
            **line,
            catalogue="lending",
            version=3,
            catalogue_sha256="c5" * 32,
            declared={
                "source": row.source, "aggregation": row.aggregation, "window_days": row.window_days,
                "filter": {"counterparty_class": ["gambling", None]}, "key": "amount_minor", "scale": 0,
                "empty": None, "unit": row.unit, "description": {"en": row.en, "zh": row.zh},
            },
            used_by=(
                Use(kind="strategy", name="prelend 4.2.0", sha256=SHA["4.2.0"], active=True),
                Use(kind="strategy", name="prelend 4.1.0", sha256=SHA["4.1.0"], active=False),
                Use(kind="model", name="application", sha256="f2" * 32, active=True),
            ) if row.uses else (),
        )  # fmt: skip

    def strategies(self, tenant):
        return Strategies(rows=STRATEGIES if self.size else ())

    def strategy(self, tenant, sha256):
        row = next((one for one in STRATEGIES if one.sha256 == sha256), None)
        if row is None:
            raise NotFound(f"no strategy with the digest {sha256} was published")
        return StrategyView(
            **{field: getattr(row, field) for field in row.__struct_fields__},
            about="Knock-outs on what the lender has, then the bureau, the score, terms and affordability.",
            outcomes=(("approve", 2304), ("refer", 412), ("decline", 1481)),
            inputs=INPUTS,
            steps=STEPS,
            outputs=(("limit_minor", "min(requested_minor, grade_limit_minor)"), ("rate_bp", "rate_bp")),
        )


def _vintages(day):
    dice = random.Random(5)
    found = []
    for back in range(1, 24):
        number = 12 * day.year + day.month - 1 - back
        loans = 90 + dice.randrange(60)
        late = [0, 0]
        rows = ([], [])
        for on in range(back):
            late[0] += dice.randrange(4) if on else 0
            late[1] = min(late[0], late[1] + (dice.randrange(3) if on > 2 else 0))
            for row, value in zip(rows, late, strict=True):
                row.append(value)
        found.append(
            VintageRow(
                month=f"{number // 12}-{number % 12 + 1:02d}",
                loans=loans,
                disbursed_minor=loans * 28_500_00,
                late_30=tuple(rows[0]),
                late_90=tuple(rows[1]),
            )
        )
    return tuple(found)


def _band(low):
    decided = 60 + (low - 540) * 2
    approved = decided * (low - 520) // 300
    observed = approved // 2
    return ScoreBand(
        low=low,
        high=low + 19,
        decided=decided,
        approved=approved,
        referred=(decided - approved) // 5,
        declined=decided - approved - (decided - approved) // 5,
        observed=observed,
        bad=observed * (820 - low) // 3000,
    )


FEATURES = tuple(
    FeatureRow(
        name=name, source=source, aggregation=how, window_days=days, unit=unit, en=en, zh=zh, uses=uses
    )
    for name, source, how, days, unit, en, zh, uses in (
        ("repaid_90d_minor", "repayment", "sum", 90, "minor", "Repaid to us in 90 days",
         "近90天向我行还款金额", 2),
        ("inflow_90d_minor", "transfer", "sum", 90, "minor", "Money that came in in 90 days",
         "近90天账户转入金额", 3),
        ("days_since_repayment", "repayment", "days_since", None, "days", "Days since the last repayment",
         "距最近一次还款天数", 1),
        ("devices_90d", "device", "distinct", 90, "count", "Devices used in 90 days", "近90天使用设备数", 0),
    )
)  # fmt: skip

STRATEGIES = tuple(
    StrategyRow(
        sha256=SHA[version],
        name="prelend",
        version=version,
        stage="prelend",
        published_on=on,
        activated_on=on,
        active=active,
        decided=decided,
        event_id=derived_id("event", int(version[2])),
    )
    for version, on, active, decided in (
        ("4.2.0", date(2026, 9, 2), True, 4197),
        ("4.1.0", date(2026, 3, 14), False, 0),
    )
)

INPUTS = (
    StrategyInput(name="requested_minor", type="integer", unit="minor", source="application", nullable=False),
    StrategyInput(name="devices_90d", type="integer", unit="count", source="feature", nullable=False),
    StrategyInput(
        name="housing", type="category", unit=None, source="application", nullable=True,
        values=("own", "mortgage", "rent", "family", "other"),
    ),
    StrategyInput(name="bureau_score", type="integer", unit="points", source="source:bureau", nullable=True),
)  # fmt: skip


def _rule(code, en, zh, when, outcome, count):
    return StrategyRule(when=when, outcome=outcome, reason=Reason(code=code, en=en, zh=zh), count=count)


STEPS = (
    StrategyStep(
        name="eligibility",
        kind="rules",
        stops=True,
        rules=(
            _rule(
                "E01",
                "Younger than lending allows",
                "未达到借款年龄",
                "age_years < youngest_years",
                "decline",
                12,
            ),
            _rule("R701", "To be seen by a person", "需人工审核", "not known(bureau_score)", "refer", 0),
        ),
    ),
    StrategyStep(name="score", kind="model", model="application score"),
    StrategyStep(
        name="grade",
        kind="table",
        table=StrategyTable(
            file="grade.csv",
            header=("score", "grade"),
            rows=((">= 720", "A"), ("[680..720)", "B"), ("< 680", "C")),
        ),
    ),
    StrategyStep(
        name="instalment",
        kind="formulas",
        formulas=(("month_rate", "rate_bp / 120000"), ("growth", "(1 + month_rate) ** term_months")),
    ),
)
