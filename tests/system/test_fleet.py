"""A release on several machines: Dags out of git, and a triggerer that has nothing of what the worker has.

Each component of Airflow, and the gateway, is given a machine: a home of its own in which it keeps its copy of the
repository, its logs and its cache, and in a mount namespace of its own, where the homes of the others are empty. What
they share is what a fleet shares: Airflow's database, the store and MLflow.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import visits  # beside this file; brought in by conftest.py
from cryptography.fernet import Fernet

from retrain.demo.airflow import COMPONENTS, LocalAirflow
from retrain.demo.processes import end_tree, inherited, spawn
from retrain.demo.waiting import looks
from retrain.ledger import Excluded, Ledger, Release
from retrain.settings import Settings
from retrain.site import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

MACHINES = (*COMPONENTS, "gateway")
WORKER = "scheduler"
"""The LocalExecutor's tasks run where the scheduler runs."""

WALLS = ("unshare", "--map-root-user", "--mount", "sh", "-euc")
HIDE = 'until [ "$1" = -- ]; do mount -t tmpfs nothing "$1"; shift; done; shift; exec "$@"'
"""Puts an empty folder over each that comes before ``--``, and runs what comes after it."""

DAG = '''"""The small pipeline as an Airflow Dag, as it lies in a repository."""

from datetime import timedelta
from pathlib import Path

from retrain.airflow.dag import RetrainDag

once = {"owner": "tests", "retries": 0, "retry_delay": timedelta(0)}
dag = RetrainDag(Path(__file__).parent.parent / "include" / "pipelines" / "visits", default_args=once)
'''


class Fleet(LocalAirflow):
    """An Airflow whose components run on machines of their own, and a gateway on one more."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repository = folder, folder / "repository"
        self.settings = Settings.load({"RETRAIN_HOME": str(folder / "shared")})
        for home in (self.settings.home, *map(self.machine, MACHINES)):
            home.mkdir(parents=True)
        self.walls = _can_build(self.machine("gateway"))
        place = {"tracking_ref": "main", "subdir": "dags", "repo_url": str(self.repository)}
        bundle = {"name": "git", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": place}
        environment = {
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "RETRAIN_STORE": self.settings.store,
            "RETRAIN_MLFLOW_TRACKING_URI": self.settings.mlflow_tracking_uri,
        }
        super().__init__(folder / "airflow", folder / "none", environment=environment)

    def machine(self, name: str) -> Path:
        """What only this machine has."""
        return self.folder / "machines" / name

    def start_component(self, name: str) -> subprocess.Popen[bytes]:
        home = self.machine(name)
        own = {"AIRFLOW_HOME": str(home), "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles")}
        return self.run_on(name, self._command(*COMPONENTS[name]), {**self.environment, **own})

    def run_on(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a process on a machine."""
        others = [str(self.machine(other)) for other in MACHINES if other != name]
        walled = [*WALLS, HIDE, name, *others, "--", *command] if self.walls else command
        home = self.machine(name)
        variables = {**environment, "RETRAIN_HOME": str(home / "retrain")}
        self.processes[name] = spawn(walled, variables, self._log(name), cwd=home)
        return self.processes[name]

    def seen_by(self, name: str, other: str) -> list[Path]:
        """What a machine sees of the home of another."""
        root = Path(f"/proc/{self.processes[name].pid}/root")
        return list((root / self.machine(other).relative_to("/")).iterdir())

    def new_data(self, seed: int) -> None:
        """Data that only workers have."""
        visits.write_visits(self.machine(WORKER) / "retrain" / "data", seed=seed)

    def retrain(self) -> tuple[str, str, dict[str, str]]:
        """Run the Dag to its end; the run, its state, and the state of each of its tasks by stage."""
        run_id = self.api.trigger("visits", {"data_end": visits.END.isoformat(), "force": True})
        state = self.api.await_run("visits", run_id, patience=300)["state"]
        tasks = self.api.tasks("visits", run_id)
        return run_id, state, {name.rpartition(".")[2]: task["state"] for name, task in tasks.items()}

    def logs(self, name: str, run_id: str, stage: str, *, of_trigger: bool) -> list[str]:
        """The logs that a machine has of a task, or of its trigger."""
        kept = (self.machine(name) / "logs").glob(f"dag_id=visits/run_id={run_id}/task_id=release.{stage}/*.log*")
        return [file.read_text() for file in kept if (".trigger." in file.name) == of_trigger]

    @property
    def ledger(self) -> Ledger:
        return Site(self.settings).ledger("visits")

    def serve(self) -> str:
        """Start the gateway on its machine; its address."""
        pipelines = self.machine("gateway") / "clone"
        _git(self.repository, "clone", "--quiet", str(self.repository), str(pipelines))
        environment = {**inherited(), **self.settings.environment(), "RETRAIN_GATEWAY_SHIP_EVERY": "0.2"}
        environment |= {"RETRAIN_PIPELINES": str(pipelines / "include" / "pipelines"), "PYTHONUNBUFFERED": "1"}
        self.run_on("gateway", [sys.executable, "-m", "retrain.serving", "visits", "--port", "0"], environment)
        said = "listening on "
        for _ in looks(60):
            lines = self._log("gateway").read_text().splitlines()
            address = next((line.removeprefix(said) for line in lines if line.startswith(said)), None)
            if address is not None and httpx.get(f"{address}/health").status_code == 200:
                return address
        raise AssertionError(f"the gateway did not start:\n{self._log('gateway').read_text()}")

    def stop(self, *, grace: float = 5) -> None:
        if "gateway" in self.processes:
            end_tree([self.processes["gateway"].pid], grace=grace)
        super().stop(grace=grace)


class Callers:
    """Whoever asks the gateway for predictions as long as the block runs."""

    def __init__(self, address: str) -> None:
        self.address, self.random = address, np.random.default_rng(0)
        self.failed: list[str] = []
        self.versions: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Callers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _ask(self) -> None:
        with httpx.Client(base_url=self.address, timeout=60, trust_env=False) as http:
            while not self._stop.wait(0.02):
                who, pages, hour = (int(self.random.integers(most)) for most in (10**6, 30, 24))
                row = {"visitor": f"v{who}", "pages": pages, "hour": hour}
                answer = http.post("/invocations", json={"dataframe_records": [row]})
                if answer.status_code != 200:
                    self.failed.append(answer.text)
                else:
                    self.versions.add(answer.headers["x-retrain-version"])


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, stdout=subprocess.DEVNULL)


def _can_build(folder: Path) -> bool:
    """Does this machine let us put an empty folder over another, for one process alone?"""
    try:
        return subprocess.run([*WALLS, HIDE, "probe", str(folder), "--", "true"], check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet on which the first model has been released, and serves."""
    made = Fleet(tmp_path_factory.mktemp("fleet"))
    pipeline = made.repository / "include" / "pipelines" / "visits"
    pipeline.mkdir(parents=True)
    for file in visits.FOLDER.iterdir():
        if file.is_file():
            (pipeline / file.name).write_bytes(file.read_bytes())
    (made.repository / "dags").mkdir()
    (made.repository / "dags" / "visits.py").write_text(DAG)
    _git(made.repository, "init", "--quiet", "--initial-branch=main")
    _git(made.repository, "add", "--all")
    _git(made.repository, "commit", "--quiet", "--message=The small pipeline")
    made.new_data(seed=0)
    with made:
        made.api.await_dag("visits")
        run_id, state, tasks = made.retrain()
        assert (state, tasks["promote"]) == ("success", "success"), (run_id, tasks)
        yield made


@pytest.fixture(scope="module")
def released(fleet: Fleet) -> Any:
    """A challenger, released under live traffic: the run, its state, its tasks' states, and the callers."""
    fleet.new_data(seed=1)
    with Callers(fleet.serve()) as callers:
        return *fleet.retrain(), callers


def test_a_challenger_is_promoted_by_a_triggerer_that_has_no_copy_of_the_repository(
    fleet: Fleet, released: Any
) -> None:
    _, state, tasks, callers = released
    assert (state, tasks["promote"], tasks["roll_back"]) == ("success", "success", "skipped")
    assert fleet.ledger.champion().version == 2
    states = [release.state for _, release in fleet.ledger.of(Release)]
    assert states == ["promoted", "ramping", "shadowing", "promoted"]
    _, passed = next(fleet.ledger.of(Excluded))
    assert passed.passed
    assert callers.versions == {"1", "2"}
    assert not callers.failed

    copies = {name: list(fleet.machine(name).rglob("pipeline.yaml")) for name in MACHINES}
    assert {name for name, found in copies.items() if found} == {WORKER, "dag-processor", "gateway"}
    (copy, *_) = copies[WORKER]
    assert copy.is_relative_to(fleet.machine(WORKER) / "bundles" / "git" / "versions")


@pytest.mark.parametrize(("stage", "said"), [("shadow", "20 shadow answers, none"), ("canary", "promote version 2")])
def test_the_triggerer_looked_and_the_worker_took_note(fleet: Fleet, released: Any, stage: str, said: str) -> None:
    run_id = released[0]
    (looked,) = fleet.logs("triggerer", run_id, stage, of_trigger=True)
    assert said in looked
    (concluded,) = fleet.logs(WORKER, run_id, stage, of_trigger=False)
    assert said in concluded
    assert not fleet.logs(WORKER, run_id, stage, of_trigger=True)


def test_no_machine_sees_what_another_has(fleet: Fleet, released: Any) -> None:
    if not fleet.walls:
        pytest.skip("no mount namespaces here (`unshare --map-root-user --mount` fails): the homes only differ")
    for name in ("triggerer", WORKER):
        seen = {other: bool(fleet.seen_by(name, other)) for other in MACHINES}
        assert seen == {other: other == name for other in MACHINES}
