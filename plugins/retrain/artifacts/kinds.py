"""Every kind of artifact by its name."""

from __future__ import annotations

from collections.abc import Mapping

from retrain.artifacts.artifact import Artifact
from retrain.artifacts.candidate import Candidate
from retrain.artifacts.drift import Drift
from retrain.artifacts.features import FeatureSet
from retrain.artifacts.freshness import Freshness
from retrain.artifacts.rehearsal import Rehearsal
from retrain.artifacts.report import Report
from retrain.artifacts.scorecard import Scorecard
from retrain.artifacts.snapshot import Snapshot
from retrain.artifacts.validation import Validation
from retrain.artifacts.verdict import Verdict

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
