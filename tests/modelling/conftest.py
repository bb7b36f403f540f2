"""Small pipelines with made-up rows; see ``tests/worlds``."""

from workshop_world import judged, make_rows, mlflow_uri, with_champion, workshop

__all__ = ["judged", "make_rows", "mlflow_uri", "with_champion", "workshop"]
