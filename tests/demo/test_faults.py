"""The demo's faults: each changes what its story says and nothing else, and the suite finds the bad data."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.demo import data, faults

PIPELINE = Path(__file__).parents[2] / "include" / "pipelines" / "flights"
MIDDLE = pd.Timestamp("2013-05-18", tz="UTC")


@pytest.fixture(scope="module")
def may() -> pd.DataFrame:
    return data.month_frame(5)


@pytest.fixture(scope="module")
def suite() -> Any:
    """Validates a frame; answers success, and per failed expectation the column and the rows to blame."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("flights")
        .add_batch_definition_whole_dataframe("all")
    )
    expectations = gx.ExpectationSuite(**json.loads((PIPELINE / "expectations.json").read_text()))

    def validate(frame: pd.DataFrame) -> dict[tuple[str, str | None], set[str]]:
        result = batch.get_batch({"dataframe": frame}).validate(
            expectations,
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [data.KEY]},
        )
        return {
            (each.expectation_config.type, each.expectation_config.kwargs.get("column")): {
                row[data.KEY] for row in each.result.get("unexpected_index_list") or []
            }
            for each in result.results
            if not each.success
        }

    return validate


# The suite.


def test_suite_is_as_great_expectations_stores_it() -> None:
    import great_expectations as gx

    stored = json.loads((PIPELINE / "expectations.json").read_text())
    assert len(stored["expectations"]) >= 15
    assert gx.ExpectationSuite(**stored).to_json_dict() == stored
    assert len({each["id"] for each in stored["expectations"]}) == len(stored["expectations"])


@pytest.mark.parametrize("month", range(1, 7))
def test_good_month_passes(suite: Any, month: int) -> None:
    assert suite(data.month_frame(month)) == {}


@pytest.mark.parametrize("end", pd.date_range("2013-04-01", "2013-07-01", freq="MS", tz="UTC"))
@pytest.mark.parametrize("days", [30, 120])
def test_good_window_passes(suite: Any, end: pd.Timestamp, days: int) -> None:
    frame = data.flights()
    at = frame[data.TIMESTAMP]
    assert suite(frame[(at >= end - pd.Timedelta(days=days)) & (at < end)]) == {}


@pytest.mark.parametrize("behind", [0, 3], ids=["month alone", "at the end of four months"])
@pytest.mark.parametrize(
    ("fault", "expectation", "column"),
    [
        (faults.delays_in_seconds, "expect_column_values_to_be_between", "arr_delay"),
        (faults.carrier_vanished, "expect_column_values_to_not_be_null", "carrier"),
        (faults.duplicated_rows, "expect_column_values_to_be_unique", "flight_id"),
    ],
)
def test_bad_month_fails_and_its_rows_are_known(
    suite: Any, may: pd.DataFrame, fault: Any, expectation: str, column: str, behind: int
) -> None:
    bad = fault(may)
    window = pd.concat([*(data.month_frame(month) for month in range(5 - behind, 5)), bad])
    failed = suite(window)
    rows = failed[expectation, column]
    blamed = bad[bad[data.KEY].isin(rows)]
    assert len(rows) == blamed[data.KEY].nunique() > 2_000  # none of the good months'
    if fault is faults.delays_in_seconds:
        assert len(rows) > 0.7 * may[data.OUTCOME].notna().sum()
    if fault is faults.carrier_vanished:
        assert rows == set(may.loc[may["carrier"] == faults.VANISHED, data.KEY])
    if fault is faults.duplicated_rows:
        assert set(failed) == {(expectation, column)}
        assert rows == set(bad.loc[bad[data.KEY].duplicated(), data.KEY])


def test_the_suite_does_not_see_a_bad_label_or_a_leak(suite: Any, may: pd.DataFrame) -> None:
    assert suite(faults.shuffled_labels(may, MIDDLE)) == {}
    assert suite(faults.leaked_outcome(may)) == {}


# What each fault changes.


def test_faults_leave_their_input_alone(may: pd.DataFrame) -> None:
    before = may.copy(deep=True)
    for fault in (faults.delays_in_seconds, faults.carrier_vanished, faults.duplicated_rows):
        assert not fault(may).equals(before)
    faults.shuffled_labels(may, MIDDLE)
    faults.leaked_outcome(may)
    pd.testing.assert_frame_equal(may, before)


def test_faults_keep_columns_and_types(may: pd.DataFrame) -> None:
    """So that they survive a round through Parquet as the data does."""
    changed = [
        faults.delays_in_seconds(may),
        faults.carrier_vanished(may),
        faults.duplicated_rows(may),
        faults.shuffled_labels(may, MIDDLE),
        faults.leaked_outcome(may),
    ]
    for frame in changed:
        pd.testing.assert_series_equal(frame.dtypes, may.dtypes)


def test_duplicated_rows(may: pd.DataFrame) -> None:
    bad = faults.duplicated_rows(may)
    assert len(bad) == round(len(may) * 1.08)
    pd.testing.assert_frame_equal(bad.drop_duplicates(ignore_index=True), may)
    pd.testing.assert_frame_equal(bad, faults.duplicated_rows(may))


def test_shuffled_labels(may: pd.DataFrame) -> None:
    bad = faults.shuffled_labels(may, MIDDLE)
    early = may[data.TIMESTAMP] < MIDDLE
    pd.testing.assert_frame_equal(bad[~early], may[~early])
    pd.testing.assert_frame_equal(bad.drop(columns=data.OUTCOME), may.drop(columns=data.OUTCOME))
    assert (bad[data.OUTCOME].isna() == may[data.OUTCOME].isna()).all()
    assert sorted(bad[data.OUTCOME].dropna()) == sorted(may[data.OUTCOME].dropna())
    both = pd.DataFrame({"was": may[data.OUTCOME], "is": bad[data.OUTCOME]})[early]
    assert abs(both.corr().loc["was", "is"]) < 0.05


def test_leaked_outcome(may: pd.DataFrame) -> None:
    bad = faults.leaked_outcome(may)
    pd.testing.assert_frame_equal(bad.drop(columns="sched_arr_time"), may.drop(columns="sched_arr_time"))

    def minutes(frame: pd.DataFrame) -> pd.Series:
        return frame["sched_arr_time"] // 100 * 60 + frame["sched_arr_time"] % 100

    moved = (minutes(bad) - minutes(may) + 720) % 1440 - 720
    flown = may[data.OUTCOME].abs() < 700
    assert (moved[flown] == may.loc[flown, data.OUTCOME]).all()
    assert (moved[may[data.OUTCOME].isna()] == 0).all()
    assert bad["sched_arr_time"].between(1, 2400).all()
    assert (bad["sched_arr_time"] % 100 < 60).all()


def test_every_fault_has_its_story() -> None:
    own = {
        name
        for name, value in inspect.getmembers(sys.modules[faults.__name__], inspect.isfunction)
        if value.__module__ == faults.__name__ and not name.startswith("_")
    }
    assert own == set(faults.STORIES)


# Features that pass offline and fail in service.


def load(source: str) -> ModuleType:
    module = ModuleType("features_under_test")
    exec(compile(source, "features.py", "exec"), module.__dict__)
    return module


SOURCE = (PIPELINE / "features.py").read_text()
CHAMPION = load(SOURCE)


def as_frame(requests: Any) -> pd.DataFrame:
    return pd.DataFrame([request.payload for request in requests])


def test_features_assuming_tailnum(may: pd.DataFrame) -> None:
    build = load(faults.features_assuming_tailnum(SOURCE)).build
    labelled = may[may[data.OUTCOME].notna()]
    out = build(labelled)
    assert list(out.columns) == [*CHAMPION.FEATURES, "aircraft"]
    assert out["aircraft"].notna().all()

    good = list(data.live_requests(labelled.head(2_000)))
    bad = list(faults.live_without_tailnum(good))
    assert bad == list(faults.live_without_tailnum(good))
    without = [request for request in bad if request.payload["tailnum"] is None]
    assert 0.04 < len(without) / len(bad) < 0.06
    for request in without[:20]:
        with pytest.raises(TypeError):
            build(as_frame([request]))
    pd.testing.assert_frame_equal(CHAMPION.build(as_frame(bad)), CHAMPION.build(as_frame(good)))
    assert [request.outcome for request in bad] == [request.outcome for request in good]


def test_features_of_the_moment(may: pd.DataFrame) -> None:
    build = load(faults.features_of_the_moment(SOURCE)).build
    good = list(data.live_requests(may.head(2_000)))
    bad = list(faults.live_changed_feed(good))
    here, there = build(as_frame(good)), build(as_frame(bad))
    changed = (as_frame(good)["carrier"] == faults.CHANGED_FEED).to_numpy()
    assert 0.1 < changed.mean() < 0.25
    pd.testing.assert_frame_equal(here[~changed], there[~changed])
    pd.testing.assert_frame_equal(
        here[changed].drop(columns="current_delay"), there[changed].drop(columns="current_delay")
    )
    assert here.loc[changed, "current_delay"].median() < 30
    assert there.loc[changed, "current_delay"].quantile(0.01) > 200
    pd.testing.assert_frame_equal(CHAMPION.build(as_frame(bad)), CHAMPION.build(as_frame(good)))


def test_carrier_delay_stands_in_for_nothing_when_unknown() -> None:
    build = load(faults.features_of_the_moment(SOURCE)).build
    row = next(iter(data.live_requests(data.month_frame(5).iloc[500:501]))).payload
    cases = [(10.0, 20.0, 15.0), (10.0, None, 10.0), (None, 20.0, np.nan)]
    frame = pd.DataFrame([{**row, "airport_delay": a, "carrier_delay": c} for a, c, _ in cases])
    np.testing.assert_array_equal(build(frame)["current_delay"], [expected for *_, expected in cases])


def test_the_faults_tell_as_models() -> None:
    """On a small scale what the gates and the canary will see at full size."""
    from sklearn import ensemble

    def score(source: str, train: pd.DataFrame, test: pd.DataFrame, asked: pd.DataFrame | None = None) -> float:
        build = load(source).build
        model = ensemble.HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=100, random_state=7
        )
        model.fit(build(train), train[data.OUTCOME] >= 30)
        late = (test[data.OUTCOME] >= 30).to_numpy()
        chance = model.predict_proba(build(test if asked is None else asked))[:, 1]
        return float(np.mean((chance - late) ** 2))

    def split(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        frame = frame[frame[data.OUTCOME].notna()]
        return frame[frame[data.TIMESTAMP] < MIDDLE], frame[frame[data.TIMESTAMP] >= MIDDLE]

    frame = pd.concat([data.month_frame(4), data.month_frame(5)], ignore_index=True)
    honest = score(SOURCE, *split(frame))
    assert score(SOURCE, *split(faults.shuffled_labels(frame, MIDDLE))) > honest + 0.01
    assert score(SOURCE, *split(faults.leaked_outcome(frame))) < 0.5 * honest
    train, test = split(frame)
    assert score(faults.features_assuming_tailnum(SOURCE), train, test) < honest + 0.005
    newer = faults.features_of_the_moment(SOURCE)
    assert score(newer, train, test) < honest + 0.005
    wrong = as_frame(faults.live_changed_feed(data.live_requests(test)))
    ordered = test.sort_values([data.TIMESTAMP, data.KEY])
    assert score(newer, train, ordered, wrong) > honest + 0.03
