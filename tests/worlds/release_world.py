"""A release without a gateway: traffic is written straight into the prediction log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrain.artifacts import Candidate, ModelRef, Ref, Request, now
from retrain.ledger import Judged, Ledger, Rehearsed, Trained, overrule
from retrain.ledger.release import Release, Served, promote, ramp, start_shadow
from retrain.log.parts import part_path, to_parquet
from retrain.monitoring.live import LogWatch
from retrain.rollout.canary import Canary
from retrain.rollout.phase import Phase
from retrain.rollout.progress import Progress
from retrain.rollout.shadow import Shadow
from retrain.serving.router import goes_to_challenger
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec
from retrain.stages.promote import promote as promote_stage
from retrain.tracking import aliases

NAME = "flights"


class Driver:
    """Drives one phase of a release, each time as a process that has just started."""

    def __init__(self, kind: type[Phase]) -> None:
        self.kind = kind

    def begin(self, spec: Spec, request: Request, candidate: Candidate, site: Site) -> Progress:
        return self.kind(spec, request, candidate, site).begin()

    def advance(self, spec: Spec, request: Request, candidate: Candidate, site: Site, watch: Any) -> Progress:
        """Look once, with the eyes of ``watch``."""
        phase = self.kind(spec, request, candidate, site)
        phase.__dict__["watch"] = watch
        return phase.look()


shadow, canary = Driver(Shadow), Driver(Canary)


def a_spec(folder: Path, *, task: str = "binary", entity: str | None = None, **canary_keys: Any) -> Spec:
    """A pipeline with a quick canary: three steps of 60 requests."""
    keys: dict[str, Any] = {
        "steps": [0.2, 0.5, 0.8],
        "step_requests": 60,
        "shadow": {"requests": 50, "patience": "1h"},
        "patience": "1h",
        "poll": "0s",
        "errors": {"margin": 0.02},
        "loss": {"margin": 0.03},
    }
    content = {
        "name": NAME,
        "task": task,
        "source": {"files": "*.parquet", "timestamp": "at", "label": "late", "entity": entity},
        "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
        "canary": keys | canary_keys,
        "folder": folder,
    }
    return Spec.model_validate(content)


def answer(arm: str, served: Served | None, score: float, latency: float, *, failed: bool) -> dict[str, Any]:
    """What the log says of one arm's answer."""
    assert served is not None
    return {
        "arm": arm,
        "version": served.version,
        "output": None if failed else json.dumps({"probability": score}),
        "score": None if failed else score,
        "latency_ms": latency,
        "error": "ValueError: no" if failed else None,
        "served": arm != "shadow" and not failed,
    }


class World:
    """One pipeline with its site, its ledger, and whoever sends requests.

    :param seed: of the traffic.
    """

    def __init__(self, site: Site, spec: Spec, seed: int = 0) -> None:
        self.site, self.spec, self.random = site, spec, np.random.default_rng(seed)
        self.at = now()
        self.parts = self.ids = 0

    @property
    def ledger(self) -> Ledger:
        """Read by eyes of its own, as another process would."""
        return Ledger(self.site.store, NAME)

    def go_back(self, to: int | None, reason: str) -> Release:
        """What `retrain rollback` writes, from a process of its own."""
        entry = overrule.roll_back(self.ledger, to=to, actor="alice", reason=reason)
        return entry.body

    def another_site(self) -> Site:
        """The same place, seen by a process that has just started."""
        return Site(self.site.settings)

    def request(self, run: str = "run-2", **keys: Any) -> Request:
        return Request(data_end=datetime(2013, 5, 1, tzinfo=UTC), run=run, actor="test", **keys)

    def candidate(self, version: int, *, blessed: bool = True, rehearsed: bool = True) -> Candidate:
        """A trained version as the ledger knows it."""
        model = ModelRef(digest=f"{version:064x}", path=f"{NAME}/models/{version}", files={})
        ref = Ref(kind="features", key="none", pipeline=NAME)
        candidate = Candidate(
            key=f"candidate-{version}", pipeline=NAME, features=ref, snapshot=ref, model=model, version=version,
            data_end=datetime(2013, 5, 1, tzinfo=UTC), estimator="Dummy", params={}, tried=1, validation_loss=0.1,
            train_rows=1, seed=0, run_id=f"mlflow-{version}", environment={}, finite=True,
        )  # fmt: skip
        self.site.store.create(Candidate.path(NAME, candidate.key), candidate.to_bytes())
        ledger, run = self.ledger, f"run-{version}"
        plain = candidate.model_dump(mode="json")
        trained = {"version": version, "candidate": candidate.ref().model_dump(), "model": plain["model"]}
        trained |= {"data_end": plain["data_end"], "snapshot": ref.model_dump(), "run_id": candidate.run_id}
        ledger.append(Trained.model_validate(trained), actor="test", run=run, once=f"trained/{candidate.key}")
        outcome = "blessed" if blessed else "vetoed"
        verdict = {"version": version, "outcome": outcome, "reason": "because", "verdict": None, "by": "gates"}
        ledger.append(Judged.model_validate(verdict), actor="test", run=run, once=f"{run}/verdict")
        if rehearsed:
            body = {"version": version, "passed": True, "reason": "fine", "rehearsal": None}
            ledger.append(Rehearsed.model_validate(body), actor="test", run=run, once=f"{run}/rehearsal")
        return candidate

    def champion(self, version: int = 1) -> Served:
        """A version that serves."""
        model = self.candidate(version).model
        served = Served(version=version, model=model)
        ledger = self.ledger
        ledger.append(promote(ledger.release(), served, reason="first"), actor="test", run=f"run-{version}")
        return served

    def watch(self, candidate: Candidate, site: Site | None = None) -> LogWatch:
        return LogWatch(self.spec, candidate, site or self.site)

    # -- traffic -------------------------------------------------------------------------------------------------

    def traffic(
        self,
        requests: int,
        *,
        champion_errors: float = 0.01,
        challenger_errors: float = 0.01,
        shift: float = 0.0,
        slower: float = 1.0,
        labels: bool = True,
        entities: int = 10_000,
    ) -> None:
        """Requests under the release that stands, answered as a gateway would.

        :param shift: added to the challenger's probability; its excess Brier score is about shift².
        :param slower: the challenger's latency, times the champion's.
        """
        release, number = self.ledger.release(), self.ledger.release_number()
        rows: list[dict[str, Any]] = []
        known: list[dict[str, Any]] = []
        for _ in range(requests):
            self.ids += 1
            self.at += timedelta(milliseconds=1)
            truth, latency = float(self.random.beta(1, 3)), float(self.random.gamma(4, 1))
            fails, challenger_fails = self.random.random(2) < (champion_errors, challenger_errors)
            base = {"at": self.at, "id": f"r{self.ids}", "release": number, "inputs": "{}"}
            base |= {"entity": f"N{self.random.integers(entities)}" if self.spec.source.entity else None}
            champion = base | answer("champion", release.champion, truth, latency, failed=bool(fails))
            worse, slow = float(np.clip(truth + shift, 0, 1)), latency * slower
            failed = bool(challenger_fails)
            if release.state == "ramping" and self.tried(release, base["entity"]):
                rows.append(base | answer("challenger", release.challenger, worse, slow, failed=failed))
                if failed:
                    rows.append(base | answer("fallback", release.champion, truth, latency, failed=False))
            else:
                rows.append(champion)
                if self.random.random() < release.shadow:
                    rows.append(base | answer("shadow", release.challenger, worse, slow, failed=failed))
            label = json.dumps(bool(self.random.random() < truth))
            known.append({"at": self.at, "id": base["id"], "label": label})
        self.write("predictions", rows)
        if labels:
            self.write("labels", known)

    def tried(self, release: Release, entity: str | None) -> bool:
        """Whose turn it is, as a gateway says it."""
        return self.random.random() < release.share if entity is None else goes_to_challenger(release, entity)

    def write(self, table: Any, rows: list[dict[str, Any]], *, segment: str = "gateway") -> None:
        """One part of the log."""
        self.parts += 1
        self.site.store.create(part_path(NAME, table, now(), segment, self.parts), to_parquet(table, rows))

    # -- the release ---------------------------------------------------------------------------------------------

    def drive(
        self, candidate: Candidate, request: Request, *, looks: int = 60, per_look: int = 150, **traffic: Any
    ) -> Progress:
        """Shadow and canary with traffic between two looks, until decided; then promote if that was the decision."""
        progress = None
        for phase in (shadow, canary):
            watch = self.watch(candidate)
            progress = phase.begin(self.spec, request, candidate, self.site)
            for _ in range(looks):
                if progress.state != "waiting":
                    break
                self.traffic(per_look, **traffic)
                progress = phase.advance(self.spec, request, candidate, self.site, watch)
            if progress.state != "done":
                return progress
        promote_stage(self.spec, request, candidate, self.site)
        assert progress is not None
        return progress

    def releases(self) -> list[Release]:
        """Every routing decision, oldest first."""
        return [entry.body for entry in self.ledger.entries() if entry.kind == "release"]

    def states(self) -> list[str]:
        """The routing decisions in words, oldest first: ``ramping 2``."""
        return [f"{one.state} {one.step}" if one.step else one.state for one in self.releases()]


def ramping(world: Any, version: int = 2) -> Any:
    """Version 2 at the first step of its ramp."""
    candidate = world.candidate(version)
    current = world.ledger.release()
    started = start_shadow(
        current, Served(version=version, model=candidate.model), shadow=0, steps=(0.5, 0.8), reason="test"
    )
    world.ledger.append(ramp(started, reason="test"), actor="test", run="run-2")
    return candidate


def rows_of(world: Any, number: int, *kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """Prediction rows under one routing decision, a millisecond apart."""
    plain = {"release": number, "arm": "champion", "version": 1, "entity": None, "inputs": "{}", "output": "{}"}
    plain |= {"score": 0.5, "latency_ms": 1.0, "error": None, "served": True}
    rows = []
    for kind in kinds:
        world.ids += 1
        world.at += timedelta(milliseconds=1)
        rows.append(plain | {"at": world.at, "id": f"r{world.ids}"} | kind)
    return rows


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Releases are tested without MLflow; the aliases have tests of their own."""
    if "mlflow" not in request.keywords:
        monkeypatch.setattr(aliases, "mirror", lambda ledger, settings: None)


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> MakeWorld:
    """Makes worlds, each in a folder of its own."""
    made = 0

    def make(*, seed: int = 0, task: str = "binary", entity: str | None = None, **canary_keys: Any) -> World:
        nonlocal made
        made += 1
        folder = tmp_path / f"world-{made}"
        folder.mkdir()
        site = Site(Settings.load({"RETRAIN_HOME": str(folder / "home")}))
        return World(site, a_spec(folder, task=task, entity=entity, **canary_keys), seed)

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with version 1 as its champion."""
    made = make_world()
    made.champion()
    return made
