"""Value gate: is the score itself shown to be good enough?"""

from __future__ import annotations

from typing import Any

from retrain.artifacts import Candidate, GateResult, Scorecard
from retrain.spec import Bless


def value(scorecard: Scorecard, candidate: Candidate, bless: Bless) -> GateResult:
    """``bless.lower ≤ score ≤ bless.upper``, of the score's bounds."""
    metric = str(bless.metric)
    if bless.lower is None and bless.upper is None:
        return GateResult(gate="value", outcome="not applied", reason="no lower or upper limit is set")
    score = scorecard.score(metric)
    if score is None or score.challenger is None or score.challenger_lower is None or score.challenger_upper is None:
        return GateResult(gate="value", outcome="failed", reason=f"the {metric} of the challenger cannot be computed")
    low, high = score.challenger_lower, score.challenger_upper
    given = {"at least": bless.lower, "at most": bless.upper}
    limits = [f"{which} {limit:g}" for which, limit in given.items() if limit is not None]
    stated = f"{metric} {score.challenger:.4f} (between {low:.4f} and {high:.4f}), required {' and '.join(limits)}"
    evidence: dict[str, Any] = {
        "metric": metric,
        "score": score.challenger,
        "lower_bound": low,
        "upper_bound": high,
        "lower": bless.lower,
        "upper": bless.upper,
    }
    if (bless.lower is not None and high < bless.lower) or (bless.upper is not None and low > bless.upper):
        return GateResult(gate="value", outcome="failed", reason=f"{stated}: shown to be outside", evidence=evidence)
    if (bless.lower is None or low >= bless.lower) and (bless.upper is None or high <= bless.upper):
        return GateResult(gate="value", outcome="passed", reason=stated, evidence=evidence)
    return GateResult(gate="value", outcome="undecided", reason=f"{stated}: not shown", evidence=evidence)
