"""Freshness: is what would be released still new enough?

Two clocks. The age of a model and of its data is in event time: how far they lie before the end of the data asked
for. The age of a stage's result is by the clock on the wall.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from retrain.artifacts import (
    Age,
    Artifact,
    Candidate,
    FeatureSet,
    Freshness,
    Request,
    Scorecard,
    Snapshot,
    Validation,
    Verdict,
    identity,
    now,
)
from retrain.ledger import Judged, Ledger, Stale
from retrain.site import Site
from retrain.spec import Spec
from retrain.story import AGED
from retrain.words import duration

STAGE_LIMIT = timedelta(days=7)


def freshness(spec: Spec, request: Request, candidate: Candidate, site: Site) -> Freshness:
    """Say whether a blessed candidate is fresh enough to release. Looked at anew each time, since time passes."""
    ledger = site.ledger(spec.name)
    ages = (*_data_ages(spec, request, candidate, site), *_stage_ages(spec, candidate, site, ledger))
    stale = [age for age in ages if age.stale]
    key = identity(
        "freshness",
        candidate=candidate.key,
        run=request.run,
        data_end=request.data_end,
        staleness=spec.fragment("staleness"),
        stale=[age.subject for age in stale],
    )
    result = site.once(Freshness, spec.name, key, lambda: _result(spec, candidate, ages, stale, key))
    if not result.fresh:
        body = Stale(version=candidate.version, reason=result.reason)
        ledger.append(body, actor=request.actor, run=request.run, once=f"{request.run}/stale/{key}")
    ledger.record_stage("freshness", result, request)
    return result


def outdated(_spec: Spec, _request: Request, freshness: Freshness, _site: Site) -> str | None:
    """Why a run ends here: what was blessed is not fresh any more."""
    return None if freshness.fresh else freshness.reason


def _result(spec: Spec, candidate: Candidate, ages: tuple[Age, ...], stale: list[Age], key: str) -> Freshness:
    if stale:
        reason = "; ".join(_too_old(age) for age in stale)
    else:
        reason = f"model, data and {len(ages) - 2} stages are within their limits"
    return Freshness(
        key=key,
        pipeline=spec.name,
        candidate=candidate.ref(),
        version=candidate.version,
        fresh=not stale,
        ages=ages,
        reason=reason,
    )


def _data_ages(spec: Spec, request: Request, candidate: Candidate, site: Site) -> tuple[Age, Age]:
    """In event time: the model's data against the data asked for, its newest row against its window's end."""
    snapshot = site.read(Snapshot, candidate.snapshot)
    return (
        _age("model", request.data_end - candidate.data_end, spec.staleness.model),
        _age("data", snapshot.end - snapshot.newest, spec.staleness.data),
    )


def _stage_ages(spec: Spec, candidate: Candidate, site: Site, ledger: Ledger) -> list[Age]:
    """By the wall clock: how long ago each result this candidate rests on was made."""
    made = _made_at(candidate, site, ledger)
    present = now()
    limits = spec.staleness.stages
    return [_age(stage, present - made[stage], limits.get(stage, STAGE_LIMIT)) for stage in AGED if stage in made]


def _made_at(candidate: Candidate, site: Site, ledger: Ledger) -> dict[str, datetime]:
    feature_set = site.read(FeatureSet, candidate.features)
    lineage: dict[str, Artifact] = {
        "collect": site.read(Snapshot, candidate.snapshot),
        "validate": site.read(Validation, feature_set.validation),
        "features": feature_set,
        "train": candidate,
        **_judgement(candidate, site, ledger),
    }
    return {stage: artifact.made_at for stage, artifact in lineage.items()}


def _judgement(candidate: Candidate, site: Site, ledger: Ledger) -> dict[str, Artifact]:
    """The gates' newest verdict on a candidate and the scorecard it rests on; a human's needs neither."""
    for _, judged in ledger.of(Judged):
        if judged.version == candidate.version and judged.verdict is not None:
            verdict = site.read(Verdict, judged.verdict)
            return {"evaluate": site.read(Scorecard, verdict.scorecard), "bless": verdict}
    return {}


def _age(subject: str, age: timedelta, limit: timedelta) -> Age:
    return Age(subject=subject, age=max(age.total_seconds(), 0.0), limit=limit.total_seconds(), stale=age > limit)


def _too_old(age: Age) -> str:
    what = {"model": "the model's data ended", "data": "its newest row lies"}
    said = what.get(age.subject, f"the result of {age.subject} is")
    tail = {"model": " before the data asked for", "data": " before the end of its window"}.get(age.subject, " old")
    return f"{said} {duration(age.age)}{tail}, at most {duration(age.limit or 0.0)} allowed"
