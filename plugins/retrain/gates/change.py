"""Change gate: is the challenger shown to be not worse than the champion by more than the margin?"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field
from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate
from retrain.metrics.harm import Harm, missing


class Change(Gate):
    """How much worse than the champion a challenger may be; both bounds must hold where both are given."""

    absolute: float = Field(ge=0, description="In units of the metric; 0.005 where `change` is not given.")
    relative: float | None = Field(None, ge=0, description="As a share of the champion's score.")

    @classmethod
    @override
    def default(cls) -> Self:
        """Half a point of the metric."""
        return cls(absolute=0.005)

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """The smaller bound is the margin, so that both hold."""
        if evidence.scorecard.champion is None:
            return GateResult(gate="change", outcome="not applied", reason="there is no champion to compare with")
        metric, score = evidence.metric, evidence.score
        harm = None if score is None else Harm.of(score)
        if score is None or harm is None:
            return GateResult(gate="change", outcome="failed", reason=missing(score, metric))
        margin = self.absolute
        if self.relative is not None:
            margin = min(margin, self.relative * abs(score.champion or 0.0))
        outcome, shown = _shown(harm, margin)
        numbers = {"metric": metric, "challenger": score.challenger, "champion": score.champion, **harm.evidence()}
        return GateResult(
            gate="change",
            outcome=outcome,
            reason=f"{metric} {score.challenger:.4f} against the champion's {score.champion:.4f}: {shown}",
            evidence={**numbers, "margin": margin},
        )


def _shown(harm: Harm, margin: float) -> tuple[Literal["passed", "failed", "undecided"], str]:
    """What the bounds come to."""
    if harm.most <= margin:
        shown = f"at least {-harm.most:.4f} better" if harm.most <= 0 else f"at most {harm.most:.4f} worse"
        return "passed", f"shown to be {shown}, margin {margin:.4g}"
    if harm.least > margin:
        return "failed", f"shown to be at least {harm.least:.4f} worse, margin {margin:.4g}"
    between = f"between {harm.least:+.4f} and {harm.most:+.4f} worse, margin {margin:.4g}"
    return "undecided", f"{between}; neither harm nor its absence is shown"
