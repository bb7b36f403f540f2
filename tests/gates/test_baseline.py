"""The baseline gate: better than knowing nothing, and shown to be."""

from __future__ import annotations

from typing import Any

import pytest

from retrain.gates.baseline import Baseline


@pytest.mark.parametrize(
    ("majority", "one_feature", "outcome", "named"),
    [
        ((-0.05, -0.06, -0.04), (-0.02, -0.03, -0.01), "passed", ("majority", "one-feature")),
        ((-0.05, -0.06, -0.04), (-0.01, -0.03, 0.009), "passed", ("majority", "one-feature")),  # 5 % of 0.2 is 0.01
        ((-0.05, -0.06, -0.04), (-0.01, -0.03, 0.011), "undecided", ("one-feature",)),
        ((-0.05, -0.11, 0.01), (-0.01, -0.03, 0.0), "undecided", ("majority",)),
        ((-0.05, -0.06, -0.04), (0.001, -0.02, 0.02), "failed", ("one-feature",)),
        ((-0.0001, -0.001, 0.001), (-0.02, -0.03, -0.01), "failed", ("majority",)),
        ((0.02, 0.01, 0.03), (-0.01, -0.03, 0.01), "failed", ("majority",)),
    ],
)
def test_every_baseline_must_be_shown_to_be_worse(
    make_scorecard: Any, make_score: Any, judged: Any,
    majority: Any, one_feature: Any, outcome: str, named: tuple[str, ...],
) -> None:  # fmt: skip
    against = {"majority": make_score(majority), "one_feature": make_score(one_feature)}
    result = judged(Baseline(), make_scorecard(baselines=against, levelled=against, champion=None))
    assert result.outcome == outcome
    assert {name for name in ("majority", "one-feature") if name in result.reason} == set(named)


def test_what_the_champion_has_shown_need_not_be_shown_again(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    doubtful = {"majority": make_score((-0.02, -0.05, 0.01))}
    share = make_score().model_copy(update={"challenger": 0.8, "challenger_upper": 0.9, "champion": 0.8})

    def outcome(change: Any, past: float | None) -> str:
        then = None if past is None else share.model_copy(update={"challenger_upper": past})
        card = make_scorecard(make_score(change), baselines=doubtful, levelled=doubtful)
        return judged(Baseline(), card, past=then and make_scorecard(make_score(), share=then)).outcome

    assert outcome((0.0, -0.006, 0.006), 0.9) == "passed"
    assert outcome((0.0, -0.006, 0.006), None) == "undecided"
    assert outcome((0.0, -0.006, 0.006), 1.01) == "undecided", "the champion has not shown it either"
    assert outcome((0.03, 0.02, 0.06), 0.9) == "undecided", "it may be so much worse that it does not"


def test_a_luckier_level_is_no_knowledge(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    lucky = {"majority": make_score((-0.02, -0.03, -0.01))}
    fair = {"majority": make_score((0.0, -0.001, 0.001))}
    result = judged(Baseline(), make_scorecard(baselines=lucky, levelled=fair, champion=None))
    assert result.outcome == "failed"
    assert "on the labels' level: no better" in result.reason


def test_knowledge_on_a_wrong_level_does_not_pass(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    knows, off = make_score((-0.02, -0.03, -0.01)), make_score((0.01, -0.05, 0.07))
    card = make_scorecard(baselines={"majority": off}, levelled={"majority": knows}, champion=None)
    result = judged(Baseline(), card)
    assert result.outcome == "failed"
    assert "wrong in its level" in result.reason


def test_what_is_undecided_says_how_many_days_would_tell(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    against = {"majority": make_score((-0.01, -0.025, 0.005))}
    result = judged(Baseline(), make_scorecard(baselines=against, levelled=against, champion=None))
    assert "about 32 days of `train.holdout` would tell, 14 were held out" in result.reason


def test_it_fails_closed(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    assert judged(Baseline(), make_scorecard()).outcome == "failed"
    gone = {"majority": make_score(champion=None, challenger=0.1, difference=None)}
    lost = make_scorecard(baselines=gone, levelled=gone)
    assert judged(Baseline(), make_scorecard(baselines=gone)).outcome == "failed"
    result = judged(Baseline(), lost)
    assert result.outcome == "failed"
    assert "majority" in result.reason
