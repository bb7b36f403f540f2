"""MeanDifference: coverage at all times, also where rows of an entity or of a stretch of time hang together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retrain.stats.mean_difference import MeanDifference
from retrain.stats.reach import LEAST, STRETCHES

ALPHA = 0.05


def allowed(runs: int, level: float = ALPHA) -> float:
    """The level and two standard errors of a simulation."""
    return level + 2.0 * math.sqrt(level * (1 - level) / runs)


def observe(test: MeanDifference, a: np.ndarray, b: np.ndarray, *whose: np.ndarray) -> None:
    """Blocks of ten rows of each arm, every row by itself unless it is said whose they are."""
    whose = whose or (np.arange(len(a)) + 10**6, np.arange(len(b)) + 10**9)
    for begin in range(0, min(len(a), len(b)) - 9, 10):
        rows = slice(begin, begin + 10)
        test.observe(
            champion=a[rows], challenger=b[rows], champion_entities=whose[0][rows], challenger_entities=whose[1][rows]
        )


def ever_wrong(test: MeanDifference, truth: float, a: np.ndarray, b: np.ndarray, *whose: np.ndarray) -> bool:
    """Was the upper bound below the truth at any of forty looks?"""
    wrong, step = False, len(a) // 40
    for begin in range(0, len(a), step):
        rows = slice(begin, begin + step)
        own = tuple(one[rows] for one in whose) or (
            np.arange(begin, begin + step),
            np.arange(begin, begin + step) - 10**6,
        )
        observe(test, a[rows], b[rows], *own)
        wrong = wrong or test.upper < truth
    return wrong


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 4.0)])
def test_independent_rows_are_covered(bounds: tuple[float, float]) -> None:
    random, runs = np.random.default_rng(1), 150
    wrong = sum(
        ever_wrong(MeanDifference(ALPHA, bounds=bounds), 0.1, random.beta(1, 9, 2000), random.beta(2, 8, 2000))
        for _ in range(runs)
    )
    assert wrong / runs <= allowed(runs)


@pytest.mark.parametrize("entities", [20, 100, 300])
def test_rows_of_sticky_entities_are_covered(entities: int) -> None:
    random, runs, wrong = np.random.default_rng(2), 100, 0
    for _ in range(runs):
        volumes = 1 / np.arange(1, entities + 1)
        whose = random.choice(entities, (2, 4000), p=volumes / volumes.sum())
        level = random.beta(0.5, 2, (2, entities))
        rows = [np.clip(level[arm][whose[arm]] + random.normal(0, 0.1, 4000), 0, 1) for arm in (0, 1)]
        test = MeanDifference(ALPHA, bounds=(0.0, 1.0))
        wrong += ever_wrong(test, 0.0, rows[0], rows[1], whose[0], whose[1] + entities)
    assert wrong / runs <= allowed(runs)


def test_rows_of_stretches_of_time_are_covered() -> None:
    """Each arm has an AR(.99) of its own."""
    random, runs, wrong = np.random.default_rng(3), 100, 0
    for _ in range(runs):
        arms = []
        for _ in range(2):
            noise = random.standard_normal(8000) * math.sqrt(1 - 0.99**2)
            noise[0] = random.standard_normal()
            for row in range(1, len(noise)):
                noise[row] += 0.99 * noise[row - 1]
            arms.append((noise > 0).astype(float))
        wrong += ever_wrong(MeanDifference(ALPHA, bounds=(0.0, 1.0)), 0.0, *arms)
    assert wrong / runs <= allowed(runs)


def test_a_busy_hour_that_strikes_both_arms_biases_nothing() -> None:
    test, random = MeanDifference(ALPHA, bounds=(0.0, 1.0)), np.random.default_rng(4)
    for share, mean in ((0.1, 0.05), (0.25, 0.1), (0.5, 0.4)):
        for block in range(60):
            n = round(100 * share)
            whose = np.arange(100) + 100 * block
            losses = (random.random(100) < mean).astype(float)
            test.observe(
                champion=losses[n:], challenger=losses[:n], champion_entities=whose[n:], challenger_entities=whose[:n]
            )
    assert test.lower < 0 < test.upper
    assert abs(test.difference) < 0.05


def test_rare_failures_are_bounded_though_none_was_seen() -> None:
    test = MeanDifference(ALPHA, bounds=(0.0, 1.0))
    observe(test, np.zeros(200), np.zeros(200))
    assert 0.005 < test.upper < 0.08
    observe(test, np.zeros(4000), np.zeros(4000))
    assert test.upper < 0.005


def test_real_harm_is_shown_and_its_absence() -> None:
    random = np.random.default_rng(5)
    for bounds in ((0.0, 1.0), (0.0, 2.0)):
        test = MeanDifference(ALPHA, bounds=bounds)
        observe(test, random.beta(1, 9, 4000), random.beta(2, 8, 4000))
        assert 0 < test.lower < 0.1 < test.upper < 0.13


def test_too_few_entities_bound_nothing() -> None:
    random, test = np.random.default_rng(6), MeanDifference(ALPHA, bounds=(0.0, 1.0))
    whose = np.arange(500) % (LEAST - 1)
    observe(test, random.random(500), random.random(500), whose, whose + 10)
    assert (test.lower, test.upper) == (-math.inf, math.inf)


def test_ten_thousand_blocks_take_no_more_room_than_a_few() -> None:
    test = MeanDifference(ALPHA, bounds=(0.0, 1.0))
    one = np.zeros(1)
    for block in range(10_000):
        whose = np.array([block])
        test.observe(champion=one, challenger=one + block % 2, champion_entities=whose, challenger_entities=-1 - whose)
    assert test._stretches.count <= 2 * STRETCHES
    assert test.difference == pytest.approx(0.5)


def test_before_evidence_nothing_is_said() -> None:
    test = MeanDifference(ALPHA, bounds=(0.0, 1.0))
    assert math.isnan(test.difference)
    assert (test.lower, test.upper) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("champion", "says"), [([], "both arms"), ([math.nan], "finite"), ([2.0], "lie in"), ([[0.5]], "both arms")]
)
def test_what_is_no_block_is_refused(champion: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        MeanDifference(ALPHA, bounds=(0.0, 1.0)).observe(
            champion=champion, challenger=[0.5], champion_entities=[1], challenger_entities=[2]
        )


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="alpha"):
        MeanDifference(0.7, bounds=(0.0, 1.0))
    with pytest.raises(ValueError, match="bounds"):
        MeanDifference(0.05, bounds=(1.0, 0.0))
