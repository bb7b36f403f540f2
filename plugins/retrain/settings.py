"""Where the store, MLflow, the gateway and the pipelines are: environment ``RETRAIN_*``, or ``.retrain/``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

NAMES = ("home", "store", "mlflow_tracking_uri", "gateway_url", "data", "pipelines")


class Settings(BaseModel):
    """Every place the system needs to know, all with a default on this machine.

    :param home: the working folder of everything embedded.
    :param store: the object store: a folder, or ``s3://bucket/prefix``.
    :param mlflow_tracking_uri: MLflow's tracking server or database.
    :param gateway_url: a gateway's address, for the command line's status and hints.
    :param data: where bare paths of ``source.files`` begin.
    :param pipelines: the folder that holds one folder a pipeline.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    home: Path
    store: str
    mlflow_tracking_uri: str
    gateway_url: str
    data: Path
    pipelines: Path

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, *, further: Mapping[str, str] | None = None) -> Settings:
        """Read the settings: ``RETRAIN_*`` first, then ``further`` (say, of airflow.cfg), then defaults."""
        environ = os.environ if environ is None else environ
        found = {key: value for key, value in (further or {}).items() if key in NAMES and value}
        found |= {n: v for n in NAMES if (v := environ.get(f"RETRAIN_{n.upper()}"))}
        home = Path(found.get("home", ".retrain")).absolute()
        mlflow = environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
        return cls(
            home=home,
            store=found.get("store", str(home / "store")),
            mlflow_tracking_uri=found.get("mlflow_tracking_uri", mlflow),
            gateway_url=found.get("gateway_url", "http://127.0.0.1:8600"),
            data=Path(found.get("data", home / "data")).absolute(),
            pipelines=Path(found.get("pipelines", "include/pipelines")).absolute(),
        )

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for a process of ours to inherit."""
        return {f"RETRAIN_{name.upper()}": str(getattr(self, name)) for name in NAMES}
