"""Suspicious-improvement gate: is the challenger too much better to be true? Then the label has leaked, most likely."""

from __future__ import annotations

from retrain.artifacts import Candidate, GateResult, Scorecard
from retrain.gates.harm import Harm, missing
from retrain.spec import Bless


def suspicious(scorecard: Scorecard, candidate: Candidate, bless: Bless) -> GateResult:
    """Fails if the improvement is shown to be beyond any ``bless.suspicious`` limit that is given.

    The relative limit is a share of the champion's loss: its score, or 1 − score where more is better.
    """
    limits = bless.suspicious
    if scorecard.champion is None:
        return GateResult(gate="suspicious", outcome="not applied", reason="there is no champion to compare with")
    if limits.absolute is None and limits.relative is None:
        return GateResult(gate="suspicious", outcome="not applied", reason="no limit is set")
    metric = str(bless.metric)
    score = scorecard.score(metric)
    harm = None if score is None else Harm.of(score)
    if score is None or score.champion is None or harm is None:
        return GateResult(gate="suspicious", outcome="failed", reason=missing(score, metric))
    loss = score.champion if score.better == "lower" else 1.0 - score.champion
    given = [limits.absolute] if limits.absolute is not None else []
    given += [limits.relative * loss] if limits.relative is not None else []
    limit, gain = min(given), -harm.most
    evidence = {
        "metric": metric,
        "challenger": score.challenger,
        "champion": score.champion,
        "improvement": -harm.point,
        "improvement_lower": gain,
        "limit": limit,
    }
    compared = f"{metric} {score.challenger:.4f} against the champion's {score.champion:.4f}"
    if gain > limit:
        reason = (
            f"suspiciously better: {compared}, shown to be at least {gain:.4f} better where {limit:.4g} is believable; "
            "look for a feature that knows the label"
        )
        return GateResult(gate="suspicious", outcome="failed", reason=reason, evidence=evidence)
    reason = f"{compared}: shown improvement {max(gain, 0.0):.4f}, believable up to {limit:.4g}"
    return GateResult(gate="suspicious", outcome="passed", reason=reason, evidence=evidence)
