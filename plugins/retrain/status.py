"""How a pipeline stands: who serves since when, is it well, what is under way, what waits for whom, what comes next.

Read from the ledger, and from ``pipeline.yaml`` where that can be read; so it can be asked when everything else is
broken. The command line, the page and ``--json`` show the same :class:`PipelineStatus`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from retrain.artifacts import Age, Moment, Report, Value, VerdictOutcome, now
from retrain.errors import ArtifactChanged, ObjectMissing, SpecError
from retrain.ledger import Answered, Entry, Judged, Ledger, Release, Served, StageDone, Trained, Version
from retrain.site import Site
from retrain.spec import FILE, Spec
from retrain.spec.durations import spell
from retrain.story import STORY
from retrain.words import duration

RUNS = 5
"""So many of the last retrainings are told."""

Level = Literal["good", "attention", "bad"]
LEVELS: tuple[Level, ...] = ("good", "attention", "bad")
PipelineState = Literal["nothing served", "serving", "shadowing", "ramping", "paused"]
RUN_LEVELS: dict[str, Level] = {
    "failed": "bad",
    "bad data": "bad",
    "interrupted": "attention",
    "rolled back": "attention",
    "rehearsal failed": "attention",
    "stale": "attention",
    "rejected": "attention",
    "vetoed": "attention",
    "undecided": "attention",
}


class Health(Value):
    """The worst of a pipeline's parts.

    :param reasons: of that level, one sentence a part; empty if all is well.
    """

    level: Level
    reasons: tuple[str, ...] = ()


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
    """A release that is not decided yet."""

    state: Literal["shadowing", "ramping", "paused"]
    version: int
    step: int
    steps: tuple[float, ...]
    share: float
    shadow: float
    started: Moment | None
    reason: str


class Waiting(Value):
    """Something that goes on only when somebody acts.

    :param who: for whom it waits. :param what: what they are to do.
    """

    who: str
    what: str
    since: Moment


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


class Run(Value):
    """One retraining.

    :param outcome: of its report; None if it has none (yet).
    :param what: the last thing it wrote.
    """

    run: str
    by: str
    began: Moment
    last: Moment
    outcome: str | None
    what: str


class PipelineStatus(Value):
    """Everything a person on call asks of one pipeline first.

    :param state: what is done with requests now; a pipeline whose release is over rests in ``serving``.
    :param ages: how old the champion's data is, against its limit.
    :param stages: when each stage last came to something, in the order of the story.
    :param drift: what was found when the inputs were last compared with the champion's.
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
    runs: tuple[Run, ...]
    schedule: str | None
    next_run: Moment | None
    spec_problem: str | None
    clock_problem: str | None = None
    entries: int


def status(pipeline: str, site: Site) -> PipelineStatus:
    """How a pipeline stands now.

    :raises LedgerBroken, StoreError: the ledger cannot be read, and nothing else may be said without it.
    """
    ledger, (spec, problem) = site.ledger(pipeline), _spec(pipeline, site)
    release, versions = ledger.release(), {version.version: version for version in ledger.versions()}
    runs, waiting = tuple(_runs(ledger, site)), tuple(_waiting(ledger, spec, site))
    ages, doubt = _ages(ledger, spec), ledger.doubt()
    return PipelineStatus(
        pipeline=pipeline,
        state=_state(release),
        health=_health(release, ages, waiting, runs, problem, doubt),
        champion=_serving(ledger, versions, release.champion, "champion"),
        challenger=_serving(ledger, versions, release.challenger, "challenger"),
        under_way=_under_way(release),
        waiting=waiting,
        ages=ages,
        last_release=_last_release(ledger),
        verdict=_verdict(ledger),
        versions=tuple(versions.values()),
        stages=_stages(ledger),
        drift=next((done.summary for _, done in ledger.of(StageDone) if done.stage == "drift"), None),
        runs=runs,
        schedule=spec.schedule if spec else None,
        next_run=_next_run(spec.schedule if spec else None),
        spec_problem=problem,
        clock_problem=doubt,
        entries=ledger.head,
    )


def _spec(pipeline: str, site: Site) -> tuple[Spec | None, str | None]:
    """What ``pipeline.yaml`` says, or why it cannot be read. An API server, say, need not have it."""
    folder = site.settings.pipelines / pipeline
    if not (folder / FILE).exists():
        return None, None
    try:
        return Spec.load(folder), None
    except SpecError as error:
        return None, str(error)


# -- who serves --------------------------------------------------------------------------------------------------


def _state(release: Release) -> PipelineState:
    if release.state == "shadowing" or release.state == "ramping" or release.state == "paused":
        return release.state
    return "nothing served" if release.champion is None else "serving"


def _serving(
    ledger: Ledger, versions: dict[int, Version], served: Served | None, arm: Literal["champion", "challenger"]
) -> Serving | None:
    version = versions.get(served.version) if served is not None else None
    if version is None:
        return None
    return Serving(
        version=version.version,
        since=_since(ledger, version.version, arm),
        standing=version.standing,
        data_end=version.data_end,
        trained_at=next(ledger.at(entry) for entry, body in ledger.of(Trained) if body.version == version.version),
        reason=version.reason,
    )


def _since(ledger: Ledger, number: int, arm: Literal["champion", "challenger"]) -> datetime:
    """Since when a version has been champion, or challenger, without a break."""
    first: Entry | None = None
    for entry, release in ledger.of(Release):
        served = release.champion if arm == "champion" else release.challenger
        if served is None or served.version != number:
            break
        first = entry
    return ledger.at(first) if first is not None else now()


def _under_way(release: Release) -> UnderWay | None:
    state = _state(release)
    if release.challenger is None or state == "nothing served" or state == "serving":
        return None
    return UnderWay(
        state=state,
        version=release.challenger.version,
        step=release.step,
        steps=release.steps,
        share=release.share,
        shadow=release.shadow,
        started=release.started,
        reason=release.reason,
    )


# -- what was decided --------------------------------------------------------------------------------------------


def _last_release(ledger: Ledger) -> LastRelease | None:
    found = next(ledger.of(Release), None)
    if found is None:
        return None
    entry, release = found
    decision, at = release.state.replace("_", " "), ledger.at(entry)
    return LastRelease(
        number=entry.number, at=at, actor=entry.actor, by=entry.by, decision=decision, reason=release.reason
    )


def _verdict(ledger: Ledger) -> LastVerdict | None:
    found = next(ledger.of(Judged), None)
    if found is None:
        return None
    entry, judged = found
    at = ledger.at(entry)
    return LastVerdict(at=at, version=judged.version, outcome=judged.outcome, reason=judged.reason, by=judged.by)


def _stages(ledger: Ledger) -> dict[str, datetime]:
    newest: dict[str, Entry] = {}
    for entry, done in ledger.of(StageDone):
        newest.setdefault(done.stage, entry)
    spans = ledger.spans()
    return {stage.name: spans[newest[stage.name].number - 1].at for stage in STORY if stage.name in newest}


def _runs(ledger: Ledger, site: Site) -> Iterator[Run]:
    """The last few retrainings, newest first."""
    written: dict[str, list[Entry]] = {}
    for entry in ledger.entries():
        if entry.run is not None:
            written.setdefault(entry.run, []).append(entry)
    for run in list(reversed(written))[:RUNS]:
        entries = written[run]
        first, last = entries[0], entries[-1]
        began, ended, outcome = ledger.at(first), ledger.at(last), _outcome(entries, site)
        yield Run(run=run, by=first.actor, began=began, last=ended, outcome=outcome, what=last.summary)


def _outcome(entries: list[Entry], site: Site) -> str | None:
    """What a run's newest report says came of it."""
    for body in (entry.body for entry in reversed(entries)):
        if isinstance(body, StageDone) and body.artifact.kind == Report.kind:
            try:
                return site.read(Report, body.artifact).outcome
            except (ArtifactChanged, ObjectMissing):
                return None
    return None


# -- what comes next ---------------------------------------------------------------------------------------------


def _waiting(ledger: Ledger, spec: Spec | None, site: Site) -> Iterator[Waiting]:
    release = ledger.release()
    if release.state == "paused" and release.challenger is not None:
        entry, _ = next(ledger.of(Release))
        what = f"end the paused release of version {release.challenger.version} by `retrain rollback`: {release.reason}"
        yield Waiting(who="an operator", what=what, since=ledger.at(entry))
    found = next(ledger.of(Judged), None)
    if found is None:
        return
    entry, judged = found
    if judged.outcome == "undecided":
        what = f"bless or veto version {judged.version}, which the gates left undecided"
        yield Waiting(who="an operator", what=what, since=ledger.at(entry))
    elif judged.outcome == "blessed" and spec is not None and _asked(spec, ledger, entry, judged.version, site):
        who = ", ".join(spec.bless.approval.by) or "anyone allowed to run the Dag"
        yield Waiting(who=who, what=f"approve or reject version {judged.version}", since=ledger.at(entry))


def _asked(spec: Spec, ledger: Ledger, verdict: Entry, version: int, site: Site) -> bool:
    """Is somebody asked, has not answered, and the run has come to nothing else?"""
    if not spec.bless.approval.required or verdict.run is None:
        return False
    answered = any(entry.number > verdict.number and body.version == version for entry, body in ledger.of(Answered))
    release = ledger.release()
    if answered or release.serves(version) or release.tries(version):
        return False
    return _outcome(ledger.run_entries(verdict.run), site) in {None, "awaiting approval"}


def _next_run(schedule: str | None) -> datetime | None:
    from croniter import CroniterError, croniter  # type: ignore[import-untyped]

    if schedule is None:
        return None
    try:
        found: datetime = croniter(schedule, now()).get_next(datetime)
    except CroniterError:
        return None
    return found


# -- is it well --------------------------------------------------------------------------------------------------


def _ages(ledger: Ledger, spec: Spec | None) -> tuple[Age, ...]:
    """By the clock on the wall. A run that asks whether it may end early measures from the end of its own data."""
    champion = ledger.champion()
    if champion is None:
        return ()
    age = max(ledger.present() - ledger.version(champion.version).data_end, timedelta())
    limit: timedelta | None = spec.staleness.model if spec is not None else None
    return (
        Age(
            subject="model",
            age=age.total_seconds(),
            limit=limit.total_seconds() if limit is not None else None,
            stale=limit is not None and age > limit,
        ),
    )


def _health(
    release: Release,
    ages: tuple[Age, ...],
    waiting: tuple[Waiting, ...],
    runs: tuple[Run, ...],
    problem: str | None,
    doubt: str | None,
) -> Health:
    """The worst part decides; only its reasons are told."""
    parts: list[tuple[Level, str]] = []
    if problem is not None:
        parts.append(("bad", problem))
    if release.champion is None:
        parts.append(("attention", "nothing has been released yet"))
    if runs and runs[0].outcome in RUN_LEVELS:
        parts.append((RUN_LEVELS[runs[0].outcome], f"the last retraining ended: {runs[0].outcome}"))
    if doubt is not None:
        parts.append(("attention", doubt))
    parts += [("attention", f"waits for {one.who}: {one.what}") for one in waiting]
    parts += [("attention", _too_old(age)) for age in ages if age.stale]
    level = max((level for level, _ in parts), key=LEVELS.index, default="good")
    return Health(level=level, reasons=tuple(reason for found, reason in parts if found == level))


def _too_old(age: Age) -> str:
    limit = spell(timedelta(seconds=age.limit or 0.0))
    return f"the champion's data ended {duration(age.age)} ago, and `staleness.model` is {limit}"
