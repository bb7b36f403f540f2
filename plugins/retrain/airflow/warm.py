"""What a task of ours needs, imported once: for ``[core] mp_forkserver_preload = retrain.airflow.warm``.

With ``mp_start_method = forkserver`` every task process is a copy of one that has imported all this already, so
that no task pays the seconds these imports cost. Importing this module elsewhere has no purpose.
"""

from __future__ import annotations

import gc
import importlib
import logging
import pkgutil
from collections.abc import Iterator
from contextlib import suppress

from pydantic import BaseModel

from retrain.artifacts import Value
from retrain.spec import Section

AIRFLOW = (
    "encodings.idna",
    "jinja2.ext",
    "airflow.dag_processing.bundles.local",
    "airflow.dag_processing.dagbag",
    "airflow.executors.local_executor",
    "airflow.sdk.definitions.connection",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)
WORK = (
    "pandas.core.arrays.arrow.extension_types",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.rest_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.rest_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "great_expectations.expectations.core",
)
OURS = (
    "retrain.airflow.dag",
    "retrain.airflow.notifier",
    "retrain.airflow.plugin",
    "retrain.airflow.triggers.release",
    "retrain.retraining",
    "retrain.model.model",
    "retrain.model.store",
)
PACKAGES = (
    *("retrain.airflow.operators", "retrain.alerts", "retrain.gates", "retrain.monitoring", "retrain.rollout"),
    *("retrain.sources", "retrain.stages", "retrain.stats", "retrain.store", "retrain.targets"),
)
CHATTY = ("alembic", "great_expectations", "mlflow")


def warm() -> None:
    """Import everything, load Airflow's plugins, and keep the garbage collector off what is shared."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in (*AIRFLOW, *WORK, *OURS, *_modules()):
        with suppress(ImportError):
            importlib.import_module(name)
    for model in (*_below(Section), *_below(Value)):
        model.model_rebuild()
    with suppress(Exception):  # a plugin of somebody else's may be broken; tasks will say so
        from airflow.sdk.listener import get_listener_manager

        get_listener_manager()
    gc.collect()
    gc.freeze()


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every model made from one: what it needs to check its values is built when it is first used, or here."""
    for below in model.__subclasses__():
        yield below
        yield from _below(below)


def _modules() -> Iterator[str]:
    """Every module of the packages whose code tasks run."""
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        yield from (f"{package}.{module.name}" for module in pkgutil.iter_modules(path))


warm()
