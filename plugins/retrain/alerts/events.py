"""How a run ended, as something to tell people and programs. Plain text throughout: nothing in it is markup."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import Field

from retrain.artifacts import Moment, Report, Value, now
from retrain.spec.alert import Occasion

BAD = frozenset({"failed", "upstream_failed"})


class Event(Value):
    """How a run ended.

    :param on: failure, decision or success.
    :param version: the version it is about, if it came to one.
    :param headline: what happened, in one sentence.
    """

    outcome: ClassVar[str]
    advice: ClassVar[str]

    on: Occasion
    pipeline: str
    run: str
    version: int | None = None
    headline: str
    at: Moment = Field(default_factory=now)

    @property
    def kind(self) -> str:
        """What sort of event it is: ``RolledBack`` → ``rolled_back``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()

    @property
    def do(self) -> str:
        """What the reader should do now."""
        return self.advice.format(pipeline=self.pipeline, version=self.version or "VERSION", run=self.run)

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {"kind": self.kind, **self.model_dump(mode="json"), "do": self.do}


class Promoted(Event):
    """A challenger is the champion."""

    outcome = "promoted"
    advice = "nothing; to return to the champion before it: `retrain rollback {pipeline} --reason …`."


class RolledBack(Event):
    """A challenger was dropped; the champion answers everything."""

    outcome = "rolled back"
    advice = "see what was seen of it with `retrain ledger {pipeline}`; the champion before it answers everything."


class Paused(Event):
    """A release waits for a human."""

    outcome = "paused"
    advice = (
        "look at it with `retrain status {pipeline}`; go on with `retrain resume {pipeline} --reason …`, or drop it "
        "with `retrain abort {pipeline} --reason …`."
    )


class BeingReleased(Event):
    """The run is over and its release is not."""

    outcome = "being released"
    advice = "look at it with `retrain status {pipeline}`; end it with `retrain rollback {pipeline} --reason …`."


class RehearsalFailed(Event):
    """A candidate did not do in a gateway of its own what it does in training."""

    outcome = "rehearsal failed"
    advice = "mend what the headline names and run it again; the champion still serves."


class Stale(Event):
    """A blessed candidate grew too old before its release."""

    outcome = "stale"
    advice = "run it again on newer data: `retrain run {pipeline}`; the champion still serves."


class Rejected(Event):
    """A human said no, or nobody said yes in time."""

    outcome = "rejected"
    advice = "nothing; version {version} is not released and the champion still serves."


class AwaitingApproval(Event):
    """A blessed candidate waits for a human."""

    outcome = "awaiting approval"
    advice = "approve or reject version {version} in Airflow, under Required Actions."


class Vetoed(Event):
    """A gate said no."""

    outcome = "vetoed"
    advice = "mend what the gate names; or overrule it: `retrain bless {pipeline} {version} --reason …`."


class Undecided(Event):
    """The gates could not tell, so nothing is released."""

    outcome = "undecided"
    advice = "bring more data; or decide yourself: `retrain bless {pipeline} {version} --reason …`."


class FreshEnough(Event):
    """There was no need to retrain."""

    outcome = "fresh enough"
    advice = "nothing; the champion still serves."


class BadData(Event):
    """The data broke its expectations; nothing was trained."""

    outcome = "bad data"
    advice = "see the quarantine in the store, mend the data at its source and run it again; the champion still serves."


class RunFailed(Event):
    """Something broke."""

    outcome = "failed"
    advice = (
        "read the log of the stage that failed, mend it, and run it again; `retrain status {pipeline}` says who serves."
    )


class Interrupted(Event):
    """Somebody stopped the process of a run; what was being released is rolled back."""

    outcome = "interrupted"
    advice = "nothing, if it was meant; `retrain run {pipeline}` goes on from what is made."


class Unfinished(Event):
    """The run ended, by hand or because it was skipped, before it came to anything."""

    outcome = "unfinished"
    advice = "nothing, if it was ended on purpose; otherwise run it again."


EVENTS: dict[str, type[Event]] = {
    kind.outcome: kind
    for kind in (
        *(Promoted, RolledBack, Paused, BeingReleased, RehearsalFailed, Stale, Rejected, AwaitingApproval, Vetoed),
        *(Undecided, FreshEnough, BadData, RunFailed, Interrupted, Unfinished),
    )
}
"""A report's outcome → its event."""


def of_report(report: Report) -> Event:
    """The event of a run that was reported."""
    kind = EVENTS[report.outcome]
    return kind(
        on=_occasion(report),
        pipeline=report.pipeline,
        run=report.run,
        version=report.version,
        headline=report.headline,
    )


def _occasion(report: Report) -> Occasion:
    """A failure if any stage failed, whatever was decided besides."""
    if BAD & set(report.stages.values()):
        return "failure"
    return "success" if report.stages.get("promote") == "success" else "decision"
