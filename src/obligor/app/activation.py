"""Which strategies and which model decide: published under their digests, activated by events."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obligor import strategy
from obligor.app.batches import certified
from obligor.app.call import Call
from obligor.app.commands import running
from obligor.app.packs import place
from obligor.app.proposal import Proposal
from obligor.journal import Accepted, Command, View
from obligor.kernel import InvalidInput
from obligor.scoring import PointsModel
from obligor.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from obligor.app.service import Service

__all__ = ["ensure", "use_model", "use_strategy"]


def ensure(service: Service) -> None:
    """Let the strategies that the settings name decide their stages, if others or none do."""
    active = service.active()
    for stage, name in service.settings.stages.items():
        compiled = _compiled(name, stage)
        if active.strategies.get(stage) != compiled.sha256:
            use_strategy(service, compiled)


def use_strategy(service: Service, compiled: Strategy) -> str:
    """Keep a compiled strategy and let it decide its stage. Returns its digest.

    Raises:
        InvariantBroken: its two functions, by row and by columns, do not agree on this machine.
    """
    certified(compiled)
    service.means.artifacts.keep_strategy(compiled)
    _run(service, lambda p: running.activate_strategy(p, compiled))
    return compiled.sha256


def _compiled(name: str, stage: str) -> Strategy:
    """The strategy of a pack's name or a directory.

    Raises:
        StrategyError: it does not compile. InvalidInput: it is for another stage than wanted.
    """
    path = Path(name)
    compiled = strategy.load(path) if path.is_dir() else _of_pack(name)
    if compiled.stage != stage:
        raise InvalidInput.field(f"stages.{stage}", compiled.name, f"a strategy whose stage is {stage}")
    return compiled


@cache
def _of_pack(name: str) -> Strategy:
    """A pack does not change while the process lives."""
    return strategy.load(place(name))


def use_model(service: Service, model: PointsModel, version: str, known_on: date | None = None) -> str:
    """Keep a model and let it score applications. Returns its digest."""
    service.means.artifacts.keep_model(model)
    _run(service, lambda p: running.activate_model(p, model, version, known_on))
    return model.sha256


def _run(service: Service, handle: Callable[[Proposal], dict[str, Any]]) -> None:
    now = service.now()
    call = Call(
        means=service.means,
        tenant=service.settings.tenant,
        actor="system",
        received_at=now,
        at=now,
        source="system",
    )

    def run(view: View) -> Accepted:
        proposal = Proposal(view, call)
        return proposal.accepted(handle(proposal))

    service.submit_command(Command(tenant=call.tenant, run=run))
