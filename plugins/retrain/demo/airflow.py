"""A real Airflow of our own on this machine: started, killed and stopped by one small object.

Scheduler, Dag processor, API server and triggerer as processes of their own, on SQLite with the LocalExecutor,
configured by environment variables only and living below one folder. Never touches ``~/airflow``.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import httpx

from retrain.demo.airflow_api import USER, AirflowApi, AirflowError
from retrain.demo.airflow_configuration import configuration
from retrain.demo.processes import end_tree, free_port, inherited, spawn
from retrain.demo.waiting import looks

COMPONENTS: dict[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
STOPPING_ORDER = ("scheduler", "triggerer", "dag-processor", "api-server")


class LocalAirflow:
    """One Airflow installation on 127.0.0.1.

    :param home: its folder: database, logs, passwords.
    :param dags: the folder with the Dag files.
    :param environment: further variables for every process, say ``RETRAIN_*``.
    """

    def __init__(self, home: Path, dags: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.home = home.absolute()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.api = AirflowApi(self.url, secrets.token_urlsafe(12))
        self.environment = {**inherited(), **configuration(self.home, dags.absolute(), port), **(environment or {})}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    # -- starting and stopping -------------------------------------------------------------------------------

    def start(self, *, patience: float = 120) -> Self:
        """Migrate the database, start every component, and wait until all are healthy.

        :param patience: seconds after which it is given up and everything is stopped.
        :raises AirflowError: naming the component and its log.
        """
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
        command = self._command(*COMPONENTS[name])
        self.processes[name] = spawn(command, self.environment, self._log(name), cwd=self.home)
        return self.processes[name]

    def stop(self, *, grace: float = 5) -> None:
        """Stop every process; who has not gone after ``grace`` seconds is killed."""
        self.api.close()
        pids = [self.processes[name].pid for name in STOPPING_ORDER if name in self.processes]
        end_tree(pids, grace=grace)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- inside ----------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        (self.home / "plugins").mkdir(parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: self.api.password, "viewer": self.api.password}))

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
            missing = self._unhealthy()
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

    def _unhealthy(self) -> set[str]:
        """The components that do not answer or have not given a sign of life lately."""
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10, trust_env=False).json()
        except httpx.HTTPError:
            return set(COMPONENTS)
        parts = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}
        return {name for key, name in parts.items() if health.get(key, {}).get("status") != "healthy"}
