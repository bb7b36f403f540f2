"""The claims of the drift alarm can be asked, and what they ask of is what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrain.audit.drifts import CLAIMS, COLUMNS, DAYS, MOVES, TABLES, Table, alarmed


def test_each_says_what_happens_and_what_is_allowed() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS) == len(TABLES) + len(MOVES)
    assert {(claim.holds, claim.stated) for claim in CLAIMS} == {("at most", 0.05), ("at least", 0.8)}
    assert {claim.section for claim in CLAIMS} == {"drift"}


def test_a_table_is_as_it_says() -> None:
    before, now = replace(DAYS, history=2000, rows=20, effect=1.0, moved=3.0).made(np.random.default_rng(0))
    assert (len(before), len(now), len(before.columns)) == (40_000, 600, len(COLUMNS) + 1)
    days = before.groupby(np.arange(len(before)) // 20)[COLUMNS].mean()
    assert days.std().mean() == pytest.approx(np.sqrt(1 + 1 / 20), rel=0.1)
    assert days.apply(lambda day: day.autocorr()).mean() == pytest.approx(0.5 / (1 + 1 / 20), abs=0.1)
    assert now["c0"].mean() > 2
    text, _ = replace(DAYS, categories=True).made(np.random.default_rng(0))
    assert set(text["c3"]) == set("abcdef")


def test_a_great_move_alarms_and_none_does_not() -> None:
    table = Table(history=40, window=7, rows=20)
    assert alarmed(table, np.random.default_rng(1)) == 0.0
    assert alarmed(replace(table, moved=2.0), np.random.default_rng(1), column="c0") == 1.0
    assert alarmed(replace(table, moved=2.0), np.random.default_rng(1), column="c1") == 0.0
