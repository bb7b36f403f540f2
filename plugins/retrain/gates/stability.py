"""Numerical-stability gate: no infinity, and NaN only where a value is missing as it was in training."""

from __future__ import annotations

from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate


class Stability(Gate):
    """Weights and scores may not be NaN or infinite, features not infinite, and no feature may have lost its values."""

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Fails if any of it is not so. What a feature's loss is, :mod:`retrain.stats.missingness` says."""
        scorecard = evidence.scorecard
        found = ["the model's weights have NaN or infinite values"] * (not evidence.candidate.finite)
        found += scorecard.unstable or ["features or scores have NaN or infinite values"] * (not scorecard.finite)
        if found:
            return GateResult(gate="stability", outcome="failed", reason="; ".join(found), evidence={"unstable": found})
        reason = "weights and scores are finite, no feature is infinite or has lost its values"
        return GateResult(gate="stability", outcome="passed", reason=reason)
