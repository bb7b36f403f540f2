"""One retraining of the demo: a run of the real Dag, asked for over Airflow's API and watched from outside.

What is told of it is read where any user could read it: Airflow's task states and notes, the ledger, the artifacts,
and the answers callers get.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from retrain.artifacts import Artifact
from retrain.demo.airflow_api import ENDED, AirflowError
from retrain.demo.data import LiveRequest
from retrain.demo.stack import PIPELINE, Stack
from retrain.demo.traffic import Tally, Traffic
from retrain.demo.view import View
from retrain.demo.waiting import looks
from retrain.ledger import Entry, StageDone, Trained
from retrain.ledger.overrule import roll_back
from retrain.ledger.release import Release

A = TypeVar("A", bound=Artifact)
NOTE = "retrain_note"
PAUSE = 0.5
PATIENCE = 300.0
RATE = 300.0
OVER = frozenset({"success", "failed"})
AT_WORK = frozenset({"running", "deferred", "up_for_retry"})


@dataclass(frozen=True)
class Live:
    """What is asked live while a challenger is tried.

    :param requests: asked from the moment the challenger is shadowed.
    :param once_live: asked instead as soon as the challenger answers live requests; None if nothing changes then.
    """

    requests: Sequence[LiveRequest]
    once_live: Sequence[LiveRequest] | None = None


@dataclass
class Retraining:
    """What came of one run.

    :param states: task id → how it ended.
    :param entries: what the run wrote into the ledger, oldest first.
    :param tally: what callers got while the release was tried; None without live traffic.
    :param seconds: wall time from the trigger to the end of the report.
    """

    stack: Stack
    run: str
    state: str = "running"
    states: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    tally: Tally | None = None
    first_error: str | None = None
    seconds: float = 0.0

    def artifact(self, kind: type[A]) -> A | None:
        """The run's artifact of a kind, or None if it did not come so far."""
        for entry in self.entries:
            if isinstance(entry.body, StageDone) and entry.body.artifact.kind == kind.kind:
                return self.stack.site.read(kind, entry.body.artifact)
        return None

    @property
    def releases(self) -> list[tuple[datetime, Release]]:
        """The routing decisions of the run, oldest first."""
        return [(e.at, e.body) for e in self.entries if isinstance(e.body, Release)]

    @property
    def version(self) -> int | None:
        """The version it trained."""
        trained = (entry.body.version for entry in self.entries if isinstance(entry.body, Trained))
        return next(trained, None)

    @property
    def trial_seconds(self) -> float:
        """Wall time of the canary: from the first live share to the decision."""
        ramped = [at for at, release in self.releases if release.state == "ramping"]
        decided = [at for at, release in self.releases if release.state in {"promoted", "rolled_back"}]
        return (decided[-1] - ramped[0]).total_seconds() if ramped and decided else 0.0


def retrain(stack: Stack, view: View, data_end: datetime, *, live: Live | None = None) -> Retraining:
    """Ask Airflow for a retraining and watch it to its end.

    :param live: replayed against the gateway from the moment the challenger is tried until it is decided about.
    :raises AirflowError: the run did not end in time.
    """
    began = time.monotonic()
    run = stack.airflow.api.trigger(PIPELINE, {"data_end": data_end.isoformat()})
    watched = Watched(stack, view, Retraining(stack, run), live)
    try:
        for _ in looks(PATIENCE, pause=PAUSE):
            if watched.look():
                return watched.result(time.monotonic() - began)
        watched.give_up()
    finally:
        watched.end_traffic()
    raise AirflowError(f"Run {run} did not end within {PATIENCE:g} s; its tasks: {watched.retraining.states}.")


class Watched:
    """A run under way: shows every task that ends, and keeps live traffic going while a challenger is tried."""

    def __init__(self, stack: Stack, view: View, retraining: Retraining, live: Live | None) -> None:
        self.stack, self.view, self.retraining, self.live = stack, view, retraining, live
        self.ledger = stack.site.ledger(PIPELINE)
        self.told = self.ledger.head
        self.traffic: Traffic | None = None

    def look(self) -> bool:
        """Look once. Is the run over?"""
        entries = self.ledger.entries()
        for entry in entries[self.told :]:
            if isinstance(entry.body, Release):
                self.show_release(entry.body)
        self.told = len(entries)
        self.attend_traffic(self.ledger.release())
        tasks = self.stack.airflow.api.tasks(PIPELINE, self.retraining.run)
        states = self.retraining.states
        ended = [task for task in tasks.values() if task["state"] in OVER and task["task_id"] not in states]
        for task in sorted(ended, key=lambda task: str(task["end_date"])):
            states[task["task_id"]] = task["state"]
            self.show(task)
        self.show_now(tasks)
        if states.get("report") is None:
            return False
        self.retraining.state = str(self.stack.airflow.api.run(PIPELINE, self.retraining.run)["state"])
        return self.retraining.state in ENDED

    def result(self, seconds: float) -> Retraining:
        """What came of it."""
        self.view.traffic("")
        self.retraining.entries = self.ledger.run_entries(self.retraining.run)
        self.retraining.seconds = seconds
        return self.retraining

    # -- live traffic ----------------------------------------------------------------------------------------

    def attend_traffic(self, release: Release) -> None:
        """Begin when a challenger is tried, end when it is decided about."""
        if self.live is not None and self.traffic is None and release.under_way:
            self.traffic = Traffic(
                self.stack.gateway_url, self.live.requests, name=self.retraining.run, rate=RATE
            ).start()
        if self.traffic is None or self.live is None or self.retraining.tally is not None:
            return
        if release.state == "ramping" and self.live.once_live is not None:
            self.traffic.turn_to(self.live.once_live)
        self.view.traffic(str(self.traffic.tally))
        if not release.under_way:
            self.end_traffic()

    def end_traffic(self) -> None:
        """Stop asking, and keep what callers got."""
        if self.traffic is None or self.retraining.tally is not None:
            return
        self.traffic.stop()
        self.retraining.tally = self.traffic.tally
        self.retraining.first_error = self.traffic.first_error
        self.view.line("said", "traffic", str(self.traffic.tally))
        self.view.traffic("")

    def give_up(self) -> None:
        """Nothing was decided in time: roll back by hand, so that the demo can go on."""
        if self.ledger.release().under_way:
            roll_back(self.ledger, to=None, actor="demo", reason="the demo waited too long for a decision")

    # -- the view --------------------------------------------------------------------------------------------

    def show(self, task: dict[str, Any]) -> None:
        """A task is over."""
        note = self.stack.airflow.api.xcom(PIPELINE, self.retraining.run, task["task_id"], NOTE)
        self.view.line(task["state"], task["task_id"], note or "", task["duration"])

    def show_release(self, release: Release) -> None:
        """A routing decision was taken."""
        if release.state == "ramping":
            self.view.line("said", f"canary at {release.share:.0%}", release.reason, lines=4)

    def show_now(self, tasks: dict[str, dict[str, Any]]) -> None:
        """What is under way; while a challenger is tried, why the release stands where it does."""
        at_work = [task["task_id"] for task in tasks.values() if task["state"] in AT_WORK]
        if at_work:
            release = self.ledger.release()
            self.view.doing(at_work[0], release.reason if release.under_way else "")
        else:
            self.view.doing("Airflow", "picks the next task")
