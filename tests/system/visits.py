"""The data of the small pipeline that the system tests retrain."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from retrain.artifacts import now
from retrain.ledger import Ledger
from retrain.log.parts import part_path, to_parquet
from retrain.serving.router import goes_to_challenger
from retrain.site import Site

FOLDER = Path(__file__).parent / "pipelines" / "visits"
END = datetime(2024, 4, 1, tzinfo=UTC)


def write_visits(data: Path, *, rows: int = 6000, days: int = 90, end: datetime = END, seed: int = 0) -> Path:
    """Write visits up to ``end``: longer in the afternoon and with more pages."""
    random = np.random.default_rng(seed)
    at = end - timedelta(days=days) + pd.to_timedelta(np.sort(random.uniform(0, days * 86400, rows)), unit="s")
    pages = random.integers(1, 30, rows)
    hour = at.hour.to_numpy()
    chance = 1 / (1 + np.exp(-(pages - 15) / 4 - 2.5 * (hour >= 12)))
    frame = pd.DataFrame(
        {
            "visit": np.arange(rows),
            "visitor": [f"v{number}" for number in random.integers(0, 400, rows)],
            "at": at,
            "pages": pages.astype("int64"),
            "hour": hour.astype("int64"),
            "long": (random.uniform(size=rows) < chance).astype("int64"),
        }
    )
    file = data / "visits" / "visits.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(file, index=False)
    return file


def serve(site: Site, requests: int, *, failing: float = 0.0, seed: int = 1) -> None:
    """Answer requests under the release that stands, as a gateway would: written straight into the prediction log.

    :param failing: the share of requests the challenger fails on.
    """
    random = np.random.default_rng(seed)
    ledger = Ledger(site.store, "visits")
    release, number = ledger.release(), ledger.release_number()
    assert release.champion
    assert release.challenger
    rows = []
    for index in range(requests):
        name = f"{number}-{seed}-{index}"
        trial = release.state == "ramping" and goes_to_challenger(release, name)
        arm = "challenger" if trial else "champion"
        base = {"at": now(), "id": name, "release": number, "entity": name, "inputs": "{}"}
        asked = release.challenger if trial else release.champion
        rows.append(base | _answer(arm, asked.version, failed=trial and random.uniform() < failing))
        if rows[-1]["error"]:
            rows.append(base | _answer("fallback", release.champion.version))
        if release.state == "shadowing":
            rows.append(base | _answer("shadow", release.challenger.version))
    path = part_path("visits", "predictions", now(), "test", number * 1000 + seed)
    site.store.create(path, to_parquet("predictions", rows))


def _answer(arm: str, version: int, *, failed: bool = False) -> dict[str, Any]:
    output = None if failed else json.dumps({"prediction": 1, "probability": 0.5})
    return {
        "arm": arm,
        "version": version,
        "output": output,
        "score": None if failed else 0.5,
        "latency_ms": 1.0,
        "error": "ValueError: no" if failed else None,
        "served": arm != "shadow" and not failed,
    }
