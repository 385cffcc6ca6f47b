"""What tests of archives share: to take and restore them, a lender's pages, an archive's rows."""

import contextlib
import itertools
import re
import time

import httpx

from obligor.app.backup import beside, take
from obligor.app.backup_files import read_rows
from obligor.app.backup_manifest import Manifest, VaultManifest, need_manifest
from obligor.app.backup_restore import restore
from obligor.app.backup_vault import archived_keys
from obligor.app.backup_verify import verify
from tests.app.conftest import Lender, application
from tests.applicants import BUREAU, FIELDS

FACTS = {**FIELDS, **BUREAU}
_numbers = itertools.count()


def taken(lender, destination, **more):
    """A backup of a lender, its keys in a third place."""
    given = {"settings": lender.service.settings, "keys_to": keys_of(destination), **more}
    return take(lender.directory, destination, **given)


def back(source, directory, **more):
    """A restore of everything that `taken` wrote."""
    given = {"vault": beside(source), "keys": keys_of(source), **more}
    return restore(source, directory, **given)


def checked(source, **more):
    """What is said of an archive and its vault's."""
    return verify(source, **{"vault": beside(source), **more})


def manifest_of(source):
    return need_manifest(source, Manifest)


def vault_of(source):
    return need_manifest(beside(source), VaultManifest)


def rows_of(source, kind):
    """The rows of one kind among those that change."""
    return [tuple(row[1:]) for row in read_rows(source, manifest_of(source).tables) if row[0] == kind]


def keyed(lender, number=None, **changes):
    """An application under an idempotency key, a new one where none is given, and its answer."""
    number = f"new-{next(_numbers)}" if number is None else number
    sent = application(person={"reference": f"keyed-{number}"}, fields=FACTS, **changes)
    answer = lender.http.post("/v1/applications", json=sent, headers={"idempotency-key": f"key-{number}"})
    assert answer.status_code == 201, answer.text
    return answer


def wrapped_keys(archive, person):
    """The wrapped keys of a person in a vault's archive, by class."""
    rows = archived_keys(beside(archive), vault_of(archive))
    return {row.kind: row.wrapped for row in rows if getattr(row, "person", None) == person}


def keys_of(archive):
    """Where `taken` put the secret keys."""
    return archive.with_name(archive.name + "-keys")


def erase(lender, person):
    told = {"person_id": person, "classes": ["identity", "conduct"], "ground": "request"}
    return lender.event("person.erased", told)


# Where a page says which request it was, or which files of the console it was made for.
_PASSING = re.compile(r"(csrf[^\s>]*|nonce-?[^\s>]*|ticket=[^\s\"&]*)")


def still(lender, seconds=0.3):
    """Wait until nothing has been written for a while: what processors write comes after what they saw."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        lender.settle()
        if lender.service.journal.size("main") != size:
            size, since = lender.service.journal.size("main"), time.monotonic()
        time.sleep(0.02)


def pages(lender, on="2026-03-01"):
    """Every page with its twin and every answer of the API for what the lists name, once all is still."""
    found = {}
    still(lender)
    with httpx.Client(base_url=lender.url, follow_redirects=True, trust_env=False, timeout=60) as console:
        console.get("/enter", params={"ticket": lender.service.keys.ticket("main")}).raise_for_status()

        def look(path, client=console):
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
            found[path] = _PASSING.sub("", answer.text)
            return answer

        look(f"/?on={on}")
        look(f"/overview.json?on={on}")
        for name in ("decisions", "loans", "alerts"):
            look(f"/{name}")
            look(f"/{name}.json")
            rows = look(f"/v1/{name}", lender.http).json()["rows"]
            for row in rows[:12]:
                key = row[f"{name.removesuffix('s')}_id"]
                dated = f"?on={on}" if name == "loans" else ""
                look(f"/{name}/{key}{dated}")
                look(f"/{name}/{key}.json{dated}")
                look(f"/v1/{name}/{key}{dated}", lender.http)
        for row in lender.get("/v1/decisions")["rows"][:6]:
            look(f"/applications/{row['application_id']}")
    return found


@contextlib.contextmanager
def opened(directory, **settings):
    """A lender's server on a directory that has all that it needs."""
    lender = Lender(directory, None, **settings)
    try:
        lender.settle()
        yield lender
    finally:
        lender.close()


def differing(before, after):
    """The pages that are not the same, each with the lines that are not."""
    assert before.keys() == after.keys()
    return {
        path: [
            pair
            for pair in zip(before[path].split("\n"), after[path].split("\n"), strict=False)
            if len({*pair}) > 1
        ]
        for path in before
        if before[path] != after[path]
    }
