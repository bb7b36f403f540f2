"""Change gate: is the challenger shown to be not worse than the champion by more than the margin?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate, unbounded
from retrain.metrics.harm import Margin, missing

RELATIVE = 0.05
"""Where no margin is given. A brier of 0.12 may become 0.126, a log loss of 0.4 0.42, an rmse of 430 451."""


class Change(Gate):
    """How much worse than the champion a challenger may be; both bounds must hold where both are given."""

    absolute: float | None = Field(None, ge=0, description="In units of the metric.")
    relative: float | None = Field(
        None,
        ge=0,
        description="As a share of the champion's loss: its score, or 1 − score where more is better. 0.05 where "
        "neither is given.",
    )

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """What is worse for the challenger, where two margins are given."""
        if evidence.scorecard.champion is None:
            return GateResult(gate="change", outcome="not applied", reason="there is no champion to compare with")
        metric, score = evidence.metric, evidence.score
        margins = [] if score is None else Margin.of(score, self.absolute, self.relative, RELATIVE)
        if score is None or not margins:
            return unbounded("change", evidence, score.difference if score else None, missing(score, metric))
        said = [_shown(margin, evidence.scorecard.holdout_days) for margin in margins]
        outcome, shown = min(said, key=lambda one: ("failed", "undecided", "passed").index(one[0]))
        numbers = {"metric": metric, "challenger": score.challenger, "champion": score.champion}
        tightest = min(margins, key=lambda margin: margin.width)
        return GateResult(
            gate="change",
            outcome=outcome,
            reason=f"{metric} {score.challenger:.4f} against the champion's {score.champion:.4f}: {shown}",
            evidence={**numbers, **tightest.harm.evidence(), "margin": tightest.width},
        )


def _shown(margin: Margin, days: int) -> tuple[Literal["passed", "failed", "undecided"], str]:
    """What the bounds come to."""
    harm = margin.harm
    if harm.most <= margin.width:
        shown = f"at least {-harm.most:.4f} better" if harm.most <= 0 else f"at most {harm.most:.4f} worse"
        return "passed", f"shown to be {shown}, margin {margin.said}"
    if harm.least > margin.width:
        return "failed", f"shown to be at least {harm.least:.4f} worse, margin {margin.said}"
    between = f"between {harm.least:+.4f} and {harm.most:+.4f} worse, margin {margin.said}"
    return "undecided", f"{between}; neither harm nor its absence is shown: {harm.days_wanted(margin.width, days)}"
