"""The API's description, OpenAPI 3.1, made from the routes that are served and the types that they read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from obligor import __version__
from obligor.app.service_protocol import EVENT_SCOPES
from obligor.app.views import (
    Alert,
    AlertFilters,
    Alerts,
    Application,
    Applied,
    Audited,
    Book,
    Decision,
    DecisionFilters,
    Decisions,
    Drawn,
    EventView,
    Features,
    FeatureView,
    Loan,
    LoanFilters,
    Loans,
    Overview,
    Registered,
    Replayed,
    Strategies,
    StrategyView,
    Summary,
    Taken,
)
from obligor.app.wire import (
    EVENT_BODIES,
    ApplicationRequest,
    DrawdownRequest,
    EventRequest,
    ModelRequest,
    WireBody,
)
from obligor.kernel import InvariantBroken
from obligor.web.access import PUBLIC, Table
from obligor.web.body import JSON, JSON_BYTES, LINES_BYTES, LINES_MOST
from obligor.web.gate import UNCOUNTED
from obligor.web.problems import MEDIA_TYPE, Problem
from obligor.web.reads import DAYS

__all__ = ["Operation", "describe"]

Schema = dict[str, Any]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What the description says of a route beyond its path, method and scope."""

    summary: str
    answer: Any = None
    answer_type: str = JSON
    request: Any = None
    keyed: bool = False
    filters: type[msgspec.Struct] | None = None
    query: Mapping[str, Schema] = {}
    statuses: tuple[int, ...] = (200,)
    refusals: tuple[int, ...] = ()


_YEARS = "^(19|20|21)[0-9]{2}-|^2200-"
_ON: Schema = {"type": "string", "format": "date", "pattern": _YEARS}
_WRITE = (400, 409, 413, 415, 422, 503)
_ONE = (400, 404, 410, 422)
_LIST = (400, 422)

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/livez"): Operation(summary="Whether the process lives", answer=dict[str, str]),
    ("GET", "/readyz"): Operation(
        summary="Whether it takes requests", answer=dict[str, Any], refusals=(503,)
    ),
    ("GET", "/openapi.json"): Operation(summary="This description", answer=dict[str, Any]),
    ("GET", "/v1/overview"): Operation(
        summary="Counts, book, caps and proof of a window of days",
        answer=Overview,
        query={"on": _ON, "days": {"type": "integer", "enum": list(DAYS), "default": 30}},
        refusals=_LIST,
    ),
    ("GET", "/v1/decisions"): Operation(
        summary="Decisions, newest first", answer=Decisions, filters=DecisionFilters, refusals=_LIST
    ),
    ("GET", "/v1/decisions/{decision_id}"): Operation(
        summary="A decision with everything it was made of", answer=Decision, refusals=_ONE
    ),
    ("GET", "/v1/applications/{application_id}"): Operation(
        summary="An application and what became of it", answer=Application, refusals=_ONE
    ),
    ("GET", "/v1/loans"): Operation(
        summary="Loans, latest disbursed first", answer=Loans, filters=LoanFilters, refusals=_LIST
    ),
    ("GET", "/v1/loans/{loan_id}"): Operation(
        summary="A loan at the end of a day", answer=Loan, query={"on": _ON}, refusals=_ONE
    ),
    ("GET", "/v1/book"): Operation(
        summary="The book as a whole at the end of a day: the way to a loan, vintages, score bands",
        answer=Book,
        query={"as_of": _ON},
        refusals=_LIST,
    ),
    ("GET", "/v1/features"): Operation(
        summary="The features that are computed, and how many read each", answer=Features, refusals=_LIST
    ),
    ("GET", "/v1/features/{feature}"): Operation(
        summary="A feature as it is declared, and who reads it", answer=FeatureView, refusals=_ONE
    ),
    ("GET", "/v1/strategies"): Operation(
        summary="Every version of a strategy that was published", answer=Strategies, refusals=_LIST
    ),
    ("GET", "/v1/strategies/{sha256}"): Operation(
        summary="A version of a strategy with everything in it", answer=StrategyView, refusals=_ONE
    ),
    ("GET", "/v1/alerts"): Operation(
        summary="Alerts, serious and newest first", answer=Alerts, filters=AlertFilters, refusals=_LIST
    ),
    ("GET", "/v1/alerts/{alert_id}"): Operation(
        summary="An alert with its evidence", answer=Alert, refusals=_ONE
    ),
    ("GET", "/v1/events/{event_id}"): Operation(
        summary="An entry of the journal", answer=EventView, refusals=_ONE
    ),
    ("GET", "/v1/receipts/{event_id}"): Operation(
        summary="The receipt of an event, to be verified offline",
        answer=dict[str, Any],
        query={"disclose": {"type": "string", "description": "Fields to open, with commas between"}},
        refusals=(*_ONE, 503),
    ),
    ("GET", "/v1/checkpoint"): Operation(
        summary="The last signed checkpoint, a C2SP signed note",
        answer=str,
        answer_type="text/plain",
        refusals=(*_LIST, 503),
    ),
    ("POST", "/v1/applications"): Operation(
        summary="Apply for money: 201 with the decision, 202 with the sources that it waits for",
        request=ApplicationRequest,
        keyed=True,
        answer=Applied,
        statuses=(201, 202),
        refusals=_WRITE,
    ),
    ("POST", "/v1/drawdowns"): Operation(
        summary="Ask for money under a contract",
        request=DrawdownRequest,
        keyed=True,
        answer=Drawn,
        statuses=(201,),
        refusals=(*_WRITE, 404),
    ),
    ("GET", "/v1/summary"): Operation(
        summary="Totals over the whole journal", answer=Summary, refusals=_LIST
    ),
    ("POST", "/v1/audits"): Operation(
        summary="Recompute the whole log: entries, bodies, tree, checkpoints", answer=Audited, statuses=(200,)
    ),
    ("POST", "/v1/replays"): Operation(
        summary="Make every recorded decision again and compare", answer=Replayed, statuses=(200,)
    ),
    ("POST", "/v1/models"): Operation(
        summary="Take a trained points table, which scores from now on",
        request=ModelRequest,
        answer=Registered,
        statuses=(201,),
        refusals=_WRITE,
    ),
    ("POST", "/v1/events"): Operation(
        summary="Tell what happened: one event, or many as lines",
        request=EventRequest,
        keyed=True,
        answer=Taken,
        statuses=(200, 201),
        refusals=(*_WRITE, 404),
    ),
}

_MEANING = {
    200: "The answer",
    201: "Taken, and durable",
    202: "Taken, and durable; something is still needed",
    400: "Not readable",
    401: "No valid API key",
    403: "The key lacks the scope",
    404: "No such thing",
    405: "Not this method",
    409: "It does not fit what has happened so far",
    410: "It was erased",
    413: "Over a limit",
    415: "Not this type of body",
    429: "The quota is used up; Retry-After says when there is more",
    422: "Fields that are not acceptable, each of them named",
    500: "A failure, without its details",
    503: "Not now",
}

_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "Recommended. The same key with the same body gets the stored answer, with another body 422. "
        "Lines need none: they are told apart by (source, source_ref)."
    ),
    "schema": {"type": "string", "pattern": '^("[!#-~]{1,255}"|[!#-~]{1,255})$'},
}

_RETRY_AFTER: Schema = {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}
_QUOTA: Schema = {
    name: {
        "description": f"{words} (draft-ietf-httpapi-ratelimit-headers-10); absent without a quota",
        "schema": {"type": "string"},
    }
    for name, words in (
        ("RateLimit-Policy", "The quota in requests and its window in seconds"),
        ("RateLimit", "What is left of the quota, and in how many seconds it is whole again"),
    )
}


def describe(served: Iterable[tuple[str, str]], table: Table) -> bytes:
    """The description of these routes, as JSON.

    Raises:
        InvariantBroken: a served route has no entry in `OPERATIONS`.
    """
    routes = sorted(served, key=lambda route: (route[1], route[0]))
    if missing := [route for route in routes if route not in OPERATIONS]:
        raise InvariantBroken(f"routes that the API's description does not know: {missing}")
    types: list[Any] = [Problem]
    for route in routes:
        operation = OPERATIONS[route]
        types += [kind for kind in (operation.answer, operation.request, operation.filters) if kind]
    types += EVENT_BODIES.values()
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(map(id, types), schemas, strict=True))
    sent = {kind.__name__ for kind in WireBody.__subclasses__()} & set(components)
    paths: dict[str, Any] = {}
    for method, path in routes:
        said = _operation(method, path, table[method, path], by_type, components)
        paths.setdefault(path, {})[method.lower()] = said
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Obligor",
            "version": __version__,
            "summary": "Credit risk for digital lenders: decisions, loans, traced money, and proof",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": (
                "Amounts are integers in minor units, times RFC 3339 with their zone. Every refusal is "
                f"`{MEDIA_TYPE}` with every field that was wrong. A JSON body has at most {JSON_BYTES} bytes."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _ecma(components | {name: _in_years(components[name]) for name in sent}),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key"}},
        },
    }
    return msgspec.json.encode(document)


def _operation(
    method: str, path: str, scope: str, by_type: Mapping[int, Schema], components: Mapping[str, Schema]
) -> Schema:
    operation = OPERATIONS[method, path]
    said: Schema = {"summary": operation.summary, "operationId": _identity(method, path)}
    if parameters := list(_parameters(path, operation, components)):
        said["parameters"] = parameters
    if operation.request:
        said["requestBody"] = {"required": True, "content": _content(operation.request, by_type)}
    if scope != PUBLIC:
        said["security"] = [{"key": []}]
        said["x-scope"] = scope
    if operation.request is EventRequest:
        said["x-scope-by-type"] = dict(EVENT_SCOPES)
    answers: dict[str, Any] = {}
    for status in operation.statuses:
        content: dict[str, Any] = {operation.answer_type: {"schema": by_type[id(operation.answer)]}}
        if operation.request is EventRequest and status == 200:
            lines = {"schema": {"type": "string", "description": "An answer a line"}}
            content["application/x-ndjson"] = lines
        answers[str(status)] = {"description": _MEANING[status], "content": content}
    counted = path not in UNCOUNTED
    guarded = (401, 403) if scope != PUBLIC else ()
    limited = (429, 503) if counted else ()
    for status in sorted({*operation.refusals, *guarded, *limited, 405, 500}):
        reference = {"schema": by_type[id(Problem)]}
        answers[str(status)] = {"description": _MEANING[status], "content": {MEDIA_TYPE: reference}}
        if status in {429, 503}:
            answers[str(status)]["headers"] = {"Retry-After": _RETRY_AFTER}
    for answer_status, answered in answers.items():
        if counted and answer_status not in {"500", "503"}:
            answered["headers"] = answered.get("headers", {}) | _QUOTA
    said["responses"] = answers
    return said


def _identity(method: str, path: str) -> str:
    words = [word.strip("{}").removesuffix(".json") for word in path.split("/") if word and word != "v1"]
    return "_".join([method.lower(), *words])


def _parameters(path: str, operation: Operation, components: Mapping[str, Schema]) -> Iterable[Schema]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for name, schema in operation.query.items():
        yield _asked(name, schema)
    if operation.filters is not None:
        for name, schema in components[operation.filters.__name__]["properties"].items():
            yield _asked(name, _without_null(schema))
        yield _asked("after", {"type": "string", "description": "`next` of the page before"})
    if operation.keyed:
        yield _IDEMPOTENCY


def _asked(name: str, schema: Schema) -> Schema:
    """A parameter of the query; an empty one is as good as none, as forms send them."""
    if schema.get("type") == "string" and not {"enum", "format", "pattern"} & set(schema):
        schema = {**schema, "pattern": r"^[^\u0000]*$"}
    return {"name": name, "in": "query", "required": False, "allowEmptyValue": True, "schema": schema}


def _without_null(schema: Schema) -> Schema:
    """A parameter that is there has a value."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema


def _content(request: Any, by_type: Mapping[int, Schema]) -> Schema:
    schema = by_type[id(request)]
    if request is not EventRequest:
        return {JSON: {"schema": schema}}
    each = [
        {"properties": {"type": {"const": name}, "body": by_type[id(body)]}}
        for name, body in EVENT_BODIES.items()
    ]
    lines = f"One such object on each line; at most {LINES_MOST:,} lines and {LINES_BYTES:,} bytes."
    return {
        JSON: {"schema": {"allOf": [schema], "oneOf": each}},
        "application/x-ndjson": {"schema": {"type": "string", "description": lines}},
    }


def _in_years(schema: Any) -> Any:
    """Dates and times of the years that are taken, which their format does not say."""
    if isinstance(schema, dict):
        told = {"pattern": _YEARS} if schema.get("format") in {"date", "date-time"} else {}
        return {key: _in_years(value) for key, value in schema.items()} | told
    return [_in_years(item) for item in schema] if isinstance(schema, list) else schema


def _ecma(schema: Any) -> Any:
    """Patterns as ECMA-262 writes them, which JSON Schema asks for."""
    if isinstance(schema, dict):
        return {
            key: value.replace(r"\A", "^").replace(r"\Z", "$").replace(r"\x00", r"\u0000")
            if key == "pattern" and isinstance(value, str)
            else _ecma(value)
            for key, value in schema.items()
        }
    return [_ecma(item) for item in schema] if isinstance(schema, list) else schema
