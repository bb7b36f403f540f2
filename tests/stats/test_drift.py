"""Histograms and distances: exactness, JSON, speed, edges."""

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

from retrain.stats.drift import cramer_von_mises, jensen_shannon, psi, wasserstein_scaled
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
    for distance in (psi, jensen_shannon, wasserstein_scaled, cramer_von_mises):
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


@given(numbers, numbers)
def test_values_counted_by_group_are_what_counting_each_group_gives(one: list[float], other: list[float]) -> None:
    kept = Histogram.from_values(one + other)
    groups = np.array([0] * len(one) + [1] * len(other))
    cells = kept.cells(np.array(one + other), groups, 3)
    assert cells.shape == (3, kept.width)
    for number, values in enumerate([one, other, []]):
        counted = kept.count(np.array(values, dtype=float))
        assert cells[number, : len(kept.counts)].tolist() == list(counted.counts)
        assert cells[number, len(kept.counts)] == counted.missing
        assert cells[number, len(kept.counts) + 1 :] == pytest.approx(np.array(counted.sums), abs=1e-6)
        made = kept.of_cells(cells[number], len(values))
        assert (made.counts, made.missing) == (counted.counts, counted.missing)


def test_text_counted_by_group_keeps_others_and_missing_apart() -> None:
    kept = Histogram.from_values(["a", "a", "b"])
    cells = kept.cells(np.array(["b", None, "z", "a", float("nan")], dtype=object), np.array([0, 0, 0, 1, 1]), 2)
    assert cells.tolist() == [[0, 1, 1, 1], [1, 0, 0, 1]]
    assert kept.of_cells(np.array([0.5, 0.25, 0.25, -0.1]), 8).counts == (4, 2, 2)


def test_the_deviation_of_cells_follows_their_means() -> None:
    rng = np.random.default_rng(7)
    before, now = rng.normal(0, 1, 20_000), np.concatenate([rng.normal(-1.5, 1, 10_000), rng.normal(1.5, 1, 10_000)])
    kept = Histogram.from_values(before)
    cells = kept.cells(now, np.zeros(len(now), dtype=int), 1)[0]
    assert kept.of_cells(cells, len(now)).sd == pytest.approx(now.std(), rel=0.05)


def test_cramer_von_mises_is_about_the_shift_in_standard_deviations() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(3, 2, 200_000)
    kept = Histogram.from_values(values)
    for shift in (0.05, 0.1, 0.2):
        assert cramer_von_mises(kept, kept.count(values + 2 * shift)) == pytest.approx(shift, rel=0.1)
    holes = np.where(np.arange(len(values)) % 4 == 0, np.nan, values)
    assert cramer_von_mises(kept, kept.count(holes)) > 0.5
    assert cramer_von_mises(kept, kept.count(np.append(values, 1e300))) < 0.01
    constant = Histogram.from_values(np.full(1000, 0.1))
    assert cramer_von_mises(constant, constant.count(np.full(10, 0.2))) > 1.0
    assert cramer_von_mises(constant, constant.count(np.full(10, 0.05))) > 1.0
    words = Histogram.from_values(["a", "b"])
    with pytest.raises(ValueError, match="need numbers"):
        cramer_von_mises(words, words)
    with pytest.raises(ValueError, match="no values"):
        cramer_von_mises(kept, kept.count([np.nan]))


def test_a_million_rows_are_counted_fast() -> None:
    values = np.random.default_rng(6).lognormal(size=1_000_000)
    kept = Histogram.from_values(values[:50_000])
    best = math.inf
    for _ in range(3):
        start = time.process_time()
        kept.count(values)
        best = min(best, time.process_time() - start)
    assert best < 0.1  # 0.02 s on an idle machine
