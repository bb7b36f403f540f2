"""Baseline gate: is the model shown to beat the majority class (or the mean) and a one-feature model?"""

from __future__ import annotations

from math import exp, hypot, isfinite, log
from typing import Literal

from typing_extensions import override

from retrain.artifacts import GateResult, Score
from retrain.gates.base import Evidence, Gate, unbounded
from retrain.metrics.fall import at_blessing
from retrain.metrics.harm import Harm, loss, missing

BEHIND = 0.05
"""The share of its loss by which a model must be shown not to be worse than one feature alone."""

WORTH = 0.01
"""An improvement that cannot be shown and is surely smaller than this share of the loss is none."""


class Baseline(Gate):
    """A model must be shown to beat the majority class (or the mean), and to be no worse than one feature alone."""

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Passes if it is shown to beat the constant and not to lag behind one feature, and measured to beat both.

        Shown it must be on the level of the held-out labels: model and baseline have the mean of the labels there, so
        that the better one knows more and was not luckier. That leaves a model whose level is so wrong that a baseline
        does better as both stand; this is measured, not bounded, as the burden of proof is on what a model knows.

        One feature may be nearly as good as an honest model, by less than two weeks can show. What is as good as that
        harms nobody, so it is enough that it is shown not to be worse by more than :data:`BEHIND`.

        The champion has shown that it beats the constant, on other days. A challenger that is shown to be so little
        worse that it still does need not show it again; see :func:`_by_the_champion`.

        It fails, and no further evidence is waited for, where the model is measured to be no better, or shown to be at
        best better than the constant by less than :data:`WORTH` of its loss.
        """
        scorecard = evidence.scorecard
        if not scorecard.baselines or scorecard.baselines.keys() != scorecard.levelled.keys():
            return GateResult(gate="baseline", outcome="failed", reason="no baseline was scored")
        said = [_against(name, score, evidence) for name, score in scorecard.baselines.items()]
        worst = min(said, key=lambda result: ("failed", "undecided", "passed").index(result.outcome)).outcome
        return GateResult(
            gate="baseline",
            outcome=worst,
            reason="; ".join(result.reason for result in said if result.outcome == worst),
            evidence={
                name: {
                    "standing": score.model_dump(mode="json"),
                    "levelled": scorecard.levelled[name].model_dump(mode="json"),
                }
                for name, score in scorecard.baselines.items()
            },
        )


def _against(name: str, standing: Score, evidence: Evidence) -> GateResult:
    score, spoken = evidence.scorecard.levelled[name], name.replace("_", "-")
    harm = Harm.relative(score)
    if harm is None or standing.difference is None:
        reason = missing(score, score.metric).replace("champion", f"{spoken} baseline")
        known = None if standing.difference is None else score.difference
        return unbounded("baseline", evidence, known, f"against the {spoken} baseline: {reason}")
    behind = BEHIND * abs(loss(score)) if name == "one_feature" else 0.0
    outcome, shown = _shown(harm, score, behind, evidence.scorecard.holdout_days)
    most = _by_the_champion(evidence)
    if outcome == "undecided" and not behind and most is not None and most < 1.0:
        outcome, shown = "passed", f"better as measured, and by way of the champion at most {most:.1%} of its loss"
    compared = f"{score.metric} {score.challenger:.4f} against the {spoken} baseline's {score.champion:.4f}"
    if outcome == "passed" and not _measured_better(standing):
        outcome = "failed"
        shown += (
            f"; but as they stand it is {standing.challenger:.4f} against {standing.champion:.4f}: wrong in its level"
        )
    return GateResult(gate="baseline", outcome=outcome, reason=f"{compared}, both on the labels' level: {shown}")


def _shown(harm: Harm, score: Score, behind: float, days: int) -> tuple[Literal["passed", "failed", "undecided"], str]:
    """What the bounds come to."""
    if harm.most < 0.0:
        return "passed", f"at least {-harm.most:.4f} better"
    if harm.point >= 0.0:
        return "failed", "no better"
    if behind:
        shown = f"better as measured, at most {harm.most:.4f} worse"
        if harm.most <= behind:
            return "passed", shown
        return "undecided", f"{shown}, where {behind:.4f} would do: {harm.days_wanted(behind, days)}"
    if -harm.least < WORTH * abs(loss(score)):
        return "failed", f"at best {-harm.least:.2g} better, which is not worth a model"
    return "undecided", f"better as measured, but not shown to be: {harm.days_wanted(0.0, days)}"


def _by_the_champion(evidence: Evidence) -> float | None:
    """The share of the best constant's loss that the challenger loses at most, by what the champion was blessed at.

    The product of two ratios of different holdouts, the champion's to the constant then and the challenger's to the
    champion now; the squares of their bounds, as logarithms, add up. That the champion has not fallen since is asked by
    the decay gate.
    """
    then, now = at_blessing(evidence.past, evidence.metric), evidence.score
    found = then and now and (then.challenger, then.challenger_upper, now.ratio, now.ratio_upper)
    known = [number for number in found or () if number is not None and isfinite(number) and number > 0.0]
    if len(known) < 4:
        return None
    share, share_upper, ratio, ratio_upper = known
    return share * ratio * exp(hypot(log(share_upper / share), log(ratio_upper / ratio)))


def _measured_better(score: Score) -> bool:
    """Is the model better as measured?"""
    return (score.difference or 0.0) * (1.0 if score.better == "lower" else -1.0) < 0.0
