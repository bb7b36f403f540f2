"""The challenger answers beside the champion and is not heard."""

from __future__ import annotations

from datetime import timedelta

from typing_extensions import override

from retrain.ledger import Served
from retrain.ledger import release as machine
from retrain.ledger.trial import Trial
from retrain.monitoring.evidence import LiveEvidence
from retrain.rollout import permission, routing
from retrain.rollout.looks import AtPatience
from retrain.rollout.phase import Phase
from retrain.rollout.progress import Progress
from retrain.spec.durations import spell


class Shadow(Phase):
    """Done with enough answers of which none alarms. Harm, a veto, or the end of patience: rolled back."""

    name = "shadow"
    state = "shadowing"
    harm = "harm in the shadow"
    without_champion = "no champion: nothing to shadow"

    @property
    @override
    def patience(self) -> timedelta:
        return self.spec.canary.shadow.patience

    @property
    @override
    def on_patience(self) -> AtPatience:
        return "rollback"

    @property
    @override
    def unasked(self) -> str | None:
        return "the pipeline asks for no shadow" if self.spec.canary.shadow.requests == 0 else None

    @override
    def not_begun(self, trial: Trial) -> bool:
        return False

    @override
    def start(self, trial: Trial | None, champion: Served, head: int) -> Progress:
        served = permission.releasable(self.spec, self.request, self.ledger, self.version)
        head = routing.drop_other(self.ledger, self.version, request=self.request, after=head)
        canary, reason = self.spec.canary, f"version {self.version} shadows version {champion.version}"
        shadowing = machine.start_shadow(
            self.ledger.release(), served, shadow=canary.shadow.share, steps=canary.steps, reason=reason
        )
        self.ledger.append(shadowing, actor=self.request.actor, run=self.request.run, after=head)
        return self.progress("waiting", reason)

    @override
    def elsewhere(self, trial: Trial) -> Progress:
        if trial.active.release.state == self.state:
            if trial.current.release.state == "paused":
                return self.paused(trial)
            return self.progress("waiting", trial.current.release.reason)
        return self.progress("done", f"version {self.version} is past its shadow")

    @override
    def evidence(self) -> LiveEvidence:
        return self.watch.shadow()

    @override
    def judge(self, trial: Trial, seen: LiveEvidence, head: int) -> Progress:
        needed = self.spec.canary.shadow.requests
        count = f"{seen.challenger:,} of {needed:,} shadow answers"
        if seen.challenger >= needed:
            return self.progress("done", f"{count}, none alarming; {seen.summary}", seen)
        if self.out_of_patience(trial):
            return self.roll_back(trial, f"{spell(self.patience)} are over with {count}", head, seen)
        return self.progress("waiting", count if seen.challenger else "no traffic yet", seen)

    @override
    def lose_patience(self, trial: Trial, lacking: str, head: int, seen: LiveEvidence | None = None) -> Progress:
        return self.roll_back(trial, f"{spell(self.patience)} are over: {lacking}", head, seen)
