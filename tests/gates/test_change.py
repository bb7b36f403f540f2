"""The change gate: no worse than the champion, and shown not to be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.gates.change import Change


@pytest.mark.parametrize(
    ("harm", "outcome"),
    [
        ((0.0, -0.004, 0.004), "passed"),
        ((-0.02, -0.03, -0.01), "passed"),
        ((0.0, -0.02, 0.02), "undecided"),
        ((0.006, 0.001, 0.011), "undecided"),
        ((0.02, 0.006, 0.03), "failed"),
    ],
)
@pytest.mark.parametrize("metric", ["brier", "roc_auc"])
def test_harm_must_be_excluded_whichever_way_the_metric_points(
    make_scorecard: Any, make_score: Any, judged: Any, metric: str, harm: Any, outcome: str
) -> None:
    card = make_scorecard(make_score(harm, metric=metric, champion=0.7 if metric == "roc_auc" else 0.2))
    result = judged(Change(absolute=0.005), card, metric=metric)
    assert result.outcome == outcome
    assert metric in result.reason
    assert result.evidence["harm"] == pytest.approx(harm[0])


def test_both_margins_must_hold(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    card = make_scorecard(make_score((0.0, -0.008, 0.008), champion=0.2))
    wide = {"absolute": 0.01, "relative": 0.05}
    assert judged(Change(**wide), card).outcome == "passed"
    assert judged(Change(**{**wide, "relative": 0.02}), card).outcome == "undecided"
    assert judged(Change(**{**wide, "absolute": 0.001}), card).outcome == "undecided"


def test_without_a_champion_it_is_not_applied(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    result = judged(Change.default(), make_scorecard(make_score(None, champion=None), champion=None))
    assert result.outcome == "not applied"
    assert "no champion" in result.reason


@pytest.mark.parametrize("lost", ["challenger", "champion", "difference", "difference_lower", "difference_upper"])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_it_fails_closed(make_scorecard: Any, make_score: Any, judged: Any, lost: str, value: float | None) -> None:
    assert judged(Change.default(), make_scorecard(make_score(**{lost: value}))).outcome == "failed"
    assert judged(Change.default(), make_scorecard()).outcome == "failed"


@given(st.floats(-0.1, 0.1), st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 0.1))
def test_more_harm_never_helps(
    make_scorecard: Any,
    make_score: Any,
    judged: Any,
    point: float,
    below: float,
    above: float,
    more: float,
) -> None:
    rank = {"passed": 0, "undecided": 1, "failed": 2}

    def ranked(shift: float) -> int:
        harm = (point + shift, point - below + shift, point + above + shift)
        return rank[judged(Change.default(), make_scorecard(make_score(harm))).outcome]

    assert ranked(more) >= ranked(0.0)
