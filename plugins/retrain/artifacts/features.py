"""Labelled rows as numbers, split by time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import model_validator
from typing_extensions import override

from retrain.artifacts.artifact import Artifact, FileRef, Moment, Ref
from retrain.artifacts.snapshot import Part, content


class FeaturePart(Part):
    """The features of one part of a snapshot.

    :param source: the snapshot's part; None in sets made before there were parts.
    """

    source: FileRef | None = None


class FeatureSet(Artifact):
    """Features of the labelled rows, split by time: rows before ``split_at`` are trained on, the others held out.

    :param parts: one for each part of the snapshot that has labelled rows. Each Parquet file holds the feature
        columns and ``__label__``, ``__time__``, ``__entity__``, and ``__row__``: which row of its source.
    :param raw_holdout: the raw inputs of the held-out rows, in sets made before there were parts.
    """

    kind: ClassVar[str] = "features"

    snapshot: Ref
    validation: Ref
    parts: tuple[FeaturePart, ...]
    train_rows: int
    holdout_rows: int
    raw_holdout: FileRef | None = None
    split_at: Moment
    features: tuple[str, ...]
    inputs: tuple[str, ...]
    classes: tuple[str, ...]
    code: str
    parity_rows: int

    @model_validator(mode="before")
    @classmethod
    def _of_two_files(cls, value: Any) -> Any:
        """Sets made before there were parts are two files, ``train`` and ``holdout``."""
        if not isinstance(value, dict) or "train" not in value:
            return value
        rest = {name: one for name, one in value.items() if name not in {"train", "holdout"}}
        train, holdout = (FileRef.model_validate(value[name]) for name in ("train", "holdout"))
        first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        parts = [
            {"start": first, "end": value["split_at"], "data": train},
            {"start": value["split_at"], "end": last, "data": holdout},
        ]
        return {**rest, "parts": parts, "train_rows": train.rows or 0, "holdout_rows": holdout.rows or 0}

    @property
    def sha256(self) -> str:
        """Of its rows."""
        return content(self.parts)

    @property
    @override
    def summary(self) -> str:
        return (
            f"{len(self.features)} features; {self.train_rows:,} rows to train on, {self.holdout_rows:,} held out "
            f"from {self.split_at:%d %b %Y}"
        )
