"""Pretended models and a gateway in this process; see ``tests/worlds``."""

from gateway_world import anyio_backend, pipeline_folder, pretended, stand

__all__ = ["anyio_backend", "pipeline_folder", "pretended", "stand"]
