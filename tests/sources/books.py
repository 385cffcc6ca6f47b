"""A small lender of our own making: a table of text and the mapping that explains it."""

from __future__ import annotations

from pathlib import Path

from obligor.sources import Book, Mapping

HEADER = (
    "loan,made,asked,months,goal,income,job,owes,known_since,debts,score,"
    "lent,rate,state,paid_principal,paid_interest,late_fees,recovered,collectors,last_paid,last_amount"
)
ROWS = (
    # Repaid by the day on which the model is trained, the second one ahead of its term.
    (
        'A1,2019-01-10,"1,000.00",12 m,car,30000.00,2 y,12.5%,2001-03-01,2,9,'
        "1000.00,0.12,done,1000.00,66.18,0,0,0,2020-01-10,88.85"
    ),
    (
        'A2,2019-02-11,"2,000.00",12 m,home,,n/a,0%,2010-06-15,-1,8,'
        "2000.00,0.12,done,2000.00,70.00,0,0,0,2019-08-12,1300.00"
    ),
    # Three instalments paid, then nothing: bad within twelve months.
    (
        'A3,2019-03-05,"1,200.00",12 m,car,18000.00,1 y,40.0%,2015-01-31,3,2,'
        "1200.00,0.12,lost,285.08,34.77,15.00,100.00,20.00,2019-07-03,121.62"
    ),
    # Open on that day: neither good nor bad. Too young. To be decided: repaid, and lost.
    (
        'A4,2019-04-01,"1,500.00",12 m,car,25000.00,5 y,10.0%,2000-01-01,0,7,'
        "1500.00,0.12,running,900.00,80.00,0,0,0,2020-06-01,133.00"
    ),
    (
        'A5,2019-12-01,"1,500.00",12 m,home,25000.00,5 y,10.0%,2000-01-01,0,7,'
        "1500.00,0.12,done,1500.00,99.28,0,0,0,2020-12-01,133.27"
    ),
    (
        'B1,2020-07-02,"1,000.00",12 m,car,40000.00,2 y,5.25%,1999-07-03,1,9,'
        "1000.00,0.12,done,1000.02,66.18,0,0,0,2021-07-02,88.89"
    ),
    (
        'B2,2020-07-02,"1,000.00",12 m,home,20000.00,1 y,45.0%,2018-07-01,98,1,'
        "1000.00,0.12,lost,157.65,19.21,0,250.00,75.00,2020-09-02,88.85"
    ),
)
MAPPING = """\
mapping: corner
version: 1
title: {en: Corner bank, zh: 街角银行}
origin: made up for a test
currency: USD
product: annuity
channel: branch
strategy: book/prelend
row_id: loan
issued: {column: made}
amount: {column: asked, strip: [","]}
term: {column: months, strip: [m]}
purpose: {column: goal, values: {car: vehicle, home: housing}}
fields:
  income_minor: {column: income, type: money, unit: major, minimum: 0}
  job_months: {column: job, type: level, levels: {1 y: 12, 2 y: 24, 5 y: 60}, missing: [n/a]}
  dti_bp: {column: owes, type: rate, unit: percent, strip: ["%"], minimum: 0, maximum: 10000}
  history_months: {column: known_since, type: months_between}
  debts: {column: debts, type: int, minimum: 0, maximum: 50, missing: [-1], special: {98: refused to say}}
  dti: {column: owes, type: decimal, scale: 3, strip: ["%"]}
  known_since: {column: known_since, type: date}
  wants_car: {column: goal, type: flag, values: {car: true, home: false}}
history:
  funded: {column: lent}
  rate: {column: rate, unit: fraction}
outcome:
  status: {column: state, repaid: [done], bad: [lost], open: [running]}
  observed_on: 2021-12-31
  last_payment: {column: last_paid}
repaid:
  principal: {column: paid_principal}
  interest: {column: paid_interest}
  fees: {column: late_fees}
  recoveries: {column: recovered}
  recovery_costs: {column: collectors}
  last_payment: {column: last_amount}
not_inputs:
  score: {kind: own_score, why: the bank's own score}
training: {known_on: 2020-06-30}
deciding: {issued_from: 2020-07-01, issued_to: 2020-07-31}
characteristics:
  requested_minor: {code: C01, en: Amount, zh: 金额}
  purpose: {code: C02, en: Purpose, zh: 用途}
  income_minor: {code: C03, en: Income, zh: 收入, risk: falling}
  job_months: {code: C04, en: Job, zh: 工作}
  dti_bp: {code: C05, en: Debt, zh: 负债, risk: rising}
  debts: {code: C06, en: Debts, zh: 负债数}
  wants_car: {code: C07, en: Car, zh: 汽车}
"""


def write(directory: Path, rows: tuple[str, ...] = ROWS, header: str = HEADER) -> Path:
    file = directory / "corner.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def changed(*pairs: tuple[str, str]) -> str:
    text = MAPPING
    for old, new in pairs:
        assert text.count(old) == 1, f"{old!r} is in the mapping {text.count(old)} times"
        text = text.replace(old, new)
    return text


def opened(directory: Path, mapping: str = MAPPING, rows: tuple[str, ...] = ROWS) -> Book:
    return Book.open(write(directory, rows), Mapping.parse(mapping, "corner.yaml"))
