"""A service in memory for tests of the web: invented and simulated figures, the real shapes."""

import random
from concurrent.futures import Future
from datetime import UTC, date, datetime, timedelta

import msgspec

from obligor.app.service_protocol import EVENT_SCOPES, Principal, Reply
from obligor.app.views import (
    AlertRow,
    BandSum,
    CapUse,
    Checkpoint,
    Choices,
    Context,
    Cutoff,
    DaySum,
    Decision,
    DecisionRow,
    Decisions,
    EventRow,
    FactRow,
    Flow,
    Ledger,
    LoanRow,
    MonthSum,
    Offer,
    OutcomeSum,
    Override,
    Overview,
    Reason,
    ReasonSum,
    Replay,
    Reserved,
    Score,
    ScorePart,
    TraceStep,
    Version,
)
from obligor.app.wire import EVENT_BODIES, ApplicationRequest, DrawdownRequest, EventRequest
from obligor.kernel import Forbidden, InvalidInput, KeyReused, NotFound, Refusal, decode, derived_id
from obligor.proof import Signer

ALL = frozenset({"applications:write", "drawdowns:write", "events:write", "read", "erase", "admin"})
SIGNER = Signer("obligor.test", bytes(range(32)))
KEYS = {
    "all": ALL,
    "reader": frozenset({"read"}),
    "writer": frozenset({"applications:write"}),
    "events": frozenset({"events:write"}),
}
NOW = datetime(2026, 11, 20, 8, 30, 11, tzinfo=UTC)
TODAY = date(2026, 11, 20)
PRODUCTS = ("instalment-12", "instalment-24", "bullet-6")
REASONS = (
    Reason(code="R214", en="Many credit enquiries in six months", zh="近6个月征信查询次数偏多", points=-26),
    Reason(code="R118", en="Little time with the present employer", zh="在现单位工作时间较短", points=-11),
    Reason(code="K027", en="Active arrears at another lender", zh="在其他机构有未结清逾期", points=None),
    Reason(code="R410", en="Debt service is high against income", zh="债务负担相对收入偏高", points=-22),
)
PARTS = (
    ("bureau_worst_dpd_24m", "Worst arrears in 24 months", "24个月内最差逾期", 0, 38, 38),
    ("repaid_90d_minor", "Repaid in 90 days", "90天内还款额", 1234500, 27, 34),
    ("months_employed", "Time with employer", "现单位工作时间", 5, -11, 18),
    ("housing", "Housing", "住房", "rent", -6, 12),
    ("bureau_inquiries_6m", "Credit enquiries in 6 months", "6个月征信查询", 7, -26, 14),
    ("inflow_90d_minor", "Inflow in 90 days", "90天内流入", 3600000, 16, 22),
    ("devices_90d", "Devices in 90 days", "90天内设备数", 1, 4, 6),
)


def done(value):
    future = Future()
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)
    return future


def event(of_type, at, seq, *, stream="loan/1", **body):
    return EventRow(
        event_id=derived_id("event", seq),
        known_seq=seq,
        type=of_type,
        at=at,
        recorded_at=at + timedelta(milliseconds=4),
        stream=stream,
        source="core-banking",
        actor="key core",
        body={"currency": "CNY", **body},
    )


class Books:
    """Invented books of a simulated lender. `size=0` makes an empty one."""

    vkey = SIGNER.vkey

    def __init__(self, size=134):
        self.random = random.Random(7)
        self.size = size
        self.taken = []
        self.lines = []
        self.stored = {}
        self.tickets = {"once": "ticket"}
        self.revoked = set()
        self.answer = None
        self.ready = True
        self.cleared = {}
        self.loan_rows = [self._loan_row(i) for i in range(size // 2)]
        self.rows = [self._decision_row(i) for i in range(size)]
        self.alert_rows = [self._alert_row(i) for i in range(min(14, size // 8))]

    # ---- Made of thin air

    def _decision_row(self, i):
        score = self.random.randint(520, 760)
        outcome = "approve" if score >= 640 else "refer" if score >= 600 else "decline"
        asked = self.random.randint(8, 80) * 1000_00
        granted = asked * self.random.randint(60, 100) // 100 // 1000_00 * 1000_00
        return DecisionRow(
            decision_id=derived_id("decision", i),
            event_id=derived_id("event", 9000 - i),
            known_seq=9000 - 7 * i,
            at=NOW - timedelta(minutes=37 * i, seconds=13 * i),
            stage="prelend",
            outcome=outcome,
            application_id=derived_id("application", i),
            person_id=derived_id("person", i % 40),
            currency="CNY",
            product=PRODUCTS[i % 3],
            channel=f"P-0{i % 4 + 1}",
            asked_minor=asked,
            granted_minor=granted if outcome == "approve" else None,
            rate_bp=1390 if outcome == "approve" else None,
            score=score,
            pd_ppm=max(4000, (760 - score) * 620),
            reason=None if outcome == "approve" else REASONS[i % 4],
            strategy="starter/prelend 1.0.0",
            overridden="approve" if outcome == "refer" and i % 5 == 0 else None,
            loan_id=self.loan_rows[i // 2].loan_id
            if outcome == "approve" and i // 2 < self.size // 2
            else None,
        )

    def _loan_row(self, i):
        dpd = (0, 0, 0, 12, 0, 36, 0, 0, 74, 0, 118, 0)[i % 12]
        state = ["current", "1-30", "31-60", "61-90", "90+"][(dpd > 0) + (dpd > 30) + (dpd > 60) + (dpd > 90)]
        state = "written_off" if i % 23 == 22 else "closed" if i % 19 == 18 else state
        return LoanRow(
            loan_id=derived_id("loan", i),
            application_id=derived_id("application", 2 * i),
            person_id=derived_id("person", i % 40),
            product=PRODUCTS[i % 3],
            currency="CNY",
            disbursed_on=TODAY - timedelta(days=3 * i + 40),
            amount_minor=36_000_00,
            outstanding_minor=0 if state in {"closed", "written_off"} else 11_527_78,
            arrears_minor=5_278_24 if dpd else 0,
            days_past_due=dpd,
            state=state,
            five_tier="normal" if not dpd else "special_mention" if dpd <= 90 else "substandard",
            ifrs9_stage=1 if dpd <= 30 else 2 if dpd <= 90 else 3,
        )

    def _alert_row(self, i):
        fund = i % 3 != 1
        alert_id = derived_id("alert", i)
        return AlertRow(
            alert_id=alert_id,
            event_id=derived_id("event", 4000 + i),
            known_seq=4000 + i,
            at=NOW - timedelta(hours=9 * i),
            kind="fund_use" if fund else "early_warning",
            severity="serious" if i < 3 else "warn" if i < 9 else "info",
            person_id=derived_id("person", i),
            monitor="funds" if fund else "starter/monitor",
            loan_id=self.loan_rows[i].loan_id,
            amount_minor=38_879_45 - i * 1111_00 if fund else 11_527_78,
            of_minor=50_000_00 if fund else None,
            currency="CNY",
            days_past_due=None if fund else 36,
            counterparty_class="securities" if fund else None,
            class_en="Securities broker" if fund else "",
            class_zh="证券公司" if fund else "",
            disposition="not_suspicious" if i >= 12 else None,
        )

    # ---- Who

    def authenticate(self, token):
        return Principal("main", token, KEYS[token]) if token in KEYS and token not in self.revoked else None

    def redeem_ticket(self, ticket):
        name = self.tickets.pop(ticket, None)
        return Principal("main", name, ALL) if name else None

    def still_valid(self, principal):
        return principal.name not in self.revoked

    # ---- Writes

    def submit(self, principal, kind, payload, idempotency):
        if self.answer is not None:
            return done(self.answer)
        try:
            self.check(principal, kind, payload)
        except Refusal as refusal:
            return done(refusal)
        if idempotency:
            key, digest = idempotency
            known = self.stored.get(key)
            if known:
                return done(known[1] if known[0] == digest else KeyReused("this key came with another body"))
        self.taken.append((principal.name, kind, payload))
        if payload.get("type") == "alert.cleared":
            self.cleared[payload["body"]["alert_id"]] = payload["body"]
        reply = Reply(
            201, msgspec.json.encode({"event_id": derived_id(kind, len(self.taken)), "status": "decided"})
        )
        if idempotency:
            self.stored[key] = (digest, reply)
        return done(reply)

    @staticmethod
    def check(principal, kind, payload):
        """Types and scopes, as the real service looks at them."""
        forms = {"application": ApplicationRequest, "drawdown": DrawdownRequest, "event": EventRequest}
        request = decode(payload, forms[kind])
        if kind == "event":
            if request.type not in EVENT_BODIES:
                raise InvalidInput.field("type", request.type, "one of " + ", ".join(EVENT_BODIES))
            if EVENT_SCOPES.get(request.type, "read") not in principal.scopes | {"read"}:
                raise Forbidden("this key lacks a scope")
            try:
                decode(request.body, EVENT_BODIES[request.type])
            except InvalidInput as error:
                inner = [msgspec.structs.replace(v, field=f"body.{v.field}") for v in error.violations]
                raise InvalidInput(error.detail, inner) from None

    def submit_lines(self, principal, lines, first_line=1):
        self.lines.append(list(lines))
        return done(
            [b'{"line":%d,"status":"accepted"}' % n for n in range(first_line, first_line + len(lines))]
        )

    # ---- Queries

    def context(self, tenant):
        return Context(
            tenant=tenant,
            lender="Demo Lender",
            currency="CNY",
            zone="Asia/Shanghai",
            as_of=NOW if self.size else None,
            size=9_001 if self.size else 0,
            label="simulated",
            note="World seed 7, day 1,814.",
            decisions=len(self.rows),
            loans=len(self.loan_rows),
            alerts_open=sum(row.disposition is None for row in self.alert_rows),
        )

    def overview(self, tenant, on=None, days=30):
        if not self.size:
            return Overview(on=None, days=days, flow=Flow(), ledger=Ledger(size=0))
        rng = random.Random(3)
        trend = tuple(
            DaySum(
                on=TODAY - timedelta(days=29 - i),
                applications=rng.randint(90, 160),
                decided=rng.randint(90, 150),
                approved=rng.randint(40, 80),
                drawn_minor=rng.randint(10**7, 10**8),
                repaid_minor=rng.randint(10**7, 10**8),
            )
            for i in range(30)
        )
        bands = tuple(
            BandSum(
                low=low,
                high=low + 39,
                decided=n,
                approved=a,
                referred=r,
                declined=n - a - r,
                mean_granted_minor=a and 26_900_00 + low * 100,
                mean_pd_ppm=(800 - low) * 500,
                observed=n // 3 if low > 590 else 0,
                bad=n // 40,
            )
            for low, n, a, r in (
                (480, 188, 0, 0),
                (520, 402, 0, 0),
                (560, 521, 0, 9),
                (600, 702, 148, 268),
                (640, 893, 663, 88),
                (680, 802, 747, 24),
                (720, 471, 453, 10),
            )
        )
        caps = tuple(
            CapUse(
                cap=cap,
                currency="CNY",
                limit_minor=limit,
                committed_minor=limit * used // 1000,
                reserved_minor=limit * held // 1000,
            )
            for cap, limit, used, held in (
                ("product/instalment-12", 600_000_000_00, 812, 39),
                ("partner/P-02", 300_000_000_00, 740, 22),
                ("obligor/*", 200_000_00, 410, 0),
            )
        )
        months = tuple(
            MonthSum(
                month=f"2026-{11 - i:02d}",
                loans=200 + i,
                disbursed_minor=61_200_000_00,
                current_minor=(61_200_000_00 * (990 - 16 * i - 30 * i)) // 1000,
                past_1_30_minor=61_200_000_00 * (10 + i * 2) // 1000,
                past_31_60_minor=61_200_000_00 * i * 2 // 1000,
                past_61_90_minor=61_200_000_00 * i // 1000,
                past_90_minor=61_200_000_00 * i * 7 // 1000,
                written_off_minor=61_200_000_00 * i * 4 // 1000,
                closed_minor=61_200_000_00 * i * 30 // 1000,
            )
            for i in range(10)
        )
        return Overview(
            on=on or TODAY,
            days=days,
            trend=trend,
            bands=bands,
            caps=caps,
            months=months,
            flow=Flow(
                applications=4218,
                asked_minor=187_400_000_00,
                decided=4197,
                waiting=21,
                approved=2224,
                referred=402,
                declined=1571,
                granted_minor=87_000_000_00,
                drawn=1684,
                drawn_minor=38_600_000_00,
                held=3,
                due=9630,
                due_minor=43_100_000_00,
                repaid=9204,
                repaid_minor=41_200_000_00,
            ),
            alerts=tuple(row for row in self.alert_rows if row.disposition is None)[:6],
            alerts_open=len(self.alert_rows) - 2,
            ledger=Ledger(
                size=9001,
                recorded_at=NOW,
                postings=21_042,
                postings_sum_minor=0,
                closed_day=TODAY,
                checkpoint=Checkpoint(
                    origin="obligor.local/main/0/1",
                    size=9001,
                    key="obligor.local",
                    root="3kf9QeT0mR1yYt0iDkq3v8gYl0m1Q2w7nJx5cA4Zr2w=",
                    signed_at=NOW,
                ),
                replayed=4197,
                replayed_equal=4197,
                strategy="starter/prelend 1.0.0",
                model="starter points 1",
            ),
        )

    def decisions(self, tenant, filters, after=None):
        if after is not None and not after.isdigit():
            raise InvalidInput.field("after", after, "the next of a page before")
        rows = [row for row in self.rows if self._fits(row, filters)]
        first = int(after or 0)
        outcomes = [
            OutcomeSum(
                outcome=name,
                count=len(found),
                asked_minor=sum(row.asked_minor for row in found),
                granted_minor=sum(row.granted_minor or 0 for row in found),
                mean_score=sum(row.score for row in found) // len(found),
                mean_pd_ppm=sum(row.pd_ppm for row in found) // len(found),
            )
            for name in ("approve", "refer", "decline")
            if (found := [row for row in rows if row.outcome == name])
        ]
        reasons = [
            ReasonSum(reason=one, count=n)
            for one in REASONS
            if (n := sum(row.reason is not None and row.reason.code == one.code for row in rows))
        ]
        return Decisions(
            filters=filters,
            rows=tuple(rows[first : first + 25]),
            total=len(rows),
            next=str(first + 25) if first + 25 < len(rows) else None,
            outcomes=tuple(outcomes),
            reasons=tuple(reasons),
            choices=Choices(
                stages=("prelend", "drawdown"),
                outcomes=("approve", "refer", "decline"),
                products=PRODUCTS,
                channels=("P-01", "P-02", "P-03", "P-04"),
                reasons=REASONS,
                strategies=("starter/prelend 1.0.0",),
            ),
        )

    @staticmethod
    def one(rows, kind, identity):
        for row in rows:
            if getattr(row, f"{kind}_id") == identity:
                return row
        raise NotFound(f"there is no {kind} {identity!r}")

    @staticmethod
    def _fits(row, filters):
        return all(
            [
                filters.stage in (None, row.stage),
                filters.outcome in (None, row.outcome),
                filters.product in (None, row.product),
                filters.channel in (None, row.channel),
                filters.reason is None or (row.reason is not None and row.reason.code == filters.reason),
                filters.score_from is None or row.score >= filters.score_from,
                filters.score_to is None or row.score <= filters.score_to,
                filters.person in (None, row.person_id),
                filters.overridden in (None, row.overridden is not None),
            ]
        )

    def decision(self, tenant, decision_id):
        row = self.one(self.rows, "decision", decision_id)
        shown = {name: getattr(row, name) for name in row.__struct_fields__}
        parts = tuple(
            ScorePart(name=n, en=en, zh=zh, value=v, points=p, most=m) for n, en, zh, v, p, m in PARTS
        )
        base = row.score - sum(part.points for part in parts)
        return Decision(
            **shown,
            recorded_at=row.at,
            known_upto=row.known_seq,
            asked_months=12,
            term_months=12,
            purpose="home_repair",
            scored=Score(
                points=row.score,
                base=base,
                pd_ppm=row.pd_ppm,
                parts=parts,
                cutoffs=(Cutoff(outcome="refer", points=600), Cutoff(outcome="approve", points=640)),
            ),
            reasons=() if row.outcome == "approve" else (REASONS[0], REASONS[3], REASONS[1]),
            trace=(
                TraceStep(name="Eligibility", kind="rules", result="9 rules, none hit", where="eligible"),
                TraceStep(
                    name="Needed", kind="need", result="bureau", details=("asked because step 3 reads it",)
                ),
                TraceStep(name="Score", kind="score", result=str(row.score), where="starter points 1"),
                TraceStep(
                    name="Grade",
                    kind="table",
                    result="row 6: C",
                    where="grade.csv:7",
                    details=("score [600..640)", "bureau_inquiries_6m > 4"),
                ),
                TraceStep(name="Outcome", kind="rules", result=f"O-03 → {row.outcome}", where="outcome"),
            ),
            facts=(
                *(
                    FactRow(
                        name=n, value=v, unit="count" if isinstance(v, int) else "", source="source:bureau"
                    )
                    for n, _, _, v, _, _ in PARTS
                ),
                FactRow(name="income_month_minor", value=1_140_000, unit="minor CNY", source="application"),
                FactRow(name="purpose", value=None, source="application"),
            ),
            versions=(
                Version(part="strategy", name="starter/prelend 1.0.0", sha256="9c1f77ae" + "0" * 52 + "04d2"),
                Version(part="model", name="starter points 1", sha256="e07b12c9" + "1" * 52 + "8af1"),
                Version(part="catalogue", name="starter", sha256="0be49f16" + "2" * 52 + "2d90"),
            ),
            override=Override(
                event_id=derived_id("event", 1),
                known_seq=8872,
                at=row.at + timedelta(minutes=2),
                outcome="approve",
                officer="c.lin",
                authority="officer-2",
                reason_code="OV-12",
                expires_at=NOW + timedelta(days=7),
                limit_minor=40_000_00,
                rate_bp=1390,
                term_months=12,
                conditions="Entrusted payment, salary slip of October on file.",
            )
            if row.overridden
            else None,
            offer=Offer(
                amount_minor=40_000_00,
                rate_bp=1390,
                term_months=12,
                expires_at=NOW + timedelta(days=14),
                state="accepted",
            )
            if row.granted_minor
            else None,
            reserved=Reserved(
                caps=("obligor/" + row.person_id, "product/instalment-12"),
                left_minor=40_000_00,
                expires_at=NOW + timedelta(days=7),
            )
            if row.granted_minor
            else None,
            replay=Replay(equal=True),
        )
