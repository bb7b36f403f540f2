"""What stages hand on: small, typed, immutable, JSON, each named by the hash of what made it.

``Request → Snapshot → Validation → Drift → FeatureSet → Candidate → Scorecard → Verdict → …``

An artifact's ``key`` is :func:`identity` of its inputs, so the same work has the same name wherever and
whenever it is done. Bulk data lies beside it in the object store as Parquet and is referred to by
:class:`FileRef`.

A name is looked up in its file when it is first asked for: a Dag processor that reads a pipeline needs few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from retrain.artifacts.drift import ColumnDrift, Decay, Drift
    from retrain.artifacts.features import FeaturePart, FeatureSet
    from retrain.artifacts.freshness import Age, Freshness
    from retrain.artifacts.kinds import KINDS
    from retrain.artifacts.rehearsal import Rehearsal
    from retrain.artifacts.report import Report
    from retrain.artifacts.request import Request
    from retrain.artifacts.scorecard import Score, Scorecard, SliceScore
    from retrain.artifacts.snapshot import Part, Snapshot, SourceFile
    from retrain.artifacts.validation import ExpectationResult, Validation
    from retrain.artifacts.verdict import GateResult, Verdict, VerdictOutcome

__all__ = [
    "KINDS",
    "Age",
    "Artifact",
    "Candidate",
    "ColumnDrift",
    "Decay",
    "Drift",
    "ExpectationResult",
    "FeaturePart",
    "FeatureSet",
    "FileRef",
    "Freshness",
    "GateResult",
    "ModelRef",
    "Moment",
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
    "VerdictOutcome",
    "canonical",
    "digest",
    "digest_file",
    "identity",
    "now",
]

_FILES = {
    "artifact": (
        "Artifact",
        "FileRef",
        "Moment",
        "Ref",
        "Value",
        "canonical",
        "digest",
        "digest_file",
        "identity",
        "now",
    ),
    "candidate": (
        "Candidate",
        "ModelRef",
    ),
    "drift": (
        "ColumnDrift",
        "Decay",
        "Drift",
    ),
    "features": (
        "FeaturePart",
        "FeatureSet",
    ),
    "freshness": (
        "Age",
        "Freshness",
    ),
    "rehearsal": ("Rehearsal",),
    "report": ("Report",),
    "request": ("Request",),
    "scorecard": (
        "Score",
        "Scorecard",
        "SliceScore",
    ),
    "snapshot": (
        "Part",
        "Snapshot",
        "SourceFile",
    ),
    "validation": (
        "ExpectationResult",
        "Validation",
    ),
    "verdict": (
        "GateResult",
        "Verdict",
        "VerdictOutcome",
    ),
    "kinds": ("KINDS",),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is first asked for (PEP 562)."""
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    globals()[name] = found
    return found
