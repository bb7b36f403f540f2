"""Baseline gate: is the model shown to beat the majority class (or the mean) and a one-feature model?"""

from __future__ import annotations

from typing_extensions import override

from retrain.artifacts import GateResult, Score
from retrain.gates.base import Evidence, Gate
from retrain.metrics.harm import Harm, missing

WORTH = 0.01
"""An improvement that cannot be shown and is surely smaller than this share of the loss is none."""


class Baseline(Gate):
    """A model must be shown to be better than the majority class (or the mean) and than one feature alone."""

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Passes if every baseline is shown to be worse.

        The burden of proof is the model's: it fails, and no further evidence is waited for, where it is measured to be
        no better, or shown to be at best better by less than :data:`WORTH` of the baseline's loss.
        """
        scorecard = evidence.scorecard
        if not scorecard.baselines:
            return GateResult(gate="baseline", outcome="failed", reason="no baseline was scored")
        said = {name: _against(name, score) for name, score in scorecard.baselines.items()}
        for outcome in ("failed", "undecided"):
            reasons = [reason for found, reason in said.values() if found == outcome]
            if reasons:
                break
        else:
            outcome, reasons = "passed", [reason for _, reason in said.values()]
        return GateResult(
            gate="baseline",
            outcome=outcome,
            reason="; ".join(reasons),
            evidence={name: score.model_dump(mode="json") for name, score in scorecard.baselines.items()},
        )


def _against(name: str, score: Score) -> tuple[str, str]:
    spoken = name.replace("_", "-")
    harm = Harm.of(score)
    if harm is None:
        reason = missing(score, score.metric).replace("champion", f"{spoken} baseline")
        return "failed", f"against the {spoken} baseline: {reason}"
    compared = f"{score.metric} {score.challenger:.4f} against the {spoken} baseline's {score.champion:.4f}"
    if harm.most < 0.0:
        return "passed", f"{compared}: at least {-harm.most:.4f} better"
    if harm.point >= 0.0:
        return "failed", f"{compared}: no better"
    loss = (score.champion or 0.0) if score.better == "lower" else 1.0 - (score.champion or 0.0)
    if -harm.least < WORTH * loss:
        return "failed", f"{compared}: at best {-harm.least:.2g} better, which is not worth a model"
    return "undecided", f"{compared}: better as measured, but not shown to be"
