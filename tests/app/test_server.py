"""The server as people start it: a process, its socket, its ports, its commands beside it."""

import json
import signal
import subprocess
import sys
import time

import httpx
import pytest


def obligor(*arguments, **told):
    return subprocess.run(
        [sys.executable, "-m", "obligor", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **told,
    )


@pytest.fixture
def server(tmp_path):
    data = tmp_path / "var"
    process = subprocess.Popen(
        [sys.executable, "-m", "obligor", "up", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    told = json.loads(process.stdout.readline())
    yield process, data, told
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_keys_are_made_listed_and_revoked_through_the_running_servers_socket(server):
    _, data, told = server
    url = told["listening"]
    made = obligor("keys", "create", "desk", "--scope", "read", "--data", data)
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{url}/v1/summary", headers=headers).status_code == 200
    refused = httpx.post(f"{url}/v1/applications", headers=headers, json={})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert token not in (data / "api-keys.json").read_text()
    assert (data / "api-keys.json").stat().st_mode & 0o077 == 0
    listed = json.loads(obligor("keys", "list", "--json", "--data", data).stdout)
    assert [(row["name"], row["scopes"]) for row in listed] == [("desk", ["read"])]
    assert obligor("keys", "revoke", "desk", "--data", data).returncode == 0
    assert httpx.get(f"{url}/v1/summary", headers=headers).status_code == 401
    again = obligor("keys", "create", "desk", "--scope", "read", "--data", data)
    assert again.returncode == 2
    assert "another name" in again.stderr
    wrong = obligor("keys", "create", "x", "--scope", "everything", "--data", data)
    assert wrong.returncode == 2
    assert "applications:write" in wrong.stderr


def test_health_metrics_and_commands_work_beside_the_server(server):
    process, data, told = server
    url = told["listening"]
    assert url.startswith("http://127.0.0.1:")
    assert httpx.get(f"{url}/livez").json() == {"status": "ok"}
    ready = httpx.get(f"{url}/readyz")
    assert ready.status_code == 200
    assert {check["name"] for check in ready.json()["checks"]} == {"kernels", "writer", "disk", "keys"}
    assert "obligor_journal_entries" in httpx.get(told["metrics"]).text
    assert httpx.get(f"{url}/metrics").status_code == 404
    for command in ("audit", "replay", "doctor"):
        done = obligor(command, data)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert isinstance(json.loads(obligor(command, data, "--json").stdout), dict)
    second = obligor("up", "--data", data, "--port", "0")
    assert second.returncode == 2
    assert "another process" in second.stderr
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not (data / "control.sock").exists()
    rebuilt = obligor("rebuild", data)
    assert (rebuilt.returncode, "all equal" in rebuilt.stdout) == (0, True), rebuilt.stderr


def test_commands_say_what_is_missing():
    for arguments, word in (
        (("audit", "/no/such/place"), "holds no journal"),
        (("keys", "list", "--data", "/no/such/place"), "no server answers"),
        (("verify", "/no/such/receipt"), "cannot be read"),
        (("nonsense",), "no command"),
        (("run", "--book", "x.parquet"), "--map"),
    ):
        done = obligor(*arguments)
        assert done.returncode == 2, arguments
        assert word in done.stderr, done.stderr


def test_a_run_of_the_simulated_lender_stops_in_time_and_goes_on_where_it_was(tmp_path):
    data = tmp_path / "var"
    options = ("run", "--data", data, "--for-seconds", "6", "--port", "0", "--people", "300")
    begun = time.monotonic()
    first = obligor(*options, stdin=subprocess.DEVNULL)
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout.splitlines()[-1])
    assert told["decisions"] > 0
    assert told["audit_ok"] is True
    assert told["replay_mismatches"] == 0
    assert told["postings_sum_minor"] == 0
    assert time.monotonic() - begun < 110
    second = json.loads(obligor(*options, stdin=subprocess.DEVNULL).stdout.splitlines()[-1])
    assert second["decisions"] > told["decisions"]
    assert second["entries"] > told["entries"]
    other = obligor("run", "--data", data, "--book", "x.parquet", "--map", "lendingclub")
    assert other.returncode == 2
    assert "belongs to" in other.stderr
