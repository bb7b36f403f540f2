"""The challenger answers a growing share of live requests.

The state machine is :mod:`retrain.ledger.release`; this file says when each of its arrows is taken. What is undecided
stays where it is: no traffic, no labels or an unreadable log mean waiting, until patience ends.
"""

from __future__ import annotations

from datetime import timedelta

from typing_extensions import override

from retrain.ledger import Excluded, Release, Served
from retrain.ledger import release as machine
from retrain.ledger import trial as trials
from retrain.ledger.trial import Trial
from retrain.monitoring.evidence import LiveEvidence
from retrain.rollout import permission, routing
from retrain.rollout.looks import AtPatience
from retrain.rollout.phase import Phase
from retrain.rollout.progress import Progress
from retrain.spec.durations import spell
from retrain.words import share


class Canary(Phase):
    """Done, which means promote, at the last step with harm excluded. Harm or a veto: rolled back."""

    name = "canary"
    state = "ramping"
    harm = "harm is shown"
    without_champion = "no champion: version {version} goes to everybody at once"

    @property
    @override
    def patience(self) -> timedelta:
        return self.spec.canary.patience

    @property
    @override
    def on_patience(self) -> AtPatience:
        return self.spec.canary.on_patience

    @property
    @override
    def unasked(self) -> str | None:
        return None

    @override
    def not_begun(self, trial: Trial) -> bool:
        return trial.ending is None and trial.current.release.state == "shadowing"

    @override
    def start(self, trial: Trial | None, champion: Served, head: int) -> Progress:
        release = self.ledger.release()
        if trial is None:
            served = permission.releasable(self.spec, self.request, self.ledger, self.version)
            head = routing.drop_other(self.ledger, self.version, request=self.request, after=head)
            release = machine.start_shadow(
                self.ledger.release(),
                served,
                shadow=0.0,
                steps=self.spec.canary.steps,
                reason="no shadow was asked for",
            )
        ramping = machine.ramp(release, shadow=self._beside, reason=f"step 1 of {len(release.steps)}")
        self.ledger.append(ramping, actor=self.request.actor, run=self.request.run, after=head)
        return self.progress("waiting", _at(ramping))

    @override
    def elsewhere(self, trial: Trial) -> Progress:
        release = trial.current.release
        if release.state == "paused":
            return self.paused(trial)
        passed = trials.excluded(self.ledger, trial)
        if passed is not None:
            return self._promote(passed)
        return self.progress("waiting", _at(release))

    @override
    def evidence(self) -> LiveEvidence:
        return self.watch.canary()

    @override
    def judge(self, trial: Trial, seen: LiveEvidence, head: int) -> Progress:
        release, lacking = trial.current.release, seen.hold or self._step_lacks(trial, seen)
        last = release.step == len(release.steps)
        if seen.noticed is not None and self._asks_a_human(trial):
            return self._pause(trial, f"worse, and not shown to be by more than is allowed: {seen.noticed}", head, seen)
        if last and lacking is None and seen.missing is None:
            return self._pass(trial, seen, head)
        if self.out_of_patience(trial):
            return self.lose_patience(trial, lacking or seen.missing or _at(release), head, seen)
        if not last and lacking is None:
            return self._ramp(trial, seen, head)
        return self.progress("waiting", f"{_at(release)}: {lacking or f'not excluded yet: {seen.missing}'}", seen)

    @override
    def lose_patience(self, trial: Trial, lacking: str, head: int, seen: LiveEvidence | None = None) -> Progress:
        reason = f"{spell(self.patience)} are over and nothing is shown: {lacking}"
        if self.on_patience == "rollback":
            return self.roll_back(trial, reason, head, seen)
        return self._pause(trial, reason, head, seen)

    @property
    def _beside(self) -> float:
        """The share of the champion's requests that the challenger answers too, where pairs are compared."""
        return self.spec.canary.shadow.ramp if self.spec.canary.paired else 0.0

    def _asks_a_human(self, trial: Trial) -> bool:
        """Is this the first time that a human is to be asked about a challenger that is worse?

        Who paused it by hand was asked nothing.
        """
        asked = (one for one in trial.decisions if one.release.state == "paused" and one.entry.by == "machine")
        return self.spec.canary.on_worse == "pause" and next(asked, None) is None

    def _pause(self, trial: Trial, reason: str, head: int, seen: LiveEvidence | None) -> Progress:
        """Give it no more requests, and wait for a human."""
        self.write(machine.pause(trial.current.release, reason=reason), trial, head)
        return self.progress("paused", self.waits_for_a_human(reason), seen)

    def _step_lacks(self, trial: Trial, seen: LiveEvidence) -> str | None:
        """What this step of the ramp still waits for; None if it has its least requests and time."""
        asked = sum(seen.asked.get(decision.entry.number, 0) for decision in trial.step)
        needed = self.spec.canary.step_requests
        if not asked:
            return "no traffic yet"
        if asked < needed:
            return f"{asked:,} of {needed:,} requests"
        lasted = self.ledger.age(trial.step[0].entry)
        if lasted < self.spec.canary.step_time:
            return f"{lasted.total_seconds():.0f} s of {spell(self.spec.canary.step_time)}"
        return None

    def _ramp(self, trial: Trial, seen: LiveEvidence, head: int) -> Progress:
        release = trial.current.release
        reason = f"step {release.step + 1} of {len(release.steps)}: no harm; {seen.summary}"
        further = machine.ramp(release, shadow=self._beside, reason=reason)
        self.write(further, trial, head)
        return self.progress("waiting", _at(further), seen)

    def _pass(self, trial: Trial, seen: LiveEvidence, head: int) -> Progress:
        """Write that the canary allows a promotion; without this entry nothing is promoted."""
        passed = trials.excluded(self.ledger, trial)
        if passed is None:
            evidence = seen.model_dump(mode="json")
            passed = Excluded(version=self.version, passed=True, reason=seen.summary, evidence=evidence)
            once = f"{self.request.run}/canary/{self.version}"
            self.ledger.append(passed, actor=self.name, run=self.request.run, once=once, after=head)
        return self._promote(passed)

    def _promote(self, passed: Excluded) -> Progress:
        told = self.progress("done", f"promote version {self.version}: {passed.reason}")
        return told.model_copy(update={"evidence": passed.evidence})


def _at(release: Release) -> str:
    return f"step {release.step} of {len(release.steps)} at {share(release.share)}"
