"""Slice gate: is the challenger shown to be worse than the champion on some group of rows?"""

from __future__ import annotations

from retrain.artifacts import Candidate, GateResult, Scorecard, SliceScore
from retrain.gates.harm import Harm, missing
from retrain.spec import Bless


def slices(scorecard: Scorecard, candidate: Candidate, bless: Bless) -> GateResult:
    """Fails if harm beyond ``bless.slices.margin`` is shown on a slice, or a slice lacks its score.

    The bounds of slices already allow for their number; see the evaluate stage.
    """
    if scorecard.champion is None:
        return GateResult(gate="slices", outcome="not applied", reason="there is no champion to compare with")
    aside = f"; too small to judge: {', '.join(scorecard.left_out)}" if scorecard.left_out else ""
    if not scorecard.slices:
        asked = bool(bless.slices.columns) or bless.slices.hour_bands
        reason = f"no slice is large enough{aside}" if asked else "no slices are asked for"
        return GateResult(gate="slices", outcome="not applied", reason=reason, evidence=_left_out(scorecard))
    margin = bless.slices.margin
    bad = [said for one in scorecard.slices if (said := _against(one, margin))]
    evidence = {"slices": len(scorecard.slices), "margin": margin, "failed": bad, **_left_out(scorecard)}
    if bad:
        reason = f"worse on {len(bad)} of {len(scorecard.slices)} slices: {'; '.join(bad)}{aside}"
        return GateResult(gate="slices", outcome="failed", reason=reason, evidence=evidence)
    reason = f"not shown to be worse than the margin {margin:g} on any of {len(scorecard.slices)} slices{aside}"
    return GateResult(gate="slices", outcome="passed", reason=reason, evidence=evidence)


def _against(one: SliceScore, margin: float) -> str | None:
    """What speaks against the challenger on a slice, if anything does."""
    name, harm = f"{one.column}={one.value}", Harm.of(one.score)
    if harm is None:
        return f"{name}: {missing(one.score, one.score.metric)}"
    if harm.least > margin:
        return (
            f"{name}: {one.score.metric} {one.score.challenger:.4f} against {one.score.champion:.4f}, "
            f"at least {harm.least:.4f} worse on {one.score.rows:,} rows"
        )
    return None


def _left_out(scorecard: Scorecard) -> dict[str, list[str]]:
    return {"left_out": list(scorecard.left_out)}
