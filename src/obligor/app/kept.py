"""What a process makes once, however often it becomes the writer and stands by again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from obligor import features
from obligor.app.artifacts import Artifacts
from obligor.app.keys import Keys
from obligor.app.metrics import Metrics
from obligor.app.packs import place, reason_texts
from obligor.decision import Reason
from obligor.features import Catalogue
from obligor.funds import Classes, load_classes

__all__ = ["Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """Keys, counters, artifacts with compiled strategies, and the packs' data, over a data directory."""

    keys: Keys
    metrics: Metrics
    artifacts: Artifacts
    catalogue: Catalogue
    texts: Mapping[str, Reason]
    classes: Classes

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Read what lies in the data directory, which is made if it is not there, and in the package."""
        directory.mkdir(parents=True, exist_ok=True)
        return cls(
            keys=Keys(directory / "api-keys.json"),
            metrics=Metrics(),
            artifacts=Artifacts(directory / "artifacts"),
            catalogue=features.load(place("features/starter.yaml")),
            texts=reason_texts(),
            classes=load_classes(place("funds/classes.yaml")),
        )
