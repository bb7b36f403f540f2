"""Rows of two arms are cut into blocks that later rows never move, and that never cross a decision."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrain.monitoring.blocks import BLOCK_ROWS, Blocks

Cut = list[tuple[list[float], list[float]]]


def cut(blocks: Blocks, tried: np.ndarray, decisions: np.ndarray | None = None, first: int = 0) -> Cut:
    """The places of each block's rows, by arm."""
    decisions = np.ones(len(tried), dtype=np.int64) if decisions is None else decisions
    places = np.arange(first, first + len(tried), dtype=float)[:, None]
    return [(a[:, 0].tolist(), b[:, 0].tolist()) for a, b in blocks.add(decisions, tried, places)]


@given(st.lists(st.booleans(), max_size=400), st.integers(0, 400))
def test_in_how_many_pieces_rows_come_changes_nothing(rows: list[bool], at: int) -> None:
    tried, blocks = np.array(rows, dtype=bool), Blocks(columns=1)
    pieces = cut(blocks, tried[:at]) + cut(blocks, tried[at:], first=min(at, len(tried)))
    assert pieces == cut(Blocks(columns=1), tried)


def test_blocks_hold_both_arms_and_grow_with_the_traffic() -> None:
    tried = np.arange(200_000) % 10 == 0
    found = cut(Blocks(columns=1), tried)
    assert all(min(len(champion), len(challenger)) >= BLOCK_ROWS for champion, challenger in found)
    assert len(found) < 250
    assert max(found[-1][0]) > 0.95 * len(tried)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=300))
def test_no_block_crosses_a_decision(rows: list[tuple[bool, int]]) -> None:
    tried = np.array([arm for arm, _ in rows], dtype=bool)
    decisions = np.array([decision for _, decision in rows], dtype=np.int64)
    for champion, challenger in cut(Blocks(columns=1), tried, decisions):
        places = np.array([*champion, *challenger], dtype=int)
        assert len(set(decisions[places])) == 1
