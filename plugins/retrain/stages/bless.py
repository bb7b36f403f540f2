"""Bless: every gate has its say. One failure is a veto; one doubt leaves it undecided, which never deploys."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from retrain.artifacts import (
    Candidate,
    FeatureSet,
    GateResult,
    Request,
    Scorecard,
    Verdict,
    VerdictOutcome,
    code,
    identity,
    now,
)
from retrain.data.frames import load_frame
from retrain.data.holdout import raw_holdout
from retrain.errors import LedgerError, ObjectMissing, RetrainError
from retrain.gates.base import Evidence, Gate
from retrain.ledger import Judged
from retrain.modelling.liveness import dead
from retrain.site import Site
from retrain.spec import GATES, Spec
from retrain.tracking import aliases
from retrain.tracking.runs import Tracking

if TYPE_CHECKING:
    from pandas import DataFrame

BROKEN = "could_not_judge"
"""In the evidence of a gate that raised: by what."""


def bless(spec: Spec, request: Request, scorecard: Scorecard, site: Site) -> Verdict:
    """Judge a scored candidate.

    :raises LedgerError: the ledger knows no champion but MLflow does: the store is probably the wrong one.
    """
    past = _past(spec, scorecard, site)
    key = identity(
        "verdict",
        scorecard=scorecard.key,
        past=past and past.key,
        bless=spec.bless.model_dump(mode="json", exclude={"approval"}),
        metric=spec.metric.name,
        **code.inputs(*(type(gate).__module__ for gate in spec.bless.asked.values())),
    )
    verdict = site.find(Verdict, spec.name, key) or _judged(spec, scorecard, past, site, key)
    judged = Judged(version=verdict.version, outcome=verdict.outcome, reason=verdict.reason, verdict=verdict.ref())
    ledger = site.ledger(spec.name)
    ledger.append(judged, actor=request.actor, run=request.run, once=f"{request.run}/verdict/{verdict.key}")
    ledger.record_stage("bless", verdict, request)
    aliases.mirror(ledger, site.settings)
    return verdict


def withheld(_spec: Spec, _request: Request, verdict: Verdict, _site: Site) -> str | None:
    """Why a run ends at its verdict; None if it is a blessing. A veto, or no verdict, is a decision, not a failure."""
    return None if verdict.outcome == "blessed" else verdict.reason


def _judged(spec: Spec, scorecard: Scorecard, past: Scorecard | None, site: Site, key: str) -> Verdict:
    """The verdict, found again by whoever asks the same; unless a gate could not judge, which may pass."""
    if scorecard.champion is None:
        _require_first(spec, scorecard, site)
    evidence = _evidence(spec, scorecard, past, site)
    results = tuple(ask(name, gate, evidence) for name, gate in spec.bless.asked.items())
    if any(BROKEN in result.evidence for result in results):
        key = identity("verdict", of=key, at=now().isoformat())
    return site.once(Verdict, spec.name, key, lambda: _verdict(spec, scorecard, results, key))


def _verdict(spec: Spec, scorecard: Scorecard, results: tuple[GateResult, ...], key: str) -> Verdict:
    outcome, reason = decide(results)
    if scorecard.champion is None:
        reason = f"no champion yet, so no comparison with one; {reason}"
    if unasked := [name for name in GATES if name not in spec.bless.gates]:
        reason = f"{reason}; not asked by this pipeline: {', '.join(unasked)}"
    return Verdict(
        key=key,
        pipeline=spec.name,
        scorecard=scorecard.ref(),
        candidate=scorecard.candidate,
        version=scorecard.version,
        champion=scorecard.champion,
        outcome=outcome,
        gates=results,
        reason=reason,
    )


def _past(spec: Spec, scorecard: Scorecard, site: Site) -> Scorecard | None:
    """The scorecard by which the champion was blessed; None if the ledger names none, or it is gone."""
    judged = [body for _, body in site.ledger(spec.name).of(Judged) if body.version == scorecard.champion]
    by_gates = sorted((body for body in judged if body.verdict), key=lambda body: body.outcome != "blessed")
    if scorecard.champion is None or not by_gates or by_gates[0].verdict is None:
        return None
    try:
        return site.read(Scorecard, site.read(Verdict, by_gates[0].verdict).scorecard)
    except ObjectMissing:
        return None


def _evidence(spec: Spec, scorecard: Scorecard, past: Scorecard | None, site: Site) -> Evidence:
    candidate = site.read(Candidate, scorecard.candidate)

    def inputs() -> DataFrame:
        return raw_holdout(site.read(FeatureSet, candidate.features), site)

    return Evidence(
        scorecard=scorecard,
        candidate=candidate,
        task=spec.task,
        metric=spec.metric.name,
        confidence=spec.bless.confidence,
        predictions=partial(load_frame, site, scorecard.predictions),
        inputs=inputs,
        dead=lambda: dead(site.read(FeatureSet, candidate.features), site),
        past=past,
    )


def ask(name: str, gate: Gate, evidence: Evidence) -> GateResult:
    """What a gate says, under the name the pipeline has for it. One that cannot say it has failed.

    :raises RetrainError: the store is lost for now; there is no verdict then.
    """
    try:
        said = gate.judge(evidence)
        if not isinstance(said, GateResult):
            raise TypeError(f"its answer is a {type(said).__name__}, not a GateResult")
        return GateResult.model_validate({**said.model_dump(mode="json", warnings=False), "gate": name})
    except Exception as error:  # whatever somebody's gate raises
        if isinstance(error, RetrainError) and error.retryable:
            raise
        reason = f"it could not judge: {type(error).__name__}: {error}"
        return GateResult(gate=name, outcome="failed", reason=reason, evidence={BROKEN: type(error).__name__})


def decide(results: tuple[GateResult, ...]) -> tuple[VerdictOutcome, str]:
    """What the gates come to together, and which of them decided it."""
    failed = [result for result in results if result.outcome == "failed"]
    doubtful = [result for result in results if result.outcome == "undecided"]
    passed = [result for result in results if result.outcome == "passed"]
    if failed:
        return "vetoed", _spoken([*failed, *_past_of(results, failed)])
    if doubtful or not passed:
        return "undecided", _spoken([*doubtful, *_past_of(results, doubtful)]) or "no gate was applied"
    count = f"{len(passed)} gates" if len(passed) > 1 else "one gate"
    fallen = [result.reason for result in passed if result.evidence.get("fallen")]
    return "blessed", "; ".join([f"{count} passed ({_names(passed)})", *fallen, _most_telling(passed).reason])


def _past_of(results: tuple[GateResult, ...], spoken: list[GateResult]) -> list[GateResult]:
    """How the champion itself stands, where a comparison with it decides; it may have fallen, too."""
    if not any(result.gate == "change" for result in spoken):
        return []
    applied = [result for result in results if result.gate == "decay" and result.outcome != "not applied"]
    return [result for result in applied if result not in spoken]


def _most_telling(passed: list[GateResult]) -> GateResult:
    """The comparison with the champion if there was one, else with the baselines."""
    order = {"change": 0, "baseline": 1, "value": 2}
    return min(passed, key=lambda result: order.get(result.gate, 9))


def _spoken(results: list[GateResult]) -> str:
    return "; ".join(f"{result.gate} gate: {result.reason}" for result in results)


def _names(results: list[GateResult]) -> str:
    return ", ".join(result.gate for result in results)


def _require_first(spec: Spec, scorecard: Scorecard, site: Site) -> None:
    """A "first" model is judged by less; make sure that it is one, and not a lost ledger."""
    known = Tracking(site.settings, spec.name).alias("champion")
    if known is not None:
        raise LedgerError(
            f"The ledger of pipeline '{spec.name}' knows no champion, but MLflow does: version {known}. "
            f"Version {scorecard.version} is not judged as a first model.",
            where=site.store.uri,
            do="see that RETRAIN_STORE points at the right, mounted store. To begin anew on purpose, delete the alias "
            f"`champion` of MLflow's registered model '{spec.name}'.",
        )
