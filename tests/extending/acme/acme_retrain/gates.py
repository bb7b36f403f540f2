"""Acme's gates."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from retrain.gates.base import Evidence, Gate, GateResult


class EqualRates(Gate):
    """Predictions must not differ by more than the margin between groups."""

    column: str = Field(description="The raw column that says to which group a row belongs.")
    margin: float = Field(0.1, gt=0, lt=1)

    def needs(self) -> Iterable[str]:
        return (self.column,)

    def judge(self, evidence: Evidence) -> GateResult:
        rates = evidence.predictions()["challenger"].groupby(evidence.inputs()[self.column]).mean()
        gap = float(rates.max() - rates.min())
        return GateResult(
            gate="equal_rates",
            outcome="passed" if gap <= self.margin else "failed",
            reason=f"rates by {self.column} differ by {gap:.3f}, at most {self.margin:g} allowed",
            evidence={"gap": gap, "groups": {str(group): float(rate) for group, rate in rates.items()}},
        )
