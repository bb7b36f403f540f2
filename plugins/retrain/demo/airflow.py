"""A real Airflow of our own on this machine: started, driven and stopped by one small object.

Scheduler, Dag processor, API server and triggerer as processes of their own, on SQLite with the LocalExecutor,
configured by environment variables only and living below one folder. Never touches ``~/airflow``.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from retrain.artifacts import now
from retrain.errors import RetrainError

USER = "admin"
COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
STOPPING_ORDER = ("scheduler", "triggerer", "dag-processor", "api-server")
ENDED = frozenset({"success", "failed"})


class AirflowError(RetrainError):
    """The local Airflow did not start, or did not do what it was asked."""


class LocalAirflow:
    """One Airflow installation on 127.0.0.1.

    :param home: its folder: database, logs, passwords.
    :param dags: the folder with the Dag files.
    :param environment: further variables for every process, say ``RETRAIN_*``.
    :param port: of the API server; None finds a free one.
    """

    def __init__(
        self, home: Path, dags: Path, *, environment: Mapping[str, str] | None = None, port: int | None = None
    ) -> None:
        self.home, self.dags = home.absolute(), dags.absolute()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = secrets.token_urlsafe(12)
        self.environment = {**inherited(), **self._configuration(), **(environment or {})}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._client: httpx.Client | None = None

    # -- starting and stopping -------------------------------------------------------------------------------

    def start(self, *, patience: float = 120) -> Self:
        """Migrate the database, start every component, and wait until all are healthy.

        :param patience: seconds after which it is given up and everything is stopped.
        :raises AirflowError: naming the component and its log.
        """
        stop_leftovers(self.home)
        self._prepare()
        try:
            self._run("db", "migrate", patience=patience)
            for name in COMPONENTS:
                self.start_component(name)
            self._await_health(patience)
        except BaseException:
            self.stop()
            raise
        return self

    def start_component(self, name: str) -> subprocess.Popen[bytes]:
        """Start one component, or start it again after its death."""
        with self._log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self._command(*COMPONENTS[name]),
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._remember()
        return self.processes[name]

    def kill_component(self, name: str) -> None:
        """Kill one component and its children with SIGKILL, as a machine that loses power would."""
        end_tree([self.processes.pop(name).pid], grace=0)

    def stop(self, *, grace: float = 5) -> None:
        """Stop every process; who has not gone after ``grace`` seconds is killed."""
        if self._client is not None:
            self._client.close()
            self._client = None
        pids = [self.processes[name].pid for name in STOPPING_ORDER if name in self.processes]
        end_tree(pids, grace=grace)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        self._pid_file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- its REST API ----------------------------------------------------------------------------------------

    def token(self, username: str = USER, password: str | None = None) -> str:
        """A token for the REST API."""
        body = {"username": username, "password": password or self.password}
        answer = httpx.post(f"{self.url}/auth/token", json=body, timeout=30, trust_env=False)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    @property
    def client(self) -> httpx.Client:
        """An HTTP client that is logged in as the administrator."""
        if self._client is None:
            headers = {"Authorization": f"Bearer {self.token()}"}
            self._client = httpx.Client(base_url=f"{self.url}/api/v2", headers=headers, timeout=30, trust_env=False)
        return self._client

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the REST API below ``/api/v2`` and return its JSON. Raises AirflowError with what it answered."""
        answer = self.client.request(method, path, **options)
        if answer.is_error:
            raise AirflowError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def import_errors(self) -> list[dict[str, Any]]:
        """Every file that could not be read, as the UI shows it."""
        return list(self.call("GET", "/importErrors")["import_errors"])

    def await_dag(self, dag_id: str, *, patience: float = 60) -> dict[str, Any]:
        """Wait until a Dag has been parsed and can be run."""
        for _ in looks(patience):
            answer = self.client.get(f"/dags/{dag_id}")
            if answer.is_success and not answer.json()["is_stale"]:
                return dict(answer.json())
        errors = "; ".join(error["stack_trace"] for error in self.import_errors()) or "no import error is known"
        raise AirflowError(f"The Dag '{dag_id}' did not appear within {patience:g} s: {errors}.", where=self.dags)

    def unpause(self, dag_id: str) -> None:
        """Let a Dag's runs be scheduled."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, *, run_id: str | None = None) -> str:
        """Start a run by hand, with the values of the trigger form; returns its id."""
        body = {"logical_date": now().isoformat(), "conf": dict(conf or {}), "dag_run_id": run_id}
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A Dag run as the API shows it."""
        return dict(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Task id → task instance as the API shows it."""
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def await_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        patience: float = 600,
        on_change: Callable[[str, str], None] = lambda task, state: None,
    ) -> dict[str, Any]:
        """Wait until a run has ended.

        :param patience: seconds after which AirflowError is raised.
        :param on_change: called with a task's id and its new state whenever one changes.
        """
        states: dict[str, str] = {}
        for _ in looks(patience, pause=0.25):
            run = self.run(dag_id, run_id)
            for task_id, task in self.tasks(dag_id, run_id).items():
                if task["state"] and states.get(task_id) != task["state"]:
                    states[task_id] = task["state"]
                    on_change(task_id, task["state"])
            if run["state"] in ENDED:
                return run
        raise AirflowError(f"Run {run_id} of '{dag_id}' did not end within {patience:g} s; its tasks: {states}.")

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task pushed, or None."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self.client.get(path, params={"deserialize": "true"})
        return answer.json()["value"] if answer.is_success else None

    def task_log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """A task's log as it lies on disk."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        file = folder / f"attempt={attempt}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    # -- inside ----------------------------------------------------------------------------------------------

    def _configuration(self) -> dict[str, str]:
        """The whole of its configuration, as environment variables."""
        options: dict[str, dict[str, object]] = {
            "core": {
                "dags_folder": self.dags,
                "plugins_folder": self.home / "plugins",
                "load_examples": False,
                "executor": "LocalExecutor",
                "parallelism": 8,
                "mp_start_method": "forkserver",
                "mp_forkserver_preload": "retrain.airflow.warm",
                "dags_are_paused_at_creation": False,
                "simple_auth_manager_users": f"{USER}:admin,viewer:viewer",
                "simple_auth_manager_passwords_file": self.home / "passwords.json",
                "execution_api_server_url": f"{self.url}/execution/",
            },
            "database": {"sql_alchemy_conn": f"sqlite:///{self.home / 'airflow.db'}"},
            "api": {
                "host": "127.0.0.1",
                "port": self.port,
                "base_url": self.url,
                "workers": 1,
                "secret_key": secrets.token_hex(16),
            },
            "api_auth": {"jwt_secret": secrets.token_urlsafe(32)},
            "scheduler": {
                "scheduler_idle_sleep_time": 0.1,
                # Its server is a child process, so that the fork server starts, and warms up, with the scheduler.
                "enable_health_check": True,
                "scheduler_health_check_server_host": "127.0.0.1",
                "scheduler_health_check_server_port": free_port(),
            },
            "dag_processor": {
                "refresh_interval": 10,
                "bundle_refresh_check_interval": 1,
                "min_file_process_interval": 5,
                "parsing_processes": 1,
                "print_stats_interval": 0,
            },
            # A supervisor that misses its task's exit by a hair sleeps this long with a worker in its hands.
            "workers": {"min_heartbeat_interval": 1},
            "usage_data_collection": {"enabled": False},
            "logging": {"colored_console_log": False},
        }
        names = {
            f"AIRFLOW__{section.upper()}__{option.upper()}": str(value)
            for section, values in options.items()
            for option, value in values.items()
        }
        quiet = {"DO_NOT_TRACK": "1", "SCARF_ANALYTICS": "false", "PYTHONUNBUFFERED": "1"}
        return {"AIRFLOW_HOME": str(self.home), **names, **quiet}

    def _prepare(self) -> None:
        (self.home / "plugins").mkdir(parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: self.password, "viewer": self.password}))

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]

    def _log(self, name: str) -> Path:
        folder = self.home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"

    def _run(self, *arguments: str, patience: float) -> None:
        log = self._log("-".join(arguments))
        with log.open("ab") as stream:
            done = subprocess.run(
                self._command(*arguments),
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=patience,
                check=False,
            )
        if done.returncode:
            raise AirflowError(f"`airflow {' '.join(arguments)}` failed.", where=log, do="read the end of that log.")

    def _await_health(self, patience: float) -> None:
        missing: set[str] = set(COMPONENTS)
        warming: threading.Thread | None = None
        for _ in looks(patience, pause=0.2):
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise AirflowError(
                        f"Airflow's {name} ended with status {process.returncode}.",
                        where=self._log(name),
                        do="read the end of that log.",
                    )
            missing = self.unhealthy()
            if "api-server" not in missing and warming is None:
                warming = self._warm_task_api(patience)
            if not missing and warming is not None:
                warming.join(patience)
                return
        raise AirflowError(
            f"Airflow was not healthy within {patience:g} s; missing: {', '.join(sorted(missing))}.",
            where=self.home / "logs",
        )

    def _warm_task_api(self, patience: float) -> threading.Thread:
        """Ask the task API something: at its first request it builds its routes, for seconds no task should pay."""

        def ask() -> None:
            with suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/execution/health", timeout=patience)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        return thread

    def unhealthy(self) -> set[str]:
        """The components that do not answer or have not given a sign of life lately."""
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10, trust_env=False).json()
        except httpx.HTTPError:
            return set(COMPONENTS)
        parts = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}
        return {name for key, name in parts.items() if health.get(key, {}).get("status") != "healthy"}

    @property
    def _pid_file(self) -> Path:
        return self.home / "processes.json"

    def _remember(self) -> None:
        """Write down who runs, so that the next start can stop what this one left behind if it is killed."""
        running = {}
        for name, process in self.processes.items():
            with suppress(psutil.NoSuchProcess):
                running[name] = [process.pid, psutil.Process(process.pid).create_time()]
        self._pid_file.write_text(json.dumps(running))


def inherited() -> dict[str, str]:
    """This process's environment without what it says about another Airflow, MLflow or site of ours."""
    others = ("AIRFLOW", "MLFLOW_", "RETRAIN_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def looks(patience: float, *, pause: float = 0.1) -> Iterator[int]:
    """Count looks at something, one every ``pause`` seconds, until ``patience`` seconds are over."""
    deadline, count = time.monotonic() + patience, 0
    while time.monotonic() < deadline:
        yield count
        count += 1
        time.sleep(pause)


def stop_leftovers(home: Path) -> None:
    """Stop what an earlier Airflow of this folder left running when it was killed."""
    file = home / "processes.json"
    if not file.exists():
        return
    pids = []
    for pid, created in json.loads(file.read_text() or "{}").values():
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).create_time() == created:
                pids.append(pid)
    end_tree(pids, grace=5)
    file.unlink(missing_ok=True)


def end_tree(pids: list[int], *, grace: float) -> None:
    """End processes and all their descendants: SIGTERM to the processes, then SIGKILL to whoever is left.

    :param pids: in the order in which they are to be told.
    :param grace: seconds between the two; 0 kills at once.
    """
    roots: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            roots.append(psutil.Process(pid))
    family = list(roots)
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            family += root.children(recursive=True)
    if grace > 0:
        for root in roots:
            with suppress(psutil.NoSuchProcess):
                root.send_signal(signal.SIGTERM)
        psutil.wait_procs(family, timeout=grace)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=grace or 5)


@contextmanager
def local_airflow(home: Path, dags: Path, **options: Any) -> Iterator[LocalAirflow]:
    """An Airflow that runs as long as the block does."""
    airflow = LocalAirflow(home, dags, **options)
    try:
        yield airflow.start()
    finally:
        airflow.stop()


__all__ = [
    "AirflowError",
    "LocalAirflow",
    "end_tree",
    "free_port",
    "inherited",
    "local_airflow",
    "looks",
    "stop_leftovers",
]
