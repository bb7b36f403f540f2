"""The decay gate: a champion that has fallen is no measure of what may follow it."""

from __future__ import annotations

from typing import Any

import pytest

from retrain.artifacts import Score
from retrain.gates.decay import Decay


def share(challenger: float, champion: float = 1.0, spread: float = 0.02) -> Score:
    """What each loses of what a constant loses."""
    difference = challenger - champion
    return Score(
        metric="brier", better="lower", rows=1000, challenger=challenger, challenger_lower=challenger - spread,
        challenger_upper=challenger + spread, champion=champion, champion_lower=champion - spread,
        champion_upper=champion + spread, difference=difference, difference_lower=difference - spread,
        difference_upper=difference + spread,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "challenger", "outcome", "said"),
    [
        (0.5, 0.52, 0.51, "passed", "not shown to have fallen"),
        (0.5, 0.74, 0.74, "passed", "not shown to have fallen"),  # 0.25 is allowed
        (0.5, 0.85, 0.84, "undecided", "most likely the newest rows are broken"),
        (0.5, 3.0, 2.9, "undecided", "most likely the newest rows are broken"),  # better, but beside the fall nothing
        (0.5, 0.85, 0.60, "passed", "the world moved"),
        (0.9, 1.0, 1.0, "undecided", "most likely the newest rows are broken"),  # all of a small lead
        (0.05, 0.12, 0.12, "undecided", "most likely the newest rows are broken"),  # twice a small loss
    ],
)
def test_what_befell_both_is_told_from_what_befell_one(
    make_scorecard: Any, make_score: Any, judged: Any,
    before: float, now: float, challenger: float, outcome: str, said: str,
) -> None:  # fmt: skip
    past = make_scorecard(make_score(), share=share(before))
    card = make_scorecard(make_score(), share=share(challenger, now))
    result = judged(Decay(), card, past=past)
    assert result.outcome == outcome
    assert said in result.reason
    assert result.evidence["fallen"] == ("not shown" not in said)


def test_where_the_champion_holds_a_worse_challenger_is_the_only_bad_one(
    make_scorecard: Any, make_score: Any, judged: Any
) -> None:
    card = make_scorecard(make_score((0.05, 0.03, 0.07)), share=share(0.7, 0.5))
    result = judged(Decay(), card, past=make_scorecard(make_score(), share=share(0.5)))
    assert result.outcome == "passed"
    assert "only the challenger is bad" in result.reason


def test_a_scorecard_of_before_tells_by_its_baseline(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    old = make_score((0.0, -0.01, 0.01), champion=0.1)  # what it was blessed at: 0.1 of 0.2
    past = make_scorecard(old, baselines={"majority": make_score((-0.1, -0.12, -0.08), champion=0.2)})
    result = judged(Decay(), make_scorecard(make_score(), share=share(1.2, 1.2)), past=past)
    assert result.outcome == "undecided"
    assert result.evidence["before"] == pytest.approx(0.5)
    assert "brier 0.1000 when it was blessed, 0.2000 now" in result.reason


def test_when_it_is_not_applied_it_says_why(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    first = judged(Decay(), make_scorecard(make_score(), champion=None))
    assert (first.outcome, first.reason) == ("not applied", "there is no champion")
    lost = judged(Decay(), make_scorecard(make_score(), share=share(0.5)))
    assert lost.outcome == "not applied"
    assert "is not found" in lost.reason
    other = make_scorecard(make_score(metric="rmse"), share=share(0.5).model_copy(update={"metric": "rmse"}))
    assert judged(Decay(), make_scorecard(make_score(), share=share(0.5)), past=other).outcome == "not applied"


@pytest.mark.parametrize("lost", ["champion", "champion_lower", "difference_upper"])
def test_it_fails_closed(make_scorecard: Any, make_score: Any, judged: Any, lost: str) -> None:
    past = make_scorecard(make_score(), share=share(0.5))
    card = make_scorecard(make_score(), share=share(0.5, 0.5).model_copy(update={lost: None}))
    assert judged(Decay(), card, past=past).outcome == "failed"
    assert judged(Decay(), make_scorecard(make_score()), past=past).outcome == "failed"
