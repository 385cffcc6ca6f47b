"""A key's own quota: made on the command line, kept with the key, held for its requests and its sessions."""

import json

import httpx
import pytest

from obligor.app.keys import Keys
from obligor.app.service_protocol import SCOPES
from obligor.kernel import InvalidInput
from tests.app.crowd import Child
from tests.app.test_server import obligor


def test_a_key_made_with_a_quota_is_held_to_it_and_another_is_not(tmp_path):
    with Child(tmp_path / "var") as child:
        made = obligor("keys", "create", "desk", "--scope", "read", "--quota", "3", "--data", child.data)
        assert made.returncode == 0, made.stderr
        desk = {"authorization": f"Bearer {made.stdout.strip()}"}
        answers = [httpx.get(f"{child.url}/v1/summary", headers=desk) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"reads";q=3;w=60'
        assert answers[3].json()["code"] == "rate-limited"
        assert 15 <= int(answers[3].headers["retry-after"]) <= 20
        other = {"authorization": f"Bearer {child.key('other')}"}
        assert httpx.get(f"{child.url}/v1/summary", headers=other).status_code == 200
        listed = json.loads(obligor("keys", "list", "--json", "--data", child.data).stdout)
        assert {row["name"]: row["quota"] for row in listed} == {"desk": 3, "other": None}
        wrong = obligor("keys", "create", "x", "--scope", "read", "--quota", "-1", "--data", child.data)
        assert (wrong.returncode, "quota" in wrong.stderr) == (2, True)


def test_a_quota_outlives_the_server_and_keys_made_before_quotas_have_none(tmp_path):
    path = tmp_path / "api-keys.json"
    token = Keys(path).create("desk", "main", ["read"], 7)
    assert Keys(path).authenticate(token).quota == 7
    old = json.loads(path.read_text())
    del old[0]["quota"]
    path.write_text(json.dumps(old))
    assert Keys(path).authenticate(token).quota is None
    with pytest.raises(InvalidInput):
        Keys(path).create("wrong", "main", ["read"], -1)


def test_a_session_is_held_to_the_quota_of_its_key(lender):
    token = lender.service.keys.create("clerk", "main", SCOPES, 4)
    with httpx.Client(base_url=lender.url, trust_env=False, follow_redirects=False) as browser:
        assert browser.post("/sign-in", data={"key": token}).status_code == 303
        seen = [browser.get("/loans").status_code for _ in range(5)]
    assert seen == [200] * 4 + [429]
