"""Inputs and features that died, in the rows a model was made of, and the veto that follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.model.rows import TEXT
from retrain.modelling.liveness import dead


def died(workshop: Any, frame: pd.DataFrame) -> tuple[str, ...]:
    _, made = workshop.features(frame)
    return dead(made, workshop.site)


def test_what_varies_as_ever_lives(workshop: Any, make_rows: Any) -> None:
    assert died(workshop, make_rows()) == ()


def test_an_input_and_its_feature_that_are_constant_now_are_named(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame.loc[frame.index[-300:], "leak"] = 0.25  # the newest five days
    found = died(workshop, frame)
    assert [one.partition(" is ")[0] for one in found] == ["input leak", "feature leak"]
    assert found[0] == "input leak is 0.25 in the newest 300 rows; before, no value lasted for more than 1"


def test_an_input_that_is_empty_now_is_named_though_its_feature_hides_it(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame["colour"] = frame["colour"].where(frame.index < len(frame) - 300).astype(TEXT)
    found = died(workshop, frame)
    assert [one.partition(" is ")[0] for one in found] == ["input colour", "feature red"]
    assert "input colour is empty in the newest 300 rows; before, never in more than 0 on end" in found


def test_what_is_missing_in_a_few_newest_rows_may_come_late(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    frame.loc[frame.index[-50:], "leak"] = np.nan
    assert died(workshop, frame) == ()


@pytest.mark.parametrize("stretch", [60, 600])
def test_a_column_that_is_constant_in_stretches_lives(workshop: Any, make_rows: Any, stretch: int) -> None:
    """Of a day, and of ten days: what it was in the newest stretch it has been as long before."""
    frame = make_rows()
    frame["leak"] = np.floor(frame.index.to_numpy() / stretch)
    assert died(workshop, frame) == ()


def test_a_model_whose_input_died_is_vetoed_by_name(with_champion: Any, make_rows: Any) -> None:
    frame = make_rows(seed=1)
    frame.loc[frame.index[-300:], "leak"] = 0.25
    _, _, verdict = with_champion.judge(frame, "run-1")
    assert verdict.outcome == "vetoed"
    assert "inputs gate: input leak is 0.25 in the newest 300 rows" in verdict.reason
