"""Strategies and models, kept under the digest of their content so that any decision can be made again."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from obligor import scoring, strategy
from obligor.kernel import Corrupted, NotFound
from obligor.scoring import PointsModel
from obligor.strategy import Strategy, StrategyError

__all__ = ["Artifacts"]


class Artifacts:
    """A directory of files named by digest: `strategies/<sha256>/…` and `models/<sha256>.json`.

    What is read is checked against its name; what was read is kept in memory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._strategies: dict[str, Strategy] = {}
        self._models: dict[str, PointsModel] = {}
        self._lock = threading.Lock()

    def keep_strategy(self, compiled: Strategy) -> str:
        """Keep a compiled strategy's files; returns its digest."""
        target = self._directory / "strategies" / compiled.sha256
        if not target.is_dir():
            self._place(target, compiled.files)
        with self._lock:
            self._strategies[compiled.sha256] = compiled
        return compiled.sha256

    def keep_model(self, model: PointsModel) -> str:
        """Keep a model's table; returns its digest."""
        target = self._directory / "models" / f"{model.sha256}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file():
            with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as out:
                out.write(model.to_json())
                out.flush()
                os.fsync(out.fileno())
            Path(out.name).rename(target)
        with self._lock:
            self._models[model.sha256] = model
        return model.sha256

    def strategy(self, sha256: str) -> Strategy:
        """The strategy of a digest.

        Raises:
            NotFound: there is none. Corrupted: its files are no longer what the digest says.
        """
        with self._lock:
            if found := self._strategies.get(sha256):
                return found
        directory = self._directory / "strategies" / sha256
        if not directory.is_dir():
            raise NotFound(f"no strategy with digest {sha256} is kept here")
        try:
            compiled = strategy.load(directory, sha256)
        except StrategyError as error:
            raise Corrupted(f"the strategy kept as {sha256} does not compile: {error.detail}") from None
        with self._lock:
            self._strategies[sha256] = compiled
        return compiled

    def model(self, sha256: str) -> PointsModel:
        """The model of a digest.

        Raises:
            NotFound: there is none. Corrupted: its file is no longer what the digest says.
        """
        with self._lock:
            if found := self._models.get(sha256):
                return found
        path = self._directory / "models" / f"{sha256}.json"
        if not path.is_file():
            raise NotFound(f"no model with digest {sha256} is kept here")
        model = scoring.PointsModel.from_json(path.read_bytes(), sha256=sha256)
        with self._lock:
            self._models[sha256] = model
        return model

    @staticmethod
    def _place(target: Path, files: Mapping[str, bytes]) -> None:
        """Write files so that the directory is there whole or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=target.parent))
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
        try:
            staging.rename(target)
        except OSError:
            if not target.is_dir():
                raise
