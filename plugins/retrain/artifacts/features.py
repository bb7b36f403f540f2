"""Labelled rows as numbers, split by time."""

from __future__ import annotations

from typing import ClassVar

from retrain.artifacts.artifact import Artifact, FileRef, Moment, Ref


class FeatureSet(Artifact):
    """Features of the labelled rows, split by time: ``train`` lies before ``split_at``, ``holdout`` after.

    Each Parquet file holds the feature columns and ``__label__``, ``__time__``, ``__entity__``; ``raw_holdout``
    holds the raw inputs of the holdout in the same row order, for slices and rehearsal.
    """

    kind: ClassVar[str] = "features"

    snapshot: Ref
    validation: Ref
    train: FileRef
    holdout: FileRef
    raw_holdout: FileRef
    split_at: Moment
    features: tuple[str, ...]
    inputs: tuple[str, ...]
    classes: tuple[str, ...]
    code: str
    parity_rows: int

    @property
    def summary(self) -> str:
        return (
            f"{len(self.features)} features; {self.train.rows:,} rows to train on, {self.holdout.rows:,} held out "
            f"from {self.split_at:%d %b %Y}"
        )
