"""Has a column died? Stretches of one value, or of none, against the column's own past."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrain.stats.runs import Gaps, Runs

values = st.lists(st.integers(0, 2), max_size=40)


def runs_of(*parts: list[int] | np.ndarray) -> Runs:
    runs = Runs()
    for part in parts:
        runs.feed(np.asarray(part))
    return runs


def gaps_of(*parts: list[bool] | np.ndarray) -> Gaps:
    gaps = Gaps()
    for part in parts:
        gaps.feed(np.asarray(part, dtype=bool))
    return gaps


@given(values, values)
def test_part_by_part_is_all_at_once(one: list[int], other: list[int]) -> None:
    assert runs_of(one, other) == runs_of(one + other)
    has = [[value > 0 for value in part] for part in (one, other)]
    assert gaps_of(*has) == gaps_of(has[0] + has[1])


def test_a_value_that_lasts_ten_times_as_long_as_any_before_is_stuck() -> None:
    varied = [0, 1, 2] * 20
    assert not runs_of(varied).stuck
    assert not runs_of(varied, [7] * 10).stuck
    assert runs_of(varied, [7] * 11).stuck


def test_a_column_that_is_constant_in_stretches_is_not_stuck() -> None:
    months = np.repeat(np.arange(12), 30)
    assert not runs_of(months, np.full(250, 99)).stuck
    assert not runs_of(np.repeat(np.arange(4), 30), np.full(5000, 99)).stuck, "it has hardly varied"
    rare = np.random.default_rng(0).random(20_000) < 0.01
    assert not runs_of(rare, np.zeros(3000, dtype=bool)).stuck
    assert runs_of(rare, np.zeros(15_000, dtype=bool)).stuck


def test_a_column_that_was_never_filled_is_not_empty_and_one_that_was_is() -> None:
    assert not gaps_of([False] * 100).empty
    assert gaps_of([True] * 100, [False]).empty
    assert not gaps_of([True, False, False] * 30, [False] * 18).empty
    assert gaps_of([True, False, False] * 30, [False] * 19).empty
    assert not gaps_of([True] * 100, [False] * 50, [True]).empty
