"""Freshness: by event time and by the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retrain import artifacts
from retrain.ledger import StageDone, Stale
from retrain.stages import freshness as stage
from retrain.stages.freshness import freshness
from retrain.story import AGED


def request_for(workshop: Any, candidate: Any, later: timedelta = timedelta(0), **keys: Any) -> Any:
    return workshop.request("run-9", candidate.data_end + later, **keys)


def test_what_was_just_made_is_fresh(with_champion: Any, incumbent: Any) -> None:
    request = request_for(with_champion, incumbent)
    result = freshness(with_champion.spec, request, incumbent, with_champion.site)
    assert result.fresh
    assert [age.subject for age in result.ages] == [
        "model", "data", "collect", "validate", "features", "train", "evaluate", "bless",
    ]  # fmt: skip
    again = freshness(with_champion.spec, request, incumbent, with_champion.fresh_site())
    assert again == result
    ledger = with_champion.site.ledger(with_champion.spec.name)
    assert len([done for _, done in ledger.of(StageDone) if done.stage == "freshness"]) == 1
    assert not list(ledger.of(Stale))


def test_an_old_model_is_stale_in_event_time(with_champion: Any, incumbent: Any) -> None:
    request = request_for(with_champion, incumbent, timedelta(days=31))
    result = freshness(with_champion.spec, request, incumbent, with_champion.site)
    assert not result.fresh
    assert "the model's data ended 31 d before the data asked for, at most 30 d allowed" in result.reason
    freshness(with_champion.spec, request, incumbent, with_champion.fresh_site())
    ((entry, _),) = with_champion.site.ledger(with_champion.spec.name).of(Stale)
    assert entry.body.model_dump(mode="json") == {"version": 1, "reason": result.reason}


def test_rows_that_end_long_before_the_window_are_stale(workshop: Any, make_rows: Any) -> None:
    frame = make_rows()
    end = frame["at"].max().to_pydatetime() + timedelta(days=8)
    candidate, _, _ = workshop.judge(frame, end=end)
    result = freshness(workshop.spec, workshop.request(end=end), candidate, workshop.site)
    assert [age.subject for age in result.ages if age.stale] == ["data"]


def test_stage_results_grow_old_by_the_clock_even_within_a_run(
    with_champion: Any, incumbent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(with_champion, incumbent)
    assert freshness(with_champion.spec, request, incumbent, with_champion.site).fresh
    monkeypatch.setattr(stage, "now", lambda: artifacts.now() + timedelta(days=8))
    result = freshness(with_champion.spec, request, incumbent, with_champion.site)
    assert not result.fresh
    assert {age.subject for age in result.ages if age.stale} == set(AGED)
    patient = with_champion.write(staleness={"stages": dict.fromkeys(AGED, "9d")})
    assert freshness(patient, request, incumbent, with_champion.site).fresh
