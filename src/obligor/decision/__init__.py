"""Decisions: made of facts, a model and a strategy, explained, and made again."""

from obligor.decision.batch import Batch, Spine, decide_batch
from obligor.decision.decide import Decision, Model, decide, inputs_digest
from obligor.decision.reasons import Reason, load_reasons
from obligor.decision.replay import Artifacts, Replay, Tally, replay, replay_all, replay_batch
from obligor.strategy import Need

__all__ = [
    "Artifacts",
    "Batch",
    "Decision",
    "Model",
    "Need",
    "Reason",
    "Replay",
    "Spine",
    "Tally",
    "decide",
    "decide_batch",
    "inputs_digest",
    "load_reasons",
    "replay",
    "replay_all",
    "replay_batch",
]
