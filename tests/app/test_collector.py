"""A process that keeps a book in memory is looked through for cycles seldom, and they are still found."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
from obligor.app.collector import look_seldom

class Cycle:
    def __init__(self):
        self.me = self

seen = []
gc.callbacks.append(lambda phase, info: seen.append(info["generation"]) if phase == "start" else None)
look_seldom()
seen.clear()
kept = [[n] for n in range(50_000)]
few = len(seen)
cycle = weakref.ref(Cycle())
more = [[n] for n in range(400_000)]
print(few, cycle() is None, gc.get_freeze_count() > 0)
"""


def test_a_groups_values_are_not_looked_through_and_a_cycle_is_found_in_the_end():
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["0", "True", "True"]
