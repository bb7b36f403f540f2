"""A challenger's trial, from its first release entry to its end, as the ledger tells it.

Shadow and canary keep nothing in memory that matters: whoever drives a release (a task, its retry, another
scheduler, the command line) reads the trial from the ledger, decides, and writes the next entry with the number
after the one it read. Whoever loses that race reads again and decides again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from retrain.artifacts import Request
from retrain.ledger.entries import Entry, Excluded
from retrain.ledger.ledger import Ledger
from retrain.ledger.release import Release, ReleaseState


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
    def active(self) -> Decision:
        """Its newest decision that is no pause: where it is, or where it goes on from a pause."""
        return next((one for one in reversed(self.decisions) if one.release.state != "paused"), self.begun)

    @property
    def promoted(self) -> bool:
        """Did it end with the challenger as champion?"""
        return self.ending is not None and self.ending.release.serves(self.version)

    def numbers(self, state: ReleaseState) -> list[int]:
        """The ledger numbers of its decisions in one state; the prediction log names them."""
        return [decision.entry.number for decision in self.decisions if decision.release.state == state]

    def first(self, state: ReleaseState) -> Decision:
        """Since which decision it has been in ``state`` without a break. A pause that a human ended breaks it."""
        return self._first(lambda release: release.state == state)

    @property
    def step(self) -> list[Decision]:
        """The decisions that put it where it is, oldest first: one, and more where it was stated again."""
        here = self.current.release
        first = self._first(lambda release: (release.state, release.step) == (here.state, here.step))
        return [decision for decision in self.decisions if decision.entry.number >= first.entry.number]

    def _first(self, alike: Callable[[Release], bool]) -> Decision:
        first = self.current
        for decision in reversed(self.decisions):
            if not alike(decision.release):
                break
            first = decision
        return first


def find(ledger: Ledger, version: int) -> Trial | None:
    """The newest trial of a version, or None if it was never tried."""
    decisions: list[Decision] = []
    ending: Decision | None = None
    for entry, release in ledger.of(Release):
        decision = Decision(entry, release)
        if release.tries(version) and _same_trial(decision, decisions):
            decisions.append(decision)
        elif decisions:
            break
        else:
            ending = decision
    return Trial(version, tuple(reversed(decisions)), ending) if decisions else None


def newest(ledger: Ledger) -> Trial | None:
    """The trial under way, or else the newest that ended; None if nothing was ever tried."""
    tried = (release.challenger for _, release in ledger.of(Release) if release.challenger is not None)
    served = next(tried, None)
    return None if served is None else find(ledger, served.version)


def of_run(ledger: Ledger, request: Request, version: int) -> Trial | None:
    """The trial that this run began, joined, or slept through; None if the run must begin one.

    A trial that ended before the run's first entry is an older run's: this run may try the version again.
    """
    trial = find(ledger, version)
    if trial is None or trial.ending is None or trial.begun.entry.run == request.run:
        return trial
    mine = ledger.run_entries(request.run)
    return trial if mine and mine[0].number < trial.ending.entry.number else None


def excluded(ledger: Ledger, trial: Trial) -> Excluded | None:
    """What says that this trial's canary allows a promotion."""
    since = (body for entry, body in ledger.of(Excluded) if entry.number > trial.begun.entry.number)
    return next((body for body in since if body.version == trial.version), None)


def _same_trial(decision: Decision, decisions: list[Decision]) -> bool:
    return not decisions or decision.release.started == decisions[-1].release.started
