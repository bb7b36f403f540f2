"""What every object store can do."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

from retrain.errors import UsageError


class ObjectStore(Protocol):
    """Objects by path; ``/`` separates. No operation ever shows a half-written object."""

    uri: str

    def get(self, path: str) -> bytes:
        """The object's bytes. Raises :class:`~retrain.errors.ObjectMissing`."""

    def put(self, path: str, data: bytes) -> None:
        """Write or replace an object, atomically."""

    def create(self, path: str, data: bytes) -> bool:
        """Write an object only if none is there. True for the one writer who won, False for all others."""

    def exists(self, path: str) -> bool:
        """Is there such an object?"""

    def list(self, prefix: str) -> list[str]:
        """Every path that begins with the folder ``prefix``, sorted."""

    def delete(self, path: str) -> None:
        """Remove an object; no error if it is not there."""

    def upload(self, path: str, source: Path) -> None:
        """Write or replace an object with a local file's content, atomically."""

    def fetch(self, path: str) -> Path:
        """A local file with the object's content, to be read and not changed."""

    def clock(self) -> datetime | None:
        """What time it is by the store's own clock; None if it has none, or has not told yet. Costs no look-up."""


def checked(path: str) -> str:
    """Refuse paths that could leave the store: absolute ones, ``..``, empty parts, control characters."""
    parts = path.split("/")
    if not path or any(part in {"", ".", ".."} for part in parts) or "\\" in path or not path.isprintable():
        raise UsageError(
            f"'{path}' is not a path in the object store.", do="use a relative path without empty parts or '..'."
        )
    return path
