"""Suspicious-improvement gate: is the challenger too much better to be true? Then the label has leaked, most likely."""

from __future__ import annotations

from pydantic import Field
from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate, unbounded
from retrain.metrics.fall import Fall, at_blessing
from retrain.metrics.harm import Harm, loss, missing


class Suspicious(Gate):
    """How much better than the champion is too good to be true."""

    absolute: float | None = Field(None, gt=0, description="In units of the metric.")
    relative: float | None = Field(0.3, gt=0, description="0.3: a loss 30 % lower than the champion's.")

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Fails if the improvement is shown to be beyond any limit that is given.

        The relative limit is a share of the champion's loss: its score, or 1 − score where more is better. Beside a
        champion that has fallen since it was blessed much is believable: it is then compared with what that was.
        """
        if evidence.scorecard.champion is None:
            return GateResult(gate="suspicious", outcome="not applied", reason="there is no champion to compare with")
        if self.absolute is None and self.relative is None:
            return GateResult(gate="suspicious", outcome="not applied", reason="no limit is set")
        metric, score = evidence.metric, evidence.score
        harm = None if score is None else Harm.relative(score)
        if score is None or harm is None:
            return unbounded("suspicious", evidence, score.difference if score else None, missing(score, metric))
        limit, gain = self._limit(abs(loss(score))), -harm.most
        numbers = {"metric": metric, "challenger": score.challenger, "champion": score.champion}
        numbers |= {"improvement": -harm.point, "improvement_lower": gain, "limit": limit}
        compared = f"{metric} {score.challenger:.4f} against the champion's {score.champion:.4f}"
        suspicious = gain > limit
        if suspicious and not self._believable_then(evidence):
            reason = (
                f"suspiciously better: {compared}, shown to be at least {gain:.4f} better where {limit:.4g} is "
                "believable; look for a feature that knows the label"
            )
            return GateResult(gate="suspicious", outcome="failed", reason=reason, evidence=numbers)
        reason = f"{compared}: shown improvement {max(gain, 0.0):.4f}, believable up to {limit:.4g}"
        if suspicious:
            reason += ", and beyond that as the champion has fallen: not beyond what it was blessed at"
        return GateResult(gate="suspicious", outcome="passed", reason=reason, evidence=numbers)

    def _believable_then(self, evidence: Evidence) -> bool:
        """Is the champion shown to have fallen, and the improvement believable beside what it was blessed at?"""
        then, now = at_blessing(evidence.past, evidence.metric), evidence.scorecard.share
        fall = None if then is None else Fall.between(then, now)
        if fall is None or evidence.score is None or fall.least <= 0.0 or fall.now <= 0.0:
            return False
        constant = loss(evidence.score) / fall.now
        return fall.beyond * constant <= self._limit(fall.before * constant)

    def _limit(self, champion: float) -> float:
        """The improvement that is just believable: the smaller of the limits that are given."""
        given = (self.absolute, None if self.relative is None else self.relative * champion)
        return min(limit for limit in given if limit is not None)
