"""Losses without a bound are capped; what lies beyond is counted, and excluded apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retrain.monitoring.answers import Answers
from retrain.monitoring.cap import LEARNT_FROM, Cap
from retrain.monitoring.evidence import ArmComparison
from retrain.monitoring.loss import Loss
from retrain.spec.canary import Canary, LossMetric


def compared(rows: int, *, gross: float, size: float = 500.0) -> ArmComparison:
    """Squared errors of both arms alike, but for a share of the challenger's that are gross."""
    random = np.random.default_rng(0)
    canary = Canary(loss=LossMetric(margin=1.0))
    assert canary.loss is not None
    loss = Loss(canary, canary.loss, "regression")
    answers = replace(
        Answers.none(), at=np.arange(rows), id=np.arange(rows, dtype=np.uint64) << np.uint64(16),
        decision=np.ones(rows, dtype=np.int64), share=np.full(rows, 0.5), tried=random.random(rows) < 0.5,
        name=np.full(rows, -1), chance=np.full(rows, 0.5), failed=np.zeros(rows, dtype=bool),
        latency_ms=np.ones(rows), answer=np.zeros((rows, 1)),
    )  # fmt: skip
    error = np.where(answers.tried & (random.random(rows) < gross), size, random.standard_normal(rows))
    loss.know(answers, error**2)
    loss.ripen(answers, error**2)
    return loss.compared()


def test_a_cap_is_learnt_once_from_the_champion_and_counts_what_lies_beyond() -> None:
    cap = Cap(squared=True)
    cap.learn(np.ones(LEARNT_FROM - 1))
    assert cap.at is None
    cap.learn(np.ones(LEARNT_FROM))
    cap.learn(np.full(1000, 9.0))
    assert cap.at == 4.0
    capped, beyond = cap.capped(1, np.array([1.0, 4.0, 5.0]))
    assert (capped.tolist(), beyond.tolist()) == ([1.0, 4.0, 4.0], [False, False, True])
    assert "errors capped at 2: 1 of the challenger, 0 of the champion" in cap.line(0.1, 0.002)
    assert Cap(squared=False).line(0.1, 0.002) == ""


def test_a_mean_within_its_margin_is_no_promotion_while_gross_errors_may_lurk() -> None:
    few = compared(2000, gross=0.0)
    assert not few.within
    assert "more than 0.20% of them is not excluded" in few.summary
    assert compared(20_000, gross=0.0).within
    assert not compared(20_000, gross=0.004).within
