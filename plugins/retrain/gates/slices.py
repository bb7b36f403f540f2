"""Slice gate: is the challenger shown to be worse than the champion on some group of rows?"""

from __future__ import annotations

from pydantic import Field
from typing_extensions import override

from retrain.artifacts import GateResult, SliceScore
from retrain.artifacts.scorecard import FEWEST_DAYS
from retrain.gates.base import Evidence, Gate, unbounded
from retrain.metrics.harm import OF_A_SLICE, Harm, Margin, missing


class Slices(Gate):
    """Groups of rows on which the challenger must hold its own."""

    columns: tuple[str, ...] = Field((), description="Raw input columns; each value is a slice.")
    hour_bands: bool = Field(False, description="Also slice by the time of day: night, morning, afternoon, evening.")
    min_rows: int = Field(200, ge=1, description="Smaller slices are left out, by name.")
    margin: float | None = Field(None, ge=0, description="How much worse a slice may be shown to be, in its metric.")
    relative: float | None = Field(
        None,
        ge=0,
        description="The same as a share of the champion's loss on the slice; both hold where both are given. 0.15 "
        "where neither is.",
    )

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
        if scorecard.holdout_days < FEWEST_DAYS and (self.columns or self.hour_bands):
            return unbounded("slices", evidence, 0.0, "there are no bounds on slices")
        aside = f"; too small to judge: {', '.join(scorecard.left_out)}" if scorecard.left_out else ""
        if not scorecard.slices:
            asked = bool(self.columns) or self.hour_bands
            reason = f"no slice is large enough{aside}" if asked else "no slices are asked for"
            return GateResult(gate="slices", outcome="not applied", reason=reason, evidence=left_out)
        count = len(scorecard.slices)
        bad = [said for one in scorecard.slices if (said := self._against(one))]
        good = f"not shown to be worse by more than the margin on any of {count} slices{_unseen(scorecard.slices)}"
        return GateResult(
            gate="slices",
            outcome="failed" if bad else "passed",
            reason=(f"worse on {len(bad)} of {count} slices: {'; '.join(bad)}" if bad else good) + aside,
            evidence={"slices": count, "margin": self.margin, "relative": self.relative, "failed": bad, **left_out},
        )

    def _against(self, one: SliceScore) -> str | None:
        """What speaks against the challenger on a slice, if anything does."""
        name, margins = f"{one.column}={one.value}", Margin.of(one.score, self.margin, self.relative, OF_A_SLICE)
        if not margins:
            return f"{name}: {missing(one.score, one.score.metric)}"
        beyond = [margin for margin in margins if margin.harm.least > margin.width]
        if not beyond:
            return None
        return (
            f"{name}: {one.score.metric} {one.score.challenger:.4f} against {one.score.champion:.4f}, "
            f"at least {beyond[0].harm.least:.4f} worse on {one.score.rows:,} rows, margin {beyond[0].said}"
        )


def _unseen(slices: tuple[SliceScore, ...]) -> str:
    """How much harm would not have been seen, and what would show it."""
    harms = {f"{one.column}={one.value}": harm for one in slices if (harm := Harm.of(one.score))}
    if not harms:
        return ""
    widest = max(harms, key=lambda name: harms[name].most)
    return f"; {widest} may be up to {harms[widest].most:.4f} worse, which more days or fewer slices would tell"
