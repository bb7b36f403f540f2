"""The change gate: no worse than the champion, and shown not to be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrain.gates.change import Change
from retrain.gates.slices import Slices
from retrain.gates.suspicious import Suspicious
from retrain.gates.value import Value


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


def test_a_metric_below_zero_is_compared_by_difference(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    def outcome(point: float) -> str:
        gained = make_score((point, point - 0.1, point + 0.1), champion=-10.0, ratio=None)
        return judged(Change(), make_scorecard(gained)).outcome

    assert [outcome(point) for point in (-2.0, 0.0, 0.5, 2.0)] == ["passed", "passed", "undecided", "failed"]


@pytest.mark.parametrize(
    ("metric", "champion"), [("brier", 0.12), ("log_loss", 0.4), ("rmse", 430.0), ("roc_auc", 0.7)]
)
def test_without_a_word_the_margin_is_a_twentieth_of_the_champions_loss(
    make_scorecard: Any, make_score: Any, judged: Any, metric: str, champion: float
) -> None:
    lost = 1 - champion if metric == "roc_auc" else champion

    def outcome(most: float) -> str:
        card = make_scorecard(make_score((0.0, -most * lost, most * lost), metric=metric, champion=champion))
        return judged(Change(), card, metric=metric).outcome

    assert outcome(0.049) == "passed"
    assert outcome(0.051) == "undecided"


def test_the_margin_is_said_in_the_metrics_unit_and_as_a_share(
    make_scorecard: Any, make_score: Any, judged: Any
) -> None:
    card = make_scorecard(make_score((10.0, -15.0, 35.0), metric="rmse", champion=430.0))
    reason = judged(Change(), card, metric="rmse").reason
    assert "margin 21.5 (5 % of the champion's loss)" in reason
    assert "about 67 days of `train.holdout` would tell" in reason


def test_a_holdout_of_few_days_is_undecided_and_says_how_many_are_needed(
    make_scorecard: Any, make_score: Any, judged: Any
) -> None:
    for gate in (Change(), Suspicious(), Value(upper=0.9), Slices(columns=("carrier",))):
        unbounded = make_score(difference_lower=None, difference_upper=None, challenger_lower=None)
        result = judged(gate, make_scorecard(unbounded, holdout_days=4))
        assert result.outcome == "undecided", gate
        assert "lie on 4 days, and a bound needs 7: make `train.holdout` 7d or longer" in result.reason
        assert judged(gate, make_scorecard(make_score(challenger=None), holdout_days=4)).outcome != "passed"


def test_without_a_champion_it_is_not_applied(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    result = judged(Change(), make_scorecard(make_score(None, champion=None), champion=None))
    assert result.outcome == "not applied"
    assert "no champion" in result.reason


@pytest.mark.parametrize("lost", ["challenger", "champion", "difference", "difference_lower", "difference_upper"])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_it_fails_closed(make_scorecard: Any, make_score: Any, judged: Any, lost: str, value: float | None) -> None:
    assert judged(Change(), make_scorecard(make_score(**{lost: value}))).outcome == "failed"
    assert judged(Change(), make_scorecard()).outcome == "failed"


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
        return rank[judged(Change(), make_scorecard(make_score(harm))).outcome]

    assert ranked(more) >= ranked(0.0)
