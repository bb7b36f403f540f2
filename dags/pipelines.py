"""Every folder of include/pipelines as an Airflow Dag."""

from pathlib import Path

from retrain.airflow.dag import discover

globals().update(discover(Path(__file__).parent.parent / "include" / "pipelines"))
