"""What Airflow's provider manager is told about this package."""

from __future__ import annotations

from typing import Any

from retrain import __version__


def provider_info() -> dict[str, Any]:
    """The provider's description, in the form of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-retrain",
        "name": "Retrain",
        "description": "One folder becomes a scheduled, self-defending retraining system.",
        "versions": [__version__],
        "config": {"retrain": {"description": "Where `retrain` finds and keeps things.", "options": _options()}},
        "connection-types": [
            {
                "connection-type": "retrain",
                "hook-class-name": "retrain.airflow.hooks.site.SiteHook",
                "hook-name": "Retrain",
            }
        ],
        "extra-links": [f"retrain.airflow.links.{name}" for name in ("EvidenceLink", "MlflowRunLink", "LedgerLink")],
    }


def _options() -> dict[str, Any]:
    """The options of ``[retrain]`` in airflow.cfg; ``RETRAIN_<OPTION>`` in the environment wins over each."""
    return {
        "home": _option("The working folder of everything embedded. Default: .retrain"),
        "store": _option("The object store: a folder, or s3://bucket/prefix. Default: `store` below home."),
        "mlflow_tracking_uri": _option(
            "MLflow's tracking server or database. Default: MLFLOW_TRACKING_URI, or SQLite below home."
        ),
        "gateway_url": _option("A gateway's address, for status and hints. Default: http://127.0.0.1:8600"),
        "data": _option("Where bare paths of `source.files` begin. Default: `data` below home."),
        "pipelines": _option("The folder that holds one folder a pipeline. Default: what dags/ says."),
    }


def _option(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": "string",
        "example": None,
        "default": None,
    }
