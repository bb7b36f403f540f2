"""A store with a prediction log; see ``tests/worlds``."""

from log_world import reader, store

__all__ = ["reader", "store"]
