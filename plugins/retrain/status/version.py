"""One version: what it is, what was found of it, and what is different from the champion it was compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from retrain.artifacts import Candidate, Drift, Moment, Part, Ref, Scorecard, Snapshot, Value, Verdict, VerdictOutcome
from retrain.ledger import Entry, Judged, Ledger, Rehearsed, StageDone, Trained
from retrain.site import Site
from retrain.status import kept
from retrain.status.bars import Bars, bars
from retrain.status.changes import Change, changes
from retrain.status.lines import Line, score_lines, slice_lines

DRAWN = 6
"""So many columns that have moved are drawn before and now."""

WEEK = timedelta(days=7)


class Gated(Value):
    """What one gate said."""

    gate: str
    outcome: Literal["passed", "failed", "undecided", "not applied"]
    reason: str


class VersionVerdict(Value):
    """The newest judgement of a version, and what the gates said when they were asked last.

    :param by: ``gates``, or who overruled them.
    """

    outcome: VerdictOutcome
    reason: str
    by: str
    gates: tuple[Gated, ...]


class Rehearsal(Value):
    """How it did in a gateway of its own."""

    passed: bool
    reason: str


class Drifted(Value):
    """How far one column has moved from the champion's data.

    :param value: the distance; None of a column that cannot be compared any more.
    :param weight: the share of the variance of the champion's answers that goes with it, where that was measured.
    :param before: the champion's data, and :param now: the newest rows, in the same bins; None where not drawn.
    """

    column: str
    value: float | None
    threshold: float | None
    drifted: bool
    said: str
    weight: float | None = None
    before: Bars | None = None
    now: Bars | None = None


class VersionStory(Value):
    """Everything that is known of one version. What lies in artifacts that are gone is None, or empty.

    :param run: the retraining that made it. :param dag_id: its Dag, where that is known.
    :param mlflow_run: the id of its run in MLflow.
    :param champion: the version it was compared with.
    :param left_out: slices too small to judge.
    :param changes: from that champion to this version.
    :param drift: what had moved when it was made, what has drifted first.
    """

    version: int
    standing: str
    reason: str
    run: str | None
    dag_id: str | None = None
    mlflow_run: str | None
    trained_at: Moment
    data_end: Moment
    estimator: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    train_rows: int | None = None
    verdict: VersionVerdict | None = None
    champion: int | None = None
    rehearsal: Rehearsal | None = None
    scores: tuple[Line, ...] = ()
    slices: tuple[Line, ...] = ()
    left_out: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    drift: tuple[Drifted, ...] = ()


def version_story(pipeline: str, version: int, site: Site) -> VersionStory:
    """Everything that is known of a version.

    :raises ReleaseError: there is no such version.
    :raises LedgerBroken, StoreError: the ledger, or what it names, cannot be read.
    """
    ledger = site.ledger(pipeline)
    known = ledger.version(version)
    entry, trained = next((entry, body) for entry, body in ledger.of(Trained) if body.version == version)
    candidate = kept.found(site, Candidate, trained.candidate)
    judged = [(at, body) for at, body in ledger.of(Judged) if body.version == version]
    verdict = _newest_verdict(site, [body.verdict for _, body in judged])
    scorecard = _scorecard(ledger, entry, verdict, version, site)
    champion = verdict.champion if verdict else scorecard.champion if scorecard else None
    gates = verdict.gates if verdict else ()
    return VersionStory(
        version=version,
        standing=known.standing,
        reason=known.reason,
        run=entry.run,
        mlflow_run=trained.run_id or None,
        trained_at=ledger.at(entry),
        data_end=known.data_end,
        estimator=candidate.estimator if candidate else None,
        params=candidate.params if candidate else {},
        train_rows=candidate.train_rows if candidate else None,
        verdict=_verdict(judged[0][1], verdict) if judged else None,
        champion=champion,
        rehearsal=_rehearsal(ledger, version),
        scores=score_lines(scorecard, gates) if scorecard else (),
        slices=slice_lines(scorecard, gates) if scorecard else (),
        left_out=scorecard.left_out if scorecard else (),
        changes=tuple(_changes(ledger, champion, candidate, site)),
        drift=tuple(_drift(ledger, entry, site)),
    )


def _newest_verdict(site: Site, refs: Sequence[Ref | None]) -> Verdict | None:
    """The newest verdict of the gates; a human's names none."""
    found = (kept.found(site, Verdict, ref) for ref in refs if ref is not None)
    return next((one for one in found if one is not None), None)


def _scorecard(ledger: Ledger, trained: Entry, verdict: Verdict | None, version: int, site: Site) -> Scorecard | None:
    if verdict is not None:
        return kept.found(site, Scorecard, verdict.scorecard)
    done = _done(ledger, trained, Scorecard.kind)
    found = None if done is None else kept.found(site, Scorecard, done)
    return found if found is not None and found.version == version else None


def _done(ledger: Ledger, trained: Entry, kind: str) -> Ref | None:
    """The newest artifact of a kind that the retraining of a version came to."""
    entries = ledger.run_entries(trained.run) if trained.run is not None else []
    bodies = (entry.body for entry in reversed(entries) if isinstance(entry.body, StageDone))
    return next((body.artifact for body in bodies if body.artifact.kind == kind), None)


def _verdict(judged: Judged, verdict: Verdict | None) -> VersionVerdict:
    gates = verdict.gates if verdict is not None else ()
    told = tuple(Gated(gate=gate.gate, outcome=gate.outcome, reason=gate.reason) for gate in gates)
    return VersionVerdict(outcome=judged.outcome, reason=judged.reason, by=judged.by, gates=told)


def _rehearsal(ledger: Ledger, version: int) -> Rehearsal | None:
    bodies = (body for _, body in ledger.of(Rehearsed) if body.version == version)
    return next((Rehearsal(passed=body.passed, reason=body.reason) for body in bodies), None)


def _changes(ledger: Ledger, champion: int | None, candidate: Candidate | None, site: Site) -> Iterator[Change]:
    trained = next((body for _, body in ledger.of(Trained) if body.version == champion), None)
    before = None if trained is None else kept.found(site, Candidate, trained.candidate)
    if before is not None and candidate is not None:
        yield from changes(before, candidate, site)


# -- drift ---------------------------------------------------------------------------------------------------------


def _drift(ledger: Ledger, trained: Entry, site: Site) -> Iterator[Drifted]:
    ref = _done(ledger, trained, Drift.kind)
    drift = None if ref is None else kept.found(site, Drift, ref)
    if drift is None:
        return
    columns = sorted(drift.columns, key=lambda column: (not column.drifted, -(column.weight or 0.0)))
    drawn = _drawn(ledger, drift, [column.column for column in columns if column.drifted][:DRAWN], site)
    for name, why in drift.incomparable.items():
        said = f"{name} cannot be compared any more: {why}"
        yield Drifted(column=name, value=None, threshold=None, drifted=True, said=said)
    for column in columns:
        before, now = drawn.get(column.column, (None, None))
        yield Drifted(
            column=column.column,
            value=column.value,
            threshold=column.threshold,
            drifted=column.drifted,
            said=column.said,
            weight=column.weight,
            before=before,
            now=now,
        )


def _drawn(ledger: Ledger, drift: Drift, columns: list[str], site: Site) -> dict[str, tuple[Bars, Bars]]:
    """The columns before and now: the champion's data, and what came after it, or the newest week."""
    champion = next((body for _, body in ledger.of(Trained) if body.version == drift.champion), None)
    if not columns or drift.reference is None or champion is None:
        return {}
    then, now = (kept.found(site, Snapshot, ref) for ref in (drift.reference, drift.snapshot))
    if then is None or now is None:
        return {}
    since = min(champion.data_end, now.newest - WEEK)
    return bars(site, then.parts, _later(now.parts, since), columns)


def _later(parts: Sequence[Part], since: datetime) -> Sequence[Part]:
    return [part for part in parts if part.end > since] or parts[-1:]
