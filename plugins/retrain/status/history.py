"""What served when, what was tried, what was judged: a pipeline's past, as its ledger tells it, oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from retrain.artifacts import Moment, Value
from retrain.ledger import Answered, Entry, Judged, Ledger, Rehearsed, Release, Stale


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
    releases = [(entry, entry.body) for entry in entries if isinstance(entry.body, Release)]
    return History(
        served=tuple(_served(releases, at)),
        trials=tuple(_tried(releases, at)),
        verdicts=tuple(_judged(entries, at)),
    )


def _served(releases: list[tuple[Entry, Release]], at: dict[int, datetime]) -> Iterator[Reign]:
    begun: tuple[Entry, Release] | None = None
    for entry, release in releases:
        if release.champion is None or (begun is not None and begun[1].champion == release.champion):
            continue
        if begun is not None:
            yield _reign(*begun, at, at[entry.number])
        begun = entry, release
    if begun is not None:
        yield _reign(*begun, at, None)


def _reign(entry: Entry, release: Release, at: dict[int, datetime], end: datetime | None) -> Reign:
    return Reign(
        version=release.champion.version if release.champion else 0,
        start=at[entry.number],
        end=end,
        how=_spoken(release),
        reason=release.reason,
        by=entry.actor,
        run=entry.run,
        entry=entry.number,
    )


def _tried(releases: list[tuple[Entry, Release]], at: dict[int, datetime]) -> Iterator[Tried]:
    """Decisions of one trial name one version and one start."""
    begun: Entry | None = None
    last: Release | None = None
    for entry, release in releases:
        if begun is not None and last is not None and _of(release) != _of(last):
            yield _trial(begun, last, at, (entry, release))
            begun = None
        if _of(release) is not None:
            begun, last = begun or entry, release
    if begun is not None and last is not None:
        yield _trial(begun, last, at, None)


def _of(release: Release) -> tuple[int, datetime | None] | None:
    """Which trial a decision belongs to; None if to none."""
    if not release.under_way or release.challenger is None:
        return None
    return release.challenger.version, release.started


def _trial(begun: Entry, last: Release, at: dict[int, datetime], ending: tuple[Entry, Release] | None) -> Tried:
    version = last.challenger.version if last.challenger else 0
    if ending is None:
        outcome, reason, end = _spoken(last), last.reason, None
    else:
        promoted = ending[1].state == "promoted" and ending[1].serves(version)
        outcome, reason = "promoted" if promoted else "rolled back", ending[1].reason
        end = at[ending[0].number]
    return Tried(version=version, start=at[begun.number], end=end, outcome=outcome, reason=reason, run=begun.run)


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
