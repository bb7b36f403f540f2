"""The memory: an append-only, hash-chained record of decisions, and the folds over it."""

from __future__ import annotations

from retrain.ledger.ledger import GENESIS, Entry, Ledger, Version

__all__ = ["GENESIS", "Entry", "Ledger", "Version"]
