"""Change gate: is the challenger shown to be not worse than the champion by more than the margin?"""

from __future__ import annotations

from retrain.artifacts import Candidate, GateResult, Scorecard
from retrain.gates.harm import Harm, missing
from retrain.spec import Bless


def change(scorecard: Scorecard, candidate: Candidate, bless: Bless) -> GateResult:
    """Both ``bless.change`` bounds must hold where both are given, so the smaller one is the margin."""
    if scorecard.champion is None:
        return GateResult(gate="change", outcome="not applied", reason="there is no champion to compare with")
    metric = str(bless.metric)
    score = scorecard.score(metric)
    harm = None if score is None else Harm.of(score)
    if score is None or harm is None:
        return GateResult(gate="change", outcome="failed", reason=missing(score, metric))
    margin = bless.change.absolute
    if bless.change.relative is not None:
        margin = min(margin, bless.change.relative * abs(score.champion or 0.0))
    evidence = {
        "metric": metric,
        "challenger": score.challenger,
        "champion": score.champion,
        **harm.evidence(),
        "margin": margin,
    }
    compared = f"{metric} {score.challenger:.4f} against the champion's {score.champion:.4f}"
    if harm.most <= margin:
        shown = f"at least {-harm.most:.4f} better" if harm.most <= 0 else f"at most {harm.most:.4f} worse"
        reason = f"{compared}: shown to be {shown}, margin {margin:.4g}"
        return GateResult(gate="change", outcome="passed", reason=reason, evidence=evidence)
    if harm.least > margin:
        reason = f"{compared}: shown to be at least {harm.least:.4f} worse, margin {margin:.4g}"
        return GateResult(gate="change", outcome="failed", reason=reason, evidence=evidence)
    reason = (
        f"{compared}: between {harm.least:+.4f} and {harm.most:+.4f} worse, margin {margin:.4g}; "
        "neither harm nor its absence is shown"
    )
    return GateResult(gate="change", outcome="undecided", reason=reason, evidence=evidence)
