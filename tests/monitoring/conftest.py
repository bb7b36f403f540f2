"""A release without a gateway; see ``tests/worlds``."""

from release_world import make_world, no_mlflow, world

__all__ = ["make_world", "no_mlflow", "world"]
