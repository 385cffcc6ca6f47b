"""What the office asks for: totals, and how the proof and the decisions stood when they were made again."""

from __future__ import annotations

from obligor.app.views.common import View

__all__ = ["Audited", "Registered", "Replayed", "Summary"]


class Summary(View, frozen=True, kw_only=True):
    """Totals over the whole journal.

    `approved` counts human outcomes where there are any. `postings_sum_minor` is the sum over all postings
    and must be zero. `model` is the digest of the model that scores now.
    """

    decisions: int
    approved: int
    loans: int
    disbursed_minor: int
    repaid_minor: int
    written_off_minor: int
    recovered_minor: int
    alerts: int
    entries: int
    postings: int
    postings_sum_minor: int
    behind: int
    model: str | None
    zone: str
    currency: str


class Audited(View, frozen=True, kw_only=True):
    """The audit's report; `first_bad` is the first entry that fails, see `obligor.proof.audit`."""

    ok: bool
    entries: int
    first_bad: int | None
    why: str
    checkpoints_checked: int
    unsigned: int
    bodies: int
    erased: int
    root: str


class Replayed(View, frozen=True, kw_only=True):
    """Decisions made again; `first` is the place of the first mismatch, erased ones are counted apart.

    A batch, such as the classes of a close, is one of `decisions`; `batches` is how many of them are.
    """

    decisions: int
    equal: int
    mismatches: int
    erased: int
    first: int | None
    batches: int = 0


class Registered(View, frozen=True, kw_only=True):
    """A model that was taken."""

    name: str
    version: str
    sha256: str
