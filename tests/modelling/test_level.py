"""Answers on the level of the labels: the luck of a base rate is gone, what a model knows is not."""

from __future__ import annotations

import numpy as np
import pytest

from retrain.metrics.registry import METRICS
from retrain.modelling.level import levelled


def binary(second: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - second, second])


def test_a_constant_becomes_the_best_constant() -> None:
    random = np.random.default_rng(0)
    target = (random.random(1000) < 0.22).astype(int)
    moved = levelled(METRICS["brier"], target, binary(np.full(1000, 0.2)))
    assert moved[:, 1] == pytest.approx(target.mean())
    numbers = random.exponential(size=1000)
    assert levelled(METRICS["rmse"], numbers, np.full(1000, 0.2)) == pytest.approx(numbers.mean())
    assert levelled(METRICS["mae"], numbers, np.full(1000, 0.2)) == pytest.approx(np.median(numbers))
    kinds = random.choice(3, size=1000, p=[0.6, 0.3, 0.1])
    moved = levelled(METRICS["log_loss"], kinds, np.tile([1 / 3, 1 / 3, 1 / 3], (1000, 1)))
    assert moved[0] == pytest.approx(np.bincount(kinds) / 1000)


def test_a_model_keeps_its_order_and_loses_no_more() -> None:
    random = np.random.default_rng(1)
    logit = random.normal(size=2000)
    target = (random.random(2000) < 1 / (1 + np.exp(1 - logit))).astype(int)
    answers = binary(1 / (1 + np.exp(-logit)))  # too high by one
    for name in ("brier", "log_loss", "roc_auc"):
        metric = METRICS[name]
        moved = levelled(metric, target, answers)
        assert metric.loss(target, moved) <= metric.loss(target, answers)
    moved = levelled(METRICS["brier"], target, answers)
    assert moved[:, 1].mean() == pytest.approx(target.mean(), abs=1e-4)
    assert np.argsort(moved[:, 1]).tolist() == np.argsort(answers[:, 1]).tolist()


def test_what_is_no_number_is_left_alone() -> None:
    lost = binary(np.array([0.5, np.nan]))
    assert levelled(METRICS["brier"], np.array([0, 1]), lost) is lost
