"""Links from a task to what it found: its evidence, its MLflow run, the ledger."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import attrs
from airflow.sdk import BaseOperatorLink, conf
from typing_extensions import override

PREFIX = "/retrain"


@attrs.define
class EvidenceLink(BaseOperatorLink):
    """To the page that shows what a task handed on: the validation, say, or the verdict.

    :param name: what the button says.
    """

    name: str = attrs.field(default="Evidence")

    @property
    @override
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return "retrain_link_evidence"

    @override
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The page of this task instance."""
        return page(ti_key)


@attrs.define
class LedgerLink(BaseOperatorLink):
    """To the ledger of the pipeline this task belongs to."""

    name: str = attrs.field(default="Ledger")

    @property
    @override
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return "retrain_link_ledger"

    @override
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The ledger, with this run's entries marked."""
        return f"{page(ti_key)}/ledger"


@attrs.define
class MlflowRunLink(BaseOperatorLink):
    """To the training's run in MLflow's own UI."""

    name: str = attrs.field(default="MLflow run")

    @property
    @override
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return "retrain_link_mlflow"

    @override
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The run's page; empty if MLflow has no address, or nothing was trained."""
        return str(getattr(operator, "mlflow_run", ""))


def page(ti_key: Any) -> str:
    """The address of a task instance's evidence page, below Airflow's own address."""
    host = urlsplit(base_url())._replace(path="").geturl()
    return host + address(ti_key.dag_id, ti_key.run_id, ti_key.task_id)


def address(dag_id: str, run_id: str, task_id: str) -> str:
    """The same on whatever host Airflow is."""
    parts = ("dags", dag_id, "runs", run_id, "tasks", task_id)
    return urlsplit(base_url()).path + PREFIX + "".join(f"/{quote(part, safe='')}" for part in parts)


def base_url() -> str:
    """Airflow's own address, without a slash at its end; empty if it says none."""
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
