"""The pipelines that status is told of; see ``tests/worlds``."""

from orders_world import orders
from visits_world import ledger
from workshop_world import judged, mlflow_uri, with_champion

__all__ = ["judged", "ledger", "mlflow_uri", "orders", "with_champion"]
