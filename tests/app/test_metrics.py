"""What a server counts of itself: named as Prometheus has it, true, and with no person in it."""

import re
import subprocess
import sys
import threading

import pytest

from obligor.app.metrics import CAPS_MOST, Metrics, Standing
from obligor.journal import Command
from obligor.kernel import Unavailable
from tests.applicants import BUREAU, FIELDS

ON_BOTH = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def store(request):
    """Where the journal is: the embedded store, unless a test asks for both."""
    wanted = getattr(request, "param", "sqlite")
    return request.getfixturevalue("database") if wanted == "postgresql" else ""


def values(text):
    """Each sample by its name and labels."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def metrics(lender):
    return values(lender.service.metrics().decode())


@ON_BOTH
def test_the_journals_work_is_counted(lender):
    lender.settle()
    before = metrics(lender)
    for number in range(3):
        lender.apply(person={"reference": f"m-{number}"}, fields={**FIELDS, **BUREAU})
    lender.settle()
    after = metrics(lender)

    def grew(name):
        return after[name] - before.get(name, 0.0)

    assert grew('obligor_answers_total{code="201",kind="application"}') == 3
    assert grew("obligor_journal_entries") == grew("obligor_journal_events_total") >= 6
    assert grew("obligor_journal_commit_seconds_count") >= 1
    assert grew("obligor_journal_fold_seconds_count") >= grew("obligor_journal_commit_seconds_count")
    assert grew("obligor_journal_group_commands_sum") >= 3
    assert 0 < after["obligor_journal_commit_seconds_sum"] < 60
    assert (
        after["obligor_journal_last_commit_timestamp_seconds"]
        <= after["obligor_journal_last_checkpoint_timestamp_seconds"]
    )
    assert after["obligor_journal_last_commit_timestamp_seconds"] > after["process_start_time_seconds"]
    assert after["obligor_journal_queue_commands"] == 0
    assert after["obligor_erasures_pending"] == 0
    assert after["obligor_vault_cached_persons"] >= 3
    assert after['obligor_server_role{role="writer"}'] == 1
    assert after['obligor_server_role{role="standby"}'] == 0
    kind = "postgresql" if lender.service.settings.store else "sqlite"
    (build,) = [name for name in after if name.startswith("obligor_build_info")]
    assert f'store="{kind}"' in build


@ON_BOTH
def test_caps_are_told_by_their_use_and_a_persons_own_is_not(lender):
    for cap, limit in (("partner/P-02", 4_000_000), ("product/instalment", 100_000_000)):
        lender.event("cap.set", {"cap": cap, "limit_minor": limit, "currency": "CNY"})
    asked = lender.apply(person={"reference": "m"}, amount_minor=1_000_000, fields={**FIELDS, **BUREAU})
    person = asked["person_id"]
    lender.event("cap.set", {"cap": f"obligor/{person}", "limit_minor": 9_000_000, "currency": "CNY"})
    application = {"application_id": asked["application_id"]}
    lender.event("offer.made", application)
    lender.event("offer.accepted", application)
    lender.event("contract.signed", {**application, "contract_id": "C", "document_sha256": "ab" * 32})
    drawn = lender.draw(**application, amount_minor=1_000_000, currency="CNY", partner="P-02")
    assert drawn["outcome"] == "release", drawn
    lender.settle()
    text = lender.service.metrics().decode()
    found = values(text)
    assert found['obligor_cap_use_ratio{cap="partner/P-02"}'] == pytest.approx(0.25)
    assert person not in text


def test_a_processor_that_is_behind_shows_its_lag_and_its_age(lender, monkeypatch):
    lender.settle()
    found = metrics(lender)
    assert found['obligor_processor_lag_events{processor="funds"}'] == 0
    assert found['obligor_processor_age_seconds{processor="funds"}'] == 0
    held = threading.Event()

    def wait(_events):
        held.wait(10)
        raise Unavailable("not yet")

    monkeypatch.setattr(lender.service.funds, "see", wait)
    lender.apply(person={"reference": "late"})
    late = metrics(lender)
    assert late['obligor_processor_lag_events{processor="funds"}'] > 0
    assert late['obligor_processor_age_seconds{processor="funds"}'] > 0
    monkeypatch.undo()
    held.set()
    lender.settle()
    assert metrics(lender)['obligor_processor_age_seconds{processor="funds"}'] == 0


def test_what_is_refused_is_counted_by_its_code(lender):
    refused = lender.http.post("/v1/applications", json={"a": 1})
    assert refused.status_code == 422
    lender.draw(404, application_id="none", amount_minor=1, currency="CNY")
    found = metrics(lender)
    assert found['obligor_answers_total{code="invalid",kind="application"}'] == 1
    assert found['obligor_answers_total{code="not-found",kind="drawdown"}'] == 1


def test_a_group_that_fails_is_begun_and_not_committed(lender):
    def fail(_view):
        raise RuntimeError

    lender.settle()
    before = metrics(lender)
    with pytest.raises(RuntimeError):
        lender.service.journal.submit(Command(tenant="main", run=fail)).result()
    after = metrics(lender)
    assert after["obligor_journal_group_commands_count"] == before["obligor_journal_group_commands_count"] + 1
    assert after["obligor_journal_commit_seconds_count"] == before["obligor_journal_commit_seconds_count"]


def test_names_units_and_labels_keep_to_the_conventions(lender):
    lender.apply()
    text = lender.service.metrics().decode() + lender.app.meter.text().decode()
    kinds = dict(re.findall(r"^# TYPE (obligor_\w+) (\w+)$", text, re.MULTILINE))
    assert len(kinds) > 20
    units = ("_seconds", "_ratio", "_info", "_total", "_commands", "_events", "_created")
    counted = ("_entries", "_pending", "_persons", "_connections", "_in_progress", "_role")
    for name, kind in kinds.items():
        assert name.endswith((*units, *counted)), name
        assert name.endswith("_total") == (kind == "counter"), (name, kind)
    helps = set(re.findall(r"^# HELP (obligor_\w+) \S", text, re.MULTILINE))
    assert set(kinds) <= helps
    labels = set(re.findall(r'(\w+)="', text)) - {"le"}
    assert labels <= {
        "kind",
        "code",
        "status",
        "version",
        "store",
        "role",
        "processor",
        "cap",
        "method",
        "route",
        "reason",
        "implementation",
        "major",
        "minor",
        "patchlevel",
    }


def test_a_cap_that_is_full_no_more_is_forgotten():
    kept = Metrics()
    standing = Standing(role="writer", store="sqlite", entries=0, caps=(("product/a", 0.5),))
    assert b"product/a" in kept.text(standing)
    gone = kept.text(Standing(role="standby", store="sqlite", entries=0))
    assert b"product/a" not in gone
    assert b'obligor_server_role{role="standby"} 1.0' in gone
    assert CAPS_MOST == 20


def test_a_server_without_opentelemetry_starts_and_imports_none_of_it():
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import obligor.cli.up, obligor.app.tracing as t\n"
        "assert t.tracing_of(False) is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.')]\n"
        "from obligor.kernel import InvalidInput\n"
        "try: t.tracing_of(True)\n"
        "except InvalidInput as error: print(error.violations[0].accepted)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "obligor[otel]" in done.stdout
