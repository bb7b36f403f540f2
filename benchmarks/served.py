"""A place with released flights models and a gateway of its own, for the benchmarks of serving."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from retrain.artifacts import Request
from retrain.demo.data import write_months
from retrain.retraining import retrain
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Served:
    """Two released versions of the flights model, the second one serving at ``url``."""

    site: Site
    spec: Spec
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """For processes that shall work on this place."""
        return {**os.environ, **self.site.settings.environment()}


@contextmanager
def served_flights(home: Path) -> Iterator[Served]:
    """Train two versions, release both without a canary, and serve the second."""
    pipelines = home / "pipelines"
    shutil.copytree(ROOT / "include/pipelines/flights", pipelines / "flights")
    site = Site(Settings.load({"RETRAIN_HOME": str(home / "home"), "RETRAIN_PIPELINES": str(pipelines)}))
    write_months(site.settings.data / "flights", range(1, 5))
    spec = Spec.load(pipelines / "flights")
    for month in (4, 5):
        end = datetime(2013, month, 1, tzinfo=UTC)
        request = Request(
            data_end=end, run=f"bench-{month}", trigger="cli", actor="bench", skip_canary=True, reason="benchmark"
        )
        retrain(spec, request, site)
    environment = {**os.environ, **site.settings.environment()}
    command = [sys.executable, "-m", "retrain.serving", "flights", "--port", "0", "--die-with", str(os.getpid())]
    gateway = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert gateway.stdout is not None
        url = gateway.stdout.readline().split()[-1]
        _await_health(url)
        yield Served(site, spec, url)
    finally:
        gateway.terminate()
        gateway.wait(timeout=60)


def _await_health(url: str) -> None:
    """Wait until the gateway has loaded its models."""
    for _ in range(600):
        if httpx.get(f"{url}/health", timeout=10).status_code == 200:
            return
        time.sleep(0.1)
    raise RuntimeError(f"the gateway at {url} did not become healthy")
