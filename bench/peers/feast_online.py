"""Feast's online store, in a process of its own: it needs an older pandas than the other peers do.

Run as `python feast_online.py FEATURES.parquet`, it puts the values of each entity (column `person`, one row
each) into a SQLite online store and says {"ready": n}. For each line that it is given it reads every entity
once, one at a time as a request does, and answers with the median in microseconds and the values of the
entity that the line names.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Int64

warnings.filterwarnings("ignore")


def store(place: Path, file: Path) -> tuple[FeatureStore, list[str], list[str]]:
    frame = pd.read_parquet(file)
    names = [name for name in frame.columns if name != "person"]
    frame[names] = frame[names].astype("Int64")
    frame["event_timestamp"] = pd.Timestamp.now(tz="UTC")
    source = str(place / "source.parquet")
    frame.to_parquet(source)
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(place / "registry.db"),
        online_store={"type": "sqlite", "path": str(place / "online.db")},
        entity_key_serialization_version=3,
    )
    opened = FeatureStore(config=config)
    person = Entity(name="person", join_keys=["person"], value_type=ValueType.STRING)
    view = FeatureView(
        name="history",
        entities=[person],
        ttl=timedelta(days=3650),
        schema=[Field(name=name, dtype=Int64) for name in names],
        source=FileSource(path=source, timestamp_field="event_timestamp"),
        online=True,
    )
    opened.apply([person, view])
    opened.write_to_online_store("history", frame)
    return opened, frame["person"].tolist(), [f"history:{name}" for name in names]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        opened, persons, names = store(Path(name), Path(sys.argv[1]))
        read = [
            lambda person=person: opened.get_online_features(features=names, entity_rows=[{"person": person}])
            for person in persons
        ]
        for once in read[:50]:
            once()
        print(json.dumps({"ready": len(persons)}), flush=True)
        for line in sys.stdin:
            times = []
            for once in read:
                began = time.perf_counter_ns()
                once()
                times.append(time.perf_counter_ns() - began)
            values = opened.get_online_features(
                features=names, entity_rows=[{"person": line.strip()}]
            ).to_dict()
            values.pop("person")
            told = {"p50_us": statistics.median(times) / 1e3, "values": {k: v[0] for k, v in values.items()}}
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
