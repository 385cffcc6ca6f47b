"""kill -9 of a real process, again and again: nothing acknowledged is lost or doubled, answers stay.

What this does not test is the disk: the page cache outlives a process. That a commit waits for its sync is
tested in tests/journal/test_sqlite.py.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from obligor.journal import Command
from obligor.proof import Checkpoint, open_note, root_of, verify_inclusion
from tests.journal.support import SIGNER, TENANT, command, draft, erased, fee, house, party

CLIENTS = 8


def _attempt(client: int, number: int) -> Command:
    """The same for the same numbers, in whichever process."""
    key = f"{client}-{number}"
    person = f"person-{key}"
    if number % 10 == 9:
        event = erased(f"person-{client}-{number - 9}")
    elif number % 10 == 0:
        event = party(person, name=f"canary-{key}-canary")
    else:
        event = fee(f"loan-{client}", number + 1, person=person if number % 3 else "everybody")
    renamed = draft(event.stream, event.body, subjects=event.subjects, source_ref=key, id=f"event-{key}")
    return command(renamed, key=key)


def child(directory: Path) -> None:
    """Clients that write until they are killed, each telling the parent of every answer it has seen."""
    acknowledged = os.open(directory / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with house(directory) as h:

        def client(number: int) -> None:
            at = h.journal.reader().cursor(TENANT, f"client-{number}") + 1
            while True:
                attempt = _attempt(number, at)
                answer = h.journal.submit(
                    Command(attempt.tenant, attempt.run, attempt.idempotency, (f"client-{number}", at))
                ).result()
                line = f"{number} {at} {hashlib.sha256(answer.data).hexdigest()}\n"
                os.write(acknowledged, line.encode())
                at += 1

        threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        threads[0].join()


def _acknowledged(directory: Path) -> dict[tuple[int, int], str]:
    path = directory / "acknowledged"
    lines = path.read_text().splitlines() if path.exists() else []
    found = {}
    for line in lines:
        client, number, digest = line.split()
        assert (int(client), int(number)) not in found, "acknowledged twice"
        found[int(client), int(number)] = digest
    return found


def _one_life(directory: Path, luck: random.Random) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from tests.faults.test_journal_kill import child\nchild(Path(sys.argv[1]))"
    )
    path = directory / "acknowledged"
    before = path.stat().st_size if path.exists() else 0
    process = subprocess.Popen([sys.executable, "-c", script, str(directory)], stderr=subprocess.PIPE)
    try:
        for _ in range(3000):
            if process.poll() is not None or (path.exists() and path.stat().st_size > before):
                break
            time.sleep(0.01)
        time.sleep(luck.random() * 0.15)
    finally:
        process.send_signal(signal.SIGKILL)
        ended = process.wait()
    assert process.stderr is not None
    told = process.stderr.read().decode()
    assert told == "", told
    assert ended == -signal.SIGKILL, "it did not live to be killed"


@pytest.mark.parametrize(
    "cycles", [10, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path, cycles: int) -> None:
    luck = random.Random(7)
    for _ in range(cycles):
        _one_life(tmp_path, luck)
    acknowledged = _acknowledged(tmp_path)
    assert len(acknowledged) > 2 * cycles
    with house(tmp_path) as h:
        reader = h.journal.reader()
        events = list(reader.events(TENANT))
        places = {event.source_ref: event.known_seq for event in events}
        assert len(places) == len(events), "an event came twice"
        assert [event.known_seq for event in events] == list(range(len(events)))
        missing = [key for key in acknowledged if f"{key[0]}-{key[1]}" not in places]
        assert missing == []
        for client in range(CLIENTS):
            numbers = [int(ref.split("-")[1]) for ref in places if ref.startswith(f"{client}-")]
            assert numbers == list(range(len(numbers))), "an event is out of order"

        leaves = [entry.computed_leaf() for entry in reader.entries(TENANT)]
        for note in reader.checkpoints(TENANT):
            signed = Checkpoint.parse(open_note(note, [SIGNER.verifier]).text)
            assert signed.root == root_of(leaves[: signed.size])
        for index in luck.sample(range(len(leaves)), 20):
            verify_inclusion(
                index,
                len(leaves),
                leaves[index],
                reader.inclusion(TENANT, index, len(leaves)),
                root_of(leaves),
            )

        asked = luck.sample(sorted(acknowledged), min(200, len(acknowledged)))
        again = h.journal.submit_many([_attempt(*key) for key in asked]).result(60)
        for key, answer in zip(asked, again, strict=True):
            assert answer.replayed
            assert hashlib.sha256(answer.data).hexdigest() == acknowledged[key]
        assert reader.size(TENANT) == len(events)

        gone = [event.body.person_id for event in events if event.type == "person.erased"]
        assert gone
        assert all(h.vault.key(TENANT, person, "identity") is None for person in gone)
