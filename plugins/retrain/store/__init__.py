"""The object store: a local folder or S3. Writes are atomic; create-if-absent has exactly one winner."""

from __future__ import annotations

from retrain.store.base import ObjectStore

__all__ = ["ObjectStore", "open_store"]


def open_store(uri: str) -> ObjectStore:
    """Open the store at ``uri``: a folder, ``file:///folder``, or ``s3://bucket/prefix``."""
    if uri.startswith("s3://"):
        from retrain.store.s3 import S3Store

        return S3Store(uri)
    from retrain.store.local import LocalStore

    return LocalStore(uri.removeprefix("file://"))
