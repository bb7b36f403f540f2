"""Small models and a gateway in this process; see ``tests/worlds``."""

from gateway_world import anyio_backend, model_folder, pipeline_folder, pretended, serve_model, stand

__all__ = ["anyio_backend", "model_folder", "pipeline_folder", "pretended", "serve_model", "stand"]
