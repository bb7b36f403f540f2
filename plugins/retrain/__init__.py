"""airflow-retrain: one folder becomes a scheduled, self-defending retraining system on Apache Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["RetrainDag", "RetrainTaskGroup", "__version__", "get_provider_info"]

if TYPE_CHECKING:
    from retrain.dag import RetrainDag, RetrainTaskGroup


def __getattr__(name: str) -> Any:
    """Import the Airflow side only when it is asked for, so that the core stays light."""
    if name in {"RetrainDag", "RetrainTaskGroup"}:
        from retrain import dag

        return getattr(dag, name)
    raise AttributeError(f"module 'retrain' has no attribute {name!r}")


def get_provider_info() -> dict[str, Any]:
    """What Airflow's provider manager asks of a package: names, configuration, links."""
    from retrain.provider import provider_info

    return provider_info(__version__)
