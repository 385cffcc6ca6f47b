"""schemathesis over the description that a lender serves, with what the lender has in what is sent."""

import collections
import copy
import json
import re

import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData

from obligor.app.wire import EVENT_BODIES
from obligor.web.access import API
from tests.contract.fitting import enlivened, fitted

LINES = "POST /v1/events (lines)"
EVENTS = [f"POST /v1/events ({kind})" for kind in EVENT_BODIES]
PLAIN = [f"{method} {path}" for method, path in API if path != "/v1/events"]
WRITES = {name for name in (*PLAIN, *EVENTS) if name.startswith("POST")}
# Of what is written, so much is to be taken: refusals alone would say little.
LEAST_TAKEN = 0.2
KEY = '"[!#-~]{1,255}"|[!#-~]{1,255}'

# What a schema cannot say: the field, and what is said of it, of a request that the schema allows.
UNSAYABLE = (
    ("at", "a time up to .*"),
    ("after", "the cursor of an earlier page, as it was given"),
    ("product", "a product of packs/products"),
    ("person", "a reference or a national_id to find the person by"),
    (r"(body\.)?currency", "[A-Z]{3}, the (product|application|account|loan)'s( currency)?"),
    # What the strategy and the model read is in their files.
    (r"amount_minor|fields\..*|body\.facts\..*", "a whole number from .*|one of .*"),
    (r"model\..*", ".*"),
)


def narrowed(described, name):
    """The description of one operation; of `POST /v1/events`, with one type of event or with lines."""
    method, path, *part = name.split(" ", 2)
    operation = copy.deepcopy(described["paths"][path][method.lower()])
    if part:
        content = operation["requestBody"]["content"]
        if name == LINES:
            del content["application/json"]
        else:
            del content["application/x-ndjson"]
            schema = content["application/json"]["schema"]
            kind = part[0].strip("()")
            schema["oneOf"] = [one for one in schema["oneOf"] if one["properties"]["type"]["const"] == kind]
    return {**described, "paths": {path: {method.lower(): operation}}}


def loaded(lender, document, count, mode="all", **phases):
    """A description as schemathesis takes it, for its every phase, mode and check."""
    settings = {
        "base-url": lender.url,
        "seed": 1,
        "continue-on-failure": True,
        "auth": {"openapi": {"key": {"bearer": lender.token}}},
        "generation": {
            "mode": mode,
            "with-security-parameters": False,
            "max-examples": count,
            "deterministic": True,
            "no-shrink": True,
            "database": "none",
        },
        "phases": {"stateful": {"enabled": False}, **phases},
    }
    return schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(settings))


@schemathesis.serializer("application/x-ndjson")
def as_lines(context, value):
    """Lines as they are."""
    return {"data": value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value)}


def unsayable(response):
    """Whether a request was refused for what no schema could have forbidden."""
    told = response.json().get("violations", ()) if response.status_code == 422 else ()
    return bool(told) and all(
        any(
            re.fullmatch(field, one["field"]) and re.fullmatch(words, one["accepted"])
            for field, words in UNSAYABLE
        )
        for one in told
    )


def whole(value):
    """To JSON Schema 5.0 is an integer; the API wants integers written as such, which no schema can say."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Run:
    """One run of schemathesis over a description: what was answered, and what was wrong with it."""

    now = None

    def __init__(self, schema, stock):
        self.seen = collections.Counter()
        self.followed = collections.Counter()
        self.wrong = []
        self._stock = stock
        # What a request names that could be taken and was not sent; of one operation only.
        self._spare = None
        self._allowed = 0
        self._one = len(schema) == 1
        Run.now = self
        for event in from_schema(schema).execute():
            self._take(event)

    def fit(self, case):
        """Put what the lender has into seven of eight requests that the schema allows."""
        # The generator likes to send one key with many bodies; that is refused, whatever the body is.
        if re.fullmatch(KEY, str(case.headers.get("Idempotency-Key", ""))):
            case.headers["Idempotency-Key"] = self._stock.new("key")
        if case.meta is None:
            return
        if not case.meta.generation.mode.is_positive:
            if self._spare is not None:
                case.body = enlivened(case.body, {**self._spare, "source_ref": self._stock.new("ref")})
            return
        if isinstance(case.body, dict):
            case.body = whole(case.body)
        self._allowed += 1
        if self._allowed % 8 == 0:
            return
        if case.meta.phase.name == TestPhase.STATEFUL and (
            case.path_parameters or "draw" in case.operation.path
        ):
            return  # it has what an answer before it named
        for parameter in case.path_parameters:
            case.path_parameters[parameter] = self._stock.known(parameter)
        if isinstance(case.body, dict):
            if self._spare is None and self._one:
                self._spare = fitted(self._stock, case.operation.path, case.body)
            case.body = fitted(self._stock, case.operation.path, case.body)

    def _take(self, event):
        if isinstance(event, events.ScenarioFinished):
            found = [check for checks in event.recorder.checks.values() for check in checks]
            assert all(check.failure_info is None for check in found) or self.wrong
            for node in event.recorder.cases.values():
                if node.transition is not None and node.is_transition_applied:
                    self.followed[node.transition.id] += 1
        elif isinstance(event, events.NonFatalError | events.FatalError):
            self.wrong.append(str(event))

    @property
    def taken(self):
        """The part of answers that are 2xx."""
        return sum(many for status, many in self.seen.items() if status < 300) / self.seen.total()


@schemathesis.hook
def before_call(context, case, kwargs):
    Run.now.fit(case)


@schemathesis.hook
def after_call(context, case, response):
    Run.now.seen[response.status_code] += 1


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, RejectedPositiveData) and unsayable(response):
        return False
    Run.now.wrong.append(
        f"{failure}\n{case.headers} {case.query} {case.body}\n{response.status_code} {response.text}"
    )
    return True


def check(lender, stock, described, name, count, covered):
    """Send so many requests of one operation, after its boundaries if `covered`, and judge every answer."""
    # Whatever else is sent as lines is a line that is refused, so that nothing is invalid as a whole.
    mode = "positive" if name == LINES else "all"
    coverage = {"enabled": covered}
    schema = loaded(lender, narrowed(described, name), count, mode, coverage=coverage)
    run = Run(schema, stock)
    print(f"{name:42} {run.seen.total():5} {run.taken:6.1%} {dict(sorted(run.seen.items()))}")
    assert not run.wrong, "\n\n".join(run.wrong[:5])
    if name in WRITES:
        assert run.taken >= LEAST_TAKEN, run.seen
