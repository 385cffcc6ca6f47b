"""A story's last line: what was played, what it came to, and whether the books hold."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from obligor.app.queries.common import Books as Asked
from obligor.app.service import Service

__all__ = ["Audit", "Books", "Funds", "Meter", "Replay", "Summary", "failures", "finish", "summed"]


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """How the tracing of loan money fared against the truth; None where a story has no truth to ask.

    Counted are borrowers: `misusers` in truth, those of them whose misuse the lender could see, of these
    `found`, and found by looking at the first hop alone; honest borrowers, and those of them alerted.
    """

    misusers: int | None = None
    misusers_visible: int | None = None
    found: int | None = None
    found_first_hop_baseline: int | None = None
    honest_alerted: int | None = None
    honest_borrowers: int | None = None


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded decisions, made again."""

    decisions: int
    mismatches: int


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's proof, recomputed from its entries."""

    entries: int
    ok: bool


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The double-entry books: the sum of all postings, and whether each loan came to what its table says."""

    postings_sum_minor: int
    table_equals_book: bool | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A story's last line as JSON; a field is null where the story has none.

    `auc_as_known` is of the scores as they were given, against the final outcome. `auc_hindsight` is of a
    model that was told outcomes which nobody knew then: it bounds what the data hold and is no forecast.
    Bad rates are shares of those whose outcome is known. `cpu_seconds` is user and system time of the whole
    process with its children, `seconds` is wall time; amounts are minor units, `events` counts journal
    entries, `overdue_90` loans that were ever more than 90 days past due.
    """

    story: str
    applications: int
    approved: int
    auc_as_known: float | None = None
    auc_hindsight: float | None = None
    bad_rate_approved: float | None = None
    bad_rate_declined_truth: float | None = None
    disbursed_minor: int
    repaid_minor: int
    written_off_minor: int
    loans: int
    overdue_90: int
    alerts: int
    funds: Funds = Funds()
    replay: Replay
    audit: Audit
    books: Books
    events: int
    decisions_per_cpu_second: float | None
    cpu_seconds: float
    seconds: float


class Meter:
    """Counts the processor time of this process and its children, and the wall's, from its making on."""

    def __init__(self) -> None:
        self._cpu, self._wall = _cpu(), time.monotonic()

    @property
    def cpu_seconds(self) -> float:
        """User and system time."""
        return _cpu() - self._cpu

    @property
    def seconds(self) -> float:
        """Wall time."""
        return time.monotonic() - self._wall


def summed(
    story: str,
    service: Service,
    meter: Meter,
    *,
    auc_as_known: float | None = None,
    auc_hindsight: float | None = None,
    bad_rate_approved: float | None = None,
    bad_rate_declined_truth: float | None = None,
    funds: Funds | None = None,
    table_equals_book: bool | None = None,
) -> Summary:
    """The summary of a story that has been played: audits the journal and makes every decision again."""
    tenant = service.settings.tenant
    books = service.books(tenant)
    told, audit, replay = service.summary(tenant), service.audit(tenant), service.replay(tenant)
    used = meter.cpu_seconds
    return Summary(
        story=story,
        applications=_count(books, "p_decision_application"),
        approved=told.approved,
        auc_as_known=_rounded(auc_as_known),
        auc_hindsight=_rounded(auc_hindsight),
        bad_rate_approved=_rounded(bad_rate_approved),
        bad_rate_declined_truth=_rounded(bad_rate_declined_truth),
        disbursed_minor=told.disbursed_minor,
        repaid_minor=told.repaid_minor,
        written_off_minor=told.written_off_minor,
        loans=told.loans,
        overdue_90=_count(books, "p_loan", "bad_on IS NOT NULL"),
        alerts=told.alerts,
        funds=funds or Funds(),
        replay=Replay(decisions=replay.decisions, mismatches=replay.mismatches),
        audit=Audit(entries=audit.entries, ok=audit.ok),
        books=Books(postings_sum_minor=told.postings_sum_minor, table_equals_book=table_equals_book),
        events=told.entries,
        decisions_per_cpu_second=round(told.decisions / used, 1) if used else None,
        cpu_seconds=round(used, 2),
        seconds=round(meter.seconds, 2),
    )


def failures(told: Summary) -> list[str]:
    """What does not hold in any story where it fails; empty when all is well."""
    found = []
    if told.replay.mismatches:
        found.append(f"{told.replay.mismatches} decisions come out differently when made again")
    if told.replay.decisions == 0:
        found.append("no decision was made again")
    if not told.audit.ok:
        found.append("the journal's audit fails")
    if told.books.postings_sum_minor:
        found.append(f"postings sum to {told.books.postings_sum_minor}, not to 0")
    if told.books.table_equals_book is False:
        found.append("loans in the book do not come to what the table says")
    return found


def finish(told: Summary, problems: Sequence[str], out: Path | None = None) -> None:
    """Print the last line, and keep it as OUT/summary.json with what did not hold."""
    line = msgspec.json.encode(told)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        kept = {**msgspec.to_builtins(told), "problems": list(problems)}
        text = msgspec.json.format(msgspec.json.encode(kept), indent=1)
        (out / "summary.json").write_bytes(text + b"\n")
    print(line.decode(), flush=True)


def _count(books: Asked, table: str, condition: str = "TRUE") -> int:
    rows = books.rows(f"SELECT COUNT(*) AS count FROM {table} WHERE tenant = ? AND {condition}")
    return int(rows[0]["count"])


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
