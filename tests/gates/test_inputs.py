"""The inputs gate: what has died is a veto by name."""

from __future__ import annotations

from typing import Any

from retrain.gates.base import Evidence
from retrain.gates.inputs import Inputs


def test_it_fails_where_something_has_died_and_names_it(make_scorecard: Any, make_candidate: Any) -> None:
    def unread() -> Any:
        raise AssertionError("it reads no rows")

    def said(*dead: str) -> Any:
        given = (make_scorecard(), make_candidate(), "binary", "brier", 0.95, unread, unread)
        return Inputs().judge(Evidence(*given, dead=lambda: dead))

    assert said().outcome == "passed"
    failed = said("input wind is 0 in the newest 900 rows", "feature gust is empty in the newest 900 rows")
    assert failed.outcome == "failed"
    assert failed.reason.startswith("input wind is 0 in the newest 900 rows; feature gust is empty")
    assert "mend the source" in failed.reason
    assert len(failed.evidence["dead"]) == 2
