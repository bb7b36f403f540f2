"""How a pipeline stands: who serves since when, is it well, what is under way, what waits for whom, what comes next.

Read from the ledger, and from ``pipeline.yaml`` where that can be read; so it can be asked when everything else is
broken. The command line, the page and ``--json`` show the same :class:`PipelineStatus`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from retrain.artifacts import Age, Drift, Moment, Value, VerdictOutcome
from retrain.ledger import Entry, Ledger, Release, Served, Version
from retrain.site import Site
from retrain.spec import Spec
from retrain.status import kept
from retrain.status.health import Health, health
from retrain.status.reading import Reading, read
from retrain.status.runs import Run, runs
from retrain.status.specs import next_run, spec_of
from retrain.status.waiting import Waiting, waiting
from retrain.story import STORY

PipelineState = Literal["nothing served", "serving", "shadowing", "ramping", "paused"]


class Serving(Value):
    """A version that is asked.

    :param since: since when without a break.
    """

    version: int
    since: Moment
    standing: str
    data_end: Moment
    trained_at: Moment
    reason: str


class UnderWay(Value):
    """A release that is not decided yet.

    :param phase: the one it is in, or was paused in.
    :param ends: when patience with it ends; None where it is paused, or ``pipeline.yaml`` cannot be read.
    """

    state: Literal["shadowing", "ramping", "paused"]
    phase: Literal["shadow", "canary"]
    version: int
    step: int
    steps: tuple[float, ...]
    share: float
    shadow: float
    started: Moment | None
    reason: str
    ends: Moment | None = None


class LastRelease(Value):
    """The routing decision that stands, and who took it."""

    number: int
    at: Moment
    actor: str
    by: Literal["human", "machine"]
    decision: str
    reason: str


class LastVerdict(Value):
    """The newest judgement of a version."""

    at: Moment
    version: int
    outcome: VerdictOutcome
    reason: str
    by: str


class PipelineStatus(Value):
    """Everything a person on call asks of one pipeline first.

    :param state: what is done with requests now; a pipeline whose release is over rests in ``serving``.
    :param ages: how old the champion's data is, against its limit.
    :param stages: when each stage last came to something, in the order of the story.
    :param drift: what was found when the inputs were last compared with the champion's.
    :param drift_matters: has anything moved that the champion uses, or of which that is not known?
    :param spec_problem: why ``pipeline.yaml`` cannot be read, if so; where it is not on this machine at all, nothing
        is wrong with it.
    :param clock_problem: whose clock is wrong, and by how much, if so.
    :param entries: how many entries its ledger has.
    """

    pipeline: str
    state: PipelineState
    health: Health
    champion: Serving | None
    challenger: Serving | None
    under_way: UnderWay | None
    waiting: tuple[Waiting, ...]
    ages: tuple[Age, ...]
    last_release: LastRelease | None
    verdict: LastVerdict | None
    versions: tuple[Version, ...]
    stages: dict[str, Moment]
    drift: str | None
    drift_matters: bool = False
    runs: tuple[Run, ...]
    schedule: str | None
    next_run: Moment | None
    spec_problem: str | None
    clock_problem: str | None = None
    entries: int


def status(pipeline: str, site: Site) -> PipelineStatus:
    """How a pipeline stands now.

    The store is asked whether there is more than what was read, and whether that is still there: a folder that is not
    mounted any more holds no news, either.

    :raises LedgerBroken, StoreError: the ledger cannot be read, and nothing else may be said without it.
    """
    ledger, (spec, problem) = site.ledger(pipeline), spec_of(pipeline, site)
    if not ledger.poll():
        ledger.require_head()
    reading = ledger.fold(read)
    release, versions = reading.release, reading.versions
    told, asked = tuple(runs(reading, ledger, site)), tuple(waiting(reading, ledger, spec, site))
    ages, doubt = _ages(reading, ledger, spec), ledger.doubt()
    served = release.champion is not None
    return PipelineStatus(
        pipeline=pipeline,
        state=_state(release),
        health=health(served=served, ages=ages, waiting=asked, runs=told, problem=problem, doubt=doubt),
        champion=_serving(reading, ledger, release.champion, reading.champion_since),
        challenger=_serving(reading, ledger, release.challenger, reading.challenger_since),
        under_way=_under_way(reading, ledger, spec),
        waiting=asked,
        ages=ages,
        last_release=_last_release(reading, ledger),
        verdict=_verdict(reading, ledger),
        versions=tuple(versions.values()),
        stages={one.name: ledger.at(reading.stages[one.name]) for one in STORY if one.name in reading.stages},
        drift=reading.drift.summary if reading.drift else None,
        drift_matters=_drift_matters(reading, site),
        runs=told,
        schedule=spec.schedule if spec else None,
        next_run=next_run(spec.schedule if spec else None),
        spec_problem=problem,
        clock_problem=doubt,
        entries=len(ledger.known),
    )


def _state(release: Release) -> PipelineState:
    if release.state == "shadowing" or release.state == "ramping" or release.state == "paused":
        return release.state
    return "nothing served" if release.champion is None else "serving"


def _serving(reading: Reading, ledger: Ledger, served: Served | None, since: Entry | None) -> Serving | None:
    version = reading.versions.get(served.version) if served is not None else None
    if version is None or since is None:
        return None
    return Serving(
        version=version.version,
        since=ledger.at(since),
        standing=version.standing,
        data_end=version.data_end,
        trained_at=ledger.at(reading.trained[version.version]),
        reason=version.reason,
    )


def _under_way(reading: Reading, ledger: Ledger, spec: Spec | None) -> UnderWay | None:
    release, state = reading.release, _state(reading.release)
    if release.challenger is None or state == "nothing served" or state == "serving":
        return None
    return UnderWay(
        state=state,
        phase="shadow" if reading.active.state == "shadowing" else "canary",
        version=release.challenger.version,
        step=release.step,
        steps=release.steps,
        share=release.share,
        shadow=release.shadow,
        started=release.started,
        reason=release.reason,
        ends=_ends(reading, ledger, spec),
    )


def _ends(reading: Reading, ledger: Ledger, spec: Spec | None) -> datetime | None:
    """When patience ends: it is counted from when the release came into its state."""
    if spec is None or reading.state_since is None or reading.release.state == "paused":
        return None
    shadowing = reading.release.state == "shadowing"
    return ledger.at(reading.state_since) + (spec.canary.shadow.patience if shadowing else spec.canary.patience)


def _last_release(reading: Reading, ledger: Ledger) -> LastRelease | None:
    entry, release = reading.decided, reading.release
    if entry is None:
        return None
    decision, at = release.state.replace("_", " "), ledger.at(entry)
    return LastRelease(
        number=entry.number, at=at, actor=entry.actor, by=entry.by, decision=decision, reason=release.reason
    )


def _verdict(reading: Reading, ledger: Ledger) -> LastVerdict | None:
    if reading.judged is None:
        return None
    entry, judged = reading.judged
    at = ledger.at(entry)
    return LastVerdict(at=at, version=judged.version, outcome=judged.outcome, reason=judged.reason, by=judged.by)


def _drift_matters(reading: Reading, site: Site) -> bool:
    """Does the newest comparison say so, and is it one with the champion that serves?"""
    if reading.drift is None or reading.release.champion is None:
        return False
    found = kept.said(site, Drift, reading.drift.artifact, _moved)
    return found is not None and found == (reading.release.champion.version, True)


def _moved(drift: Drift) -> tuple[int | None, bool]:
    return drift.champion, drift.matters


def _ages(reading: Reading, ledger: Ledger, spec: Spec | None) -> tuple[Age, ...]:
    """By the clock on the wall. A run that asks whether it may end early measures from the end of its own data."""
    champion = reading.release.champion
    version = reading.versions.get(champion.version) if champion is not None else None
    if version is None:
        return ()
    age = max(ledger.present() - version.data_end, timedelta())
    limit: timedelta | None = spec.staleness.model if spec is not None else None
    return (
        Age(
            subject="model",
            age=age.total_seconds(),
            limit=limit.total_seconds() if limit is not None else None,
            stale=limit is not None and age > limit,
        ),
    )
