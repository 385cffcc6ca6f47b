"""A lender's table made for tests: two years of loans, some of which fail, with totals that add up."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

from obligor import loans

HEADER = (
    "loan,made,asked,income,debts,grade,instalment,rate,state,"
    "principal,interest,recovered,last_paid,last_amount"
)
MAPPING = """\
mapping: village
version: 1
title: {en: Village bank, zh: 乡村银行}
origin: made up for a test
currency: USD
product: annuity
channel: branch
strategy: book/review
row_id: loan
issued: {column: made}
amount: {column: asked, unit: minor}
term: {months: 12}
fields:
  income_minor: {column: income, type: money, unit: major}
  debts: {column: debts, type: int}
history:
  funded: {column: asked, unit: minor}
  rate: {column: rate, unit: fraction}
outcome:
  status: {column: state, repaid: [done], bad: [lost]}
  observed_on: 2022-12-31
  last_payment: {column: last_paid}
repaid:
  principal: {column: principal, unit: minor}
  interest: {column: interest, unit: minor}
  recoveries: {column: recovered, unit: minor}
  last_payment: {column: last_amount, unit: minor}
training: {known_on: 2019-12-31}
deciding: {issued_from: 2020-01-01, issued_to: 2020-03-31}
characteristics:
  requested_minor: {code: V01, en: Amount, zh: 金额}
  income_minor: {code: V02, en: Income, zh: 收入, risk: falling}
  debts: {code: V03, en: Debts, zh: 负债, risk: rising}
"""
UNDATED = (
    MAPPING.replace("issued: {column: made}", "issued: {day: 2020-03-31}")
    .replace("  last_payment: {column: last_paid}\n", "")
    .replace("training: {known_on: 2019-12-31}\n", "")
    .replace("deciding: {issued_from: 2020-01-01, issued_to: 2020-03-31}", "deciding: {one_row_in: 3}")
)
UNDATED = UNDATED[: UNDATED.index("history:")] + UNDATED[UNDATED.index("outcome:") :]
UNDATED = UNDATED[: UNDATED.index("repaid:\n")] + UNDATED[UNDATED.index("deciding:") :]
RATE = 0.12


def rows(count: int = 420, seed: int = 5) -> list[str]:
    """Loans of 2018 and of the first quarter of 2020, by date; who owes much and earns little fails."""
    luck = random.Random(seed)
    made = [date(2018, 1, 1 + luck.randrange(28)).replace(month=1 + luck.randrange(12)) for _ in range(count)]
    made += [date(2020, 1 + luck.randrange(3), 1 + luck.randrange(28)) for _ in range(count // 6)]
    return [_row(number, on, luck) for number, on in enumerate(sorted(made))]


def _row(number: int, made: date, luck: random.Random) -> str:
    asked = 100 * luck.randrange(500, 5_000)
    income, debts = luck.randrange(10, 60) * 1_000, luck.randrange(8)
    bad = luck.random() < min(0.8, 0.02 + 0.035 * debts + 4_000 / income)
    schedule = loans.schedule(loans.product("annuity"), asked, 1_200, 12, made, "USD")
    paid = schedule[: luck.randrange(6)] if bad else schedule
    level = schedule[0].principal_minor + schedule[0].interest_minor
    last = paid[-1] if paid else None
    cells = (
        f"V{number:04}",
        made.isoformat(),
        asked,
        income,
        debts,
        "ABCD"[min(3, debts // 2)],
        level,
        RATE,
        "lost" if bad else "done",
        sum(one.principal_minor for one in paid),
        sum(one.interest_minor for one in paid),
        luck.choice((0, 1_000)) if bad else 0,
        last.due_on.isoformat() if last else "",
        last.principal_minor + last.interest_minor if last else 0,
    )
    return ",".join(map(str, cells))


def write(directory: Path, table: list[str] | None = None) -> Path:
    """The table as a CSV file."""
    file = directory / "village.csv"
    file.write_text("\n".join([HEADER, *(table or rows())]) + "\n", encoding="utf-8")
    return file


def mapped(directory: Path, text: str = MAPPING) -> Path:
    """A mapping as a file."""
    file = directory / "village.yaml"
    file.write_text(text, encoding="utf-8")
    return file
