"""What a move is to the champion: it is asked itself, and a run rests where it hardly uses what has moved."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pandas as pd

from retrain.artifacts import Drift
from retrain.model.rows import TEXT
from retrain.stages.drift import drift, fresh_enough

MONTH = timedelta(days=30)


def later(make_rows: Any, incumbent: Any) -> pd.DataFrame:
    """The next month's rows, and those before."""
    return make_rows(end=incumbent.data_end + MONTH, seed=5, days=80)


def the_drift(workshop: Any, incumbent: Any, frame: pd.DataFrame) -> Drift:
    end = incumbent.data_end + MONTH
    snapshot, _ = workshop.snapshot(frame, end)
    return drift(workshop.spec, workshop.request("run-5", end, trigger="schedule"), snapshot, workshop.site)


def rests(workshop: Any, incumbent: Any, found: Drift) -> str | None:
    request = workshop.request("run-5", incumbent.data_end + MONTH / 2, trigger="schedule")
    return fresh_enough(workshop.spec, request, found, workshop.site)


def column(found: Drift, name: str) -> Any:
    return next(column for column in found.columns if column.column == name)


def test_nothing_moved_has_no_severity(with_champion: Any, incumbent: Any, make_rows: Any) -> None:
    found = the_drift(with_champion, incumbent, later(make_rows, incumbent))
    assert found.summary == "no drift in 3 columns"
    assert {(one.severity, one.weight) for one in found.columns} == {("", None)}
    assert rests(with_champion, incumbent, found)


def test_a_column_that_the_champion_lives_by_matters(with_champion: Any, incumbent: Any, make_rows: Any) -> None:
    frame = later(make_rows, incumbent)
    found = the_drift(with_champion, incumbent, frame.assign(x=frame["x"] + 0.5))
    assert column(found, "x").severity == "matters"
    assert column(found, "x").weight > 0.3
    assert found.summary.startswith("drifted: x (moved and matters: ")
    assert found.matters


def test_where_labels_are_there_the_loss_then_and_now_is_said(
    with_champion: Any, incumbent: Any, make_rows: Any
) -> None:
    frame = later(make_rows, incumbent)
    found = the_drift(with_champion, incumbent, frame.assign(x=-frame["x"] + 0.5))
    assert found.decay is not None
    assert (found.decay.metric, found.decay.rows) == (with_champion.spec.metric.name, 1800)
    assert found.decay.now > found.decay.then + 0.1
    assert f"{found.decay.now:.4g} on 1,800 rows, {found.decay.then:.4g} when it was trained" in found.summary


def test_a_move_that_matters_is_a_reason_to_retrain(with_champion: Any, incumbent: Any, make_rows: Any) -> None:
    frame = later(make_rows, incumbent)
    found = the_drift(with_champion, incumbent, frame.assign(x=frame["x"] + 0.5))
    assert rests(with_champion, incumbent, found) is None


def test_a_column_that_is_constant_now_matters_by_what_was_lost(
    with_champion: Any, incumbent: Any, make_rows: Any
) -> None:
    found = the_drift(with_champion, incumbent, later(make_rows, incumbent).assign(x=0.0))
    assert column(found, "x").weight > 0.3


def test_a_column_that_the_champion_hardly_uses_is_said_and_no_reason_to_retrain(
    with_champion: Any, incumbent: Any, make_rows: Any
) -> None:
    frame = later(make_rows, incumbent)
    found = the_drift(with_champion, incumbent, frame.assign(leak=frame["leak"] + 0.5))
    assert found.drifted
    assert column(found, "leak").severity == "hardly used"
    assert found.summary.startswith("drifted: leak (moved, the model hardly uses it: 0.")
    assert rests(with_champion, incumbent, found)


def test_a_column_whose_type_changed_is_drift_and_said(with_champion: Any, incumbent: Any, make_rows: Any) -> None:
    frame = later(make_rows, incumbent)
    found = the_drift(with_champion, incumbent, frame.assign(leak=pd.array(["low"] * len(frame), dtype=TEXT)))
    assert found.drifted
    assert found.incomparable == {"leak": "numbers in the champion's data, now str"}
    assert "leak cannot be compared any more: numbers in the champion's data, now str" in found.summary
    assert rests(with_champion, incumbent, found) is None


def test_where_the_champion_cannot_be_asked_a_move_counts(with_champion: Any, incumbent: Any, make_rows: Any) -> None:
    frame = later(make_rows, incumbent)
    file = next(name for name in incumbent.model.files if name.endswith("estimator.pkl"))
    with_champion.site.store.put(f"{incumbent.model.path}/{file}", b"gone bad")
    shutil.rmtree(with_champion.site.settings.home / "models", ignore_errors=True)
    found = the_drift(with_champion, incumbent, frame.assign(leak=frame["leak"] + 0.5))
    assert column(found, "leak").severity == "not known"
    assert "the champion could not be asked what that is to it: ModelTampered" in found.summary
    assert rests(with_champion, incumbent, found) is None
