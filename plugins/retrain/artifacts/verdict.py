"""What the gates said."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from retrain.artifacts.artifact import Artifact, Ref, Value

VerdictOutcome = Literal["blessed", "vetoed", "undecided"]


class GateResult(Value):
    """What one gate said, with its evidence in one sentence and in numbers."""

    gate: str
    outcome: Literal["passed", "failed", "undecided", "not applied"]
    reason: str
    evidence: dict[str, Any] = Field(default_factory=dict)


class Verdict(Artifact):
    """Blessed, vetoed, or undecided, gate by gate. Undecided never deploys."""

    kind: ClassVar[str] = "verdict"

    scorecard: Ref
    candidate: Ref
    version: int
    champion: int | None
    outcome: VerdictOutcome
    gates: tuple[GateResult, ...]
    reason: str

    @property
    @override
    def summary(self) -> str:
        return f"version {self.version} {self.outcome}: {self.reason}"
