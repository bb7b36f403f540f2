"""Small pipelines with made-up rows; see ``tests/worlds``."""

from workshop_world import make_rows, mlflow_uri, workshop

__all__ = ["make_rows", "mlflow_uri", "workshop"]
