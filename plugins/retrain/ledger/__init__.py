"""The memory: an append-only, hash-chained record of decisions, and the folds over it."""

from __future__ import annotations

from retrain.ledger.body import Body
from retrain.ledger.entries import (
    Answered,
    Entry,
    Excluded,
    FreshEnough,
    Judged,
    Rehearsed,
    StageDone,
    Stale,
    Trained,
)
from retrain.ledger.ledger import GENESIS, Ledger
from retrain.ledger.release import Release, Served
from retrain.ledger.versions import Version, champions

__all__ = [
    "GENESIS",
    "Answered",
    "Body",
    "Entry",
    "Excluded",
    "FreshEnough",
    "Judged",
    "Ledger",
    "Rehearsed",
    "Release",
    "Served",
    "StageDone",
    "Stale",
    "Trained",
    "Version",
    "champions",
]
