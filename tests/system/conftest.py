"""A real Airflow with the small pipeline, for the tests that need one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from retrain.artifacts import Request
from retrain.demo.airflow import LocalAirflow
from retrain.ledger import Ledger
from retrain.retraining import retrain
from retrain.settings import Settings
from retrain.site import Site
from retrain.spec import Spec

HERE = Path(__file__).parent
DAGS = '''"""The small pipeline as an Airflow Dag, with quick retries."""

from datetime import timedelta
from pathlib import Path

from retrain.airflow.dag import RetrainDag

quick = {"owner": "tests", "retries": 3, "retry_delay": timedelta(0)}
dag = RetrainDag(Path(PIPELINES) / "visits", default_args=quick)
'''


def _module(name: str) -> ModuleType:
    """A module that lies beside the tests."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        assert spec
        assert spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


visits = _module("visits")


class Place:
    """An Airflow, its site, and the small pipeline in it."""

    end: datetime = visits.END

    def __init__(self, home: Path, airflow: LocalAirflow, settings: Settings) -> None:
        self.home, self.airflow, self.settings = home, airflow, settings

    @property
    def site(self) -> Site:
        """The site, seen by eyes of its own."""
        return Site(self.settings)

    @property
    def ledger(self) -> Ledger:
        return self.site.ledger("visits")

    def trigger(self, data_end: datetime | None = None, **form: Any) -> str:
        """Start a run; ``force`` unless said otherwise."""
        asked = {"data_end": (data_end or visits.END).isoformat(), "force": True, **form}
        return self.airflow.api.trigger("visits", asked)

    def finish(self, run_id: str, *, patience: float = 300) -> tuple[str, dict[str, str]]:
        """Wait for a run; its state, and the state of each of its tasks by stage."""
        run = self.airflow.api.await_run("visits", run_id, patience=patience)
        return run["state"], self.states(run_id)

    def states(self, run_id: str) -> dict[str, str]:
        tasks = self.airflow.api.tasks("visits", run_id)
        return {task_id.rpartition(".")[2]: task["state"] for task_id, task in tasks.items()}

    def new_data(self, seed: int) -> None:
        """Other visits of the same days, so that another model comes of them."""
        visits.write_visits(self.settings.data, seed=seed)

    def serve(self, requests: int, **keys: Any) -> None:
        visits.serve(self.site, requests, **keys)


COMMAND = (sys.executable, "-c", "from retrain.cli import main; main()")


class Here:
    """A home of its own on this machine, without an Airflow, and the small pipeline in it."""

    visits = visits

    def __init__(self, home: Path) -> None:
        visits.write_visits(home / "data")
        self.settings = Settings.load({"RETRAIN_HOME": str(home), "RETRAIN_PIPELINES": str(visits.FOLDER.parent)})
        self.environment = {**os.environ, **self.settings.environment(), "PYTHONUNBUFFERED": "1"}

    @property
    def site(self) -> Site:
        return Site(self.settings)

    def retrain(self, run: str) -> str:
        """A whole retraining in this process; what it came to."""
        request = Request(data_end=visits.END, run=run, actor="test", force=True)
        return retrain(Spec.load(self.visits.FOLDER), request, self.site).decision

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """``retrain run visits`` in a process of its own."""
        command = (*COMMAND, "run", "visits", "--force")
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=self.environment, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def typed(self, *words: str) -> str:
        return subprocess.run(
            (*COMMAND, *words), env=self.environment, capture_output=True, text=True, check=True
        ).stdout


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path / "home")


Open = Callable[..., Place]


@pytest.fixture(scope="module")
def open_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Opens places; everything is stopped at the end of the module."""
    with ExitStack() as stack:

        def open_(dags: str = DAGS, *, pipelines: Path = HERE / "pipelines", **environment: str) -> Place:
            home = tmp_path_factory.mktemp("place")
            (home / "site").mkdir()
            visits.write_visits(home / "site" / "data")
            settings = Settings.load({"RETRAIN_HOME": str(home / "site"), "RETRAIN_PIPELINES": str(pipelines)})
            (home / "dags").mkdir()
            (home / "dags" / "visits.py").write_text(f"PIPELINES = {str(pipelines)!r}\n{dags}")
            variables = {**settings.environment(), **environment}
            airflow = stack.enter_context(LocalAirflow(home / "airflow", home / "dags", environment=variables))
            airflow.api.await_dag("visits")
            return Place(home, airflow, settings)

        yield open_
