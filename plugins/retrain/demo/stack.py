"""Everything the demo runs on: a real Airflow, an MLflow server and the gateway, on free ports of this machine.

All of it lies below one folder, ``.retrain/demo``, which every demo begins anew.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx

import retrain
from retrain.demo.airflow import LocalAirflow
from retrain.demo.airflow_api import USER
from retrain.demo.processes import free_port, inherited, marks, spawn, stop_all
from retrain.demo.waiting import looks
from retrain.errors import RetrainError
from retrain.settings import Settings
from retrain.site import Site

PIPELINE = "flights"
PATIENCE = 120.0
# Airflow reads a file only if the words "dag" and "airflow" are in it.
DAG_FILE = '''"""The demo's Dag. Airflow has no schedule for it: the demo itself says when a month has arrived."""

from retrain.airflow.dag import RetrainDag

flights = RetrainDag("{folder}", schedule=None)
'''


class StackError(RetrainError):
    """A part of the demo did not start, or has died."""


class Stack:
    """The demo's Airflow, MLflow and gateway.

    :param home: the demo's own folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.mlflow_url = f"http://127.0.0.1:{free_port()}"
        self.gateway_url = f"http://127.0.0.1:{free_port()}"
        self.settings = Settings(
            home=self.home,
            store=str(self.home / "store"),
            mlflow_tracking_uri=self.mlflow_url,
            gateway_url=self.gateway_url,
            data=self.home / "data",
            pipelines=self.home / "include" / "pipelines",
        )
        self.site = Site(self.settings)
        self.environment = _environment(self.settings) | marks(self.home)
        self.airflow = LocalAirflow(self.home / "airflow", self.home / "dags", environment=self.environment)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def pipeline(self) -> Path:
        """The demo's own copy of the pipeline."""
        return self.settings.pipelines / PIPELINE

    @property
    def months(self) -> Path:
        """Where the month files lie."""
        return self.settings.data / PIPELINE

    @property
    def places(self) -> list[tuple[str, str]]:
        """What runs where."""
        login = f"{self.airflow.url}  (login {USER} / {self.airflow.api.password})"
        return [("Airflow", login), ("MLflow", self.mlflow_url), ("gateway", self.gateway_url)]

    # -- starting and stopping -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Begin the folder anew: nothing of an earlier demo is left but its lock."""
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in (Path(self.settings.store), self.months, self.home / "dags", self.home / "logs"):
            folder.mkdir(parents=True)
        shutil.copytree(pipeline_source(), self.pipeline, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
        (self.home / "dags" / "pipelines.py").write_text(DAG_FILE.format(folder=self.pipeline))
        exports = [f"export {name}={shlex.quote(value)}\n" for name, value in self.settings.environment().items()]
        (self.home / "env").write_text("".join(exports))

    def start(self) -> None:
        """Start everything at once and wait until all of it answers.

        :raises StackError, AirflowError: naming the part and its log.
        """
        self._start("mlflow", *self._mlflow())
        self._start("gateway", sys.executable, "-m", "retrain.serving", PIPELINE, "--port", _port(self.gateway_url))
        self.airflow.start(patience=PATIENCE)
        self._await_answer("mlflow", f"{self.mlflow_url}/health")
        self._await_answer("gateway", f"{self.gateway_url}/ping")
        self.airflow.api.await_dag(PIPELINE, patience=PATIENCE)

    def stop(self) -> None:
        """Stop every process, whoever started it."""
        stop_all(self.home)
        self.airflow.stop(grace=0)
        for process in self._processes.values():
            process.wait()
        self._processes.clear()

    # -- inside ----------------------------------------------------------------------------------------------

    def _start(self, part: str, *command: str) -> None:
        self._processes[part] = spawn(command, self.environment, self._log(part), cwd=self.home)

    def _log(self, part: str) -> Path:
        return self.home / "logs" / f"{part}.log"

    def _mlflow(self) -> tuple[str, ...]:
        folder = self.home / "mlflow"
        folder.mkdir(exist_ok=True)
        return (
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", _port(self.mlflow_url)),
            *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
            *("--artifacts-destination", str(folder / "artifacts")),
        )

    def _await_answer(self, part: str, url: str) -> None:
        process, log = self._processes[part], self._log(part)
        for _ in looks(PATIENCE):
            if process.poll() is not None:
                raise StackError(
                    f"The {part} ended with status {process.returncode}.", where=log, do="read the end of that log."
                )
            try:
                httpx.get(url, timeout=5, trust_env=False)
                return
            except httpx.HTTPError:
                continue
        raise StackError(f"The {part} did not answer within {PATIENCE:g} s.", where=log, do="read the end of that log.")


def pipeline_source() -> Path:
    """The pipeline folder that is copied: of the installed package, or of the checkout this is run from."""
    package = Path(retrain.__file__).parent
    for folder in (package / "demo" / PIPELINE, package.parents[1] / "include" / "pipelines" / PIPELINE):
        if folder.is_dir():
            return folder
    raise StackError("The demo's pipeline is not installed.", where=package, do="install airflow-retrain again.")


def _environment(settings: Settings) -> dict[str, str]:
    """The environment of every process: ours, and nothing of what this shell says about another Airflow or MLflow."""
    kept = inherited()
    reached_directly = ",".join(filter(None, [kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1,localhost"]))
    ours = {
        "MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        "PYTHONUNBUFFERED": "1",
        # The demo's Dag file does not change: there is no need to read it again and again.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "NO_PROXY": reached_directly,
        "no_proxy": reached_directly,
    }
    return kept | settings.environment() | ours


def _port(url: str) -> str:
    return url.rpartition(":")[2]
