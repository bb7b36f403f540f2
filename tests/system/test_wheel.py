"""The wheel in a plain Airflow: a Python environment of its own, an empty home, and nothing of ours configured."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from retrain.demo.airflow_api import AirflowApi
from retrain.demo.processes import free_port, marks, spawn, stop_all
from retrain.demo.waiting import looks

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

AFTER = datetime(2024, 6, 30, 21, tzinfo=UTC)
"""The first full hour after the newest sale, far in the past."""


class Machine:
    """Where somebody has Airflow and installs our wheel.

    The packages are those of the environment the tests run in, but for ours, which is the wheel's.
    """

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin, self.home, self.project = folder / "venv" / "bin", folder / "home", folder / "airflow"
        self.home.mkdir()
        (self.project / "dags").mkdir(parents=True)
        uv, plainly = Path(sys.executable).with_name("uv"), ("--no-config", "--offline", "--no-cache")
        run(uv, "venv", *plainly, "--python", sys.executable, folder / "venv")
        self.python = self.bin / "python"
        purelib = Path(run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        run(uv, "pip", "install", *plainly, "--no-deps", "--python", self.python, wheel)
        (purelib / "others.pth").write_text(sysconfig.get_path("purelib"))  # whose own .pth files are not read
        airflow = self.bin / "airflow"
        airflow.write_text(f'#!/bin/sh\nexec "{self.python}" -m airflow "$@"\n')
        airflow.chmod(0o755)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """All of it: who it is, and on which ports, so that others on this machine are not disturbed."""
        return {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "AIRFLOW_HOME": str(self.project),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **marks(self.project),
        }

    def retrain(self, *arguments: str) -> str:
        """What a command of ours prints."""
        return run(self.bin / "retrain", *arguments, cwd=self.project, env=self.environment)

    def standalone(self) -> AirflowApi:
        """`airflow standalone`, once all its parts are healthy."""
        log = self.project / "standalone.log"
        airflow = spawn([str(self.bin / "airflow"), "standalone"], self.environment, log, cwd=self.project)
        parts = {"metadatabase", "scheduler", "triggerer", "dag_processor"}
        for _ in looks(300, pause=0.5):
            assert airflow.poll() is None, log.read_text()[-3000:]
            try:
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10, trust_env=False).json()
            except (httpx.HTTPError, ValueError):
                continue
            if all((health.get(part) or {}).get("status") == "healthy" for part in parts):
                passwords = json.loads((self.project / "simple_auth_manager_passwords.json.generated").read_text())
                return AirflowApi(self.url, passwords["admin"])
        raise AssertionError(f"not healthy: {log.read_text()[-3000:]}")


def run(*command: Any, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def sales(file: Path) -> Path:
    """What the shops of README.md have sold, up to shortly before :data:`AFTER`."""
    random = np.random.default_rng(7)
    days, shops = pd.date_range("2024-03-01 20:10", "2024-06-30 20:10", freq="D"), [f"shop-{n:02}" for n in range(40)]
    frame = pd.DataFrame([(day, shop) for day in days for shop in shops], columns=["sold_at", "shop"])
    frame["weekday"] = frame["sold_at"].dt.weekday
    frame["price"] = random.uniform(2, 8, len(frame)).round(2)
    noise = random.normal(0, 1.5, len(frame))
    frame["units"] = (30 - 3 * frame["price"] + 6 * (frame["weekday"] >= 5) + noise).round(1)
    frame.to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Machine]:
    """With the pipeline of README.md, as its commands and its Dag file make it."""
    folder = tmp_path_factory.mktemp("plain")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "dist", cwd=root)
    (wheel,) = (folder / "dist").glob("airflow_retrain-*.whl")
    machine = Machine(folder, wheel)
    file = sales(folder / "sales.csv")
    machine.retrain(
        *("init", "demand", "--from", str(file), "--label", "units", "--timestamp", "sold_at", "--entity", "shop")
    )
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    (dags,) = (block for block in blocks if "discover(" in block)
    (machine.project / "dags" / "pipelines.py").write_text(dags)
    yield machine
    stop_all(machine.project)


def test_what_runs_is_the_wheel(machine: Machine, root: Path) -> None:
    code = "import json, retrain, sys; print(json.dumps([retrain.__file__, *sys.path]))"
    where, *path = map(Path, json.loads(run(machine.python, "-c", code, env=machine.environment)))
    assert where.is_relative_to(machine.bin.parent)
    assert root / "plugins" not in path, "what lies in the checkout cannot be imported"


def test_the_wheel_has_the_page_as_it_is_built_and_not_its_source(machine: Machine) -> None:
    code = "import retrain.airflow.ui as ui; print(ui.__path__[0])"
    pages = Path(run(machine.python, "-c", code, env=machine.environment).strip())
    assert {file.name for file in (pages / "static").iterdir()} == {"retrain.js", "retrain.svg", "retrain-dark.svg"}
    assert not (pages / "web").exists()


def test_a_new_pipeline_is_in_order(machine: Machine) -> None:
    assert "✗" not in machine.retrain("check", "demand")


def test_its_first_run_triggered_without_parameters_promotes_a_model(machine: Machine) -> None:
    api = machine.standalone()
    api.await_dag("demand", patience=300)
    assert api.import_errors() == []
    api.unpause("demand")
    run_id = api.trigger("demand")
    ended = api.await_run("demand", run_id, patience=900)
    tasks = api.tasks("demand", run_id)
    notes = {task_id: (task["state"], task["note"]) for task_id, task in tasks.items()}
    assert ended["state"] == "success", notes
    assert "version 1 promoted" in ended["note"], notes
    assert notes["data.collect"][1].endswith("until 2024-06-30 21:00 UTC, the end of the data")
    api.close()

    assert json.loads(machine.retrain("status", "demand", "--json"))["champion"]["version"] == 1
    again = json.loads(machine.retrain("run", "demand", "--json"))
    assert datetime.fromisoformat(again["data_end"]) == AFTER
    assert "version 1" in again["headline"], "the same rows are the same retraining"
