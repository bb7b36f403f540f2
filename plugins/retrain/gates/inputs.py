"""Inputs gate: has an input died? A model that counts on what is gone is worse than its score on older rows says."""

from __future__ import annotations

from typing_extensions import override

from retrain.artifacts import GateResult
from retrain.gates.base import Evidence, Gate


class Inputs(Gate):
    """No input or feature that varied in training may be one value, or none, in the newest rows."""

    @override
    def judge(self, evidence: Evidence) -> GateResult:
        """Fails if one is, for ten times as long as ever before. A column may be constant in stretches, or sparse."""
        dead = evidence.dead()
        if dead:
            do = "mend the source, or take it out of `source.inputs` and the features"
            return GateResult(
                gate="inputs", outcome="failed", reason=f"{'; '.join(dead)}: {do}", evidence={"dead": list(dead)}
            )
        return GateResult(gate="inputs", outcome="passed", reason="every input and feature still varies as it did")
