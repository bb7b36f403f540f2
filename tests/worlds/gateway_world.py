"""Pretended models, and a gateway in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from anyio.from_thread import start_blocking_portal

from retrain.artifacts import ModelRef
from retrain.ledger.release import Release, Served
from retrain.log.reader import LogReader
from retrain.model.model import Signature
from retrain.serving import gateway as gateways
from retrain.serving.gateway import Gateway
from retrain.serving.options import Options
from retrain.site import Site
from waiting import wait_for

PIPELINE = """\
name: {name}
task: binary
source: {{files: "*.parquet", timestamp: at, entity: who, label: late}}
train: {{candidates: [{{estimator: sklearn.linear_model.LogisticRegression}}]}}
"""
SIGNATURE = Signature("regression", "build", {"x": "float64", "who": "str"}, ("x",), (), "rmse")


@dataclass
class Said:
    """What a pretended model answers."""

    output: list[Any]
    scores: list[float]


@dataclass
class Pretended:
    """A model that answers ``version`` and ``x`` by a function of yours; it counts its calls.

    Any object with ``frame`` and ``answer`` will do for the runtime.
    """

    score: Callable[[dict[str, Any]], float] = lambda row: float(row.get("x") or 0.0)
    calls: list[int] = field(default_factory=list)
    signature: Signature = SIGNATURE

    def frame(self, records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        if any(record.get("x") == "not a number" for record in records):
            raise ValueError("x should be a number")
        return records

    def answer(self, frame: Sequence[dict[str, Any]]) -> Said:
        self.calls.append(len(frame))
        scores = [self.score(row) for row in frame]
        return Said([{"prediction": score} for score in scores], scores)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def pretended() -> type[Pretended]:
    return Pretended


QUICK = Options(poll=0.01, ship_every=0.02, challenger_patience=0.5, champion_patience=2.0, log_patience=5.0)
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def served(version: int) -> Served:
    """A version whose model is a pretended one."""
    return Served(version=version, model=ModelRef(digest=f"digest-{version}", path="none", files={}))


def refuse(row: dict[str, Any]) -> float:
    """A model's failure."""
    raise RuntimeError("no such airport")


def constant(value: float) -> Callable[[dict[str, Any]], float]:
    """A model's answer, always the same."""
    return lambda row: value


def slow(row: dict[str, Any]) -> float:
    """A model's answer, after three seconds."""
    time.sleep(3)
    return 0.0


class Client:
    """HTTP without a network: the gateway's event loop runs in a thread."""

    def __init__(self, gateway: Gateway) -> None:
        self._stack = ExitStack()
        portal = self._portal = self._stack.enter_context(start_blocking_portal())
        app = gateway.app()
        self._stack.enter_context(portal.wrap_async_context_manager(app.router.lifespan_context(app)))
        transport = httpx.ASGITransport(app)
        self._http = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    def get(self, path: str) -> httpx.Response:
        return self._portal.call(self._http.get, path)

    def post(self, path: str, **what: Any) -> httpx.Response:
        return self._portal.call(lambda: self._http.post(path, **what))

    def post_at_once(self, path: str, bodies: list[Any]) -> list[httpx.Response]:
        async def all_of_them() -> list[httpx.Response]:
            return await asyncio.gather(*(self._http.post(path, json=body) for body in bodies))

        return self._portal.call(all_of_them)

    def close(self) -> None:
        self._stack.close()


class Stand:
    """A gateway in this process, with pretended models, and the hands that release them.

    :param models: version → what it answers with; an exception is raised when it is loaded.
    """

    def __init__(self, site: Site, models: dict[int, Any], options: Options) -> None:
        self.site = site
        self.ledger = Site(site.settings).ledger("flights")
        self.models = models
        self.gateway = Gateway(Site(site.settings), ("flights",), options)
        self.client = Client(self.gateway)
        self.pipeline = self.gateway.pipelines["flights"]

    def release(self, champion: int, challenger: int | None = None, **how: Any) -> int:
        """Write a release; wait until it routes, challenger included."""
        number = self.write(champion, challenger, **how)
        wait_for(lambda: self.number == number and self.tried == challenger, f"release {number}")
        return number

    def write(self, champion: int, challenger: int | None = None, **how: Any) -> int:
        """Write a release; do not wait."""
        state = "promoted" if challenger is None else "ramping" if how.get("share") else "shadowing"
        release = Release(
            state=how.pop("state", state),
            champion=served(champion),
            challenger=None if challenger is None else served(challenger),
            **how,
        )
        return self.ledger.append(release, actor="test").number

    @property
    def number(self) -> int | None:
        """The release that routes."""
        routing = self.pipeline.follower.routing
        return routing.number if routing else None

    @property
    def tried(self) -> int | None:
        """The challenger of the release that routes."""
        routing = self.pipeline.follower.routing
        return routing.release.challenger.version if routing and routing.release.challenger else None

    def ask(self, *rows: dict[str, Any], **headers: str) -> Any:
        """Ask for predictions."""
        return self.client.post("/invocations", json={"dataframe_records": list(rows)}, headers=headers)

    def log(self, rows: int) -> pd.DataFrame:
        """The prediction log, once it has that many rows."""
        return self._logged(0, rows)

    def labels(self, rows: int) -> pd.DataFrame:
        """The logged labels, once there are that many."""
        return self._logged(1, rows)

    def _logged(self, table: int, rows: int) -> pd.DataFrame:
        def read() -> list[pd.DataFrame]:
            found = LogReader(self.site.store, "flights", BEGINNING).poll()[table]
            return [found] if len(found) >= rows else []

        found: pd.DataFrame = wait_for(read, f"{rows} rows in the log")[0]
        assert len(found) == rows
        return found.sort_values("at", ignore_index=True)


@pytest.fixture
def pipeline_folder(site: Site) -> Path:
    """A pipeline's folder with the entity column ``who``."""
    folder = site.settings.pipelines / "flights"
    folder.mkdir(parents=True)
    site.settings.home.mkdir(exist_ok=True)
    (folder / "pipeline.yaml").write_text(PIPELINE.format(name="flights"))
    return folder


@pytest.fixture
def stand(site: Site, pipeline_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stand]]:
    """Open a stand; it is closed at the end of the test."""
    opened: list[Stand] = []

    def open_stand(models: dict[int, Any], **options: Any) -> Stand:
        def load(served: Served) -> Any:
            model = models[served.version]
            if isinstance(model, Exception):
                raise model
            return model

        monkeypatch.setattr(gateways, "store_loader", lambda store, cache: load)
        made = Stand(site, models, QUICK.model_copy(update=options))
        opened.append(made)
        return made

    yield open_stand
    for made in opened:
        made.client.close()
