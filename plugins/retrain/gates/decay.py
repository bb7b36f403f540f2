"""Decay gate: has the champion fallen from what it was blessed at? Then no worse than the champion is not enough."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field
from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate, unbounded
from retrain.metrics.fall import Fall, at_blessing
from retrain.metrics.harm import Harm

REGAINED = 0.25
"""The share of a champion's fall that a challenger must be shown to win back."""


class Decay(Gate):
    """How far a champion may fall before a challenger must be better than it, not merely no worse."""

    lost: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="0.5: half as much loss again, or half of what it is ahead of the best constant, whichever is "
        "less; more than that it must be shown to have lost since it was blessed.",
    )

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Undecided where the champion is shown to have fallen and the challenger does not win back enough of it."""
        if evidence.scorecard.champion is None:
            return GateResult(gate="decay", outcome="not applied", reason="there is no champion")
        then, now = at_blessing(evidence.past, evidence.metric), evidence.scorecard.share
        if then is None:
            reason = "the score at which the champion was blessed is not found"
            return GateResult(gate="decay", outcome="not applied", reason=reason)
        fall = Fall.between(then, now)
        if fall is None:
            why = "what the champion loses beside a constant cannot be computed"
            return unbounded("decay", evidence, now.champion if now else None, why)
        allowed = self.lost * (min(fall.before, 1.0 - fall.before) if fall.before < 1.0 else fall.before)
        fallen = fall.least > allowed
        outcome, reason = _came_of(fall, evidence) if fallen else ("passed", _held(fall, evidence))
        numbers = {**asdict(fall), "allowed": allowed, "fallen": fallen}
        return GateResult(gate="decay", outcome=outcome, reason=reason, evidence=numbers)


def _held(fall: Fall, evidence: Evidence) -> str:
    """What is said of a champion that was not shown to have fallen."""
    harm = None if evidence.score is None else Harm.relative(evidence.score)
    only = "; only the challenger is bad" if harm is not None and harm.least > 0.0 else ""
    return f"the champion is not shown to have fallen: {_levels(fall, evidence)}{only}"


def _came_of(fall: Fall, evidence: Evidence) -> tuple[Literal["passed", "undecided"], str]:
    """What is said where the champion has fallen: has the world moved, or did the data break?"""
    fell = f"the champion has fallen: {_levels(fall, evidence)}"
    share = fall.regained / (fall.now - fall.before)
    if share >= REGAINED:
        return "passed", f"{fell}; the world moved, and the challenger is shown to win back {share:.0%} of it"
    return "undecided", (
        f"{fell}; the challenger fell with it and is not shown to win back {REGAINED:.0%}: most likely the newest rows "
        "are broken; if they are right, the world has moved and neither model has learnt it yet"
    )


def _levels(fall: Fall, evidence: Evidence) -> str:
    then = None if evidence.past is None else evidence.past.score(evidence.metric)
    now = evidence.score
    if then is None or then.challenger is None or now is None or now.champion is None:
        return f"{fall.before:.0%} of the best constant's loss when it was blessed, {fall.now:.0%} now"
    return (
        f"{evidence.metric} {then.challenger:.4f} when it was blessed, {now.champion:.4f} now, which is "
        f"{fall.before:.0%} and {fall.now:.0%} of the best constant's loss"
    )
