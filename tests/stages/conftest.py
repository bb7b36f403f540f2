"""Data, models and releases of small pipelines; see ``tests/worlds``."""

from orders_world import orders
from release_world import make_world, no_mlflow, world
from workshop_world import incumbent, judged, make_rows, mlflow_uri, with_champion, workshop

__all__ = [
    "incumbent",
    "judged",
    "make_rows",
    "make_world",
    "mlflow_uri",
    "no_mlflow",
    "orders",
    "with_champion",
    "workshop",
    "world",
]
