"""Histograms, distances and thresholds: exactness, JSON, false-alarm rates, speed, edges."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from retrain.stats.drift import calibrated_threshold, jensen_shannon, psi, wasserstein_scaled
from retrain.stats.histogram import Histogram, merge

numbers = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan), st.integers(-3, 3).map(float)), min_size=1)


@given(numbers, numbers)
def test_every_value_lands_in_one_bin_and_survives_json(reference: list[float], current: list[float]) -> None:
    kept = Histogram.from_values(reference)
    now = kept.count(current)
    assert now.total == len(current)
    assert now.missing == sum(map(math.isnan, current))
    expected = np.bincount(
        np.searchsorted(kept.edges, [v for v in current if not math.isnan(v)]), minlength=len(kept.edges) + 1
    )
    assert list(now.counts) == expected.tolist()
    again = Histogram.from_dict(json.loads(json.dumps(now.to_dict())))
    assert again.to_dict() == now.to_dict()
    assert kept.counts[0] == kept.counts[-1] == 0


def test_merge_is_counting_together() -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(i, 1 + i, 500) for i in range(3)]
    kept = Histogram.from_values(parts[0])
    together, merged = kept.count(np.concatenate(parts)), merge([kept.count(part) for part in parts])
    assert merged.counts == together.counts
    assert merged.mean == pytest.approx(together.mean)
    assert merged.sd == pytest.approx(together.sd)
    with_empty = merge([kept.count(parts[0]), kept.count([])])
    assert with_empty.counts == kept.counts
    assert with_empty.sd == pytest.approx(kept.sd)
    with pytest.raises(ValueError, match="different bins"):
        merge([kept, Histogram.from_values(parts[1])])
    with pytest.raises(ValueError, match="no histograms"):
        merge([])


def test_distances_agree_with_scipy() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.lognormal(0, 1, 20_000), rng.lognormal(0.2, 1, 20_000)
    reference = Histogram.from_values(a)
    current = reference.count(b)
    assert wasserstein_scaled(reference, current) == pytest.approx(wasserstein_distance(a, b) / a.std(), rel=0.02)
    assert jensen_shannon(reference, current) == pytest.approx(
        jensenshannon(reference.counts, current.counts, base=2), rel=1e-9
    )
    p, q = (np.array(one.counts[1:]) / 2e4 + 1e-5 for one in (reference, current))
    assert psi(reference, current) == pytest.approx(np.sum((q - p) * np.log(q / p)), rel=0.05)
    for distance in (psi, jensen_shannon, wasserstein_scaled):
        assert distance(reference, reference) == pytest.approx(0.0, abs=1e-7)


def test_values_beyond_the_reference_are_seen() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(0, 1, 5000)
    reference = Histogram.from_values(a)
    assert wasserstein_scaled(reference, reference.count(a + 1000.0)) == pytest.approx(1000.0, rel=0.05)
    assert wasserstein_scaled(reference, reference.count(a - 1000.0)) == pytest.approx(1000.0, rel=0.05)
    assert jensen_shannon(reference, reference.count(a + 1000.0)) == pytest.approx(1.0)


def test_missing_values_drift_too() -> None:
    values = np.arange(1000.0)
    reference = Histogram.from_values(values)
    holes = np.where(np.arange(1000) % 2 == 0, np.nan, values)
    assert jensen_shannon(reference, reference.count(holes)) > 0.3
    assert psi(reference, reference.count(holes)) > 1.0
    assert reference.count([math.inf, -math.inf, math.nan, 1.0]).missing == 3


def test_constant_columns() -> None:
    reference = Histogram.from_values(np.full(1000, 0.1))
    assert reference.sd == 0.0
    assert wasserstein_scaled(reference, reference.count(np.full(10, 0.1))) == 0.0
    assert wasserstein_scaled(reference, reference.count(np.full(10, 0.1000001))) == math.inf
    assert jensen_shannon(reference, reference.count(np.full(10, 0.0999999))) == pytest.approx(1.0)


def test_categories() -> None:
    reference = Histogram.from_values(["AA", "AA", "UA", None, "DL", float("nan")])
    assert reference.kind == "categorical"
    assert reference.categories[0] == "AA"
    assert reference.missing == 2
    current = reference.count(np.array(["AA", "ZZ", "ZZ", None], dtype=object))
    assert current.counts == (1, 0, 0, 2)
    assert 0.0 < jensen_shannon(reference, current) < 1.0
    assert Histogram.from_dict(json.loads(json.dumps(current.to_dict()))).counts == current.counts
    many = Histogram.from_values([f"c{i}" for i in range(300)])
    assert len(many.categories) == 100
    assert many.counts[-1] == 200
    assert Histogram.from_values([True, False, True]).counts == (2, 1, 0)
    numbers_among_words = Histogram.from_values(np.array([1, 2, 2, "x"], dtype=object))
    assert numbers_among_words.categories == ("2", "1", "x")
    with pytest.raises(ValueError, match="needs numbers"):
        wasserstein_scaled(reference, current)


def test_pandas_columns_work() -> None:
    import pandas

    column = pandas.Series(["a", None, "b", "a"])
    assert Histogram.from_values(column).missing == 1
    counted = Histogram.from_values([1.0, 3.0]).count(pandas.Series([1, None, 3], dtype="Int64"))
    assert (counted.missing, counted.mean) == (1, 2.0)


@pytest.mark.parametrize("values", [[], [[1.0]], np.array(["2013-01-01"], dtype="datetime64[D]")])
def test_refuses_what_has_no_histogram(values: object) -> None:
    with pytest.raises(ValueError, match=r"one-dimensional|dates"):
        Histogram.from_values(values)  # type: ignore[arg-type]


def test_refuses_words_as_numbers_and_empty_histograms() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        Histogram.from_values([1.0]).count(["a"])
    kept = Histogram.from_values([1.0, 2.0])
    for distance in (jensen_shannon, psi, wasserstein_scaled):
        with pytest.raises(ValueError, match=r"no rows|no values"):
            distance(kept, kept.count([]))
        with pytest.raises(ValueError, match="different bins"):
            distance(kept, Histogram.from_values([3.0]))


@pytest.mark.parametrize("weeks", [30, 10])
@pytest.mark.parametrize("distance", [jensen_shannon, psi, wasserstein_scaled])
def test_the_threshold_holds_its_false_alarm_rate(weeks: int, distance: object) -> None:
    """Weeks differ a little from one another, as real ones do, so no fixed threshold would be right."""
    rng = np.random.default_rng(4)
    runs, alarms, rate = 60, 0, 0.05
    for _ in range(runs):
        chunks = [rng.normal(rng.normal(0, 0.1), 1, 300) for _ in range(weeks + 4)]
        kept = Histogram.from_values(np.concatenate(chunks[:weeks]))
        counted = [kept.count(chunk) for chunk in chunks]
        threshold = calibrated_threshold(counted[:weeks], rate, distance=distance)  # type: ignore[arg-type]
        alarms += sum(distance(kept, new) > threshold for new in counted[weeks:])  # type: ignore[operator]
    assert alarms / (4 * runs) <= rate + 2.5 * math.sqrt(rate * (1 - rate) / (4 * runs))


def test_the_threshold_sees_real_drift() -> None:
    rng = np.random.default_rng(5)
    chunks = [rng.normal(rng.normal(0, 0.1), 1, 1000) for _ in range(20)]
    kept = Histogram.from_values(np.concatenate(chunks))
    threshold = calibrated_threshold([kept.count(chunk) for chunk in chunks], 0.05)
    assert jensen_shannon(kept, kept.count(rng.normal(0.7, 1, 1000))) > threshold


def test_the_threshold_refuses_too_little() -> None:
    kept = Histogram.from_values([1.0, 2.0])
    with pytest.raises(ValueError, match="at least 5 chunks, got 4"):
        calibrated_threshold([kept] * 4, 0.05)
    with pytest.raises(ValueError, match="false_alarm_rate"):
        calibrated_threshold([kept] * 9, 1.0)


def test_a_million_rows_are_counted_fast() -> None:
    values = np.random.default_rng(6).lognormal(size=1_000_000)
    kept = Histogram.from_values(values[:50_000])
    best = math.inf
    for _ in range(3):
        start = time.process_time()
        kept.count(values)
        best = min(best, time.process_time() - start)
    assert best < 0.1  # 0.02 s on an idle machine
