"""airflow-retrain: one folder becomes a scheduled, self-defending retraining system on Apache Airflow."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["RetrainDag", "RetrainTaskGroup", "__version__"]

if TYPE_CHECKING:
    from retrain.airflow.dag import RetrainDag, RetrainTaskGroup


def __getattr__(name: str) -> Any:
    """Import the Airflow side only when it is asked for, so that the core stays light."""
    if name in {"RetrainDag", "RetrainTaskGroup"}:
        return getattr(importlib.import_module("retrain.airflow.dag"), name)
    raise AttributeError(f"module 'retrain' has no attribute {name!r}")
