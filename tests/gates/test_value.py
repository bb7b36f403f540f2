"""The value gate: a bound on the metric itself."""

from __future__ import annotations

from typing import Any

import pytest

from retrain.gates.value import Value


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [
        ({}, "not applied"),
        ({"upper": 0.25}, "passed"),
        ({"upper": 0.205}, "undecided"),
        ({"upper": 0.18}, "failed"),
        ({"lower": 0.15}, "passed"),
        ({"lower": 0.195}, "undecided"),
        ({"lower": 0.22}, "failed"),
        ({"lower": 0.15, "upper": 0.25}, "passed"),
        ({"lower": 0.15, "upper": 0.18}, "failed"),
    ],
)
def test_the_bound_decides_not_the_point(
    make_scorecard: Any, make_score: Any, judged: Any, limits: Any, outcome: str
) -> None:
    result = judged(Value(**limits), make_scorecard(make_score()))
    assert result.outcome == outcome
    for limit in limits.values():
        assert f"{limit:g}" in result.reason


def test_it_fails_closed(make_scorecard: Any, make_score: Any, judged: Any) -> None:
    for card in (
        make_scorecard(),
        make_scorecard(make_score(challenger=None, challenger_lower=None, challenger_upper=None)),
        make_scorecard(make_score(challenger_upper=None)),
        make_scorecard(make_score(challenger_upper=float("nan"))),
    ):
        assert judged(Value(upper=0.9), card).outcome == "failed"
