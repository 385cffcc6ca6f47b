"""Loans and their postings as rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, timedelta

from obligor.app.projections.gathering import EACH, Gathering, last
from obligor.events import ClassChanged, LoanDisbursed, LoanWrittenOff
from obligor.journal import Projecting, Projection
from obligor.kernel import Event
from obligor.loans import Loan, postings

__all__ = ["projection"]

Statement = tuple[str, tuple[object, ...]]
DEFAULT_DAYS = 90

SCHEMA = """
CREATE TABLE p_loan (
  tenant TEXT NOT NULL, loan_id TEXT NOT NULL, known_seq INTEGER NOT NULL, application_id TEXT NOT NULL,
  person_id TEXT NOT NULL, product TEXT NOT NULL, partner TEXT, currency TEXT NOT NULL,
  disbursed_on TEXT NOT NULL, amount_minor INTEGER NOT NULL, rate_bp INTEGER NOT NULL,
  term_months INTEGER NOT NULL, status TEXT NOT NULL, principal_minor INTEGER NOT NULL,
  oldest_due_day INTEGER, paid_minor INTEGER NOT NULL, repaid_minor INTEGER NOT NULL,
  recovered_minor INTEGER NOT NULL, written_off_minor INTEGER NOT NULL,
  five_tier TEXT NOT NULL, ifrs9_stage INTEGER NOT NULL, non_performing INTEGER NOT NULL, class_since TEXT,
  bad_on TEXT,
  PRIMARY KEY (tenant, loan_id)
) WITHOUT ROWID;
CREATE INDEX p_loan_by_order ON p_loan (tenant, disbursed_on, loan_id);
CREATE INDEX p_loan_of_person ON p_loan (tenant, person_id);
CREATE TABLE p_loan_due (
  tenant TEXT NOT NULL, loan_id TEXT NOT NULL, due_on TEXT NOT NULL, owed_minor INTEGER NOT NULL,
  PRIMARY KEY (tenant, loan_id, due_on)
) WITHOUT ROWID;
CREATE TABLE p_loan_posting (
  tenant TEXT NOT NULL, known_seq INTEGER NOT NULL, line INTEGER NOT NULL, loan_id TEXT NOT NULL,
  event_id TEXT NOT NULL, type TEXT NOT NULL, posted_on TEXT NOT NULL, account TEXT NOT NULL,
  amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, partner TEXT,
  PRIMARY KEY (tenant, known_seq, line)
) WITHOUT ROWID;
CREATE INDEX p_loan_posting_of_loan ON p_loan_posting (tenant, loan_id, known_seq);
"""

NEW = f"INSERT INTO p_loan VALUES ({', '.join('?' * 24)})"
MOVED = (
    "UPDATE p_loan SET status = ?, principal_minor = ?, oldest_due_day = ?, paid_minor = ?, repaid_minor = ?,"
    " recovered_minor = ?, written_off_minor = ? WHERE tenant = ? AND loan_id = ?"
)
CLASSED = (
    "UPDATE p_loan SET five_tier = ?, ifrs9_stage = ?, non_performing = ?, class_since = ?"
    " WHERE tenant = ? AND loan_id = ?"
)
BAD = "UPDATE p_loan SET bad_on = ? WHERE tenant = ? AND loan_id = ? AND bad_on IS NULL"
DUE = (
    "INSERT INTO p_loan_due VALUES (?, ?, ?, ?) ON CONFLICT (tenant, loan_id, due_on)"
    " DO UPDATE SET owed_minor = excluded.owed_minor"
)
POSTED = f"INSERT INTO p_loan_posting VALUES ({', '.join('?' * 11)})"

# A loan's row is first, and what moves it, classes it or calls it bad sets columns of its own.
_GATHER = Gathering(
    {
        NEW: EACH,
        MOVED: last("moved", slice(7, 9)),
        CLASSED: last("classed", slice(4, 6)),
        BAD: EACH,
        DUE: last("due", slice(0, 3)),
        POSTED: EACH,
    }
)


def projection() -> Projection:
    """The tables `p_loan`, `p_loan_due` and `p_loan_posting`.

    `oldest_due_day` is the due date that the payments known do not cover, past or to come, as its proleptic
    Gregorian ordinal; on a day after it the loan is that many days past due. `bad_on` is the first day more
    than 90 days past due. `owed_minor` is what has fallen due up to a date in all.
    """

    def project(event: Event, states: Projecting) -> Iterable[Statement]:
        if not event.stream.startswith("loan/"):
            return
        loan: Loan = states.state(event.stream)
        key = (event.tenant, loan.loan_id)
        match event.body:
            case LoanDisbursed():
                yield NEW, _new(event, loan)
                for day, owed in zip(loan.terms.due_on, loan.terms.owed_minor, strict=True):
                    yield DUE, (*key, day.isoformat(), owed)
            case ClassChanged() as body:
                on = body.on.isoformat()
                yield from _bad(key, body.on, body.days_past_due)
                yield CLASSED, (body.five_tier, body.ifrs9_stage, int(body.non_performing), on, *key)
            case LoanWrittenOff() as body:
                before = body.written_off_on - timedelta(days=1)
                yield from _bad(key, before, states.before.days_past_due(before))
                yield MOVED, (*_standing(loan), *key)
            case _:
                yield MOVED, (*_standing(loan), *key)
        on = loan.booked_on.isoformat()
        for line, posting in enumerate(postings(states.before, event, after=loan)):
            yield (
                POSTED,
                (
                    event.tenant,
                    event.known_seq,
                    line,
                    loan.loan_id,
                    event.id,
                    event.type,
                    on,
                    posting.account,
                    posting.amount_minor,
                    posting.currency,
                    posting.partner,
                ),
            )

    return Projection(name="loan", schema=SCHEMA, project=project, gather=_GATHER)


def _bad(key: tuple[str, str], on: date, days_past_due: int) -> Iterable[Statement]:
    """The first day on which a loan was more than 90 days past due, as far as a close or a loss shows it."""
    over = days_past_due - DEFAULT_DAYS
    if over > 0:
        yield BAD, ((on - timedelta(days=over - 1)).isoformat(), *key)


def _standing(loan: Loan) -> tuple[object, ...]:
    paid = loan.principal_paid_minor + loan.interest_paid_minor + loan.excess_minor
    open_ = loan.status == "open" and loan.principal_left_minor > 0
    place = bisect_right(loan.terms.owed_minor, paid)
    oldest = loan.terms.due_on[min(place, len(loan.terms.due_on) - 1)]
    return (
        loan.status,
        loan.principal_left_minor if loan.status == "open" else 0,
        oldest.toordinal() if open_ else None,
        paid,
        loan.repaid_minor,
        loan.recovered_minor,
        loan.written_off_minor,
    )


def _new(event: Event, loan: Loan) -> tuple[object, ...]:
    body = loan.terms.disbursed
    return (
        event.tenant,
        loan.loan_id,
        event.known_seq,
        loan.application_id,
        loan.person_id,
        loan.product,
        loan.shares[0].partner if loan.shares else None,
        loan.currency,
        loan.disbursed_on.isoformat(),
        loan.amount_minor,
        loan.rate_bp,
        body.term_months,
        *_standing(loan),
        "normal",
        1,
        0,
        None,
        None,
    )
