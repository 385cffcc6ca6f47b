"""Trees of two levels as tables: what they give each cell of one characteristic, or of two together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from obligor.kernel import InvariantBroken
from obligor.scoring.design import Feature
from obligor.scoring.woe import Floats

__all__ = ["Terms", "gains", "tables"]

# By the numbers of one or two characteristics, in order: an array over their cells.
Terms = dict[tuple[int, ...], Floats]


def tables(trees: Sequence[Any], features: Sequence[Feature], sizes: Sequence[int]) -> Terms:
    """The sum of the trees, exactly: every leaf is a box of cells.

    Raises:
        InvariantBroken: a branch has more than two characteristics.
    """
    found: Terms = {}
    for tree in trees:
        _leaves(tree["tree_structure"], {}, features, sizes, found)
    return found


def gains(trees: Sequence[Any], features: Sequence[Feature]) -> dict[tuple[int, int], float]:
    """By pair of characteristics, what second splits gained beneath a first split on the other."""
    found: dict[tuple[int, int], float] = {}
    for tree in trees:
        top = tree["tree_structure"]
        if "split_feature" not in top:
            continue
        above = features[top["split_feature"]].owner
        for side in ("left_child", "right_child"):
            node = top[side]
            if "split_feature" in node and (below := features[node["split_feature"]].owner) != above:
                pair = (min(above, below), max(above, below))
                found[pair] = found.get(pair, 0.0) + float(node["split_gain"])
    return found


def _leaves(
    node: Mapping[str, Any],
    box: Mapping[int, Any],
    features: Sequence[Feature],
    sizes: Sequence[int],
    found: Terms,
) -> None:
    if "split_feature" not in node:
        _add(float(node["leaf_value"]), box, sizes, found)
        return
    feature = features[node["split_feature"]]
    left = _left(node, feature)
    before = box.get(feature.owner, True)
    _leaves(node["left_child"], {**box, feature.owner: before & left}, features, sizes, found)
    _leaves(node["right_child"], {**box, feature.owner: before & ~left}, features, sizes, found)


def _left(node: Mapping[str, Any], feature: Feature) -> Any:
    """Which cells go left: up to the threshold; NaN as the split says, or as 0 if it never saw one."""
    values = feature.of_cell
    missing = np.isnan(values)
    if node["missing_type"] == "NaN":
        return np.where(missing, bool(node["default_left"]), values <= node["threshold"])
    return np.where(missing, 0.0, values) <= node["threshold"]


def _add(value: float, box: Mapping[int, Any], sizes: Sequence[int], found: Terms) -> None:
    owners = tuple(sorted(box))
    if len(owners) > 2:
        raise InvariantBroken("a tree has more than two characteristics in one branch")
    shape = tuple(sizes[owner] for owner in owners)
    if owners not in found:
        found[owners] = np.zeros(shape)
    found[owners] += value * reduce(np.multiply.outer, [box[owner] for owner in owners], np.float64(1.0))
