"""How the challenger did in a gateway of its own."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from retrain.artifacts.artifact import Artifact, Ref


class Rehearsal(Artifact):
    """The challenger in a gateway of its own, asked real requests.

    :param mismatches: answers that were not the training side's prediction.
    """

    kind: ClassVar[str] = "rehearsal"

    candidate: Ref
    version: int
    passed: bool
    requests: int
    failures: int
    mismatches: int
    load_seconds: float
    p50_ms: float | None
    p95_ms: float | None
    reason: str

    @property
    @override
    def summary(self) -> str:
        return f"version {self.version} rehearsal {'passed' if self.passed else 'failed'}: {self.reason}"
