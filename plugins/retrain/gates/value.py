"""Value gate: is the score itself shown to be good enough?"""

from __future__ import annotations

from math import isfinite

from pydantic import Field
from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate, unbounded


class Value(Gate):
    """What the score itself must be shown to be, whatever the champion's is."""

    lower: float | None = Field(None, description="The score must be shown to be above this.")
    upper: float | None = Field(None, description="The score must be shown to be below this.")

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """``lower ≤ score ≤ upper``, of the score's bounds."""
        if self.lower is None and self.upper is None:
            return GateResult(gate="value", outcome="not applied", reason="no lower or upper limit is set")
        metric, score = evidence.metric, evidence.score
        found = () if score is None else (score.challenger, score.challenger_lower, score.challenger_upper)
        known = [number for number in found if number is not None and isfinite(number)]
        if len(known) < 3:
            return unbounded(
                "value",
                evidence,
                score.challenger if score else None,
                f"the {metric} of the challenger cannot be computed",
            )
        point, low, high = known
        given = {"at least": self.lower, "at most": self.upper}
        limits = " and ".join(f"{which} {limit:g}" for which, limit in given.items() if limit is not None)
        stated = f"{metric} {point:.4f} (between {low:.4f} and {high:.4f}), required {limits}"
        numbers = {"metric": metric, "score": point, "lower_bound": low, "upper_bound": high, **self.model_dump()}
        if (self.lower is not None and high < self.lower) or (self.upper is not None and low > self.upper):
            return GateResult(gate="value", outcome="failed", reason=f"{stated}: shown to be outside", evidence=numbers)
        if (self.lower is None or low >= self.lower) and (self.upper is None or high <= self.upper):
            return GateResult(gate="value", outcome="passed", reason=stated, evidence=numbers)
        return GateResult(gate="value", outcome="undecided", reason=f"{stated}: not shown", evidence=numbers)
