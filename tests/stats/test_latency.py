"""QuantileRatio: coverage at all times, harm shown and not invented, bounded memory, edges."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from retrain.stats.latency import QuantileRatio

ALPHA = 0.05


def allowed(runs: int) -> float:
    return ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_covers_and_does_not_alarm_while_load_rises_with_the_share(quantile: float) -> None:
    """At the margin's edge (margin 1, equal arms); both arms slow down as the ramp goes on."""
    rng = np.random.default_rng(1)
    runs, alarms, acceptances = 120, 0, 0
    for _ in range(runs):
        test, accepted = QuantileRatio(ALPHA, quantile=quantile, margin=1.0), False
        for batch in range(30):
            latencies = rng.lognormal((1.0, 1.2, 1.5)[batch // 10], 0.6, 100)
            challenger = int(rng.binomial(100, (0.1, 0.25, 0.5)[batch // 10]))
            test.observe(champion=latencies[challenger:], challenger=latencies[:challenger])
            accepted = accepted or test.acceptable
        alarms += test.harmful
        acceptances += accepted
    assert alarms / runs <= allowed(runs)
    assert acceptances / runs <= allowed(runs)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_intervals_cover_at_all_times(quantile: float) -> None:
    rng = np.random.default_rng(2)
    truth = float(np.exp(1.0 + 0.8 * {0.5: 0.0, 0.9: 1.281552, 0.99: 2.326348}[quantile]))
    runs, missed = 120, 0
    for _ in range(runs):
        test, outside = QuantileRatio(ALPHA, quantile=quantile, margin=1.0), False
        for _ in range(25):
            test.observe(champion=rng.lognormal(1.0, 0.8, 45), challenger=rng.lognormal(1.0, 0.8, 15))
            low, high = test.challenger_interval
            outside = outside or not low <= truth <= high
        missed += outside
    assert missed / runs <= allowed(runs)


def test_shows_a_slow_challenger_and_accepts_a_good_one() -> None:
    rng = np.random.default_rng(3)
    slow, good = (QuantileRatio(ALPHA, margin=1.25, floor_ms=0.2) for _ in range(2))
    for _ in range(50):
        champion = rng.lognormal(2.0, 0.5, 180)
        slow.observe(champion=champion, challenger=2.0 * rng.lognormal(2.0, 0.5, 20))
        good.observe(champion=champion, challenger=rng.lognormal(2.0, 0.5, 20))
    assert slow.harmful
    assert not slow.acceptable
    assert good.acceptable
    assert not good.harmful
    assert good.champion_value == pytest.approx(math.exp(2.0), rel=0.05)
    assert slow.challenger_value == pytest.approx(2 * math.exp(2.0), rel=0.1)


def test_the_floor_forgives_small_absolute_differences() -> None:
    rng = np.random.default_rng(4)
    strict, lenient = QuantileRatio(ALPHA, margin=1.1), QuantileRatio(ALPHA, margin=1.1, floor_ms=1.0)
    for test in (strict, lenient):
        test.observe(champion=rng.uniform(0.1, 0.2, 5000), challenger=rng.uniform(0.3, 0.4, 5000))
    assert strict.harmful
    assert not lenient.harmful
    assert lenient.acceptable


def test_bins_stay_on_the_safe_side() -> None:
    test = QuantileRatio(ALPHA, margin=1.0)
    test.observe(champion=np.full(5000, 10.0), challenger=np.full(5000, 10.0))
    low, high = test.champion_interval
    assert low <= 10.0 <= high
    assert high / low < 1.006
    assert low <= test.champion_value <= high
    assert not test.harmful


def test_extreme_latencies_keep_their_place() -> None:
    test = QuantileRatio(ALPHA, margin=1.0)
    test.observe(champion=np.zeros(1000), challenger=np.full(1000, 1e9))
    assert test.champion_interval[0] == 0.0
    assert test.challenger_interval[1] == math.inf
    assert test.harmful


def test_before_evidence_and_one_arm_empty() -> None:
    test = QuantileRatio(ALPHA, margin=1.2)
    test.observe(champion=[], challenger=[])
    test.observe(champion=[1.0] * 100, challenger=[])
    assert math.isnan(test.champion_value)
    assert math.isnan(test.challenger_value)
    assert test.champion_interval == test.challenger_interval == (0.0, math.inf)
    assert not test.harmful
    assert not test.acceptable


@pytest.mark.parametrize("bad", [[math.nan], [math.inf], [-1.0], [[1.0]]])
def test_refuses_bad_latencies(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="latencies"):
        QuantileRatio(ALPHA, margin=1.2).observe(champion=bad, challenger=[1.0])


@pytest.mark.parametrize(
    ("alpha", "quantile", "margin", "floor"),
    [(0.0, 0.5, 1.0, 0.0), (0.05, 1.0, 1.0, 0.0), (0.05, 0.5, 0.0, 0.0), (0.05, 0.5, 1.0, -1.0)],
)
def test_refuses_settings_out_of_range(alpha: float, quantile: float, margin: float, floor: float) -> None:
    with pytest.raises(ValueError, match=r"alpha|quantile|margin|floor_ms"):
        QuantileRatio(alpha, quantile=quantile, margin=margin, floor_ms=floor)


def test_an_update_costs_milliseconds() -> None:
    rng = np.random.default_rng(5)
    test = QuantileRatio(ALPHA, margin=1.2)
    champion, challenger = rng.lognormal(size=4500), rng.lognormal(size=500)
    start = time.process_time()
    for _ in range(20):
        test.observe(champion=champion, challenger=challenger)
    assert (time.process_time() - start) / 20 < 0.02
