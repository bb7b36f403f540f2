"""Airflow's REST API, as somebody uses it who drives it from outside: Dags, runs, tasks, what they handed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from retrain.artifacts import now
from retrain.demo.waiting import looks
from retrain.errors import RetrainError

USER = "admin"
ENDED = frozenset({"success", "failed"})


class AirflowError(RetrainError):
    """The local Airflow did not start, or did not do what it was asked."""


class AirflowApi:
    """The REST API of an Airflow.

    :param url: of its API server.
    :param password: of its users; :data:`USER` is the administrator.
    """

    def __init__(self, url: str, password: str) -> None:
        self.url, self.password = url, password
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Log out."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def token(self, username: str = USER) -> str:
        """A token for the REST API. Every user has the same password."""
        body = {"username": username, "password": self.password}
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
        raise AirflowError(f"The Dag '{dag_id}' did not appear within {patience:g} s: {errors}.")

    def unpause(self, dag_id: str) -> None:
        """Let a Dag's runs be scheduled."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run by hand, with the values of the trigger form; returns its id."""
        body = {"logical_date": now().isoformat(), "conf": dict(conf or {})}
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """A Dag run as the API shows it."""
        return dict(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """Task id → task instance as the API shows it."""
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def await_run(self, dag_id: str, run_id: str, *, patience: float = 600) -> dict[str, Any]:
        """Wait until a run has ended.

        :param patience: seconds after which AirflowError is raised.
        """
        for _ in looks(patience, pause=0.25):
            run = self.run(dag_id, run_id)
            if run["state"] in ENDED:
                return run
        states = {task_id: task["state"] for task_id, task in self.tasks(dag_id, run_id).items()}
        raise AirflowError(f"Run {run_id} of '{dag_id}' did not end within {patience:g} s; its tasks: {states}.")

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task pushed, or None."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self.client.get(path, params={"deserialize": "true"})
        return answer.json()["value"] if answer.is_success else None
