"""The baseline gate: better than knowing nothing, and shown to be."""

from __future__ import annotations

from typing import Any

import pytest

from retrain.gates.baseline import Baseline


@pytest.mark.parametrize(
    ("majority", "one_feature", "outcome", "named"),
    [
        ((-0.05, -0.06, -0.04), (-0.02, -0.03, -0.01), "passed", ("majority", "one-feature")),
        ((-0.05, -0.06, -0.04), (-0.01, -0.03, 0.01), "undecided", ("one-feature",)),
        ((-0.05, -0.06, -0.04), (0.001, -0.02, 0.02), "failed", ("one-feature",)),
        ((-0.05, -0.06, -0.04), (-0.0001, -0.001, 0.001), "failed", ("one-feature",)),
        ((0.02, 0.01, 0.03), (-0.01, -0.03, 0.01), "failed", ("majority",)),
    ],
)
def test_every_baseline_must_be_shown_to_be_worse(
    make_scorecard: Any, make_score: Any, judged: Any,
    majority: Any, one_feature: Any, outcome: str, named: tuple[str, ...],
) -> None:  # fmt: skip
    against = {"majority": make_score(majority), "one_feature": make_score(one_feature)}
    result = judged(Baseline(), make_scorecard(baselines=against, champion=None))
    assert result.outcome == outcome
    assert {name for name in ("majority", "one-feature") if name in result.reason} == set(named)


def test_it_fails_closed(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    assert judged(Baseline(), make_scorecard()).outcome == "failed"
    lost = make_scorecard(baselines={"majority": make_score(champion=None, challenger=0.1)})
    result = judged(Baseline(), lost)
    assert result.outcome == "failed"
    assert "majority" in result.reason
