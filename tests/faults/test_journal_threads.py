"""Many threads use the types of events for the first time at once, as in a server that has just started.

msgspec 0.22 learns of a struct when it first reads one; two threads that make it do so at once crash the
process, in about one run of four of this one.
"""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, threading
sys.setswitchinterval(1e-6)
from obligor.events import BODIES, FieldClass, join
from obligor.kernel import Corrupted, encode
barrier = threading.Barrier(8)

def client():
    barrier.wait()
    encode({"a": [1, {"b": 2}]})
    for name, body in BODIES.items():
        try:
            join(name, body.SCHEMA, {FieldClass.MONEY: {"person_id": "p1"}})
        except Corrupted:
            pass

threads = [threading.Thread(target=client) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("alive")
"""


def test_threads_that_read_events_first_at_once_do_not_crash() -> None:
    for _ in range(8):
        ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "alive\n", "")
