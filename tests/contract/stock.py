"""What a lender has, made over HTTP when a test needs one: applications, contracts, loans, alerts, cases."""

import itertools
import json
from datetime import date, timedelta

from tests.app.conftest import application
from tests.applicants import BUREAU, FIELDS

DAY = "2026-01-05"
ALERTS_AT_ONCE = 20


class Stock:
    """Makes things of every kind; each call gives one that nothing was done with yet.

    What a request does not use up is made once: `loan`, `account`, `person` and `case` are such.
    """

    def __init__(self, lender, scorecard):
        self._http = lender.http
        self._settled = lender.size
        self._service = lender.service
        self.model = json.loads(scorecard.to_json())
        self._numbers = itertools.count()
        self._drawn = 0
        self._alerts = []
        self._contract = None
        self._kept = {}

    def new(self, kind):
        """An id that nothing has."""
        return f"{kind}-{next(self._numbers)}"

    def kept(self, kind):
        """One of a kind that may be used many times."""
        if kind not in self._kept:
            self._kept[kind] = getattr(self, kind)()
        return self._kept[kind]

    def known(self, parameter):
        """What a parameter of a path may be, such as `loan_id`."""
        kind = {"application_id": "decided", "loan_id": "loan", "alert_id": "alert"}.get(parameter)
        if kind:
            return self.kept(kind)
        if parameter == "feature":
            return self._http.get("/v1/features").json()["rows"][0]["name"]
        if parameter == "sha256":
            return self._http.get("/v1/strategies").json()["rows"][0]["sha256"]
        self.kept("decided")
        return self._told[parameter]

    def post(self, path, body):
        answer = self._http.post(path, json=body)
        assert answer.status_code in {200, 201, 202}, (path, body, answer.text)
        return answer.json()

    def tell(self, kind, body, **more):
        sent = {"type": kind, "source": "stock", "source_ref": self.new("stock"), "body": body}
        return self.post("/v1/events", {**sent, **more})

    # ---- From an application to a contract

    def waiting(self, **fields):
        """An application that waits for its source."""
        person = {"reference": self.new("person")}
        asked = application(person=person, fields={**FIELDS, **fields})
        return self.post("/v1/applications", asked)["application_id"]

    def decided(self, outcome="approve", **fields):
        """An application that was approved, or what its fields lead to."""
        found = self.waiting(**fields)
        told = self.tell("source.answered", {"application_id": found, "name": "bureau", "facts": BUREAU})
        assert told["outcome"] == outcome, told
        self._told = told
        return found

    def disputed(self):
        """A decided application that officers may override."""
        return self.decided()

    def offered(self):
        """An application with an offer."""
        found = self.decided()
        self.tell("offer.made", {"application_id": found})
        return found

    def accepted(self):
        """An application whose offer was accepted."""
        found = self.offered()
        self.tell("offer.accepted", {"application_id": found})
        return found

    def signed(self):
        """An application whose contract is signed."""
        found = self.accepted()
        contract = {"contract_id": self.new("contract"), "document_sha256": "ab" * 32}
        self.tell("contract.signed", {"application_id": found, **contract})
        return found

    def case(self):
        """A case that a referral opened."""
        self.decided("refer", months_employed=1)
        reader = self._service.journal.reader()
        (opened,) = reader.events("main", types=["case.opened"], after=self._told["known_seq"])
        return opened.body.case_id

    # ---- Loans: a contract is drawn on many times

    def released(self):
        """A loan whose money has not gone out yet."""
        if self._drawn % 50 == 0:
            self._contract = self.signed()
        self._drawn += 1
        asked = {"application_id": self._contract, "amount_minor": 20_000, "currency": "CNY"}
        drawn = self.post("/v1/drawdowns", {**asked, "at": f"{DAY}T12:00:00Z"})
        assert drawn["outcome"] == "release", drawn
        return drawn["loan_id"]

    def unpaid(self):
        """A loan that is to stay as it was released."""
        return self.released()

    def loan(self):
        """A loan that was paid out."""
        found = self.released()
        self.tell("loan.disbursed", {"loan_id": found, "disbursed_on": DAY})
        return found

    def written_off(self):
        """A loan that was written off."""
        found = self.loan()
        self.tell("loan.written_off", {"loan_id": found})
        return found

    def paid(self):
        """A loan, and the event of a payment on it."""
        found = self.kept("loan")
        body = {"loan_id": found, "amount_minor": 1, "currency": "CNY"}
        return found, self.tell("repayment.received", body)["event_id"]

    # ---- Persons and accounts

    def person(self):
        """A person who is known."""
        asked = application(person={"reference": self.new("person")})
        return self.post("/v1/applications", asked)["person_id"]

    def consent(self):
        """A person, and a purpose that they consented to."""
        found, purpose = self.kept("person"), self.new("purpose")
        self.tell("consent.granted", {"person_id": found, "purpose": purpose})
        return found, purpose

    def account(self):
        """An account that is seen."""
        found = self.new("account")
        body = {"account_id": found, "person_id": self.kept("person"), "currency": "CNY"}
        self.tell("account.opened", body)
        return found

    def transfer(self):
        """An account, and a transfer on it."""
        found, transfer = self.kept("account"), self.new("transfer")
        body = {"account_id": found, "transfer_id": transfer, "direction": "in", "amount_minor": 1}
        self.tell("transfer.posted", {**body, "currency": "CNY", "counterparty": "shop-1"})
        return found, transfer

    # ---- Days, alerts and cases

    def next_day(self):
        """The first day that may be closed."""
        last = self._service.active().last_day
        return last + timedelta(days=1) if last else date(2026, 8, 1)

    def alert(self):
        """An open alert: loans of January that nobody has paid when a later day ends raise one each."""
        while not self._alerts:
            made = {self.loan() for _ in range(ALERTS_AT_ONCE)}
            self.tell("day.closed", {"day": self.next_day().isoformat()})
            self._settled()
            after = None
            while True:
                more = {"after": after} if after else {}
                page = self._http.get("/v1/alerts", params={"state": "open", **more}).json()
                self._alerts += [row["alert_id"] for row in page["rows"] if row["loan_id"] in made]
                if (after := page["next"]) is None:
                    break
        return self._alerts.pop()
