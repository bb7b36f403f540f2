"""What came of a run: one headline, and one table of its stages. Always written, whatever happened."""

from __future__ import annotations

from typing import Literal, TypeVar

from retrain.artifacts import Report, Request, Validation, identity
from retrain.errors import ArtifactChanged, ObjectMissing
from retrain.ledger import Answered, Body, Entry, FreshEnough, Judged, Ledger, Rehearsed, StageDone, Stale
from retrain.ledger import trial as trials
from retrain.ledger.release import Release
from retrain.ledger.trial import Trial
from retrain.markdown import inert
from retrain.site import Site
from retrain.spec import Spec
from retrain.story import STAGES
from retrain.tracking import aliases
from retrain.words import moment, second

B = TypeVar("B", bound=Body)
Conclusion = Literal[
    "promoted",
    "rolled back",
    "paused",
    "being released",
    "rehearsal failed",
    "stale",
    "rejected",
    "awaiting approval",
    "vetoed",
    "undecided",
    "fresh enough",
    "bad data",
    "failed",
    "interrupted",
    "unfinished",
]


def report(spec: Spec, request: Request, site: Site, states: dict[str, str]) -> Report:
    """Say what came of a run, from what it wrote into the ledger.

    :param states: stage → how its task ended (``success``, ``failed``, ``skipped`` …); Airflow's task ids are
        understood too.
    """
    ledger = site.ledger(spec.name)
    entries = ledger.run_entries(request.run)
    ended = {name.rpartition(".")[2]: state for name, state in states.items()}
    outcome, why = _outcome(spec, request, site, ledger, entries, ended)
    headline = f"{spec.name}: {why}"
    said = [entry.number for entry in entries if not _is_report(entry)]
    key = identity("report", run=request.run, states=ended, entries=said, why=why)

    def make() -> Report:
        return Report(
            key=key,
            pipeline=spec.name,
            run=request.run,
            outcome=outcome,
            headline=headline,
            version=_version(request, entries),
            markdown=_markdown(request, headline, entries, ended),
            stages=ended,
        )

    made = site.once(Report, spec.name, key, make)
    ledger.record_stage("report", made, request)
    aliases.mirror(ledger, site.settings)
    return made


def _outcome(
    spec: Spec, request: Request, site: Site, ledger: Ledger, entries: list[Entry], states: dict[str, str]
) -> tuple[Conclusion, str]:
    """The outcome and its sentence: the furthest decision this run came to."""
    version = _version(request, entries)
    trial = trials.of_run(ledger, request, version) if version is not None else None
    failed = [stage for stage in STAGES if states.get(stage) == "failed"]
    interrupted = [stage for stage in STAGES if states.get(stage) == "interrupted"]
    released = _released(ledger, entries, trial, version) if version is not None else None
    if interrupted:
        return "interrupted", f"interrupted at {interrupted[0]}{f'; {released[1]}' if released else ''}"
    if version is not None:
        if released is not None and released[0] == "being released" and failed:
            return "failed", f"failed at {', '.join(failed)}, and {released[1]}"
        if released is not None:
            return released
        judged = _judged(spec, entries, states, version)
        if judged is not None:
            return judged
    fresh = _newest(entries, FreshEnough)
    if fresh is not None:
        return "fresh enough", f"fresh enough: {fresh.reason}"
    validation = _validation(site, entries)
    if validation is not None and not validation.success:
        return "bad data", f"bad data: {validation.summary}"
    if failed:
        return "failed", f"failed at {', '.join(failed)}"
    return "unfinished", _ended(entries, states)


def _released(ledger: Ledger, entries: list[Entry], trial: Trial | None, version: int) -> tuple[Conclusion, str] | None:
    mine = [entry.body for entry in entries if isinstance(entry.body, Release)]
    promoted = [release for release in mine if release.serves(version) and release.state == "promoted"]
    if promoted:
        if not ledger.release().serves(version):
            return "rolled back", f"version {version} was promoted and replaced since: {ledger.release().reason}"
        return "promoted", f"version {version} promoted: {promoted[-1].reason}"
    if trial is None:
        serves = ledger.release().serves(version)
        return ("promoted", f"version {version} is the champion already") if serves else None
    if trial.promoted:
        return "promoted", f"version {version} promoted"
    if trial.ending is not None:
        return "rolled back", f"version {version} rolled back: {trial.ending.release.reason}"
    release = trial.current.release
    if release.state == "paused":
        return "paused", f"version {version} paused: {release.reason}"
    return "being released", f"version {version} is being released: {release.reason}"


def _judged(spec: Spec, entries: list[Entry], states: dict[str, str], version: int) -> tuple[Conclusion, str] | None:
    """What stopped this version before its release."""
    rehearsal, stale = _newest(entries, Rehearsed), _newest(entries, Stale)
    approval, verdict = _newest(entries, Answered), _newest(entries, Judged)
    if rehearsal is not None and not rehearsal.passed:
        return "rehearsal failed", f"version {version} failed its rehearsal: {rehearsal.reason}"
    if stale is not None:
        return "stale", f"version {version} is stale and not released: {stale.reason}"
    if approval is not None and not approval.approved:
        return "rejected", approval.line
    if verdict is None:
        return None
    if verdict.outcome == "vetoed":
        return "vetoed", f"version {version} vetoed: {verdict.reason}"
    if verdict.outcome == "undecided":
        return "undecided", f"version {version} undecided, so not released: {verdict.reason}"
    if spec.bless.approval.required and approval is None and "failed" not in states.values():
        return "awaiting approval", f"version {version} is blessed and awaits approval"
    return None


def _ended(entries: list[Entry], states: dict[str, str]) -> str:
    """Where a run ended that came to no decision of those above, and what was found there."""
    done = [stage for stage in STAGES if states.get(stage) == "success"]
    if not done:
        return "the run came to no decision"
    return f"the run ended at {done[-1]}: {_said(entries).get(done[-1], 'it came to no decision')}"


def _said(entries: list[Entry]) -> dict[str, str]:
    """What came of each stage, in a line."""
    return {entry.body.stage: entry.body.summary for entry in entries if isinstance(entry.body, StageDone)}


def _version(request: Request, entries: list[Entry]) -> int | None:
    """The version this run is about."""
    if request.redeploy is not None:
        return request.redeploy
    named = (getattr(entry.body, "version", None) for entry in reversed(entries))
    return next((version for version in named if version is not None), None)


def _validation(site: Site, entries: list[Entry]) -> Validation | None:
    done = [entry.body for entry in entries if isinstance(entry.body, StageDone) and entry.body.stage == "validate"]
    if not done:
        return None
    try:
        return site.read(Validation, done[-1].artifact)
    except (ArtifactChanged, ObjectMissing):
        return None


def _newest(entries: list[Entry], kind: type[B]) -> B | None:
    return next((entry.body for entry in reversed(entries) if isinstance(entry.body, kind)), None)


def _is_report(entry: Entry) -> bool:
    return isinstance(entry.body, StageDone) and entry.body.stage == "report"


def _markdown(request: Request, headline: str, entries: list[Entry], states: dict[str, str]) -> str:
    said = _said(entries)
    shown = [stage for stage in STAGES if stage in states or stage in said]
    lines = [
        f"## {inert(headline)}",
        "",
        f"Run {inert(request.run)}, data up to {moment(request.data_end)}, asked by {inert(request.actor)}.",
        "",
        "| stage | ended | what came of it |",
        "|---|---|---|",
        *(f"| {s} | {inert(states.get(s, 'success'))} | {inert(said.get(s, ''))} |" for s in shown),
    ]
    decisions = [entry for entry in entries if entry.kind not in {"stage", "trained"}]
    if decisions:
        lines += ["", "| entry | at | by | decision |", "|---|---|---|---|"]
        lines += [f"| {e.number} | {second(e.at)} | {inert(e.actor)} | {inert(e.summary)} |" for e in decisions]
    return "\n".join(lines) + "\n"
