"""What served when, what was tried, what was judged: a pipeline's past, as its ledger tells it, oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from retrain.artifacts import Moment, Value
from retrain.ledger import Answered, Entry, Judged, Ledger, Rehearsed, Release, Served, Stale
from retrain.ledger.trial import Decision, Trial


class Reign(Value):
    """A stretch in which one version was the champion.

    :param end: None while it serves.
    :param how: it came to serve: ``promoted``, ``rolled back``.
    :param entry: the number of the ledger entry that said so.
    """

    version: int
    start: Moment
    end: Moment | None
    how: str
    reason: str
    by: str
    run: str | None
    entry: int


class Tried(Value):
    """One trial of a version, from shadow to its end.

    :param outcome: ``promoted`` or ``rolled back``; ``shadowing``, ``ramping`` or ``paused`` while it is under way.
    :param reason: of the newest decision about it.
    """

    version: int
    start: Moment
    end: Moment | None
    outcome: str
    reason: str
    run: str | None


class Judgement(Value):
    """One answer to the question whether a version may be released.

    :param outcome: ``blessed``, ``vetoed`` or ``undecided``; ``approved`` or ``rejected`` by who was asked;
        ``rehearsal failed``; ``stale``.
    """

    version: int
    at: Moment
    outcome: str
    reason: str
    by: str
    run: str | None


class History(Value):
    """A pipeline's past, oldest first."""

    served: tuple[Reign, ...]
    trials: tuple[Tried, ...]
    verdicts: tuple[Judgement, ...]


def history(ledger: Ledger) -> History:
    """What served when, what was tried, what was judged.

    :raises LedgerBroken, StoreError: the ledger cannot be read.
    """
    entries = list(ledger.entries())
    at = {entry.number: span.at for entry, span in zip(entries, ledger.spans(), strict=False)}
    decisions = [Decision(entry, entry.body) for entry in entries if isinstance(entry.body, Release)]
    return History(
        served=tuple(_served(decisions, at)),
        trials=tuple(_tried(decisions, at)),
        verdicts=tuple(_judged(entries, at)),
    )


def _served(decisions: list[Decision], at: dict[int, datetime]) -> Iterator[Reign]:
    begun: tuple[Decision, Served] | None = None
    for one in decisions:
        champion = one.release.champion
        if champion is None or (begun is not None and begun[1] == champion):
            continue
        if begun is not None:
            yield _reign(*begun, at, at[one.entry.number])
        begun = one, champion
    if begun is not None:
        yield _reign(*begun, at, None)


def _reign(begun: Decision, champion: Served, at: dict[int, datetime], end: datetime | None) -> Reign:
    return Reign(
        version=champion.version,
        start=at[begun.entry.number],
        end=end,
        how=_spoken(begun.release),
        reason=begun.release.reason,
        by=begun.entry.actor,
        run=begun.entry.run,
        entry=begun.entry.number,
    )


def _tried(decisions: list[Decision], at: dict[int, datetime]) -> Iterator[Tried]:
    """Decisions of one trial name one version and one start."""
    which: tuple[int, datetime | None] | None = None
    trying: list[Decision] = []
    for one in decisions:
        if which is not None and _of(one.release) != which:
            yield _trial(Trial(which[0], tuple(trying), one), at)
            trying = []
        which = _of(one.release)
        if which is not None:
            trying.append(one)
    if which is not None:
        yield _trial(Trial(which[0], tuple(trying), None), at)


def _of(release: Release) -> tuple[int, datetime | None] | None:
    """Which trial a decision belongs to; None if to none."""
    if not release.under_way or release.challenger is None:
        return None
    return release.challenger.version, release.started


def _trial(trial: Trial, at: dict[int, datetime]) -> Tried:
    begun, last = trial.begun.entry, trial.ending or trial.current
    return Tried(
        version=trial.version,
        start=at[begun.number],
        end=None if trial.ending is None else at[trial.ending.entry.number],
        outcome=_outcome(trial),
        reason=last.release.reason,
        run=begun.run,
    )


def _outcome(trial: Trial) -> str:
    if trial.ending is None:
        return _spoken(trial.current.release)
    return "promoted" if trial.promoted else "rolled back"


def _spoken(release: Release) -> str:
    return release.state.replace("_", " ")


def _judged(entries: list[Entry], at: dict[int, datetime]) -> Iterator[Judgement]:
    for entry in entries:
        by = entry.actor
        match entry.body:
            case Judged(version=version, outcome=outcome, reason=reason, by=by):
                said: str = outcome
            case Answered(version=version, approved=approved, reason=reason):
                said = "approved" if approved else "rejected"
            case Rehearsed(version=version, passed=False, reason=reason):
                said = "rehearsal failed"
            case Stale(version=version, reason=reason):
                said = "stale"
            case _:
                continue
        yield Judgement(version=version, at=at[entry.number], outcome=said, reason=reason, by=by, run=entry.run)
