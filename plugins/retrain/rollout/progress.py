"""How far a shadow or a canary has come."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retrain.artifacts import Value

PhaseName = Literal["shadow", "canary"]
ProgressState = Literal["waiting", "done", "rolled_back", "paused"]


class Progress(Value):
    """What one look at a release came to.

    :param state: ``waiting`` (look again later), ``done`` (go on), ``rolled_back``, or ``paused`` (a human must
        resume or abort; look again later).
    :param decided: nothing more will come of looking again.
    :param summary: why, in one line.
    :param evidence: the numbers behind it, plain JSON.
    """

    phase: PhaseName
    state: ProgressState
    decided: bool
    summary: str
    evidence: dict[str, Any] = Field(default_factory=dict)


def progress(phase: PhaseName, state: ProgressState, summary: str, evidence: dict[str, Any] | None = None) -> Progress:
    """A progress that is decided if its state says so."""
    decided = state in {"done", "rolled_back"}
    return Progress(phase=phase, state=state, decided=decided, summary=summary, evidence=evidence or {})
