"""A place with released flights models and a gateway of its own, for the benchmarks of serving."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from measure import TAIL

from retrain.artifacts import Request
from retrain.demo.data import write_months
from retrain.demo.processes import end_tree, inherited
from retrain.demo.waiting import looks
from retrain.retraining import retrain
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0


@dataclass(frozen=True)
class Served:
    """Two released versions of the flights model, the second one serving at ``url``."""

    site: Site
    spec: Spec
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """For processes that shall work on this place."""
        return {**inherited(), **self.site.settings.environment()}


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
    command = [sys.executable, "-m", "retrain.serving", "flights", "--port", "0", "--die-with", str(os.getpid())]
    log = home / "gateway.log"
    with process(command, {**inherited(), **site.settings.environment()}, log) as gateway:
        url = _listening(gateway, log)
        await_answer(f"{url}/health", gateway, log)  # it has loaded its models
        yield Served(site, spec, url)


@contextmanager
def process(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """A server; what it and its children say goes to ``log``, and none of them is left afterwards."""
    with log.open("w") as stream:
        server = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT, text=True)
    try:
        yield server
    finally:
        end_tree([server.pid], grace=30)
        server.wait()


def await_answer(url: str, server: subprocess.Popen[str], log: Path) -> None:
    """Wait until a server answers with status 200. Raises RuntimeError with the end of its log, if it does not."""
    for _ in looks(PATIENCE):
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=10, trust_env=False).status_code == 200:
                return
        if server.poll() is not None:
            break
    raise RuntimeError(f"{url} did not come up: …{log.read_text()[-TAIL:]}")


def _listening(gateway: subprocess.Popen[str], log: Path) -> str:
    """The address that the gateway says it listens on."""
    for _ in looks(PATIENCE):
        if found := re.search(r"^listening on (\S+)$", log.read_text(), re.MULTILINE):
            return found[1]
        if gateway.poll() is not None:
            break
    raise RuntimeError(f"the gateway does not listen: …{log.read_text()[-TAIL:]}")
