"""Real models' folders; see ``tests/worlds``."""

from gateway_world import anyio_backend, model_folder, pipeline_folder, pretended, serve_model, stand
from model_world import binary, data

__all__ = ["anyio_backend", "binary", "data", "model_folder", "pipeline_folder", "pretended", "serve_model", "stand"]
