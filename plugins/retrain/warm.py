"""What a task of ours needs, imported once: for ``[core] mp_forkserver_preload = retrain.warm``.

With ``mp_start_method = forkserver`` every task process is a copy of one that has imported all this already, so
that no task pays the seconds these imports cost. Importing this module elsewhere has no purpose.
"""

from __future__ import annotations

import gc
import importlib
from contextlib import suppress

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
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "mlflow.pyfunc",
    "great_expectations",
)
OURS = (
    "retrain.dag",
    "retrain.operators",
    "retrain.plugin",
    "retrain.retraining",
    "retrain.triggers.release",
)


def warm() -> None:
    """Import everything, load Airflow's plugins, and keep the garbage collector off what is shared."""
    for name in (*AIRFLOW, *WORK, *OURS):
        with suppress(ImportError):
            importlib.import_module(name)
    with suppress(Exception):
        from airflow.sdk.listener import get_listener_manager

        get_listener_manager()
    gc.collect()
    gc.freeze()


warm()
