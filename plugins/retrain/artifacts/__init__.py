"""What stages hand on: small, typed, immutable, JSON, each named by the hash of what made it.

``Request → Snapshot → Validation → Drift → FeatureSet → Candidate → Scorecard → Verdict → …``

An artifact's ``key`` is :func:`identity` of its inputs, so the same work has the same name wherever and
whenever it is done. Bulk data lies beside it in the object store as Parquet and is referred to by
:class:`FileRef`.
"""

from __future__ import annotations

from collections.abc import Mapping

from retrain.artifacts.artifact import (
    Artifact,
    FileRef,
    Moment,
    Ref,
    Value,
    canonical,
    digest,
    digest_file,
    identity,
    now,
)
from retrain.artifacts.candidate import Candidate, ModelRef
from retrain.artifacts.drift import ColumnDrift, Drift
from retrain.artifacts.features import FeaturePart, FeatureSet
from retrain.artifacts.freshness import Age, Freshness
from retrain.artifacts.rehearsal import Rehearsal
from retrain.artifacts.report import Report
from retrain.artifacts.request import Request
from retrain.artifacts.scorecard import Score, Scorecard, SliceScore
from retrain.artifacts.snapshot import Part, Snapshot, SourceFile
from retrain.artifacts.validation import ExpectationResult, Validation
from retrain.artifacts.verdict import GateResult, Outcome, Verdict

KINDS: Mapping[str, type[Artifact]] = {
    kind.kind: kind
    for kind in (
        Snapshot,
        Validation,
        Drift,
        FeatureSet,
        Candidate,
        Scorecard,
        Verdict,
        Freshness,
        Rehearsal,
        Report,
    )
}


__all__ = [
    "KINDS",
    "Age",
    "Artifact",
    "Candidate",
    "ColumnDrift",
    "Drift",
    "ExpectationResult",
    "FeaturePart",
    "FeatureSet",
    "FileRef",
    "Freshness",
    "GateResult",
    "ModelRef",
    "Moment",
    "Outcome",
    "Part",
    "Ref",
    "Rehearsal",
    "Report",
    "Request",
    "Score",
    "Scorecard",
    "SliceScore",
    "Snapshot",
    "SourceFile",
    "Validation",
    "Value",
    "Verdict",
    "canonical",
    "digest",
    "digest_file",
    "identity",
    "now",
]
