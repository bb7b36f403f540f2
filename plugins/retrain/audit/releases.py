"""Whole releases through the product: its log, its store, its ledger, its coin, its phases; only the traffic is drawn.

A champion serves, a challenger is blessed and rehearsed. Requests are routed and logged as gateways do it; between two
looks a shipper brings rows and labels to the store, and a driver looks, as the one in Airflow does. What it is looked
at with, and what is decided, is all shipped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from retrain.artifacts import Candidate, ModelRef, Ref, Request
from retrain.audit.simulation import Simulation, simulated
from retrain.audit.traffic import Stream, Traffic, parquet
from retrain.ledger import Judged, Ledger, Rehearsed, Served, Trained
from retrain.ledger.release import promote
from retrain.log.parts import LogTable, part_path
from retrain.metrics.task import Task
from retrain.rollout.canary import Canary
from retrain.rollout.phase import Phase
from retrain.rollout.progress import Progress
from retrain.rollout.shadow import Shadow
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.promote import promote as promote_stage

if TYPE_CHECKING:
    import numpy as np

NAME = "audited"
CHAMPION, CHALLENGER = 1, 2
LONG = "30d"
"""Patience does not end a trial here; the end of its traffic does."""

GROWTH = 0.2
"""A look comes after this share of the requests before, once there are many: more looks cost only time."""

End = Literal["promoted", "rolled back", "paused", "undecided"]


@dataclass(frozen=True)
class Scenario:
    """A pipeline, its traffic, and how long it is tried.

    :param canary: keys of ``canary`` in ``pipeline.yaml``, beside the defaults.
    :param label_delay: of its source.
    :param requests: when so many came in the canary and nothing is decided, the trial is over. One a second.
    :param every: requests between two looks, at least.
    :param growth: … and this share of those before.
    """

    traffic: Traffic
    canary: Mapping[str, Any] = field(default_factory=dict)
    task: Task = "binary"
    label_delay: str = "0s"
    requests: int = 20_000
    every: int = 500
    growth: float = GROWTH


@dataclass(frozen=True)
class Ended:
    """How a release ended.

    :param end: ``undecided`` if nothing was decided when the traffic ended; patience would end it.
    :param phase: in which phase.
    :param metrics: which of them rolled it back, as far as the evidence says.
    :param tried: requests that the challenger answered live until then.
    """

    end: End
    phase: str
    metrics: tuple[str, ...]
    tried: int


def release(scenario: Scenario, random: np.random.Generator) -> Ended:
    """Release a challenger once, and see what comes of it."""
    with tempfile.TemporaryDirectory() as folder, simulated(random) as simulation:
        return World(scenario, Path(folder), simulation, random).run()


class World:
    """One pipeline with its site, its ledger, and whoever sends requests."""

    def __init__(self, scenario: Scenario, folder: Path, simulation: Simulation, random: np.random.Generator) -> None:
        self.scenario, self.simulation, self.random = scenario, simulation, random
        self.site = Site(Settings.load({"RETRAIN_HOME": str(folder / "home")}))
        self.spec = _spec(scenario, folder)
        self.request = Request(data_end=simulation.at, run="run-2", actor="audit")
        self.ledger = Ledger(self.site.store, NAME)  # the gateways' own eyes
        self.parts = 0

    def run(self) -> Ended:
        """Shadow, canary, promotion."""
        champion, challenger = self._candidate(CHAMPION), self._candidate(CHALLENGER)
        serving = Served(version=CHAMPION, model=champion.model)
        self.ledger.append(promote(self.ledger.release(), serving, reason="first"), actor="audit")
        self.simulation.wait(3600)
        self.stream = Stream(
            self.scenario.traffic, self.random, self.simulation.at, regression=self.scenario.task == "regression"
        )
        for kind in (Shadow, Canary):
            phase = kind(self.spec, self.request, challenger, self.site)
            progress = self._drive(phase)
            if progress.state != "done":
                return self._ended(progress)
        promote_stage(self.spec, self.request, challenger, self.site)
        return self._ended(progress)

    def _drive(self, phase: Phase) -> Progress:
        """Requests and looks in turn, until it is decided or the traffic ends."""
        progress, before = phase.begin(), self.stream.sent
        while progress.state == "waiting" and (sent := self.stream.sent - before) < self.scenario.requests:
            self._send(max(self.scenario.every, int(self.scenario.growth * sent)))
            progress = phase.look()
        return progress

    def _send(self, count: int) -> None:
        """Some requests, then their rows and the labels known by now, each in a part."""
        standing, number = self.ledger.release(), self.ledger.release_number()
        answered = self.stream.requests(count, standing, number)
        self.simulation.wait(count)
        self._ship("predictions", answered)
        self._ship("labels", self.stream.labels())

    def _ship(self, table: LogTable, rows: Any) -> None:
        if len(rows):
            self.parts += 1
            path = part_path(NAME, table, self.simulation.at, "gateway", self.parts)
            self.site.store.create(path, parquet(rows))

    def _ended(self, progress: Progress) -> Ended:
        ends: dict[str, End] = {"rolled_back": "rolled back", "paused": "paused", "waiting": "undecided"}
        end = ends.get(progress.state, "promoted")
        served = self.ledger.champion()
        assert (end == "promoted") == (served is not None and served.version == CHALLENGER)
        metrics = progress.evidence.get("metrics", ()) if end == "rolled back" else ()
        blamed = tuple(str(one["name"]) for one in metrics if one.get("worse") and not one.get("within"))
        return Ended(end, progress.phase, blamed, self.stream.tried)

    def _candidate(self, version: int) -> Candidate:
        """A version that may be released, as the ledger knows it. Its digest is drawn: it may salt the coin."""
        none = Ref(kind="features", key="none", pipeline=NAME)
        digest = self.random.bytes(32).hex()
        candidate = Candidate(
            key=f"candidate-{version}", pipeline=NAME, made_at=self.simulation.at, features=none, snapshot=none,
            model=ModelRef(digest=digest, path=f"{NAME}/models/{digest}", files={}), version=version,
            data_end=self.simulation.at, estimator="simulated", params={}, tried=1, validation_loss=0.1, train_rows=1,
            seed=0, run_id=f"simulated-{version}", environment={}, finite=True,
        )  # fmt: skip
        self.site.store.create(Candidate.path(NAME, candidate.key), candidate.to_bytes())
        told = (
            Trained(
                version=version, candidate=candidate.ref(), model=candidate.model, data_end=candidate.data_end,
                snapshot=none, run_id=candidate.run_id,
            ),
            Judged(version=version, outcome="blessed", reason="simulated", verdict=None),
            Rehearsed(version=version, passed=True, reason="simulated", rehearsal=None),
        )  # fmt: skip
        for body in told:
            self.ledger.append(body, actor="audit", run=f"run-{version}")
        return candidate


def _spec(scenario: Scenario, folder: Path) -> Spec:
    entity = None if scenario.traffic.entities is None else "who"
    source = {"files": "*.parquet", "timestamp": "at", "label": "y", "entity": entity}
    content = {
        "name": NAME,
        "task": scenario.task,
        "source": source | {"label_delay": scenario.label_delay},
        "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
        "canary": {"patience": LONG, **scenario.canary},
        "folder": folder,
    }
    return Spec.model_validate(content)
