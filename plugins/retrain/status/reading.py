"""What a ledger tells of its pipeline's standing: one fold over its entries, asked once a head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from retrain.artifacts import Ref, Report
from retrain.ledger import Answered, Body, Entry, Judged, Release, Served, StageDone, Trained, Version
from retrain.ledger.versions import standing_release, versions

RUNS = 5
"""So many of the last retrainings are told."""


@dataclass(frozen=True)
class Retraining:
    """What one retraining has written.

    :param report: what names its newest report; None if it has none (yet).
    """

    run: str
    first: Entry
    last: Entry
    report: Ref | None


@dataclass(frozen=True)
class Reading:
    """What status is made of.

    :param decided: the entry of the routing decision that stands; None if there is none.
    :param active: the newest decision that is no pause: where a trial is, or goes on from its pause.
    :param champion_since, challenger_since: the entry since which it has been so without a break.
    :param state_since: the entry since which the trial that is under way has been in its state.
    :param trained: version → the entry that gave it its number.
    :param answered: version → the newest entry in which a human answered for it.
    :param stages: stage → the newest entry in which it came to something.
    :param runs: the newest first.
    :param judging: the retraining of the newest verdict.
    """

    release: Release
    decided: Entry | None
    active: Release
    champion_since: Entry | None
    challenger_since: Entry | None
    state_since: Entry | None
    versions: dict[int, Version]
    trained: dict[int, Entry]
    answered: dict[int, int]
    judged: tuple[Entry, Judged] | None
    judging: Retraining | None
    stages: dict[str, Entry]
    drift: StageDone | None
    runs: tuple[Retraining, ...]


def read(entries: Sequence[Entry]) -> Reading:
    """What the entries come to."""
    of = _by_kind(entries)
    releases = [(entry, entry.body) for entry in reversed(of(Release)) if isinstance(entry.body, Release)]
    _, release = standing_release(entries)
    judged = next(((entry, entry.body) for entry in reversed(of(Judged)) if isinstance(entry.body, Judged)), None)
    stages = {entry.body.stage: entry for entry in of(StageDone) if isinstance(entry.body, StageDone)}
    drift = stages["drift"].body if "drift" in stages else None
    written: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.run is not None:
            written.setdefault(entry.run, []).append(entry)
    newest = list(reversed(written))[:RUNS]
    return Reading(
        release=release,
        decided=releases[0][0] if releases else None,
        active=next((one for _, one in releases if one.state != "paused"), release),
        champion_since=_since(releases, lambda one: _same(one.champion, release.champion)),
        challenger_since=_since(releases, lambda one: _same(one.challenger, release.challenger)),
        state_since=_since(releases, lambda one: (one.state, one.started) == (release.state, release.started)),
        versions={version.version: version for version in versions(entries)},
        trained={entry.body.version: entry for entry in of(Trained) if isinstance(entry.body, Trained)},
        answered={entry.body.version: entry.number for entry in of(Answered) if isinstance(entry.body, Answered)},
        judged=judged,
        judging=_retraining(written[judged[0].run]) if judged is not None and judged[0].run is not None else None,
        stages=stages,
        drift=drift if isinstance(drift, StageDone) else None,
        runs=tuple(_retraining(written[run]) for run in newest),
    )


def _by_kind(entries: Sequence[Entry]) -> Callable[[type[Body]], list[Entry]]:
    """The entries of a kind, oldest first; all are sorted once."""
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        kinds.setdefault(entry.kind, []).append(entry)
    return lambda body: kinds.get(body.kind, [])


def _same(one: Served | None, other: Served | None) -> bool:
    return one is not None and other is not None and one.version == other.version


def _since(releases: Iterable[tuple[Entry, Release]], alike: Callable[[Release], bool]) -> Entry | None:
    """The first of the newest decisions that are alike without a break."""
    first: Entry | None = None
    for entry, release in releases:
        if not alike(release):
            break
        first = entry
    return first


def _retraining(entries: list[Entry]) -> Retraining:
    done = (entry.body for entry in reversed(entries) if isinstance(entry.body, StageDone))
    report = next((one.artifact for one in done if one.artifact.kind == Report.kind), None)
    return Retraining(run=entries[0].run or "", first=entries[0], last=entries[-1], report=report)
