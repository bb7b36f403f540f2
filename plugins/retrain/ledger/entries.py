"""Every kind of ledger entry, each with a body of its own.

====================  ===========  ================================================================
body                  kind         written when
====================  ===========  ================================================================
:class:`StageDone`    stage        a stage of a run came to an artifact
:class:`Trained`      trained      a candidate got its version number
:class:`Judged`       verdict      the gates, or a human, judged a version
:class:`Answered`     approval     a human was asked, and answered or did not
:class:`FreshEnough`  fresh        a scheduled run ended early: the champion is fresh
:class:`Stale`        stale        a version was too old to be released
:class:`Rehearsed`    rehearsal    a version was rehearsed
:class:`Excluded`     canary       a canary has excluded harm: the version may be promoted
:class:`Release`      release      who answers requests was decided
====================  ===========  ================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import SerializeAsAny, field_validator, model_validator
from typing_extensions import override

from retrain.artifacts import ModelRef, Moment, Ref, Value, VerdictOutcome
from retrain.ledger.body import Body
from retrain.ledger.release import Release

GATES = "gates"
TIMEOUT = "airflow:timeout"


class StageDone(Body):
    """A stage of a run came to an artifact."""

    kind: ClassVar[str] = "stage"

    stage: str
    artifact: Ref
    made_at: Moment
    summary: str

    @property
    @override
    def line(self) -> str:
        return f"{self.stage}: {self.summary}"


class Trained(Body):
    """A candidate got its version number.

    :param run_id: its MLflow run.
    """

    kind: ClassVar[str] = "trained"

    version: int
    candidate: Ref
    model: ModelRef
    data_end: Moment
    snapshot: Ref
    run_id: str

    @property
    @override
    def line(self) -> str:
        return f"version {self.version} trained on data until {self.data_end:%Y-%m-%d %H:%M}"


class Judged(Body):
    """A version was judged.

    :param verdict: the gates' verdict; None for a human's.
    :param by: ``gates``, or who overruled them.
    """

    kind: ClassVar[str] = "verdict"

    version: int
    outcome: VerdictOutcome
    reason: str
    verdict: Ref | None
    by: str = GATES

    @property
    @override
    def line(self) -> str:
        who = "" if self.by == GATES else f" by {self.by}"
        return f"version {self.version} {self.outcome}{who}: {self.reason}"


class Answered(Body):
    """A human was asked whether a version may be released. No answer in time is a rejection."""

    kind: ClassVar[str] = "approval"

    version: int
    approved: bool
    reason: str

    @property
    @override
    def line(self) -> str:
        word = "approved" if self.approved else "rejected"
        return f"version {self.version} {self.reason if self.reason.startswith(word) else f'{word}: {self.reason}'}"


class FreshEnough(Body):
    """A scheduled run ended early: the champion is fresh and nothing has drifted."""

    kind: ClassVar[str] = "fresh"

    reason: str
    champion: int

    @property
    @override
    def line(self) -> str:
        return f"ended early: {self.reason}"


class Stale(Body):
    """A version was too old to be released."""

    kind: ClassVar[str] = "stale"

    version: int
    reason: str

    @property
    @override
    def line(self) -> str:
        return f"version {self.version} is stale: {self.reason}"


class Rehearsed(Body):
    """A version was loaded in a sandbox and asked real requests."""

    kind: ClassVar[str] = "rehearsal"

    version: int
    passed: bool
    reason: str
    rehearsal: Ref | None

    @property
    @override
    def line(self) -> str:
        return f"version {self.version} rehearsal {'passed' if self.passed else 'failed'}: {self.reason}"


class Excluded(Body):
    """A canary has excluded harm: without this entry nothing is promoted.

    :param evidence: what was seen, as plain JSON.
    """

    kind: ClassVar[str] = "canary"

    version: int
    passed: bool
    reason: str
    evidence: dict[str, Any]

    @property
    @override
    def line(self) -> str:
        return f"version {self.version} canary {'passed' if self.passed else 'failed'}: {self.reason}"


BODIES: Mapping[str, type[Body]] = {
    body.kind: body for body in (StageDone, Trained, Judged, Answered, FreshEnough, Stale, Rehearsed, Excluded, Release)
}


class Entry(Value):
    """One decision.

    :param number: 1, 2, 3 … without a gap.
    :param actor: who decided: ``airflow:schedule``, ``cli:alice``, ``canary`` …
    :param run: the retraining it belongs to, if any.
    :param once: names the decision itself; the same decision is never written twice.
    :param body: what was decided, by kind.
    :param previous: SHA-256 of the bytes of the entry before.
    """

    number: int
    pipeline: str
    at: Moment
    kind: str
    actor: str
    run: str | None = None
    once: str | None = None
    body: SerializeAsAny[Body]
    previous: str

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in BODIES:
            raise ValueError(f"one of {', '.join(BODIES)}")
        return kind

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, data: Any) -> Any:
        """Give the body the class of its kind.

        A field that a newer writer added to a body must not deafen those who read on for releases. What a release
        says, though, is understood whole or not at all: it decides who is asked.
        """
        if not isinstance(data, dict) or isinstance(data.get("body"), Body):
            return data
        body = BODIES.get(str(data.get("kind")))
        if body is None:
            return data
        unknown: Literal["forbid", "ignore"] = "forbid" if body is Release else "ignore"
        return {**data, "body": body.model_validate(data.get("body"), extra=unknown)}

    @property
    def summary(self) -> str:
        """What happened, in one line."""
        return self.body.line

    @property
    def by(self) -> Literal["human", "machine"]:
        """Who decided it. Machines release within a run; a human steps in from outside of any."""
        match self.body:
            case Judged(by=who):
                human = who != GATES
            case Answered():
                human = self.actor != TIMEOUT
            case Release():
                human = self.run is None and ":" in self.actor
            case _:
                human = False
        return "human" if human else "machine"
