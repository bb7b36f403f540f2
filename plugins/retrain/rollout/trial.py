"""A challenger's trial, from its first release entry to its end, as the ledger tells it.

Shadow and canary keep nothing in memory that matters: whoever drives a release (a task, its retry, another
scheduler, the command line) reads the trial from the ledger, decides, and writes the next entry with the number
after the one it read. Whoever loses that race reads again and decides again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retrain.artifacts import Request
from retrain.errors import ReleaseError, UsageError
from retrain.ledger import Answered, Entry, Excluded, Ledger, Rehearsed, Stale
from retrain.ledger import release as machine
from retrain.ledger.release import Release, Served, State
from retrain.rollout.progress import Phase, Progress, progress
from retrain.spec import Spec


@dataclass(frozen=True)
class Decision:
    """A release and the ledger entry that holds it."""

    entry: Entry
    release: Release


@dataclass(frozen=True)
class Trial:
    """One version's newest trial.

    :param version: the challenger.
    :param decisions: every routing decision that had it as challenger, oldest first; never empty.
    :param ending: the decision that ended the trial; None while it is under way.
    """

    version: int
    decisions: tuple[Decision, ...]
    ending: Decision | None

    @property
    def begun(self) -> Decision:
        """Its first decision."""
        return self.decisions[0]

    @property
    def current(self) -> Decision:
        """Its newest decision that is not its end."""
        return self.decisions[-1]

    @property
    def promoted(self) -> bool:
        """Did it end with the challenger as champion?"""
        return self.ending is not None and serves(self.ending.release, self.version)

    def numbers(self, state: State) -> list[int]:
        """The ledger numbers of its decisions in one state; the prediction log names them."""
        return [decision.entry.number for decision in self.decisions if decision.release.state == state]

    def since(self, state: State) -> datetime:
        """Since when it has been in ``state`` without a break. A pause that a human ended starts patience anew."""
        since = self.current.entry.at
        for decision in reversed(self.decisions):
            if decision.release.state != state:
                break
            since = decision.entry.at
        return since


def find(ledger: Ledger, version: int) -> Trial | None:
    """The newest trial of a version, or None if it was never tried."""
    decisions: list[Decision] = []
    ending: Decision | None = None
    for entry, release in ledger.of(Release):
        decision = Decision(entry, release)
        if _tries(decision.release, version) and _same_trial(decision, decisions):
            decisions.append(decision)
        elif decisions:
            break
        else:
            ending = decision
    return Trial(version, tuple(reversed(decisions)), ending) if decisions else None


def of_run(ledger: Ledger, request: Request, version: int) -> Trial | None:
    """The trial that this run began, joined, or slept through; None if the run must begin one.

    A trial that ended before the run's first entry is an older run's: this run may try the version again.
    """
    trial = find(ledger, version)
    if trial is None or trial.ending is None or trial.begun.entry.run == request.run:
        return trial
    mine = ledger.run_entries(request.run)
    return trial if mine and mine[0].number < trial.ending.entry.number else None


def passed(ledger: Ledger, trial: Trial) -> Excluded | None:
    """What says that this trial's canary allows a promotion."""
    since = (body for entry, body in ledger.of(Excluded) if entry.number > trial.begun.entry.number)
    return next((body for body in since if body.version == trial.version), None)


def ended(trial: Trial, phase: Phase) -> Progress:
    """What to say of a trial that is over."""
    if trial.ending is None:
        raise ReleaseError(f"The trial of version {trial.version} is not over.", do="look at it again.")
    reason = trial.ending.release.reason
    if trial.promoted:
        return progress(phase, "done", f"version {trial.version} is promoted: {reason}")
    return progress(phase, "rolled_back", f"version {trial.version} was rolled back: {reason}")


def serves(release: Release, version: int) -> bool:
    """Is this version the champion of that release?"""
    return release.champion is not None and release.champion.version == version


def write(ledger: Ledger, release: Release, *, actor: str, run: str | None, after: int, once: str | None = None) -> int:
    """Write a routing decision and return its number. Raises LedgerMoved if somebody wrote after ``after``."""
    return ledger.append(release, actor=actor, run=run, after=after, once=once).number


def drop_other(ledger: Ledger, version: int, *, request: Request, after: int) -> int:
    """Roll back a challenger that is not this version, as superseded. Returns the ledger's head."""
    release = ledger.release()
    if not release.under_way or _tries(release, version):
        return after
    dropped = machine.roll_back(release, reason=f"superseded by version {version}")
    return write(ledger, dropped, actor=request.actor, run=request.run, after=after)


def releasable(spec: Spec, request: Request, ledger: Ledger, version: int) -> Served:
    """The version, if the ledger allows to release it: blessed, approved where asked, fresh, rehearsed.

    :raises ReleaseError: naming what is missing. In doubt nothing is released.
    """
    known = ledger.version(version)
    if not known.blessed:
        raise _refused(version, f"it is {known.standing}, not blessed ({known.reason or 'no verdict yet'})", "bless")
    if spec.bless.approval.required and not approved(ledger, version):
        raise _refused(version, "nobody has approved it", "approve")
    mine = (entry.body for entry in ledger.run_entries(request.run))
    if any(isinstance(body, Stale) and body.version == version for body in mine):
        raise _refused(version, "it is stale", "freshness")
    rehearsal = next((body for _, body in ledger.of(Rehearsed) if body.version == version), None)
    if rehearsal is None or not rehearsal.passed:
        raise _refused(version, "no rehearsal of it has passed", "rehearse")
    return known.served


def approved(ledger: Ledger, version: int) -> bool:
    """Has a human agreed to release this version? The newest answer counts."""
    newest = next((body for _, body in ledger.of(Answered) if body.version == version), None)
    return newest is not None and newest.approved


def vetoed(ledger: Ledger, version: int) -> str | None:
    """Why this version may no longer be tried, if somebody took its blessing back."""
    known = ledger.version(version)
    return None if known.blessed else f"it is no longer blessed: {known.reason or known.standing}"


def require_reason(request: Request) -> str:
    """The reason for skipping the canary. Raises :class:`UsageError` if none is given."""
    if not (request.reason or "").strip():
        raise UsageError(
            "The canary is to be skipped without a reason.",
            where=f"run {request.run}",
            do="say why in `reason`; the ledger keeps it.",
        )
    return f"canary skipped by {request.actor}: {request.reason}"


def _tries(release: Release, version: int) -> bool:
    return release.under_way and release.challenger is not None and release.challenger.version == version


def _same_trial(decision: Decision, decisions: list[Decision]) -> bool:
    return not decisions or decision.release.started == decisions[-1].release.started


def _refused(version: int, why: str, stage: str) -> ReleaseError:
    return ReleaseError(
        f"Version {version} cannot be released: {why}.",
        do=f"see its standing with `retrain status`; run `{stage}` for it again, or release another version.",
    )
