"""MeanDifference: coverage at all times, power against the published table, clusters."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.stats.clusters import BUCKETS, bucket
from retrain.stats.mean_difference import MeanDifference

ALPHA = 0.05


def allowed(runs: int) -> float:
    """Alpha and two standard errors of a simulation."""
    return ALPHA + 2.0 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def observe_pairs(test: MeanDifference, differences: np.ndarray) -> None:
    """Pairs, as their differences: the champion's loss is 0 in each."""
    test.observe(champion=np.zeros(len(differences)), challenger=differences)


@pytest.mark.parametrize(("shift", "published", "wins"), [(0.0, 0.05, False), (0.1, 0.235, True), (0.2, 0.757, True)])
def test_paired_power_next_to_the_published_table(shift: float, published: float, wins: bool) -> None:
    """500 pairs N(d, 1), looked at every five pairs."""
    rng = np.random.default_rng(1)
    runs, shown = 120, 0
    for _ in range(runs):
        test = MeanDifference(ALPHA, bounds=None)
        for chunk in rng.normal(shift, 1.0, (100, 5)):
            observe_pairs(test, chunk)
        shown += test.harmful
    assert (shown / runs >= published) if wins else (shown / runs <= published)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_no_difference_is_shown_while_the_share_ramps_and_losses_drift(bounds: tuple[float, float] | None) -> None:
    rng = np.random.default_rng(2)
    runs, harmed, below = 150, 0, 0
    for _ in range(runs):
        test, missed = MeanDifference(ALPHA, bounds=bounds), False
        for batch in range(45):
            mean = (0.05, 0.10, 0.20)[batch // 15]  # worse hours come while the challenger has more traffic
            challenger = int(rng.binomial(100, (0.1, 0.25, 0.5)[batch // 15]))
            losses = rng.beta(2 * mean, 2 * (1 - mean), 100)
            test.observe(champion=losses[challenger:], challenger=losses[:challenger])
            missed = missed or test.upper < 0.0
        harmed += test.harmful
        below += missed
    assert harmed / runs <= allowed(runs)
    assert below / runs <= allowed(runs)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), None])
def test_covers_a_true_difference(bounds: tuple[float, float] | None) -> None:
    rng = np.random.default_rng(3)
    runs, missed_low, missed_high = 120, 0, 0
    for _ in range(runs):
        test, low, high = MeanDifference(ALPHA, bounds=bounds), False, False
        for _ in range(40):
            test.observe(champion=rng.beta(1, 9, 90), challenger=rng.beta(1.5, 8.5, 10))
            low, high = low or test.lower > 0.05, high or test.upper < 0.05
        missed_low += low
        missed_high += high
    assert missed_low / runs <= allowed(runs)
    assert missed_high / runs <= allowed(runs)


def test_shows_real_harm() -> None:
    rng = np.random.default_rng(4)
    for bounds in ((0.0, 1.0), None):
        test = MeanDifference(ALPHA, bounds=bounds)
        for _ in range(50):
            test.observe(champion=rng.beta(1, 9, 90), challenger=rng.beta(2, 8, 10))
        assert test.harmful
        assert test.lower < 0.1 < test.upper


def test_single_rows_give_what_batches_give() -> None:
    rng = np.random.default_rng(5)
    one, many = (MeanDifference(ALPHA, bounds=(0, 1)) for _ in range(2))
    champion, challenger = rng.beta(1, 9, 900), rng.beta(1, 9, 100)
    many.observe(champion=champion, challenger=challenger)
    for i in range(100):
        one.observe(champion=champion[9 * i : 9 * i + 9], challenger=challenger[i : i + 1])
    assert one.difference == pytest.approx(many.difference, abs=1e-12)
    assert one.upper == pytest.approx(many.upper, rel=0.02)


def clustered_losses(rng: np.random.Generator, entities: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Losses most of whose variance is between entities."""
    ids = rng.integers(0, entities, rows)
    level = rng.beta(0.5, 2, entities)
    return np.clip(level[ids] + rng.normal(0, 0.02, rows), 0, 1), ids


def test_clusters_restore_the_guarantee_that_correlation_breaks() -> None:
    rng = np.random.default_rng(6)
    runs, naive_wrong, clustered_wrong = 80, 0, 0
    for _ in range(runs):
        naive, clustered = (MeanDifference(ALPHA, bounds=None) for _ in range(2))
        a, a_ids = clustered_losses(rng, 400, 4000)
        b, b_ids = clustered_losses(rng, 150, 4000)
        for i in range(0, 4000, 200):
            rows = slice(i, i + 200)
            naive.observe(champion=a[rows], challenger=b[rows])
            clustered.observe(
                champion=a[rows], challenger=b[rows], champion_clusters=a_ids[rows], challenger_clusters=b_ids[rows]
            )
        naive_wrong += naive.harmful
        clustered_wrong += clustered.harmful
    assert naive_wrong / runs > 0.15
    assert clustered_wrong / runs <= allowed(runs)


def test_few_clusters_are_no_evidence() -> None:
    rng = np.random.default_rng(7)
    test = MeanDifference(ALPHA, bounds=(0, 1))
    ids = np.arange(500) % 20
    test.observe(champion=rng.random(500), challenger=rng.random(500), champion_clusters=ids, challenger_clusters=ids)
    assert (test.lower, test.upper) == (-math.inf, math.inf)


def test_buckets_are_stable_and_spread() -> None:
    numbers = bucket(np.arange(2000))
    assert len(np.unique(numbers)) > 0.75 * 2000
    assert numbers.min() >= 0
    assert numbers.max() < BUCKETS
    assert bucket(["a", "b"]).tolist() == bucket(np.array(["a", "b"], dtype=object)).tolist()
    assert bucket([]).shape == (0,)
    assert bucket(np.array([-1, 2**62])).shape == (2,)


def test_before_evidence_and_one_arm_empty() -> None:
    test = MeanDifference(ALPHA, bounds=(0, 1))
    test.observe(champion=[], challenger=[])
    test.observe(champion=[0.5] * 50, challenger=[])
    assert math.isnan(test.difference)
    assert (test.lower, test.upper, test.harmful) == (-math.inf, math.inf, False)


def test_asymptotic_says_nothing_early() -> None:
    rng = np.random.default_rng(8)
    test = MeanDifference(ALPHA, bounds=None)
    test.observe(champion=rng.normal(0, 1, 5000), challenger=rng.normal(9, 1, 99))
    assert test.lower == -math.inf
    assert test.difference == pytest.approx(9, abs=0.5)
    test.observe(champion=rng.normal(0, 1, 50), challenger=rng.normal(9, 1, 50))
    assert test.harmful
    assert test.upper == math.inf
    test.observe(champion=rng.normal(0, 1, 50), challenger=rng.normal(9, 1, 251))
    assert test.lower < 9 < test.upper < 10


@pytest.mark.slow
def test_upper_holds_for_heavy_tailed_squared_errors() -> None:
    rng = np.random.default_rng(13)
    runs, missed, harmed = 300, 0, 0
    for _ in range(runs):
        test, below = MeanDifference(ALPHA, bounds=None), False
        for _ in range(100):
            test.observe(champion=rng.standard_t(5, 90) ** 2, challenger=rng.standard_t(5, 10) ** 2)
            below = below or test.upper < 0.0
        missed += below
        harmed += test.harmful
    assert missed / runs <= allowed(runs)
    assert harmed / runs <= allowed(runs)


def test_harm_once_shown_stays_and_bounds_are_of_now() -> None:
    test = MeanDifference(ALPHA, bounds=(-1, 1))
    observe_pairs(test, np.full(100, 0.9))
    assert test.harmful
    observe_pairs(test, np.full(1000, -0.9))
    assert test.harmful
    assert test.upper < 0


def test_paired_scaling_is_right() -> None:
    rng = np.random.default_rng(9)
    values = rng.uniform(-0.5, 0.7, 2000)
    test = MeanDifference(ALPHA, bounds=(-1, 1))
    observe_pairs(test, values)
    assert test.difference == pytest.approx(values.mean())
    assert test.lower < 0.1 < test.upper
    assert test.upper - test.lower < 0.08


def test_large_offsets_do_not_hurt() -> None:
    rng = np.random.default_rng(10)
    test = MeanDifference(ALPHA, bounds=None)
    for _ in range(20):
        observe_pairs(test, 1e9 + rng.normal(0, 1, 100))
    assert test.upper - test.lower < 0.3
    assert test.lower < 1e9 < test.upper


@pytest.mark.parametrize("bad", [[0.1, math.nan], [math.inf], [1.5], [[0.1]]])
def test_refuses_bad_losses(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="losses"):
        MeanDifference(ALPHA, bounds=(0, 1)).observe(champion=bad, challenger=[0.1])


def test_refuses_clusters_that_do_not_fit() -> None:
    test = MeanDifference(ALPHA, bounds=(0, 1))
    with pytest.raises(ValueError, match="2 clusters for 1 losses"):
        test.observe(champion=[0.1], challenger=[0.1], champion_clusters=[1, 2], challenger_clusters=[3])
    with pytest.raises(ValueError, match="every observation or with none"):
        test.observe(champion=[0.1], challenger=[0.1], champion_clusters=[1])


@pytest.mark.parametrize(("alpha", "bounds"), [(0.0, None), (0.05, (1.0, 0.0)), (0.05, (0.0, math.inf))])
def test_refuses_settings_out_of_range(alpha: float, bounds: tuple[float, float] | None) -> None:
    with pytest.raises(ValueError, match=r"alpha|bounds"):
        MeanDifference(alpha, bounds=bounds)


rows = st.lists(st.floats(0, 1), max_size=40)


@given(st.lists(st.tuples(rows, rows), max_size=8))
def test_lower_never_exceeds_upper(history: list[tuple[list[float], list[float]]]) -> None:
    test = MeanDifference(ALPHA, bounds=(0, 1))
    for champion, challenger in history:
        test.observe(champion=champion, challenger=challenger)
        assert test.lower <= test.upper
        if not math.isnan(test.difference):
            assert test.lower <= test.difference <= test.upper


def test_an_update_costs_milliseconds() -> None:
    rng = np.random.default_rng(11)
    test = MeanDifference(ALPHA, bounds=(0, 1))
    champion, challenger = rng.random(4500), rng.random(500)
    start = time.process_time()
    for _ in range(20):
        test.observe(champion=champion, challenger=challenger)
    assert (time.process_time() - start) / 20 < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "low", "high"), [(0.0, 0.0, 0.03), (0.1, 0.38, 0.48), (0.2, 0.95, 1.0), (0.3, 0.99, 1.0)]
)
def test_paired_table_in_full(shift: float, low: float, high: float) -> None:
    """Looked at after every pair."""
    rng = np.random.default_rng(12)
    runs, shown = 1000, 0
    for _ in range(runs):
        test = MeanDifference(ALPHA, bounds=None)
        for pair in rng.normal(shift, 1.0, (500, 1)):
            observe_pairs(test, pair)
            if test.harmful:
                break
        shown += test.harmful
    assert low <= shown / runs <= high
