"""Coins: what a row's arm can still tell, whoever was asked before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.monitoring.coins import Coins, Once
from retrain.monitoring.register import Register, hashed
from retrain.serving.router import unit

SHARES = {1: 0.1, 2: 0.25, 3: 0.5}


def toss(coins: Coins, *rows: tuple[int, int, bool]) -> list[float]:
    """Rows as (name, decision, tried)."""
    name, decision, tried = (np.array(column) for column in zip(*rows, strict=True))
    share = np.array([SHARES[int(one)] for one in decision])
    return coins.chances(name.astype(np.int64), decision.astype(np.int64), share, tried.astype(bool)).tolist()


def test_somebody_new_is_the_challengers_with_the_share() -> None:
    assert toss(Coins(), (0, 1, True), (1, 1, False), (0, 1, True), (-1, 2, False)) == [0.1, 0.1, 0.1, 0.25]


def test_who_was_the_champions_has_the_chance_that_is_left() -> None:
    coins = Coins()
    toss(coins, (0, 1, False))
    assert toss(coins, (0, 2, False)) == [pytest.approx(0.15 / 0.9)]
    assert toss(coins, (0, 3, True)) == [pytest.approx(0.25 / 0.75)]


def test_who_was_the_challengers_tells_nothing_more() -> None:
    coins = Coins()
    toss(coins, (0, 1, True))
    assert np.isnan(toss(coins, (0, 2, True), (0, 3, True))).all()
    assert coins.broken == 0


def test_a_decision_that_is_stated_again_shows_nothing_new() -> None:
    coins = Coins()
    toss(coins, (0, 1, False))
    chance = coins.chances(np.array([0]), np.array([7]), np.array([0.1]), np.array([False]))
    assert np.isnan(chance).all()


def test_a_row_of_an_older_decision_that_comes_late_tells_nothing() -> None:
    coins = Coins()
    toss(coins, (0, 3, False))
    assert np.isnan(toss(coins, (0, 1, False))).all()


def test_an_entity_that_changes_arms_by_itself_is_counted() -> None:
    coins = Coins()
    toss(coins, (0, 1, True), (1, 1, False))
    toss(coins, (0, 1, False), (1, 2, True))
    assert coins.broken == 1
    toss(coins, (0, 2, False))
    assert coins.broken == 2


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=60), st.integers(0, 2**32), st.integers(1, 59)
)
def test_a_real_router_is_never_called_broken_and_the_cut_changes_nothing(
    asked: list[tuple[int, int]], salt: int, cut: int
) -> None:
    asked = sorted(asked, key=lambda row: row[1])
    rows = [(name, decision, unit(str(salt), str(name)) < SHARES[decision]) for name, decision in asked]
    one, two = Coins(), Coins()
    whole = toss(one, *rows) if rows else []
    pieces = [chance for part in (rows[:cut], rows[cut:]) if part for chance in toss(two, *part)]
    assert one.broken == two.broken == 0
    assert np.array_equal(whole, pieces, equal_nan=True)


def test_over_many_names_the_chances_are_right() -> None:
    coins, names = Coins(), np.arange(40_000)
    units = np.array([unit("salt", str(name)) for name in names])
    for decision, share in SHARES.items():
        tried = units < share
        chance = coins.chances(names, np.full(len(names), decision), np.full(len(names), share), tried)
        known = ~np.isnan(chance)
        assert tried[known].mean() == pytest.approx(chance[known].mean(), abs=0.01)


def test_each_coin_is_bet_on_once_a_decision_and_not_after_a_later_one() -> None:
    once = Once()
    first = once.first(np.array([0, 0, 1, -1, -1, 0]), np.array([1, 1, 1, 1, 1, 2]))
    assert first.tolist() == [True, False, True, True, True, True]
    assert once.first(np.array([0, 1, 1]), np.array([1, 2, 1])).tolist() == [False, True, False]
    assert once.first(np.array([5000]), np.array([1])).tolist() == [True]


@given(st.lists(st.lists(st.text(max_size=3), max_size=20), max_size=6))
def test_names_are_numbered_in_the_order_in_which_they_are_met(batches: list[list[str]]) -> None:
    register, seen = Register(), []
    for batch in batches:
        seen += [name for name in dict.fromkeys(batch) if name not in seen]
        numbers = register.add(hashed(np.array(batch, dtype=object)))
        assert numbers.tolist() == [seen.index(name) for name in batch]
    assert len(register) == len(seen)
    assert register.find(hashed(np.array(["somebody else"], dtype=object))).tolist() == [-1]
