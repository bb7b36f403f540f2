"""Metrics: ours, and what becomes of those of others that go wrong."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

import acme
from retrain.errors import MetricError
from retrain.extensions import UnknownKind
from retrain.metrics import registry
from retrain.metrics.base import Metric, mean_of
from retrain.metrics.label_loss import LABEL_LOSS
from retrain.metrics.registry import METRICS
from retrain.metrics.task import Task

TARGET = np.array([0, 1, 1, 0])
ANSWERS = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]])


def test_every_task_has_a_metric_that_decides_and_a_loss_of_live_answers() -> None:
    assert {task: registry.for_task(task)[0].name for task in get_args(Task)} == {
        "binary": "brier",
        "multiclass": "log_loss",
        "regression": "rmse",
    }
    assert set(LABEL_LOSS) == set(get_args(Task))


def test_the_constant_of_a_regression_is_the_metrics_own() -> None:
    skewed = np.array([0.0, 0.0, 0.0, 1.0, 9.0])
    assert METRICS["rmse"].centre(skewed) == 2.0
    assert METRICS["mae"].centre(skewed) == 0.0
    assert acme.pinball.centre(skewed) == pytest.approx(np.quantile(skewed, 0.9))


def test_a_loss_is_less_where_a_model_is_better_whichever_way_the_metric_points() -> None:
    worse = ANSWERS[:, ::-1]
    for metric in registry.for_task("binary"):
        assert metric.loss(TARGET, ANSWERS) < metric.loss(TARGET, worse), metric.name


def test_somebody_elses_is_found_by_import_path() -> None:
    assert registry.find("acme:missed") is acme.missed
    assert acme.missed.point(TARGET, ANSWERS) == pytest.approx(0.3)


def test_one_that_is_called_as_ours_is_refused() -> None:
    with pytest.raises(UnknownKind, match="is called brier, as one of ours is"):
        registry.find("acme:brier")
    assert registry.find("brier") is METRICS["brier"]


def test_weights_count_rows() -> None:
    weights = np.array([3.0, 0.0, 1.0, 0.0])
    assert acme.missed.of(TARGET, ANSWERS)(weights) == pytest.approx((3 * 0.1 + 0.2) / 4)
    assert np.isnan(acme.missed.of(TARGET, ANSWERS)(0 * weights))


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        (acme.broken, "ZeroDivisionError: no rows"),
        (acme.misshapen, "shape (4, 2), not one number for each of 4 rows"),
        (acme.meddling, "read-only"),
        (acme.statistic_of_all, "TypeError"),
    ],
)
def test_code_that_fails_names_its_metric(metric: Metric, says: str) -> None:
    before = ANSWERS.copy()
    with pytest.raises(MetricError) as caught:
        metric.point(TARGET, ANSWERS)
    assert f"'{metric.name}'" in caught.value.what
    assert says in caught.value.what
    assert np.array_equal(ANSWERS, before), "nobody else's numbers are touched"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "my metric"},
        {"name": "x", "tasks": ("ranking",)},
        {"name": "x", "tasks": ()},
        {"name": "x", "better": "more"},
    ],
)
def test_a_metric_that_makes_no_sense_cannot_be_made(wrong: dict[str, object]) -> None:
    sound = {"name": "x", "tasks": ("binary",), "statistic": mean_of(acme.surprise)}
    with pytest.raises(ValueError, match="metric"):
        Metric(**{**sound, **wrong})  # type: ignore[arg-type]
