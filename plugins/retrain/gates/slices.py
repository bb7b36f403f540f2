"""Slice gate: is the challenger shown to be worse than the champion on some group of rows?"""

from __future__ import annotations

from pydantic import Field
from typing_extensions import override

from retrain.artifacts import GateResult, SliceScore
from retrain.gates.base import Evidence, Gate
from retrain.metrics.harm import Harm, missing


class Slices(Gate):
    """Groups of rows on which the challenger must hold its own."""

    columns: tuple[str, ...] = Field((), description="Raw input columns; each value is a slice.")
    hour_bands: bool = Field(False, description="Also slice by the time of day: night, morning, afternoon, evening.")
    min_rows: int = Field(200, ge=1, description="Smaller slices are left out, by name.")
    margin: float = Field(0.02, ge=0, description="How much worse a slice may be shown to be.")

    @override
    def needs(self) -> tuple[str, ...]:
        """The columns that are sliced by."""
        return self.columns

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Fails if harm beyond the margin is shown on a slice, or a slice lacks its score.

        The bounds of slices already allow for their number; see the evaluate stage.
        """
        scorecard = evidence.scorecard
        left_out = {"left_out": list(scorecard.left_out)}
        if scorecard.champion is None:
            return GateResult(gate="slices", outcome="not applied", reason="there is no champion to compare with")
        aside = f"; too small to judge: {', '.join(scorecard.left_out)}" if scorecard.left_out else ""
        if not scorecard.slices:
            asked = bool(self.columns) or self.hour_bands
            reason = f"no slice is large enough{aside}" if asked else "no slices are asked for"
            return GateResult(gate="slices", outcome="not applied", reason=reason, evidence=left_out)
        count = len(scorecard.slices)
        bad = [said for one in scorecard.slices if (said := _against(one, self.margin))]
        good = f"not shown to be worse than the margin {self.margin:g} on any of {count} slices"
        return GateResult(
            gate="slices",
            outcome="failed" if bad else "passed",
            reason=(f"worse on {len(bad)} of {count} slices: {'; '.join(bad)}" if bad else good) + aside,
            evidence={"slices": count, "margin": self.margin, "failed": bad, **left_out},
        )


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
