"""The suspicious gate: an improvement beyond belief is a leak."""

from __future__ import annotations

from typing import Any

import pytest

from retrain.gates.suspicious import Suspicious


@pytest.mark.parametrize(
    ("harm", "limits", "outcome"),
    [
        ((-0.02, -0.03, -0.01), {}, "passed"),  # 30 % of 0.2 is 0.06
        ((-0.10, -0.12, -0.05), {}, "passed"),  # beyond as measured, not shown
        ((-0.10, -0.12, -0.07), {}, "failed"),
        ((-0.10, -0.12, -0.07), {"relative": 0.9}, "passed"),
        ((-0.10, -0.12, -0.07), {"relative": 0.9, "absolute": 0.05}, "failed"),
        ((-0.10, -0.12, -0.07), {"relative": None}, "not applied"),
        ((0.10, 0.05, 0.15), {}, "passed"),  # worse is another gate's business
    ],
)
def test_an_improvement_beyond_belief_fails(
    make_scorecard: Any, make_score: Any, judged: Any, harm: Any, limits: Any, outcome: str
) -> None:
    result = judged(Suspicious(**limits), make_scorecard(make_score(harm)))
    assert result.outcome == outcome
    assert ("suspiciously better" in result.reason) == (outcome == "failed")


def test_where_more_is_better_the_share_is_of_what_is_missing_to_one(
    make_scorecard: Any, make_score: Any, judged: Any
) -> None:
    def outcome(gain: float) -> str:
        card = make_scorecard(make_score((-gain, -gain - 0.01, -gain + 0.01), metric="roc_auc", champion=0.75))
        return judged(Suspicious(), card, metric="roc_auc").outcome

    assert outcome(0.05) == "passed"
    assert outcome(0.15) == "failed"  # 30 % of 0.25 is 0.075


def test_without_a_champion_it_is_not_applied_and_without_numbers_it_fails(
    make_scorecard: Any, make_score: Any, judged: Any
) -> None:
    assert judged(Suspicious(), make_scorecard(make_score(), champion=None)).outcome == "not applied"
    assert judged(Suspicious(), make_scorecard()).outcome == "failed"
    nan = make_scorecard(make_score(difference_upper=float("nan")))
    assert judged(Suspicious(), nan).outcome == "failed"
