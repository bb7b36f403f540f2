"""Real models' folders; see ``tests/worlds``."""

from model_world import binary, data

__all__ = ["binary", "data"]
