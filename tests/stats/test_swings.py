"""Slow swings: the spread of an average of days, where days hang together, and where they turn with a season."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retrain.stats.swings import how_many, slow_cosines, strays


def days_that_hang_together(random: np.random.Generator, days: int, columns: int, hang: float = 0.5) -> np.ndarray:
    found = np.zeros((days + 50, columns))
    for day in range(1, days + 50):
        found[day] = hang * found[day - 1] + random.standard_normal(columns)
    return found[50:]


def swings(days: np.ndarray, count: int, cycle: float | None = None) -> np.ndarray:
    return slow_cosines(len(days), count, cycle) @ days


def test_their_mean_square_is_the_variance_of_a_long_average_and_not_of_a_day() -> None:
    random = np.random.default_rng(0)
    found = days_that_hang_together(random, 119, 4000)
    slow = swings(found - found.mean(axis=0), how_many(119, 119))
    assert slow.shape == (10, 4000)
    assert 3.6 < (slow**2).mean() < 4.0, "nearly 1 / (1 - 0.5)², where a day's variance is 4 / 3"


def test_a_season_that_is_known_is_none_of_them_and_a_cycle_of_a_week_never_is() -> None:
    at = np.arange(728)
    season = 5.0 * np.sin(2 * np.pi * (at + 40) / 364)[:, None]
    week = 5.0 * np.sin(2 * np.pi * at / 7)[:, None]
    assert np.abs(swings(season, 20)).max() > 10
    assert np.abs(swings(season, 20, cycle=364.0)).max() < 1e-9
    assert np.abs(swings(week, 20, cycle=364.0)).max() < 1e-9
    noise = np.random.default_rng(1).standard_normal((728, 4000))
    assert (swings(noise, 20, cycle=364.0) ** 2).mean() == pytest.approx(1.0, rel=0.02)
    assert swings(noise, 20, cycle=364.0).shape[0] == 20


def test_three_weeks_of_days_with_rows_are_the_least() -> None:
    assert [how_many(days, days) for days in (14, 20, 21, 119, 364)] == [0, 3, 3, 10, 21]
    assert how_many(119, 4) == 0
    assert how_many(119, 9) == 4


def test_an_average_strays_no_farther_than_its_draws_at_the_rate_they_are_asked_at() -> None:
    """Student's t with ten degrees of freedom: for days that hang together, 28 of them against 119."""
    random = np.random.default_rng(2)
    runs, beyond = 3000, 0
    found = days_that_hang_together(random, 147, runs)
    before, now = found[:119], found[119:]
    slow = swings(before - before.mean(axis=0), 10)
    common = random.standard_normal((999, 10))
    drawn = np.column_stack([strays(slow[:, [run]], common, 28, 119, random)[:, 0] for run in range(runs)])
    beyond = np.abs(now.mean(axis=0) - before.mean(axis=0)) > np.quantile(np.abs(drawn), 0.95, axis=0)
    assert beyond.mean() == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / runs))
