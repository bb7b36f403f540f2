"""Numerical-stability gate: no NaN or infinity in weights, features or scores."""

from __future__ import annotations

from retrain.artifacts import Candidate, GateResult, Scorecard
from retrain.spec import Bless


def stability(scorecard: Scorecard, candidate: Candidate, bless: Bless) -> GateResult:
    """Fails if anything the model has learnt, is given or answers is not a finite number."""
    found = ["the model's weights"] * (not candidate.finite)
    found += scorecard.unstable or ["features or scores"] * (not scorecard.finite)
    if found:
        reason = f"NaN or infinity in {', '.join(found)}"
        return GateResult(gate="stability", outcome="failed", reason=reason, evidence={"not finite": found})
    return GateResult(gate="stability", outcome="passed", reason="weights, features and scores are finite")
