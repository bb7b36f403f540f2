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


def test_the_threshold_is_what_weeks_so_long_stray_by_with_nothing_wrong(register: Callable[..., str]) -> None:
    """A distance that is the share of toys: with 700 of them it strays by .019 of its own, and that is learnt."""

    def toys(reference: Any, current: Any) -> float:
        if reference.kind == "numeric":
            return 0.0
        at = reference.categories.index("toys")
        return abs(reference.counts[at] / reference.total - current.counts[at] / current.total)

    name = register(toys, threshold=0.01)
    (price, kind) = compared(name, days=120).columns
    assert (price.value, price.drifted) == (0.0, False)
    assert price.threshold == pytest.approx(0.001), "a tenth of the customary one: less is nobody's business"
    assert 1.2 * 0.02 < kind.threshold < 4 * 0.02
    (_, longer) = compared(name, days=120, now=rows(35, seed=1)).columns
    assert longer.threshold < 0.85 * kind.threshold, "35 days stray less far than 14"
    (_, stricter) = compared(name, days=120, false_alarms=0.001).columns
    assert stricter.threshold > 1.3 * kind.threshold


def test_what_the_thresholds_were_learnt_from_is_said() -> None:
    assert compared("psi").calibration == "learnt from 6 weeks, which is less than a year: a season looks like a drift"
    assert compared("psi", days=20).calibration.startswith("2 whole weeks with rows on 14 days are too few")
    year = compared("psi", days=400, now=rows(414, seed=1).tail(700))
    assert year.calibration == "learnt from 57 weeks; compared with the same weeks of years before"
    assert compared("psi", threshold=0.3).calibration == "a fixed threshold"


def test_with_a_year_of_history_the_same_weeks_of_years_before_are_compared() -> None:
    """A season of five standard deviations, whose worst month is far from the mean of the year."""

    def seasonal(days: int, first: int = 0) -> pd.DataFrame:
        frame = rows(first + days)
        day = np.arange(len(frame)) / 50
        price = 5 * np.sin(2 * np.pi * day / 365.2425) + np.random.default_rng(3).standard_normal(len(frame))
        return frame.assign(price=price)[first * 50 :]

    spec = Spec.model_validate(LEAST)
    now = seasonal(28, first=2 * 364 - 300)
    for days, drifted in ((2 * 364 - 300, False), (120, True)):
        reference = Reference.of(seasonal(days, first=2 * 364 - 300 - days), "at")
        (price,) = compare(spec, now, ["price"], reference).columns
        assert price.drifted == drifted
    moved = now.assign(price=now["price"] + 0.5)
    (price,) = compare(spec, moved, ["price"], Reference.of(seasonal(2 * 364 - 300), "at")).columns
    assert price.drifted
    assert price.value == pytest.approx(0.5, rel=0.5), "in standard deviations of those weeks"


def test_many_columns_are_one_alarm() -> None:
    """Forty columns as wide as one another: each threshold is higher than it is for one alone."""
    random = np.random.default_rng(4)
    names = [f"c{number}" for number in range(40)]

    def wide(days: int) -> pd.DataFrame:
        frame = rows(days)[["at"]]
        return frame.join(pd.DataFrame(random.standard_normal((len(frame), 40)), columns=names, index=frame.index))

    spec, before, now = Spec.model_validate(LEAST), wide(120), wide(14)
    reference = Reference.of(before, "at")
    together = {one.column: one.threshold for one in compare(spec, now, names, reference).columns}
    alone = {name: compare(spec, now, [name], reference).columns[0].threshold for name in names[:5]}
    assert all(together[name] > 1.2 * limit for name, limit in alone.items())
    assert compare(spec, now, names, reference) == compare(spec, now, names, reference), "the same luck each time"


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


def test_a_distance_that_fails_on_a_draw_gives_no_threshold(register: Callable[..., str]) -> None:
    """Sorted last among the distances drawn, a nan would leave the others to make a threshold of."""
    asked: list[int] = []

    def fails_later(reference: Any, current: Any) -> float:
        asked.append(1)
        return math.nan if len(asked) > 100 else 0.1

    with pytest.raises(DriftError, match="returned nan"):
        compared(register(fails_later))


def test_what_could_be_compared_before_and_cannot_now_is_named_with_the_reason() -> None:
    found = compared("psi", now=rows(14).assign(price="dear").astype({"price": TEXT}))
    assert [column.column for column in found.columns] == ["kind"]
    assert (found.skipped, found.incomparable) == ({}, {"price": "numbers in the champion's data, now str"})


def test_a_single_stray_value_in_a_constant_column_is_no_drift() -> None:
    spec = Spec.model_validate(LEAST)
    reference = Reference.of(rows(120).assign(price=1.0), "at")
    now = rows(30).assign(price=1.0)
    now.loc[7, "price"] = 2.0
    assert not compare(spec, now, ["price"], reference).columns[0].drifted
    assert compare(spec, now.assign(price=2.0), ["price"], reference).columns[0].drifted


def test_fewer_rows_than_usual_may_stray_farther() -> None:
    spec, reference = Spec.model_validate(LEAST), Reference.of(rows(120), "at")
    (usual,) = compare(spec, rows(14, seed=1), ["price"], reference).columns
    (few,) = compare(spec, rows(14, seed=1)[::10], ["price"], reference).columns
    assert few.threshold == pytest.approx(math.sqrt(10) * usual.threshold, rel=0.25)
