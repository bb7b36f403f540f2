"""What shadow and canary share: a challenger that is begun, looked at, rolled back; and who drives it may change.

A phase holds the pipeline, the request, the candidate and, while it decides, the ledger's head and the trial. It
keeps nothing that the ledger and the target do not hold: whoever dies, the next one goes on from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import ClassVar

from retrain.artifacts import Candidate, Request
from retrain.errors import GatewayError, LogBroken, RetrainError, StoreError
from retrain.ledger import Body, Served
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.ledger.release import ReleaseState
from retrain.ledger.trial import Trial
from retrain.monitoring.evidence import LiveEvidence
from retrain.rollout import permission, routing
from retrain.rollout.looks import AtPatience, Keeper
from retrain.rollout.progress import PhaseName, Progress, ProgressState, progress
from retrain.site import Site
from retrain.spec import FILE, Spec
from retrain.targets.base import Watch, target_of


class Phase(ABC):
    """A part of a release, for one candidate of one run.

    :param spec: the pipeline.
    :param request: of the run that drives it.
    :param candidate: the challenger.
    :param site: where ledger and log are.
    """

    name: ClassVar[PhaseName]
    state: ClassVar[ReleaseState]
    """The state of a release that is in this phase."""
    harm: ClassVar[str]
    """How harm is spoken of."""
    without_champion: ClassVar[str]
    """What a release without a champion to compare with means for this phase."""

    def __init__(self, spec: Spec, request: Request, candidate: Candidate, site: Site) -> None:
        self.spec, self.request, self.candidate, self.site = spec, request, candidate, site
        self.version = candidate.version
        self.ledger = site.ledger(spec.name)
        self._target_agrees = False

    def begin(self) -> Progress:
        """Start the phase, or say why there is none; a release already under way is joined.

        May be called any number of times by any number of drivers.

        :raises ReleaseError: the ledger does not allow to release this version.
        :raises UsageError: the canary is to be skipped without a reason.
        """
        return self._kept(self._settle(self._begin))

    def look(self) -> Progress:
        """Look once at the evidence, take the step it allows or demands, and write it down.

        The clock of the release is the ledger's, so a driver may die and another one go on. Where the stamp of a
        decision is not to be believed it is stated again, and what lasts is counted from then: see :meth:`_dated`.
        """
        return self._kept(self._settle(self._look))

    # -- for each phase ------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def patience(self) -> timedelta:
        """How long the phase may go on undecided."""

    @property
    @abstractmethod
    def on_patience(self) -> AtPatience:
        """What happens then."""

    @property
    @abstractmethod
    def unasked(self) -> str | None:
        """Why the pipeline does without this phase; None if it does not."""

    @abstractmethod
    def not_begun(self, trial: Trial) -> bool:
        """Is this trial still before this phase?"""

    @abstractmethod
    def start(self, trial: Trial | None, champion: Served, head: int) -> Progress:
        """Write the first decision of this phase."""

    @abstractmethod
    def elsewhere(self, trial: Trial) -> Progress:
        """What a trial under way that has been begun, by whomever, means for this phase."""

    @abstractmethod
    def evidence(self) -> LiveEvidence:
        """What is seen now."""

    @abstractmethod
    def judge(self, trial: Trial, seen: LiveEvidence, head: int) -> Progress:
        """Go on, wait or end, on evidence that shows no harm."""

    @abstractmethod
    def lose_patience(self, trial: Trial, lacking: str, head: int, seen: LiveEvidence | None = None) -> Progress:
        """End a phase that came to no decision in time."""

    # -- what they share -----------------------------------------------------------------------------------------

    @cached_property
    def watch(self) -> Watch:
        """What the target shows of the challenger; it costs nothing before the first look."""
        return target_of(self.spec).watch(self.candidate, self.spec, self.site)

    @cached_property
    def looks(self) -> Keeper:
        """What is written down of each look, for those who want to see."""
        return Keeper(self.spec, self.site, self.version, self.name)

    def progress(self, state: ProgressState, summary: str, seen: LiveEvidence | None = None) -> Progress:
        """What a look came to. Whoever waits is told of a clock that is wrong."""
        doubt = self.ledger.doubt() if state == "waiting" else None
        summary = f"{summary}; {doubt}" if doubt is not None else summary
        return progress(self.name, state, summary, seen.model_dump(mode="json") if seen is not None else None)

    def roll_back(self, trial: Trial, reason: str, head: int, seen: LiveEvidence | None = None) -> Progress:
        """Drop the challenger."""
        dropped = machine.roll_back(trial.current.release, reason=reason)
        self.write(dropped, trial, head)
        return self.progress("rolled_back", f"version {self.version} was rolled back: {reason}", seen)

    def paused(self, trial: Trial) -> Progress:
        """It is paused: nothing goes on before a human says so."""
        return self.progress("paused", self.waits_for_a_human(trial.current.release.reason))

    def waits_for_a_human(self, reason: str) -> str:
        """Why it is paused, and what there is to do."""
        name = self.spec.name
        return (
            f"version {self.version} is paused: {reason}; to go on: `retrain resume {name} --reason …`, "
            f"to drop it: `retrain abort {name} --reason …`"
        )

    def write(self, body: Body, trial: Trial, head: int) -> None:
        """Write a decision of this phase, as part of the run that began the trial."""
        self.ledger.append(body, actor=self.name, run=trial.begun.entry.run, after=head)

    def out_of_patience(self, trial: Trial) -> bool:
        """Has it been in this phase for too long?"""
        return self.ledger.age(trial.first(self.state).entry) > self.patience

    def _kept(self, progress: Progress) -> Progress:
        self.looks.keep(progress, self.patience, self.on_patience)
        return progress

    def _settle(self, decide: Callable[[int], Progress]) -> Progress:
        """Decide; and see that the target agrees, also with what an earlier driver decided and died of."""
        agreed, self._target_agrees = self._target_agrees, False
        before = self.ledger.release_number()
        settled = self.ledger.settle(decide)
        if self.ledger.release_number() != before:
            routing.follow(self.spec, self.site)
        elif not agreed:
            routing.apply(self.spec, self.site)
        self._target_agrees = True
        return settled

    def _begin(self, head: int) -> Progress:
        trial = trials.of_run(self.ledger, self.request, self.version)
        if trial is not None and not self.not_begun(trial):
            return self._stands(trial)
        champion = self.ledger.champion()
        if champion is None:
            return self.progress("done", self.without_champion.format(version=self.version))
        if champion.version == self.version:
            return self.progress("done", f"version {self.version} is the champion already")
        if self.request.skip_canary:
            return self.progress("done", permission.reason_to_skip(self.request))
        if self.unasked is not None:
            return self.progress("done", self.unasked)
        return self.start(trial, champion, head)

    def _look(self, head: int) -> Progress:
        trial = trials.find(self.ledger, self.version)
        if trial is None or self.not_begun(trial):
            return self._begin(head)
        if trial.ending is None and (veto := permission.revoked(self.ledger, self.version)) is not None:
            return self.roll_back(trial, veto, head)
        if trial.ending is not None or trial.current.release.state != self.state:
            return self._stands(trial)
        trial, head = self._dated(trial, head)
        try:
            seen = self._see()
        except (StoreError, LogBroken) as error:
            unread = f"the prediction log cannot be read: {error}"
            if self.out_of_patience(trial):
                return self.lose_patience(trial, unread, head)
            return self.progress("waiting", unread)
        if seen.harm is not None:
            return self.roll_back(trial, f"{self.harm}: {seen.harm}", head, seen)
        return self.judge(trial, seen, head)

    def _dated(self, trial: Trial, head: int) -> tuple[Trial, int]:
        """A trial that the ledger knows the age of: where no stamp is to be believed the decision is stated again.

        A decision from a wrong clock, a day ahead, say, would otherwise be as old as each new driver has known it.
        """
        first = trial.step[0]
        if self.ledger.dated(first.entry):
            return trial, head
        doubt = self.ledger.doubt() or f"the stamp of ledger entry {first.entry.number} is not to be believed"
        again = first.release.model_copy(update={"reason": f"{first.release.reason}; stated again: {doubt}"})
        self.write(again, trial, head)
        head = self.ledger.head
        return trials.find(self.ledger, self.version) or trial, head

    def _see(self) -> LiveEvidence:
        """What is seen now.

        :raises GatewayError: instead of whatever somebody's target raises.
        """
        try:
            return self.evidence()
        except RetrainError:
            raise
        except Exception as error:
            raise GatewayError(
                f"The target '{target_of(self.spec).kind}' of '{self.spec.name}' does not show what comes of version "
                f"{self.version}: {type(error).__name__}: {error}.",
                where=f"{self.spec.folder / FILE}, key `canary.target`",
                do="see that it is up, and mend its `watch` if it is; nothing is decided without it.",
            ) from error

    def _stands(self, trial: Trial) -> Progress:
        """What a trial that is there already means: its end, or where it is."""
        if trial.ending is None:
            return self.elsewhere(trial)
        reason = trial.ending.release.reason
        if trial.promoted:
            return self.progress("done", f"version {self.version} is promoted: {reason}")
        return self.progress("rolled_back", f"version {self.version} was rolled back: {reason}")
