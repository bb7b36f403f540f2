"""What artifacts say, kept: one that is named by the hash of its bytes says the same for ever.

Only for showing. Whoever decides on an artifact reads it, and sees that it is what it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from retrain.artifacts import Artifact, Ref
from retrain.errors import ArtifactChanged, ObjectMissing
from retrain.site import Site

A = TypeVar("A", bound=Artifact)
T = TypeVar("T")

MOST = 4096
"""So many answers are kept, for all pipelines of this process; the oldest go first."""

_kept: dict[tuple[Callable[..., Any], str], tuple[Any]] = {}
_lock = threading.Lock()


def said(site: Site, kind: type[A], ref: Ref, tell: Callable[[A], T]) -> T | None:
    """What a function makes of an artifact; None where that is gone, or is not what it was.

    :param tell: a function of a module, which depends on nothing else.
    :raises StoreError: the store cannot be asked.
    """
    key = (tell, ref.sha256) if ref.sha256 else None
    if key is not None and (known := _kept.get(key)) is not None:
        kept: T = known[0]
        return kept
    artifact = found(site, kind, ref)
    if artifact is None:
        return None
    told = tell(artifact)
    if key is not None:
        with _lock:
            while len(_kept) >= MOST:
                del _kept[next(iter(_kept))]
            _kept[key] = (told,)
    return told


def found(site: Site, kind: type[A], ref: Ref) -> A | None:
    """An artifact; None where it is gone, or is not what it was.

    :raises StoreError: the store cannot be asked.
    """
    try:
        return site.read(kind, ref)
    except (ArtifactChanged, ObjectMissing, ValidationError):
        return None
