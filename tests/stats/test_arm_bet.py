"""Bets on the arm: fair whatever the outcomes are, and won quickly where the challenger is worse."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.stats.allowed_rate import AllowedRate
from retrain.stats.arm_bet import RATE_RATIOS, SHARE_RATIOS, EventBet, SizeBet, Wealth

ALPHA = 0.05

chances = st.lists(st.floats(0.02, 0.98), min_size=1, max_size=8)


def final_wealth(bet: Wealth) -> float:
    return float(np.exp(bet._log_wealth + bet._log_prior).sum())


def expected_wealth(bets: list[tuple[float, Wealth]]) -> float:
    return sum(probability * final_wealth(bet) for probability, bet in bets)


def assignments(p: list[float]) -> list[tuple[float, np.ndarray]]:
    """Every way in which the coins may fall, with its probability."""
    found = []
    for arms in itertools.product([False, True], repeat=len(p)):
        probability = math.prod(one if arm else 1 - one for one, arm in zip(p, arms, strict=True))
        found.append((probability, np.array(arms)))
    return found


@given(chances)
def test_over_all_assignments_a_bet_on_events_neither_wins_nor_loses(p: list[float]) -> None:
    bets = []
    for probability, arms in assignments(p):
        bet = EventBet(ALPHA)
        bet.observe(tried=arms, chance=p)
        bets.append((probability, bet))
    assert expected_wealth(bets) == pytest.approx(1.0)


@given(chances, st.randoms(use_true_random=False), st.integers(1, 40))
def test_over_all_assignments_a_bet_on_sizes_neither_wins_nor_loses(p: list[float], random: object, seen: int) -> None:
    rng = np.random.default_rng(seen)
    before, values = rng.standard_t(2, seen), rng.standard_t(2, len(p))
    bets = []
    for probability, arms in assignments(p):
        bet = SizeBet(ALPHA)
        bet.observe(
            values=before, tried=np.arange(seen) % 2 == 0, chance=np.full(seen, 0.5), strata=np.zeros(seen, dtype=int)
        )
        start = final_wealth(bet)
        bet.observe(values=values, tried=arms, chance=p, strata=np.zeros(len(p), dtype=int))
        bets.append((probability / start, bet))
    assert expected_wealth(bets) == pytest.approx(1.0)


def test_one_event_wins_what_the_ratio_of_the_two_laws_says() -> None:
    bet = EventBet(ALPHA)
    bet.observe(tried=[True], chance=[0.1])
    weights = RATE_RATIOS**-0.5 / (RATE_RATIOS**-0.5).sum()
    assert final_wealth(bet) == pytest.approx(float(weights @ (RATE_RATIOS / (1 + 0.1 * (RATE_RATIOS - 1)))))
    assert bet.p_value == pytest.approx(1 / final_wealth(bet))


@given(st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=1, max_size=200), st.integers(1, 199))
def test_in_how_many_pieces_values_come_changes_nothing(rows: list[tuple[float, bool]], cut: int) -> None:
    values, tried = np.array([value for value, _ in rows]), np.array([arm for _, arm in rows])
    one, two = SizeBet(ALPHA), SizeBet(ALPHA)
    strata, chance = np.zeros(len(rows), dtype=int), np.full(len(rows), 0.3)
    one.observe(values=values, tried=tried, chance=chance, strata=strata)
    for part in (slice(None, cut), slice(cut, None)):
        two.observe(values=values[part], tried=tried[part], chance=chance[part], strata=strata[part])
    assert final_wealth(one) == pytest.approx(final_wealth(two))


def test_what_was_shown_stays_shown() -> None:
    bet = EventBet(ALPHA)
    bet.observe(tried=[True] * 10, chance=[0.1] * 10)
    assert bet.shown
    bet.observe(tried=[False] * 500, chance=[0.1] * 500)
    assert bet.shown


def test_a_share_that_is_too_small_is_shown_too() -> None:
    few, many = EventBet(0.001, SHARE_RATIOS), EventBet(0.001, SHARE_RATIOS)
    random = np.random.default_rng(0)
    few.observe(tried=random.random(3000) < 0.25, chance=np.full(3000, 0.5))
    many.observe(tried=random.random(3000) < 0.5, chance=np.full(3000, 0.5))
    assert few.shown
    assert not many.shown


def test_values_that_scatter_more_without_being_larger_are_seen() -> None:
    random = np.random.default_rng(0)
    tried = random.random(6000) < 0.5
    values = random.standard_normal(6000) ** 2 * np.where(tried, 1.5, 1.0)
    bet = SizeBet(ALPHA)
    bet.observe(values=values, tried=tried, chance=np.full(6000, 0.5), strata=np.zeros(6000, dtype=int))
    assert bet.shown


@pytest.mark.parametrize("chance", [0.0, 1.0, -0.1, math.nan])
def test_a_coin_that_is_none_is_refused(chance: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        EventBet(ALPHA).observe(tried=[True], chance=[chance])


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        SizeBet(ALPHA).observe(values=[math.nan], tried=[True], chance=[0.5], strata=[0])


def test_a_rate_that_is_allowed_is_seldom_called_too_high_and_a_higher_one_soon() -> None:
    random = np.random.default_rng(0)
    called = 0
    for _ in range(200):
        test = AllowedRate(0.1)
        test.observe(failed=random.random(2000) < 0.02, allowed=np.full(2000, 0.02))
        called += test.shown
    assert called / 200 <= 0.1
    test = AllowedRate(0.1)
    test.observe(failed=random.random(400) < 0.06, allowed=np.full(400, 0.02))
    assert test.shown


def test_a_rate_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        AllowedRate(0.1).observe(failed=[True], allowed=[1.0])
