"""How often the interpreter looks for values that hold one another, in a process that keeps millions of them.

What the journal keeps in memory is plain values: they are freed when nobody holds them, and lie in no cycle.
A group of commands makes tens of thousands of values and lets go of nearly all of them at its end; looked at
in between, as the interpreter does by default after every 700, they cost a quarter of all processor time.
"""

from __future__ import annotations

import gc

__all__ = ["look_seldom"]

# More values than one group makes, and then the survivors of so many looks, and of so many of those.
THRESHOLDS = (200_000, 20, 50)


def look_seldom() -> None:
    """Settle this process: what is there now stays, what comes is looked at seldom.

    For a process that serves or plays a lender, once it has started: it holds for the whole process. A cycle
    is still found, some hundred megabytes later at most.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
