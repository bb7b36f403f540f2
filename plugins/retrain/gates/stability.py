"""Numerical-stability gate: no NaN or infinity in weights, features or scores."""

from __future__ import annotations

from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate


class Stability(Gate):
    """Nothing the model has learnt, is given or answers may be NaN or infinite."""

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Fails if any of it is not a finite number."""
        scorecard = evidence.scorecard
        found = ["the model's weights"] * (not evidence.candidate.finite)
        found += scorecard.unstable or ["features or scores"] * (not scorecard.finite)
        if found:
            reason = f"NaN or infinity in {', '.join(found)}"
            return GateResult(gate="stability", outcome="failed", reason=reason, evidence={"not finite": found})
        return GateResult(gate="stability", outcome="passed", reason="weights, features and scores are finite")
