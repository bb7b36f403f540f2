"""Rows of two arms are cut into blocks that later rows never move."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrain.monitoring.arms import BLOCK_ROWS, blocks


@given(st.lists(st.booleans(), max_size=400), st.lists(st.booleans(), max_size=50))
def test_later_rows_never_move_a_block(rows: list[bool], later: list[bool]) -> None:
    before = list(blocks(np.array(rows, dtype=bool)))
    after = list(blocks(np.array(rows + later, dtype=bool)))
    assert after[: len(before)] == before
    assert all(one.stop == two.start for one, two in pairwise(after))


def test_blocks_hold_both_arms_and_grow_with_the_traffic() -> None:
    tried = np.arange(200_000) % 10 == 0
    cut = list(blocks(tried))
    assert all(min(tried[block].sum(), (~tried[block]).sum()) >= BLOCK_ROWS for block in cut)
    assert len(cut) < 250
    assert cut[-1].stop > 0.95 * len(tried)
