"""The gateway as a process, under load: killed, told to switch, and given a challenger that fails.

``RETRAIN_TEST_SECONDS`` makes the load last longer.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from retrain.ledger.release import Release, Served, promote, ramp, restore, roll_back, start_shadow
from retrain.log.reader import LogReader
from retrain.model.store import keep_model
from retrain.settings import Settings
from retrain.site import Site

pytestmark = pytest.mark.system

SECONDS = float(os.environ.get("RETRAIN_TEST_SECONDS", "1.5"))
CLIENTS = 6
YAML = """\
name: flights
task: binary
source: {files: "*.parquet", timestamp: at, entity: who, label: late}
train: {candidates: [{estimator: sklearn.linear_model.LogisticRegression}]}
"""
GOOD = "def build(raw):\n    return raw[['x']].fillna(0.0)\n"
FAILS_WITHOUT_X = """\
def build(raw):
    if raw['x'].isna().any():
        raise ValueError('x is missing')
    return raw[['x']]
"""


class Process:
    """A gateway of its own, started and killed at will."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, at the same port as before, and wait for the champion."""
        command = [sys.executable, "-m", "retrain.serving", "flights", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--die-with", str(os.getpid())],
            env={**os.environ, **self.site.settings.environment(), "RETRAIN_GATEWAY_SHIP_EVERY": "0.1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), line
        self.port = int(line.rsplit(":", 1)[1])
        assert httpx.get(f"{self.url}/ping").status_code == 200, "it should listen when it says so"
        wait_for(lambda: httpx.get(f"{self.url}/health").status_code == 200, "the champion")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)


@dataclass
class Load:
    """Clients that ask one row after the other.

    :param row: makes the row of a number.
    """

    url: str
    row: Callable[[int], dict[str, Any]]
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lost: int = 0
    versions: list[tuple[float, str]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _stopped: bool = False

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopped = True
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self._stopped:
                number = next(self._numbers)
                headers = {"X-Request-Id": f"r{number}"}
                try:
                    answer = client.post("/invocations", json={"instances": [self.row(number)]}, headers=headers)
                except httpx.TransportError:
                    self.lost += 1
                    time.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    self.versions.append((time.time(), answer.headers["X-Retrain-Version"]))
                    self.acknowledged += answer.json()["request_ids"]
                else:
                    self.refused.append(f"{answer.status_code} {answer.text}")


def wait_for(true: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + 60
    while True:
        try:
            if found := true():
                return found
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.01)


def a_row(number: int) -> dict[str, Any]:
    return {"x": number / 100, "who": f"N{number % 500}"}


def log_of(site: Site) -> pd.DataFrame:
    return LogReader(site.store, "flights", datetime.now(UTC) - timedelta(hours=1)).poll()[0]


@pytest.fixture
def served(site: Site, tmp_path: Path) -> Callable[..., Served]:
    """Put a model into the store."""
    folder = site.settings.pipelines / "flights"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(YAML)
    site.settings.home.mkdir(exist_ok=True)

    def keep(version: int, features: str = GOOD) -> Served:
        data = tmp_path / f"model-{version}" / "data"
        data.mkdir(parents=True)
        x = np.random.default_rng(version).normal(size=(500, 1))
        (data / "estimator.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(x, x[:, 0] > 0)))
        (data / "features.py").write_text(features)
        card = {"task": "binary", "function": "build", "inputs": {"x": "float64"}, "features": ["x"]}
        (data / "model.json").write_text(json.dumps({**card, "classes": [False, True], "metric": "brier"}))
        return Served(version=version, model=keep_model(site.store, "flights", data.parent))

    return keep


@pytest.fixture
def gateway(site: Site) -> Iterator[Process]:
    process = Process(site)
    yield process
    if process._process is not None:
        process.kill()


def release(site: Site, following: Release) -> float:
    """Write a release; return when that was."""
    site.ledger("flights").append(following, actor="test")
    return time.time()


def test_killed_under_load_no_acknowledged_prediction_is_missing_or_double(
    site: Site, served: Callable[..., Served], gateway: Process
) -> None:
    release(site, promote(Release(), served(1), reason="first"))
    gateway.start()
    with Load(gateway.url, a_row) as load:
        for _ in range(3):
            before = len(load.acknowledged)
            time.sleep(SECONDS)
            wait_for(lambda enough=before + 20: len(load.acknowledged) > enough, "answers")
            gateway.kill()
            gateway.start()
        time.sleep(SECONDS)
    assert gateway.stop() == 0
    logged = Counter(log_of(site)["id"])
    print(f"\n{len(load.acknowledged):,} acknowledged, {load.lost} connections lost in 3 kills, {len(logged):,} logged")
    assert load.lost > 0
    assert set(load.acknowledged) <= set(logged), "an acknowledged prediction is missing"
    assert {name for name, times in logged.items() if times > 1} == set()
    assert load.refused == [] or all(text.startswith("503") for text in load.refused), "503 only while it starts"
    assert list((site.settings.home / "gateway" / "segments" / "flights").iterdir()) == []


def test_releases_switch_under_load_without_a_failed_request(
    site: Site, served: Callable[..., Served], gateway: Process
) -> None:
    first, second = served(1), served(2)
    standing = promote(Release(), first, reason="first")
    release(site, standing)
    gateway.start()
    with Load(gateway.url, a_row) as load:
        time.sleep(SECONDS / 2)
        standing = start_shadow(standing, second, shadow=1.0, steps=(0.1, 0.5), reason="try it")
        release(site, standing)
        for _ in range(2):
            standing = ramp(standing, reason="no harm")
            release(site, standing)
            seen = len(load.versions)
            wait_for(lambda seen=seen: "2" in {v for _, v in load.versions[seen:]}, "an answer by the challenger")
        standing = promote(standing, second, reason="good")
        promoted = release(site, standing)
        promotion = _last_answer_by("1", load, promoted)
        standing = restore(standing, first, reason="by hand")
        restored = release(site, standing)
        rollback = _last_answer_by("2", load, restored)
        standing = start_shadow(standing, second, shadow=0.0, steps=(0.5,), reason="try it again")
        release(site, standing)
        standing = ramp(standing, reason="no harm")
        release(site, standing)
        seen = len(load.versions)
        wait_for(lambda: "2" in {version for _, version in load.versions[seen:]}, "an answer by the challenger")
        dropped = _last_answer_by("2", load, release(site, roll_back(standing, reason="harm")))
    assert gateway.stop() == 0
    print(
        f"\n{len(load.acknowledged):,} answers, none failed. From the entry to the last answer by the old version: "
        f"promotion {promotion:.3f} s, rollback by hand {rollback:.3f} s, rollback of a canary {dropped:.3f} s"
    )
    assert load.refused == []
    assert load.lost == 0
    assert sorted(log_of(site).query("served")["id"]) == sorted(load.acknowledged)


def _last_answer_by(version: str, load: Load, since: float) -> float:
    """Wait until a version has not answered for a while; return how long after ``since`` it last did, in seconds."""

    def gone() -> bool:
        recent = [v for at, v in load.versions if at > time.time() - 0.7]
        return len(recent) > CLIENTS and version not in recent and time.time() > since + 0.7

    wait_for(gone, f"the last answer by version {version}")
    return max([at - since for at, v in load.versions if v == version and at >= since], default=0.0)


def test_callers_see_no_error_of_a_challenger_that_fails_on_some_rows(
    site: Site, served: Callable[..., Served], gateway: Process
) -> None:
    def without_x_now_and_then(number: int) -> dict[str, Any]:
        return {"x": None if number % 20 == 0 else number / 100, "who": f"N{number}"}

    first, second = served(1), served(2, FAILS_WITHOUT_X)
    standing = promote(Release(), first, reason="first")
    release(site, standing)
    standing = start_shadow(standing, second, shadow=0.0, steps=(0.5,), reason="try it")
    release(site, standing)
    release(site, ramp(standing, reason="no harm"))
    gateway.start()
    wait_for(lambda: httpx.get(f"{gateway.url}/pipelines/flights").json()["challenger"] == 2, "the challenger")
    with Load(gateway.url, without_x_now_and_then) as load:
        wait_for(lambda: len(load.acknowledged) > 400, "answers")
    assert gateway.stop() == 0
    assert load.refused == []
    assert load.lost == 0
    log = log_of(site)
    failed, fallback = log[log["error"].notna()], log[log["arm"] == "fallback"]
    missing = {f"r{number}" for number in range(0, len(load.acknowledged) + CLIENTS, 20)}
    asked_without_x = missing & set(log[log["arm"] == "challenger"]["id"])
    assert asked_without_x
    assert set(failed["id"]) == set(fallback["id"]) == asked_without_x, "these rows and no others"
    assert set(failed["arm"]) == {"challenger"}
    assert sorted(log[log["served"]]["id"]) == sorted(load.acknowledged)


def test_a_port_that_is_taken_is_said(site: Site, served: Callable[..., Served], gateway: Process) -> None:
    release(site, promote(Release(), served(1), reason="first"))
    gateway.start()
    command = [sys.executable, "-m", "retrain.serving", "flights", "--port", str(gateway.port)]
    environment = {**os.environ, **Settings.load({}).environment(), **site.settings.environment()}
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert second.returncode == 3
    assert "cannot listen" in second.stderr
    assert "--port" in second.stderr
