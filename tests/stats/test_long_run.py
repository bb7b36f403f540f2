"""Bounds on days that hang together: what they are made of, and that they are as wide as they must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from examples import fewer
from retrain.stats.long_run import Clusters, LeftOut, cosines, half_widths
from retrain.stats.roc_auc import WeightedRocAuc


def mean_of(values: np.ndarray, clusters: Clusters) -> LeftOut:
    return clusters.left_out(lambda weights: float(weights @ values / weights.sum()))


def days(count: int, rows: int = 20) -> Clusters:
    return Clusters(np.repeat(np.arange(count), rows), count)


def test_few_cosines_are_taken_of_few_days() -> None:
    assert [cosines(count) for count in (7, 10, 14, 28, 90)] == [2, 2, 3, 5, 10]


def test_with_as_many_cosines_as_there_are_it_is_students_t(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.stats.long_run.cosines", lambda count: count - 1)
    values = np.random.default_rng(0).normal(size=14)
    (width,) = half_widths([mean_of(values, days(14, 1))], 0.95)
    assert width == pytest.approx(14 / 13 * t.ppf(0.95, 13) * values.std(ddof=1) / 14**0.5)


def test_a_slow_wave_is_wider_than_the_same_values_in_disorder() -> None:
    wave = np.sin(np.arange(28) / 28 * 2 * np.pi)
    mixed = np.random.default_rng(0).permutation(wave)
    slow, fast = (half_widths([mean_of(values, days(28, 1))], 0.95)[0] for values in (wave, mixed))
    assert slow > 1.5 * fast


@fewer(30)
@given(st.floats(0.1, 10.0), st.floats(-5.0, 5.0), st.integers(7, 20))
def test_bounds_move_and_grow_with_what_they_bound(scale: float, shift: float, count: int) -> None:
    values, clusters = np.random.default_rng(count).normal(size=count * 5), days(count, 5)
    (plain,) = half_widths([mean_of(values, clusters)], 0.95)
    (other,) = half_widths([mean_of(scale * values + shift, clusters)], 0.95)
    assert other == pytest.approx(scale * plain)


def test_the_difference_of_two_is_that_of_their_rows() -> None:
    random, clusters = np.random.default_rng(1), days(14)
    mine, theirs = random.normal(size=(2, 280))
    difference = mean_of(mine, clusters) - mean_of(theirs, clusters)
    assert half_widths([difference], 0.9) == pytest.approx(half_widths([mean_of(mine - theirs, clusters)], 0.9))


def test_an_area_under_the_curve_is_bounded_as_a_mean_is() -> None:
    random, clusters = np.random.default_rng(2), days(14, 200)
    labels = (random.random(2800) < 0.3).astype(int)
    scores = random.random(2800) + 0.3 * labels
    found = clusters.left_out(WeightedRocAuc(labels, scores))
    (width,) = half_widths([found], 0.95)
    assert 0.005 < width < 0.06


def test_entities_that_come_back_widen_the_bound_and_others_do_not() -> None:
    random = np.random.default_rng(3)
    day = np.repeat(np.arange(14), 200)
    entity = random.integers(0, 100, 2800)
    values = random.normal(size=100)[entity] + random.normal(size=2800)

    def width(entities: np.ndarray | None) -> float:
        return half_widths([mean_of(values, Clusters(day, 14, entities))], 0.95)[0]

    assert width(entity) > 2 * width(None)
    assert width(np.arange(2800)) == width(None), "each is there once"
    assert width(entity % 5) == width(None), "so few are all there are"


def test_several_bounds_hold_together_and_know_what_they_have_in_common() -> None:
    random = np.random.default_rng(4)
    alike = mean_of(random.normal(size=280), days(14))
    others = [mean_of(random.normal(size=280), days(14)) for _ in range(20)]
    same = half_widths([alike] * 20, 0.95)[0]
    assert same == pytest.approx(half_widths([alike] * 2, 0.95)[0]), "twenty times the same is one"
    assert same < half_widths([alike, *others], 0.95)[0] < 4 * same


def test_a_statistic_that_is_the_same_on_all_rows_is_sure() -> None:
    same = mean_of(np.ones(280), days(14))
    assert half_widths([same], 0.95) == pytest.approx([0.0], abs=1e-12)
    other = mean_of(np.random.default_rng(0).normal(size=280), days(14))
    assert half_widths([same, other], 0.95)[0] == pytest.approx(0.0, abs=1e-12)


def test_what_some_group_leaves_undefined_is_not_bounded() -> None:
    labels = np.zeros(140)
    labels[0] = 1
    assert not days(14, 10).left_out(WeightedRocAuc(labels, np.arange(140.0))).bounded
