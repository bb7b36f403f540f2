"""Failures and latency of two arms, as they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retrain.monitoring.answers import Answers
from retrain.monitoring.arms import Errors, Latency
from retrain.spec.canary import Canary, LatencyMetric


def answers(rows: int, *, share: float = 0.5, decision: int = 1, seed: int = 0, **columns: Any) -> Answers:
    """Answers to requests that name nobody, of which the challenger gets a share."""
    random = np.random.default_rng(seed)
    plain = Answers(
        at=np.arange(rows), id=np.arange(rows, dtype=np.uint64) << np.uint64(16), decision=np.full(rows, decision),
        share=np.full(rows, share), tried=random.random(rows) < share, name=np.full(rows, -1),
        chance=np.full(rows, share), failed=np.zeros(rows, dtype=bool), latency_ms=random.gamma(4, 1, rows),
        answer=np.zeros((rows, 1)),
    )  # fmt: skip
    return replace(plain, **columns)


def latency(rows: Answers, **settings: Any) -> Any:
    canary = Canary(latency=LatencyMetric(**settings))
    assert canary.latency is not None
    metric = Latency(canary, canary.latency)
    metric.take(rows)
    return metric.compared()


def test_a_cold_start_is_not_called_slow() -> None:
    rows = answers(3000)
    cold = rows.tried & (np.cumsum(rows.tried) <= 100)
    slow = replace(rows, latency_ms=np.where(cold, 500.0, rows.latency_ms))
    assert latency(slow, warmup=0, floor=0, ratio=1.5).noticed
    warmed = latency(slow, warmup=100, floor=0, ratio=1.5)
    assert (warmed.noticed, warmed.within) == (False, True)
    assert "the first 100 left out" in warmed.summary


def test_a_slow_challenger_is_shown_to_be_slow() -> None:
    rows = answers(3000)
    found = latency(replace(rows, latency_ms=rows.latency_ms * np.where(rows.tried, 4.0, 1.0)), floor=0)
    assert found.harm
    assert "shown to be worse by more than 2 times + 0 ms" in found.summary


def test_latencies_that_are_all_alike_are_compared_too() -> None:
    assert latency(answers(500, latency_ms=np.ones(500))).within


def errors(*parts: Answers) -> Any:
    metric = Errors(Canary())
    for part in parts:
        metric.take(part)
    return metric.compared()


def test_one_client_that_always_fails_shows_no_harm() -> None:
    """It has one coin, however often it asks."""
    rows = answers(4000, share=0.1)
    client = np.arange(4000) % 20 == 0
    tried = np.where(client, True, rows.tried)
    rows = replace(rows, name=np.where(client, 0, -1), tried=tried, failed=client)
    assert not errors(rows).noticed


@pytest.mark.parametrize(("rate", "harm"), [(0.02, False), (0.2, True)])
def test_more_failures_than_the_margin_allows_are_harm(rate: float, harm: bool) -> None:
    rows = answers(4000)
    failed = np.random.default_rng(1).random(4000) < np.where(rows.tried, rate, 0.01)
    assert errors(replace(rows, failed=failed)).harm == harm


def test_in_how_many_looks_rows_come_changes_nothing() -> None:
    rows = answers(2000, failed=np.random.default_rng(2).random(2000) < 0.02)
    assert errors(rows) == errors(*(rows[begin : begin + 100] for begin in range(0, 2000, 100)))
