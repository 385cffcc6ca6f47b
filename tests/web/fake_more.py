"""The whole service in memory: the books of `fake`, and loans, alerts, events and proof."""

from datetime import date, timedelta
from functools import cache

from obligor.app.service_protocol import Check, Found
from obligor.app.views import (
    Alert,
    Alerts,
    Application,
    Choices,
    Clearing,
    DpdPoint,
    EventView,
    Funds,
    Hop,
    InstalmentRow,
    KindSum,
    Loan,
    Loans,
    LoanSum,
    Offer,
    Place,
    PostingGroup,
    PostingRow,
    Share,
)
from obligor.kernel import NotFound, Unavailable, derived_id, encode
from obligor.proof import Checkpoint, StoredEntry, build_receipt, inclusion, root_of, sign_note
from tests.web.fake import NOW, PRODUCTS, SIGNER, TODAY, Books, event
from tests.web.fake_rules import RuleBook

PAID = {"fee_minor": 0, "interest_minor": 150_92, "principal_minor": 1_049_08}


@cache
def _numbers():
    return {derived_id("event", seq): seq for seq in range(9500)}


def _fields(row):
    return {name: getattr(row, name) for name in row.__struct_fields__}


class FakeService(RuleBook, Books):
    """Invented books of a simulated lender. `size=0` makes an empty one."""

    def __init__(self, size=134):
        super().__init__(size)
        self.unsigned = set()

    def loans(self, tenant, filters, after=None):
        rows = [
            row
            for row in self.loan_rows
            if filters.state in (None, row.state)
            and filters.product in (None, row.product)
            and filters.person in (None, row.person_id)
            and (filters.month is None or str(row.disbursed_on).startswith(filters.month))
        ]
        first = int(after or 0)
        return Loans(
            filters=filters,
            rows=tuple(rows[first : first + 25]),
            total=len(rows),
            next=str(first + 25) if first + 25 < len(rows) else None,
            states=tuple(
                LoanSum(
                    state=state,
                    count=len(found),
                    disbursed_minor=sum(row.amount_minor for row in found),
                    outstanding_minor=sum(row.outstanding_minor for row in found),
                    arrears_minor=sum(row.arrears_minor for row in found),
                )
                for state in ("current", "1-30", "31-60", "61-90", "90+", "written_off", "closed")
                if (found := [row for row in rows if row.state == state])
            ),
            choices=Choices(products=PRODUCTS, partners=("P-02",)),
        )

    def loan(self, tenant, loan_id, on=None):
        row = self.one(self.loan_rows, "loan", loan_id)
        schedule, path = [], [DpdPoint(on=date(2026, 1, 15), days_past_due=0, principal_minor=36_000_00)]
        left = 36_000_00
        for i in range(12):
            due_on = date(2026 + (1 + i) // 12, (1 + i) % 12 + 1, 15)
            principal = 2_807_12 + i * 35_00
            state = "paid" if i < 8 else "past_due" if i < 10 else "not_due"
            paid = principal + 300_00 if i < 8 else 1_200_00 if i == 8 else 0
            late = (0, 0, 0, 0, 0, 0, 3, 24, 36, 5)[i] if i < 10 else None
            schedule.append(
                InstalmentRow(
                    number=i + 1,
                    due_on=due_on,
                    principal_minor=principal,
                    interest_minor=300_00,
                    paid_minor=paid,
                    open_minor=principal + 300_00 - paid,
                    state=state,
                    paid_on=due_on + timedelta(days=late or 0)
                    if i < 8
                    else date(2026, 11, 2)
                    if i == 8
                    else None,
                    days_late=late,
                )
            )
            if i < 8:
                left -= principal
                path.append(DpdPoint(on=due_on, days_past_due=0, principal_minor=left))
        path += [
            DpdPoint(on=date(2026, 10, 15) + timedelta(days=d), days_past_due=d, principal_minor=left)
            for d in range(0, 37, 4)
        ]
        at = NOW - timedelta(days=18)
        events = (
            event(
                "class.changed",
                NOW - timedelta(days=5),
                8801,
                five_tier="special_mention",
                ifrs9_stage=2,
                days_past_due=31,
            ),
            event("alert.raised", NOW - timedelta(days=6), 8790, kind="early_warning", severity="warn"),
            event("repayment.received", at, 8700, amount_minor=1_200_00, allocation=PAID),
            *(
                event(
                    "repayment.received",
                    at - timedelta(days=30 * i),
                    8600 - i,
                    amount_minor=3_107_12,
                    allocation={"interest_minor": 300_00, "principal_minor": 2_807_12},
                )
                for i in range(8)
            ),
            event(
                "loan.disbursed",
                at - timedelta(days=300),
                700,
                amount_minor=36_000_00,
                rate_bp=1440,
                term_months=12,
            ),
            event(
                "drawdown.decided", at - timedelta(days=300), 690, outcome="release", amount_minor=36_000_00
            ),
            event("contract.signed", at - timedelta(days=301), 640),
            event("application.decided", at - timedelta(days=302), 610, outcome="approve"),
        )
        lines = (
            PostingRow(account="cash", amount_minor=840_00),
            PostingRow(account="cash", amount_minor=360_00, partner="P-02"),
            PostingRow(account="interest_receivable", amount_minor=-105_64),
            PostingRow(account="interest_receivable", amount_minor=-45_28, partner="P-02"),
            PostingRow(account="loan_principal", amount_minor=-734_36),
            PostingRow(account="loan_principal", amount_minor=-314_72, partner="P-02"),
        )
        return Loan(
            **{**_fields(row), "disbursed_on": date(2026, 1, 15)},
            on=on or TODAY,
            status="open",
            rate_bp=1440,
            term_months=12,
            day_count="30E/360",
            instalment_minor=3_239_12,
            principal_minor=11_527_78,
            interest_minor=264_78,
            fee_minor=0,
            repaid_minor=27_112_96,
            class_since=date(2026, 11, 15),
            decision_id=self.rows[0].decision_id,
            purpose="home_repair",
            payment_mode="entrusted",
            dpd_known=row.days_past_due,
            shares=(Share(partner="own", share_bp=7000), Share(partner="P-02", share_bp=3000)),
            schedule=tuple(schedule),
            path=tuple(path),
            events=events,
            events_count=len(events),
            postings=tuple(
                PostingGroup(
                    event_id=derived_id("event", 8700 - i),
                    known_seq=8700 - i,
                    type="repayment.received",
                    on=date(2026, 11, 2) - timedelta(days=30 * i),
                    lines=lines,
                )
                for i in range(3)
            ),
            postings_count=96,
            funds=Funds(
                disbursed_minor=36_000_00,
                sunk_minor=31_400_00,
                held_minor=1_120_55,
                exit_minor=3_479_45,
                places=(
                    Place(
                        kind="sunk",
                        name="m-jiahe-interiors",
                        amount_minor=25_000_00,
                        counterparty_class="merchant",
                        label_en="Merchant",
                        label_zh="商户",
                    ),
                    Place(
                        kind="sunk",
                        name="b-9921",
                        amount_minor=6_400_00,
                        prohibited=True,
                        counterparty_class="securities",
                        label_en="Securities broker",
                        label_zh="证券公司",
                    ),
                    Place(kind="held", name=derived_id("account", 1), amount_minor=1_120_55),
                    Place(kind="exit", name="x-unlabelled-77120", amount_minor=3_479_45),
                ),
            ),
            alerts=(self.alert_rows[0].alert_id,),
        )

    def alerts(self, tenant, filters, after=None):
        rows = [
            row
            for row in self.alert_rows
            if filters.kind in (None, row.kind)
            and filters.severity in (None, row.severity)
            and filters.person in (None, row.person_id)
            and filters.state in (None, "cleared" if self._disposition(row) else "open")
        ]
        kinds = tuple(
            KindSum(
                kind=kind, open=sum(r.kind == kind and not r.disposition for r in self.alert_rows), cleared=1
            )
            for kind in ("fund_use", "early_warning")
        )
        return Alerts(
            filters=filters,
            rows=tuple(rows),
            total=len(rows),
            open=sum(not self._disposition(row) for row in self.alert_rows),
            kinds=kinds if self.size else (),
            choices=Choices(kinds=("fund_use", "early_warning")),
        )

    def _disposition(self, row):
        return row.disposition or self.cleared.get(row.alert_id)

    def alert(self, tenant, alert_id):
        row = self.one(self.alert_rows, "alert", alert_id)
        said = self.cleared.get(alert_id)
        first, second = derived_id("account", 1), derived_id("account", 2)
        hops = ()
        if row.kind == "fund_use":
            hops = (
                Hop(
                    at=NOW - timedelta(days=11),
                    source=row.loan_id,
                    target=first,
                    amount_minor=50_000_00,
                    moved_minor=50_000_00,
                    event_id=derived_id("event", 5000),
                ),
                Hop(
                    at=NOW - timedelta(days=11),
                    source=first,
                    target="m-yihe-packaging",
                    amount_minor=7_590_00,
                    moved_minor=11_800_00,
                    event_id=derived_id("event", 5001),
                    target_class="merchant",
                    label_en="Merchant",
                    label_zh="商户",
                ),
                Hop(
                    at=NOW - timedelta(days=10),
                    source=first,
                    target=second,
                    amount_minor=40_000_00,
                    moved_minor=40_000_00,
                    event_id=derived_id("event", 5002),
                ),
                Hop(
                    at=NOW - timedelta(days=9),
                    source=second,
                    target="b-6211",
                    amount_minor=38_879_45,
                    moved_minor=39_329_45,
                    event_id=derived_id("event", 5003),
                    target_class="securities",
                    label_en="Securities broker",
                    label_zh="证券公司",
                    prohibited=True,
                ),
            )
        return Alert(
            **_fields(row),
            monitor_version="1.0.0",
            dedupe_key=f"{row.kind}/{row.loan_id}",
            evidence={
                "days_past_due": 36,
                "worst_dpd_90d": 36,
                "arrears_minor": 527_824,
                "months_on_book": 10,
            },
            hops=hops,
            events=tuple(
                event("transfer.posted", hop.at, 5000 + i, direction="out", amount_minor=hop.moved_minor)
                for i, hop in enumerate(hops)
            ),
            loan=self.one(self.loan_rows, "loan", row.loan_id),
            purpose="stock_for_a_shop",
            cleared=Clearing(
                event_id=derived_id("event", 8990),
                known_seq=8990,
                at=NOW,
                officer=said["officer"],
                disposition=said["disposition"],
                note=said.get("note"),
            )
            if said
            else None,
        )

    def application(self, tenant, application_id):
        index = next((i for i in range(self.size) if derived_id("application", i) == application_id), None)
        if index is None:
            raise NotFound(f"there is no application {application_id!r}")
        row = self.rows[index]
        return Application(
            application_id=application_id,
            person_id=row.person_id,
            status="drawn" if row.loan_id else "decided",
            received_at=row.at,
            product=row.product,
            channel=row.channel,
            amount_minor=row.asked_minor,
            currency="CNY",
            term_months=12,
            purpose="home_repair",
            decisions=(row,),
            contract_id="C-1",
            offer=Offer(
                amount_minor=row.asked_minor, rate_bp=1390, term_months=12, expires_at=NOW, state="accepted"
            ),
            drawn_minor=36_000_00,
            loans=self.loan_rows[:1],
            events=(
                event("application.decided", row.at, 9001, outcome=row.outcome),
                event("source.answered", row.at, 9000, name="bureau"),
                event("application.received", row.at, 8999, amount_minor=row.asked_minor, term_months=12),
            ),
        )

    def event(self, tenant, event_id):
        seq = _numbers().get(event_id)
        if seq is None:
            raise NotFound(f"there is no event {event_id!r}")
        made = event(
            "repayment.received",
            NOW,
            seq,
            loan_id=self.loan_rows[0].loan_id,
            amount_minor=1_200_00,
            allocation=PAID,
            value_on="2026-11-02",
        )
        return EventView(
            **_fields(made),
            stream_version=14,
            schema=1,
            subjects=(derived_id("person", 1),),
            cause=None,
            replaces=None,
            leaf="ab" * 32,
            classes={
                "loan_id": "money",
                "amount_minor": "money",
                "currency": "money",
                "value_on": "money",
                "allocation": "money",
            },
        )

    def find(self, tenant, text):
        places = (
            ("decision", self.rows, "decision_id"),
            ("loan", self.loan_rows, "loan_id"),
            ("alert", self.alert_rows, "alert_id"),
        )
        for kind, rows, name in places:
            for row in rows:
                if getattr(row, name) == text:
                    return Found(kind, text)
        return None

    def receipt(self, tenant, event_id, disclose=()):
        """A real receipt, of a log of five entries of which this is the third."""
        self.event(tenant, event_id)
        if event_id in self.unsigned:
            raise Unavailable("its checkpoint is not signed yet")
        envelopes = [encode({"id": event_id if n == 2 else str(n), "known_seq": n}) for n in range(5)]
        entries = []
        for n, envelope in enumerate(envelopes):
            bare = StoredEntry(n, envelope, bytes(32), b"sealed", b"")
            entries.append(StoredEntry(n, envelope, bytes(32), b"sealed", bare.computed_leaf()))
        leaves = [entry.leaf for entry in entries]
        note = sign_note(Checkpoint("obligor.test/main/0/1", 5, root_of(leaves)).text(), [SIGNER])
        path = inclusion(2, 5, lambda level, i: root_of(leaves[i << level : (i + 1) << level]))
        return build_receipt(entries[2], note, path, SIGNER.vkey)

    def checkpoint(self, tenant):
        return sign_note(Checkpoint("obligor.test/main/0/1", 5, bytes(32)).text(), [SIGNER])

    def readiness(self):
        return [
            Check("kernels", self.ready, "8 features warm" if self.ready else "compiling"),
            Check("writer", True, "alive"),
        ]

    def metrics(self):
        return b"# TYPE obligor_events_total counter\nobligor_events_total 9001\n"
