"""Whether a score really moves one way with a characteristic: looked up in every cell, not promised."""

from __future__ import annotations

import msgspec
import numpy as np

from obligor.scoring.joint import joint
from obligor.scoring.table import Artifact
from obligor.scoring.woe import Ints

__all__ = ["Monotone", "monotone"]


class Monotone(msgspec.Struct, frozen=True, kw_only=True):
    """How the score moves over the intervals of a number.

    `risk` is as declared; `steps` are the pairs of neighbouring cells that were compared, with every cell of
    the pair's other characteristic; `falls` and `rises` are by how many points the score moves down or up at
    most in one step; `holds` says whether that is as declared.
    """

    name: str
    risk: str
    steps: int
    falls: int
    rises: int
    holds: bool


def monotone(artifact: Artifact) -> tuple[Monotone, ...]:
    """Compare all neighbouring intervals of every number of a model, in the order of its tables.

    A characteristic is in one pair at most, so the cells of that pair are all there is to look at: whatever
    else an applicant is, the score moves as it moves there.
    """
    totals: dict[str, Ints] = {}
    for tables, pair in artifact.terms():
        if pair is None:
            name = tables[0].layout.characteristic.name
            totals[name] = np.array([cell.points for cell in tables[0].cells], np.int64)[:, None]
        else:
            total = joint(tables[0], tables[1], pair).total
            totals |= {pair.first: total, pair.second: total.T}
    found = []
    for table in artifact.tables:
        declared = table.layout.characteristic
        if not declared.is_number:
            continue
        steps = np.diff(totals[declared.name][: table.layout.plain], axis=0)
        falls = max(0, int(-steps.min(initial=0)))
        rises = max(0, int(steps.max(initial=0)))
        may = {"rising": not rises, "falling": not falls, "monotone": not (falls and rises), "free": True}
        found.append(
            Monotone(
                name=declared.name,
                risk=declared.risk,
                steps=steps.size,
                falls=falls,
                rises=rises,
                holds=may[declared.risk],
            )
        )
    return tuple(found)
