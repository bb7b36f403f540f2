"""Rehearse: the candidate in a gateway of its own, asked real requests over HTTP.

It must load, answer every request, and answer as the training side does: the same rows, as they lay in the held-out
data and without JSON or HTTP between, are predicted in this process and compared.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import retrain
from retrain.artifacts import Candidate, FeatureSet, Rehearsal, Request, identity
from retrain.data.frames import scratch
from retrain.data.holdout import raw_holdout
from retrain.errors import ModelError
from retrain.ledger import Rehearsed
from retrain.site import Site
from retrain.spec import Spec
from retrain.targets.base import Rehearsing, target_of

if TYPE_CHECKING:
    from pandas import DataFrame

REQUESTS = 100
"""Held-out rows asked, evenly spread over the holdout: one by one, then together."""

MOST_FAILURES = 5
"""After this many failures there is nothing more to learn, and each may have cost its whole patience."""

TOLERANCE = 1e-9
"""How far an answer may be from the training side's: rounding in the last bits, nothing more."""


@dataclass
class Asked:
    """What the gateway made of the rows.

    :param answers: to the rows one by one, then to all of them together; None where there was none.
    :param milliseconds: each single request took.
    :param failures: what went wrong, one line a request.
    """

    answers: list[Any] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    requests: int = 0


def rehearse(spec: Spec, request: Request, candidate: Candidate, site: Site) -> Rehearsal:
    """Rehearse a candidate, once a run, and write down what came of it.

    A candidate that cannot be loaded, fails, hangs or answers otherwise has not passed; that is a result.

    :raises GatewayError: no gateway can be started here; trying again may help.
    :raises StoreError: the store cannot be read now; trying again may help.
    """
    key = identity("rehearsal", candidate=candidate.key, run=request.run, requests=REQUESTS, by=retrain.__version__)
    rehearsal = site.once(Rehearsal, spec.name, key, lambda: _rehearse(spec, candidate, site, key))
    body = Rehearsed(
        version=candidate.version, passed=rehearsal.passed, reason=rehearsal.reason, rehearsal=rehearsal.ref()
    )
    ledger = site.ledger(spec.name)
    ledger.append(body, actor=request.actor, run=request.run, once=f"{request.run}/rehearsal/{key}")
    ledger.record_stage("rehearse", rehearsal, request)
    return rehearsal


def failed(_spec: Spec, _request: Request, rehearsal: Rehearsal, _site: Site) -> str | None:
    """Why a run ends at its rehearsal; None if it passed."""
    return None if rehearsal.passed else rehearsal.reason


def _rehearse(spec: Spec, candidate: Candidate, site: Site, key: str) -> Rehearsal:
    asked, load_seconds, mismatches = Asked(), 0.0, 0
    with target_of(spec).rehearse(candidate, spec, site) as gateway:
        rows = _holdout(candidate, site)  # while the gateway starts
        try:
            load_seconds = gateway.load()
            _ask(gateway, rows, asked)
            if not asked.failures:
                mismatches = _count_mismatches(candidate, site, rows, asked.answers)
        except ModelError as error:
            asked.failures.append(error.what)
    times = sorted(asked.milliseconds)
    return Rehearsal(
        key=key,
        pipeline=spec.name,
        candidate=candidate.ref(),
        version=candidate.version,
        passed=not asked.failures and not mismatches,
        requests=asked.requests,
        failures=len(asked.failures),
        mismatches=mismatches,
        load_seconds=round(load_seconds, 3),
        p50_ms=round(statistics.median(times), 3) if times else None,
        p95_ms=round(times[math.ceil(0.95 * len(times)) - 1], 3) if times else None,
        reason=_reason(asked, mismatches, load_seconds),
    )


def _holdout(candidate: Candidate, site: Site) -> DataFrame:
    """Rows spread evenly over the held-out data, as they lay there."""
    raw = raw_holdout(site.read(FeatureSet, candidate.features), site)
    step = max(len(raw) // REQUESTS, 1)
    return raw.iloc[::step].head(REQUESTS).reset_index(drop=True)


def _ask(gateway: Rehearsing, rows: DataFrame, asked: Asked) -> None:
    """Ask each row alone, then all of them together."""
    from retrain.model.rows import records_of

    records = records_of(rows)
    for number, batch in enumerate([[record] for record in records] + [records]):
        began = time.perf_counter()
        answers = gateway.ask(batch)
        if len(batch) == 1:
            asked.milliseconds.append((time.perf_counter() - began) * 1000)
        asked.requests += 1
        if isinstance(answers, str):
            asked.failures.append(f"request {number + 1}: {answers}")
        elif len(answers) != len(batch):
            asked.failures.append(f"request {number + 1}: {len(answers)} answers to {len(batch)} rows")
        else:
            asked.answers += answers
        if len(asked.failures) >= MOST_FAILURES:
            return


def _count_mismatches(candidate: Candidate, site: Site, rows: DataFrame, answers: list[Any]) -> int:
    """How many answers are not the training side's. Raises ModelError if that side has none."""
    from retrain.model.model import Model
    from retrain.model.store import fetch_model

    with scratch() as cache:
        model = Model.load(fetch_model(site.store, candidate.model, cache))
        expected = model.answer(model.conform(rows)).output
    return sum(not same(answer, other) for answer, other in zip(answers, [*expected, *expected], strict=True))


def same(answer: Any, expected: Any) -> bool:
    """Are two answers equal, numbers within :data:`TOLERANCE`? A JSON value against a Python one."""
    if isinstance(expected, dict):
        return (
            isinstance(answer, dict)
            and answer.keys() == expected.keys()
            and all(same(answer[name], expected[name]) for name in expected)
        )
    if isinstance(expected, list | tuple):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(same, answer, expected))
    if isinstance(expected, float) and isinstance(answer, int | float) and not isinstance(answer, bool):
        return math.isclose(answer, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(answer) is type(expected) and bool(answer == expected)


def _reason(asked: Asked, mismatches: int, load_seconds: float) -> str:
    if asked.failures:
        return f"{len(asked.failures)} of {max(asked.requests, 1)} requests failed; the first: {asked.failures[0]}"
    if mismatches:
        return f"{mismatches} of {len(asked.answers)} answers are not what the training side predicts"
    return (
        f"{asked.requests} requests answered as in training, median {statistics.median(asked.milliseconds):.1f} ms; "
        f"loaded in {load_seconds:.1f} s"
    )
