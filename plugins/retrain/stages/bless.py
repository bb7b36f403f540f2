"""Bless: every gate has its say. One failure is a veto; one doubt leaves it undecided, which never deploys."""

from __future__ import annotations

from collections.abc import Callable

from retrain.artifacts import Candidate, GateResult, Outcome, Request, Scorecard, Verdict, identity
from retrain.errors import LedgerError
from retrain.gates.baseline import baseline
from retrain.gates.change import change
from retrain.gates.slices import slices
from retrain.gates.stability import stability
from retrain.gates.suspicious import suspicious
from retrain.gates.value import value
from retrain.site import Site
from retrain.spec import Bless, Spec
from retrain.tracking.runs import Tracking

Gate = Callable[[Scorecard, Candidate, Bless], GateResult]
GATES: tuple[Gate, ...] = (stability, value, suspicious, change, slices, baseline)


def bless(spec: Spec, request: Request, scorecard: Scorecard, site: Site) -> Verdict:
    """Judge a scored candidate.

    :raises LedgerError: the ledger knows no champion but MLflow does: the store is probably the wrong one.
    """
    key = identity(
        "verdict",
        scorecard=scorecard.key,
        bless=spec.bless.model_dump(mode="json", exclude={"approval"}),
        metric=spec.metric,
    )
    verdict = site.once(Verdict, spec.name, key, lambda: _judge(spec, scorecard, site, key))
    body = {
        "version": verdict.version,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "verdict": verdict.ref().model_dump(),
        "by": "gates",
    }
    ledger = site.ledger(spec.name)
    ledger.append("verdict", body, actor=request.actor, run=request.run, once=f"{request.run}/verdict/{key}")
    ledger.record_stage("bless", verdict, request)
    return verdict


def withheld(spec: Spec, request: Request, verdict: Verdict, site: Site) -> str | None:
    """Why a run ends at its verdict; None if it is a blessing. A veto, or no verdict, is a decision, not a failure."""
    return None if verdict.outcome == "blessed" else verdict.reason


def _judge(spec: Spec, scorecard: Scorecard, site: Site, key: str) -> Verdict:
    if scorecard.champion is None:
        _require_first(spec, scorecard, site)
    candidate = site.read(Candidate, scorecard.candidate)
    rules = spec.bless.model_copy(update={"metric": spec.metric})
    results = tuple(gate(scorecard, candidate, rules) for gate in GATES)
    outcome, reason = decide(results)
    if scorecard.champion is None:
        reason = f"no champion yet, so no comparison with one; {reason}"
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


def decide(results: tuple[GateResult, ...]) -> tuple[Outcome, str]:
    """What the gates come to together, and which of them decided it."""
    failed = [result for result in results if result.outcome == "failed"]
    doubtful = [result for result in results if result.outcome == "undecided"]
    passed = [result for result in results if result.outcome == "passed"]
    if failed:
        return "vetoed", _spoken(failed)
    if doubtful or not passed:
        return "undecided", _spoken(doubtful) or "no gate was applied"
    return "blessed", f"{len(passed)} gates passed ({_names(passed)}); {_most_telling(passed).reason}"


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
