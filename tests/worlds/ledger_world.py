"""Ledger entries' bodies, made of what a test cares for."""

from __future__ import annotations

from typing import Any

from retrain.artifacts import Ref
from retrain.ledger.entries import BODIES, Body

SNAPSHOT = Ref(kind="snapshot", key="s", pipeline="p")
USUAL: dict[str, dict[str, Any]] = {
    "trained": {"snapshot": SNAPSHOT, "run_id": "r"},
    "verdict": {"reason": "because", "verdict": None},
    "rehearsal": {"reason": "because", "rehearsal": None},
    "stale": {"reason": "because"},
    "fresh": {"champion": 1},
}


def body(kind: str, **fields: Any) -> Body:
    """A body of that kind; what is not given is the usual."""
    return BODIES[kind].model_validate({**USUAL.get(kind, {}), **fields})
