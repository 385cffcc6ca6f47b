"""The server does what the description that it serves says, whatever is sent: schemathesis, every check on."""

import collections
import copy
import hashlib
import json
import re

import httpx
import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData

from obligor.app.wire import EVENT_BODIES
from obligor.web.access import API
from tests.contract.fitting import fitted

LINES = "POST /v1/events (lines)"
EVENTS = [f"POST /v1/events ({kind})" for kind in EVENT_BODIES]
PLAIN = [f"{method} {path}" for method, path in API if path != "/v1/events"]
WRITES = {name for name in (*PLAIN, *EVENTS) if name.startswith("POST")}
COUNTS = [8, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
# Of what is written, so much is to be taken: refusals alone would say little.
LEAST_TAKEN = 0.2

# What a schema cannot say: the field, and what is said of it, of a request that the schema allows.
UNSAYABLE = (
    ("at", "a time up to .*"),
    ("after", "the cursor of an earlier page, as it was given"),
)


@pytest.fixture(scope="module")
def described(lender):
    """The description as the running server serves it."""
    return httpx.get(f"{lender.url}/openapi.json").json()


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


def loaded(lender, document, count, **phases):
    """A description as schemathesis takes it, for its every phase, mode and check."""
    settings = {
        "base-url": lender.url,
        "seed": 1,
        "continue-on-failure": True,
        "auth": {"openapi": {"key": {"bearer": lender.token}}},
        "generation": {"max-examples": count, "deterministic": True, "no-shrink": True, "database": "none"},
        "phases": phases,
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
        any(re.fullmatch(field, one["field"]) and re.fullmatch(words, one["accepted"]) for field, words in UNSAYABLE)
        for one in told
    )


class Run:
    """One run of schemathesis over a description: what was answered, and what was wrong with it."""

    now = None

    def __init__(self, schema, stock):
        self.seen = collections.Counter()
        self.wrong = []
        self._stock = stock

        Run.now = self
        for event in from_schema(schema).execute():
            self._take(event)

    def fit(self, case):
        """Put what the lender has into three of four requests that the schema allows."""
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return
        told = json.dumps([case.path_parameters, case.body if isinstance(case.body, dict) else None])
        if hashlib.sha256(told.encode()).digest()[0] % 4 == 0:
            return
        for parameter in case.path_parameters:
            case.path_parameters[parameter] = self._stock.known(parameter)
        if isinstance(case.body, dict):
            case.body = fitted(self._stock, case.operation.path, case.body)

    def _take(self, event):
        if isinstance(event, events.ScenarioFinished):
            for checks in event.recorder.checks.values():
                for check in checks:
                    if check.failure_info is not None:
                        self.wrong.append(f"{check.failure_info.failure}\n{check.failure_info.code_sample}")
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
    return not (isinstance(failure, RejectedPositiveData) and unsayable(response))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", [*PLAIN, *EVENTS, LINES])
def test_every_answer_is_as_described(lender, stock, described, name, count):
    schema = loaded(lender, narrowed(described, name), count, stateful={"enabled": False})
    run = Run(schema, stock)
    print(f"{name:42} {run.seen.total():5} {run.taken:6.1%} {dict(sorted(run.seen.items()))}")
    assert not run.wrong, "\n\n".join(run.wrong[:5])
    if name in WRITES:
        assert run.taken >= LEAST_TAKEN, run.seen
