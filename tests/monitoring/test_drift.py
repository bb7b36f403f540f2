"""Comparing rows with a reference: which distance, which threshold, and a distance that fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.errors import DriftError
from retrain.metrics.distances import DISTANCES, Distance
from retrain.model.rows import TEXT
from retrain.monitoring.drift import LARGEST, Comparison, compare
from retrain.monitoring.reference import Reference
from retrain.spec import Spec

START = datetime(2013, 1, 1, tzinfo=UTC)
LEAST: dict[str, Any] = {
    "name": "orders",
    "task": "binary",
    "source": {"files": "*.csv", "timestamp": "at", "label": "late"},
    "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
}


def rows(days: int = 42, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    count = days * 50
    at = pd.to_datetime([START + timedelta(days=number / 50) for number in range(count)])
    price = random.lognormal(2, 1, count).round(1)
    return pd.DataFrame({"at": at, "price": price, "kind": random.choice(["food", "toys"], count)})


def compared(distance: str, days: int = 42, now: pd.DataFrame | None = None, **drift: Any) -> Comparison:
    """Fourteen days of the same orders, or of others, against a reference of so many days."""
    spec = Spec.model_validate(LEAST | {"drift": {"distance": distance, **drift}})
    reference = Reference.of(rows(days), "at")
    return compare(spec, rows(14, seed=1) if now is None else now, ["price", "kind"], reference)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Put a function into the registry, as if somebody had brought it; returns its name."""

    def put(function: Callable[[Any, Any], Any], **options: Any) -> str:
        monkeypatch.setitem(DISTANCES, "theirs", Distance(function, **{"threshold": 0.2, **options}))
        return "theirs"

    return put


def test_a_reference_too_short_to_learn_from_takes_the_distances_customary_threshold(
    register: Callable[..., str],
) -> None:
    assert [column.threshold for column in compared("psi", days=3).columns] == [0.25, 0.25]
    theirs = compared(register(lambda reference, current: 0.3, threshold=0.3), days=3)
    assert [(column.threshold, column.drifted) for column in theirs.columns] == [(0.3, False), (0.3, False)]


def test_the_threshold_is_learnt_from_the_references_own_weeks(register: Callable[..., str]) -> None:
    by_rows = register(lambda reference, current: current.total / 1000, threshold=99.0)
    for column in compared(by_rows).columns:
        assert column.value == 0.7
        assert column.threshold == pytest.approx(0.35), "each week has 350 rows"
        assert column.drifted


def test_a_column_without_numbers_is_compared_by_jensen_shannon_whoevers_distance_needs_them(
    register: Callable[..., str],
) -> None:
    theirs = register(lambda reference, current: abs(reference.mean - current.mean), numeric_only=True)
    assert {c.column: c.distance for c in compared(theirs).columns} == {"price": "theirs", "kind": "jensen_shannon"}
    empty = compared(theirs, now=rows(14).assign(price=np.nan))
    assert {c.distance for c in empty.columns} == {"jensen_shannon"}
    assert next(c for c in empty.columns if c.column == "price").drifted


def test_an_infinite_distance_is_the_largest_number(register: Callable[..., str]) -> None:
    found = compared(register(lambda reference, current: math.inf), threshold=5.0)
    assert [(column.value, column.drifted) for column in found.columns] == [(LARGEST, True), (LARGEST, True)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (math.nan, "returned nan"),
        (np.float64("nan"), "returned nan"),
        (-math.inf, "returned -inf"),
        (None, "raised TypeError"),
        ("far", "raised ValueError"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_an_error_and_not_the_absence_of_drift(
    register: Callable[..., str], answer: Any, says: str
) -> None:
    name = register(lambda reference, current: answer)
    for threshold in (None, 0.5):
        with pytest.raises(DriftError, match=says) as caught:
            compared(name, threshold=threshold)
    assert "column 'price' of pipeline 'orders'" in caught.value.what
    assert "'theirs'" in caught.value.what
    assert "`drift.distance`" in str(caught.value.where)
    assert "leave the column out" in str(caught.value.do)
    assert not caught.value.retryable


def test_a_distance_that_raises_is_an_error_with_its_cause(register: Callable[..., str]) -> None:
    def broken(reference: Any, current: Any) -> float:
        raise ZeroDivisionError("no rows")

    with pytest.raises(DriftError, match="raised ZeroDivisionError: no rows") as caught:
        compared(register(broken))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_distance_that_fails_on_one_week_of_the_reference_gives_no_threshold(register: Callable[..., str]) -> None:
    """Sorted last among the weeks' distances, a nan would leave the others to make a threshold of."""

    def fails_on_weeks(reference: Any, current: Any) -> float:
        return math.nan if current.total == 350 else 0.1

    with pytest.raises(DriftError, match="returned nan"):
        compared(register(fails_on_weeks))


def test_what_cannot_be_compared_is_named_with_the_reason() -> None:
    found = compared("psi", now=rows(14).assign(price="dear").astype({"price": TEXT}))
    assert [column.column for column in found.columns] == ["kind"]
    assert found.skipped == {"price": "numbers in the champion's data, now str"}
