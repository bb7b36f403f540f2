"""Rows of a prediction log, a store for them, and a reader."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retrain.log.parts import part_path, to_parquet
from retrain.log.reader import LogReader
from retrain.store.local import LocalStore

NOW = datetime.now(UTC)
BEGINNING = NOW - timedelta(days=3)


def prediction(name: str, at: datetime = NOW, **changed: Any) -> dict[str, Any]:
    row = {
        "at": int(at.timestamp() * 1_000_000),
        "id": name,
        "release": 3,
        "arm": "champion",
        "version": 1,
        "entity": "N1",
        "inputs": {"x": 1.5, "ö": None},
        "output": {"prediction": True},
        "score": 0.25,
        "latency_ms": 4.5,
        "error": None,
        "served": True,
    }
    return {**row, **changed}


def label(name: str, value: Any = True) -> dict[str, Any]:
    return {"at": int(NOW.timestamp() * 1_000_000), "id": name, "label": value}


def put_part(store: LocalStore, *names: str, planned: datetime = NOW, part: int = 1, at: datetime = NOW) -> str:
    rows = [prediction(name, at, inputs="{}", output="{}") for name in names]
    path = part_path("flights", "predictions", planned, "segment", part)
    store.put(path, to_parquet("predictions", rows))
    return path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


@pytest.fixture
def reader(store: LocalStore) -> LogReader:
    return LogReader(store, "flights", BEGINNING)


def raises(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail
