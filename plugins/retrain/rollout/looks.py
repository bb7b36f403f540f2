"""The looks at a trial: the newest evidence whole, and how it came about, in one small object of the store.

The ledger says what was decided, and the log all that happened, which is much. In between lies this object, written by
whoever drives the release and read by whoever shows it: note, page, command line and chart cost the ledger, which is
known, and one small read; never the log.

It decides nothing. Where it is lost, unreadable or lying it is begun anew, and a store that does not take it holds up
nobody. What the ledger says of a trial (who, since when, which step, how it ended) is never taken from here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from pydantic import ValidationError

from retrain.artifacts import Moment, Value, canonical
from retrain.errors import StoreError
from retrain.ledger import Ledger
from retrain.ledger import trial as trials
from retrain.ledger.trial import Decision, Trial
from retrain.monitoring.evidence import ArmComparison, LiveEvidence
from retrain.rollout.progress import PhaseName, Progress
from retrain.site import Site
from retrain.spec import Spec
from retrain.words import second

MOST = 200
"""So many looks are kept of a trial."""

EVERY = 3.0
"""Seconds between two writes at least, where only the numbers are new."""

ALIVE = timedelta(minutes=1)
"""So often it is written at least while somebody looks, also where nothing is new."""

AtPatience = Literal["pause", "rollback"]
log = logging.getLogger(__name__)


class Look(Value):
    """What one look saw.

    :param requests: that the challenger got in this phase.
    :param step, share: where the release stood after it.
    :param values: metric → difference, its lower and its upper bound, where there are such.
    """

    at: Moment
    requests: int
    step: int
    share: float
    values: dict[str, tuple[float | None, float | None, float | None]]


class Looks(Value):
    """The object in the store.

    :param decision: the number of the ledger entry that stood after the newest look.
    :param due: somebody who looks has looked again, and said so here, by then.
    """

    version: int
    decision: int
    phase: PhaseName
    looked_at: Moment
    due: Moment
    summary: str
    alpha: float
    patience_ends: Moment | None
    on_patience: AtPatience
    evidence: LiveEvidence | None = None
    looks: tuple[Look, ...] = ()


class Keeper:
    """Keeps the looks of one phase. Whoever takes over goes on with what is there.

    :param spec: the pipeline.
    :param site: where store and ledger are.
    :param version: the challenger.
    :param phase: which one.
    """

    def __init__(self, spec: Spec, site: Site, version: int, phase: PhaseName) -> None:
        self.spec, self.site, self.version, self.phase = spec, site, version, phase
        self._begun = 0
        self._known: Looks | None = None
        self._written = 0.0
        self._told = False

    def keep(self, progress: Progress, patience: timedelta, on_patience: AtPatience) -> None:
        """Write down what a look came to, if there is something new. Nothing that goes wrong with it is an error.

        :param patience: how long the phase may go on undecided.
        :param on_patience: what happens then.
        """
        try:
            self._keep(progress, patience, on_patience)
        except Exception as error:  # it decides nothing, so it stops nothing
            if not isinstance(error, StoreError):
                self._known = None  # what is in it cannot be written again
            if not self._told:
                log.warning(
                    "How version %s of pipeline '%s' is doing could not be written down, and what is shown of it is "
                    "old: %s The release goes on.",
                    self.version,
                    self.spec.name,
                    error,
                )
            self._told = True

    def _keep(self, progress: Progress, patience: timedelta, on_patience: AtPatience) -> None:
        ledger = self.site.ledger(self.spec.name)
        trial = trials.find(ledger, self.version)
        if trial is None or _phase(trial) != self.phase:
            return
        if trial.begun.entry.number != self._begun:
            self._begun, self._known = trial.begun.entry.number, None
            self._known, self._written = read(self.spec.name, trial, self.site), 0.0
        present, under_way = ledger.present(), trial.ending is None
        looks, evidence = self._taken_up(trial, progress, present)
        new = Looks(
            version=self.version,
            decision=stands(trial).entry.number,
            phase=self.phase,
            looked_at=present,
            due=present + max(self.spec.canary.poll, ALIVE),
            summary=progress.summary,
            alpha=self.spec.canary.alpha,
            patience_ends=_ends(ledger, trial, patience),
            on_patience=on_patience,
            evidence=evidence,
            looks=looks,
        )
        if self._is_worth_writing(new, under_way=under_way):
            self.site.store.put(path(self.spec.name, trial), canonical(new))
            self._known, self._written, self._told = new, time.monotonic(), False

    def _taken_up(self, trial: Trial, progress: Progress, at: Moment) -> tuple[tuple[Look, ...], LiveEvidence | None]:
        """All looks with this one, if it saw something new; and the newest evidence of this phase."""
        before = self._known
        looks = before.looks if before is not None else ()
        evidence = before.evidence if before is not None and before.phase == self.phase else None
        if not progress.evidence:
            return looks, evidence
        seen = LiveEvidence.model_validate(progress.evidence)
        return (looks if seen == evidence else thinned((*looks, _look(trial, seen, at)))), seen

    def _is_worth_writing(self, new: Looks, *, under_way: bool) -> bool:
        before, passed = self._known, time.monotonic() - self._written
        if before is None or (before.decision, before.phase) != (new.decision, new.phase):
            return True
        if not under_way:
            return False
        if (before.summary, before.evidence) != (new.summary, new.evidence):
            return passed >= EVERY
        return passed >= ALIVE.total_seconds()


def _ends(ledger: Ledger, trial: Trial, patience: timedelta) -> Moment | None:
    """When patience ends; None for a trial that is paused or over."""
    state = trial.current.release.state
    return None if trial.ending or state == "paused" else ledger.at(trial.first(state).entry) + patience


def _look(trial: Trial, seen: LiveEvidence, at: Moment) -> Look:
    release = trial.current.release
    values = {
        metric.name: (_short(metric.difference), _short(metric.lower), _short(metric.upper)) for metric in seen.metrics
    }
    return Look(at=at, requests=seen.challenger, step=release.step, share=release.share, values=values)


def _short(value: float | None) -> float | None:
    """As many digits as a chart shows: the object is read at every refresh."""
    return None if value is None else float(f"{value:.5g}")


def thinned(looks: Sequence[Look]) -> tuple[Look, ...]:
    """At most MOST of them: of the older half every second one goes, but for the first and the first of each step."""
    kept = list(looks)
    while len(kept) > MOST:
        half = len(kept) // 2
        stays = {place for place in range(1, half) if kept[place].step != kept[place - 1].step}
        may_go = [place for place in range(1, half) if place not in stays]
        gone = set(may_go[::2] or range(1, len(kept) - MOST + 1))
        kept = [look for place, look in enumerate(kept) if place not in gone]
    return tuple(kept)


# -- reading -----------------------------------------------------------------------------------------------------


class Requests(Value):
    """How many requests each arm answered, or failed on, in this phase."""

    champion: int = 0
    challenger: int = 0


class TrialStory(Value):
    """How a trial goes, or went.

    :param phase: the one it is in, was in when it was paused, or ended in.
    :param steps: the shares of the whole ramp. :param step: counted from 1; 0 in the shadow.
    :param share: what the challenger is to get now: of the entities, or in the shadow of the requests.
    :param share_seen: what it got under this step.
    :param open: what must be excluded before a promotion and is not, with its numbers.
    :param waiting_labels: labels that are known, of answers that have not ripened.
    :param watched: does somebody look, by the clock of the ledger? None after its end, and where no look is known.
    """

    version: int
    champion: int | None
    phase: PhaseName
    state: Literal["shadowing", "ramping", "paused", "promoted", "rolled_back"]
    started: Moment
    ended: Moment | None
    step: int
    steps: tuple[float, ...]
    share: float
    share_seen: float | None
    looked_at: Moment | None
    watched: bool | None
    summary: str
    open: tuple[str, ...]
    doubts: tuple[str, ...]
    requests: Requests
    labels: int
    waiting_labels: int | None
    alpha: float | None
    patience_ends: Moment | None
    on_patience: AtPatience | None
    metrics: tuple[ArmComparison, ...]
    looks: tuple[Look, ...]


def trial_story(pipeline: str, site: Site) -> TrialStory | None:
    """The trial under way, or else the newest that ended; None where nothing was ever tried.

    :raises LedgerBroken, StoreError: the ledger cannot be read.
    """
    ledger = site.ledger(pipeline)
    trial = trials.newest(ledger)
    if trial is None:
        return None
    kept = read(pipeline, trial, site)
    release, active, phase = trial.current.release, trial.active.release, _phase(trial)
    fresh = kept if kept is not None and kept.decision == stands(trial).entry.number else None
    seen = _seen(ledger, trial, kept if kept is not None and kept.phase == phase else None)
    under_way = trial.ending is None
    return TrialStory(
        version=trial.version,
        champion=None if release.champion is None else release.champion.version,
        phase=phase,
        state=_state(trial),
        started=ledger.at(trial.begun.entry),
        ended=None if trial.ending is None else ledger.at(trial.ending.entry),
        step=active.step,
        steps=active.steps,
        share=release.shadow if phase == "shadow" else release.share,
        share_seen=None if seen is None else _share_seen(trial, phase, seen),
        looked_at=None if kept is None else kept.looked_at,
        watched=None if kept is None or not under_way else ledger.present() <= kept.due + ALIVE,
        summary=stands(trial).release.reason if fresh is None else fresh.summary,
        open=() if seen is None or not under_way else _open(seen),
        doubts=() if seen is None else seen.doubts,
        requests=Requests() if seen is None else Requests(champion=seen.champion, challenger=seen.challenger),
        labels=0 if seen is None else seen.labels,
        waiting_labels=None if seen is None else seen.waiting_labels,
        alpha=None if kept is None else kept.alpha,
        patience_ends=None if fresh is None else fresh.patience_ends,
        on_patience=None if kept is None else kept.on_patience,
        metrics=() if seen is None else seen.metrics,
        looks=() if kept is None else kept.looks,
    )


def unwatched(pipeline: str, story: TrialStory) -> str | None:
    """That nobody looks at a trial under way, since when, and what to do; None if somebody does, or it has ended."""
    if story.ended is not None or story.watched:
        return None
    since = "no look at it is known" if story.looked_at is None else f"the last look was at {second(story.looked_at)}"
    return (
        f"nobody watches version {story.version} of '{pipeline}' ({since}), so nothing is decided. Drive it with "
        f"`retrain run {pipeline} --redeploy {story.version}`, or clear the {story.phase} task of its run in Airflow."
    )


def path(pipeline: str, trial: Trial) -> str:
    """Where the looks at a trial lie in the store."""
    return f"{pipeline}/looks/{trial.begun.entry.number:08d}.json"


def read(pipeline: str, trial: Trial, site: Site) -> Looks | None:
    """The looks at a trial; None where there are none, or none that can be read."""
    try:
        found = Looks.model_validate_json(site.store.get(path(pipeline, trial)), extra="ignore")
    except (StoreError, ValidationError):
        return None
    return found if found.version == trial.version else None


def stands(trial: Trial) -> Decision:
    """The decision that a trial came to last."""
    return trial.ending or trial.current


def _phase(trial: Trial) -> PhaseName:
    return "shadow" if trial.active.release.state == "shadowing" else "canary"


def _state(trial: Trial) -> Literal["shadowing", "ramping", "paused", "promoted", "rolled_back"]:
    if trial.ending is not None:
        return "promoted" if trial.promoted else "rolled_back"
    state = trial.current.release.state
    return state if state == "shadowing" or state == "paused" else "ramping"


def _seen(ledger: Ledger, trial: Trial, kept: Looks | None) -> LiveEvidence | None:
    """The newest evidence: as it was kept, or of a canary that passed, as the ledger has it."""
    if kept is not None:
        return kept.evidence
    passed = trials.excluded(ledger, trial)
    try:
        return None if passed is None else LiveEvidence.model_validate(passed.evidence, extra="ignore")
    except ValidationError:
        return None


def _share_seen(trial: Trial, phase: PhaseName, seen: LiveEvidence) -> float | None:
    """What part the challenger got of the requests of the step that it is at."""
    here = trial.active.release
    alike = [one for one in trial.decisions if (one.release.state, one.release.step) == (here.state, here.step)]
    asked = sum(seen.asked.get(one.entry.number, 0) for one in alike)
    if phase == "shadow":
        return asked / seen.champion if seen.champion else None
    everything = asked + sum(seen.kept.get(one.entry.number, 0) for one in alike)
    return asked / everything if everything and seen.kept else None


def _open(seen: LiveEvidence) -> tuple[str, ...]:
    return tuple(metric.summary for metric in seen.metrics if metric.required and not metric.within)
