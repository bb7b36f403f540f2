"""A task's surroundings without a running Airflow: what it is told, and what it hands on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from retrain.airflow.dag import RetrainDag
from retrain.airflow.hooks.site import SiteHook
from retrain.artifacts import Candidate, ModelRef, Ref
from retrain.ledger import Judged, Trained
from retrain.site import Site

VISITS = Path(__file__).parents[2] / "system" / "pipelines" / "visits"
END = datetime(2024, 4, 1, tzinfo=UTC)


class TaskInstance:
    """Keeps what a task pushes, and gives it what others of its run have pushed.

    :param handed_on: (task, key) → what was pushed.
    """

    map_index = -1

    def __init__(self, handed_on: dict[tuple[str, str], Any] | None = None) -> None:
        self.handed_on = handed_on or {}
        self.pushed: dict[str, Any] = {}
        self.order: list[str] = []
        self.states: dict[str, str] = {}

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        self.pushed[key] = value
        self.order.append(key)

    def xcom_pull(self, *, task_ids: str, key: str) -> Any:
        return self.handed_on.get((task_ids, key))

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:
        return {run_ids[0]: {task_id: self.states[task_id] for task_id in task_ids if task_id in self.states}}

    @property
    def note(self) -> str:
        return str(self.pushed["retrain_note"])


class World:
    """The small pipeline's Dag and its site in a temporary folder."""

    def __init__(self) -> None:
        self.dag = RetrainDag(VISITS)

    @property
    def site(self) -> Site:
        return SiteHook().get_conn()

    def run(self, **keys: Any) -> SimpleNamespace:
        """A Dag run as a task sees it."""
        plain = {
            "dag_id": "visits",
            "run_id": "manual__1",
            "run_type": "manual",
            "triggering_user_name": "alice",
            "consumed_asset_events": [],
            "data_interval_end": END,
            "run_after": END,
        }
        return SimpleNamespace(**{**plain, **keys})

    def context(
        self,
        *,
        params: dict[str, Any] | None = None,
        handed_on: dict[tuple[str, str], Any] | None = None,
        **run: Any,
    ) -> Any:
        """The context a task is given."""
        dag_run, ti = self.run(**run), TaskInstance(handed_on)
        return {"dag_run": dag_run, "run_id": dag_run.run_id, "params": params or {}, "ti": ti, "dag": self.dag}

    def task(self, task_id: str, **inputs: Any) -> Any:
        """A task, ready to be executed, its templates rendered to ``inputs``."""
        found: BaseOperator = self.dag.get_task(task_id).prepare_for_execution()
        for name in found.template_fields:
            setattr(found, name, inputs.get(name))
        return found

    def candidate(self, version: int = 1, *, outcome: str = "blessed") -> Candidate:
        """A trained and judged version, as ledger and store know it."""
        ref = Ref(kind="features", key="none", pipeline="visits")
        candidate = Candidate(
            key=f"candidate-{version}", pipeline="visits", features=ref, snapshot=ref, version=version,
            model=ModelRef(digest=f"{version:064x}", path=f"visits/models/{version}", files={}), data_end=END,
            estimator="Dummy", params={}, tried=1, validation_loss=0.1, train_rows=1, seed=0, run_id="m",
            environment={}, finite=True,
        )  # fmt: skip
        site = self.site
        site.store.create(Candidate.path("visits", candidate.key), candidate.to_bytes())
        plain = candidate.model_dump(mode="json")
        trained = {"version": version, "candidate": candidate.ref().model_dump(), "model": plain["model"]}
        trained |= {"data_end": plain["data_end"], "snapshot": ref.model_dump(), "run_id": "m"}
        ledger = site.ledger("visits")
        ledger.append(Trained.model_validate(trained), actor="test", run="manual__1", once=f"trained/{candidate.key}")
        verdict = {"version": version, "outcome": outcome, "reason": "because", "verdict": None, "by": "gates"}
        ledger.append(Judged.model_validate(verdict), actor="test", run="manual__1")
        return candidate


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("RETRAIN_HOME", str(home))
    for name in ("RETRAIN_STORE", "RETRAIN_DATA", "RETRAIN_MLFLOW_TRACKING_URI", "RETRAIN_PIPELINES"):
        monkeypatch.delenv(name, raising=False)
    return World()
