"""Parts: a later run makes only what is new, a killed one goes on, and what is decided over all rows stays whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from retrain.artifacts import FeatureSet, Part, Snapshot
from retrain.data.frames import keep_frame, to_frame
from retrain.data.holdout import raw_holdout
from retrain.data.partitions import keep_parts
from retrain.errors import DataError, FeatureError, ObjectMissing
from retrain.stages import features as module
from retrain.stages.features import features

DAY = timedelta(days=1)
START, MAY, JUNE = (datetime(2013, month, 1, tzinfo=UTC) for month in (1, 5, 6))
WINDOW = {"window": "120d"}


class Killed(BaseException):
    """What a SIGKILL looks like to the code it hits: nothing catches it."""


@pytest.fixture
def year(orders: Any) -> Any:
    """Orders of 150 days from the first of January on, in one file a month."""
    frame = orders.frame(days=151)
    for month, rows in frame.groupby(frame["at"].dt.month):
        orders.write(rows, f"{month}.parquet")
    return orders


@pytest.fixture
def uploads(year: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folder below `data` of each file put into the store."""
    seen: list[str] = []
    upload = year.site.store.upload
    monkeypatch.setattr(
        year.site.store, "upload", lambda path, file: (upload(path, file), seen.append(path.split("/")[2]))[0]
    )
    return seen


@pytest.fixture
def computed(year: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows the feature function was given, call by call, but for the proof."""
    seen: list[int] = []
    compute = module.compute
    monkeypatch.setattr(
        module,
        "compute",
        lambda spec, function, raw, names: (seen.append(len(raw)), compute(spec, function, raw, names))[1],
    )
    return seen


def made(orders: Any, end: datetime = MAY, **source: Any) -> tuple[Snapshot, FeatureSet]:
    spec = orders.spec(source=WINDOW | source)
    return orders.collect(spec, end), orders.features(spec, end)


def months(found: Snapshot | FeatureSet) -> list[str]:
    return [f"{part.start:%b}" for part in found.parts]


def test_a_window_of_months_lies_in_a_part_a_month(year: Any) -> None:
    snapshot, feature_set = made(year)
    assert months(snapshot) == months(feature_set) == ["Jan", "Feb", "Mar", "Apr"]
    assert snapshot.start < snapshot.parts[1].start == datetime(2013, 2, 1, tzinfo=UTC)
    assert snapshot.rows == len(expected_rows(year, snapshot))
    assert [part.source for part in feature_set.parts] == [part.data for part in snapshot.parts]


@pytest.mark.parametrize(
    ("end", "parts", "new"),
    [
        (JUNE, ["Feb", "Mar", "Apr", "May"], ["May"]),
        (JUNE - 12 * DAY, ["Jan", "Feb", "Mar", "Apr", "May"], ["Jan", "May"]),  # January, less what left the window
    ],
)
def test_a_retraining_a_month_later_makes_only_the_new_parts(
    year: Any, uploads: list[str], computed: list[int], end: datetime, parts: list[str], new: list[str]
) -> None:
    before = made(year)
    assert (uploads, len(computed)) == (["rows"] * 4 + ["features"] * 4, 4)
    uploads.clear()
    computed.clear()
    after = made(year, end)
    for old, now in zip(before, after, strict=True):
        assert months(now) == parts
        known = {part.data for part in old.parts}
        assert [f"{part.start:%b}" for part in now.parts if part.data not in known] == new
    assert uploads == ["rows"] * len(new) + ["features"] * len(new)
    assert computed == [part.rows for part in after[1].parts if f"{part.start:%b}" in new]
    pd.testing.assert_frame_equal(year.rows(after[0]), expected_rows(year, after[0]))


def expected_rows(orders: Any, snapshot: Snapshot) -> pd.DataFrame:
    """The rows of the window, as they lie in the files."""
    folder = orders.site.settings.data / "orders"
    frame = to_frame(pa.concat_tables(parquet.read_table(file) for file in sorted(folder.iterdir())))
    inside = (frame["at"] >= snapshot.start) & (frame["at"] < snapshot.end)
    return frame[inside].reset_index(drop=True)


def test_a_changed_old_row_makes_its_part_anew_and_no_other(year: Any, uploads: list[str], computed: list[int]) -> None:
    before = made(year)
    uploads.clear()
    computed.clear()
    file = year.site.settings.data / "orders" / "3.parquet"
    march = pd.read_parquet(file)
    year.write(march.assign(price=march["price"].where(march.index != 8, 99.0)), file.name)
    after = made(year)
    for old, new in zip(before, after, strict=True):
        changed = [one.data != other.data for one, other in zip(old.parts, new.parts, strict=True)]
        assert changed == [False, False, True, False]
    assert (uploads, len(computed)) == (["rows", "features"], 1)


def test_labels_that_settle_make_their_part_anew_and_leave_its_rows(
    year: Any, uploads: list[str], computed: list[int]
) -> None:
    snapshot, before = made(year, label_delay="5d")
    uploads.clear()
    computed.clear()
    again, after = made(year, label_delay="2d")
    assert again.parts == snapshot.parts
    assert [one.data != other.data for one, other in zip(before.parts, after.parts, strict=True)] == [0, 0, 0, 1]
    assert after.parts[-1].rows > before.parts[-1].rows
    assert uploads == ["features"]


def test_a_part_without_a_usable_row_has_no_features(year: Any) -> None:
    snapshot, feature_set = made(year, label_delay="35d")
    assert months(snapshot) == ["Jan", "Feb", "Mar", "Apr"]
    assert months(feature_set) == ["Jan", "Feb", "Mar"]


def test_other_code_or_other_inputs_make_every_part_anew(year: Any, computed: list[int]) -> None:
    _, before = made(year)
    year.write_features("def build(frame):\n    return frame[['price']] * 2\n")
    _, other = made(year)
    assert len(computed) == 8
    assert not {part.data for part in before.parts} & {part.data for part in other.parts}
    made(year, inputs=["price", "at"])
    assert len(computed) == 12


def test_killed_between_rows_nothing_is_there_in_halves_and_the_rest_is_made_next(
    year: Any, uploads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = year.spec(source=WINDOW)
    counted = year.site.store.upload
    with monkeypatch.context() as patch:
        patch.setattr(year.site.store, "upload", lambda *args: killed() if len(uploads) == 2 else counted(*args))
        with pytest.raises(Killed):
            year.collect(spec, MAY)
    assert len(year.site.store.list("orders/data/rows")) == 2
    assert not year.site.store.list("orders/artifacts")
    snapshot = year.collect(spec, MAY)
    assert len(uploads) == 4
    pd.testing.assert_frame_equal(year.rows(snapshot), expected_rows(year, snapshot))


def killed(*_: Any) -> None:
    raise Killed


@pytest.mark.parametrize("where", ["compute", "keep_once"])
def test_killed_between_features_the_rest_is_made_next(
    year: Any, computed: list[int], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    spec = year.spec(source=WINDOW)
    year.collect(spec, MAY)
    original = getattr(module, where)
    calls = []

    def third(*args: Any) -> Any:
        calls.append(1)
        return killed() if len(calls) == 3 else original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(module, where, third)
        with pytest.raises(Killed):
            year.features(spec, MAY)
    assert not year.site.store.list("orders/artifacts/features")
    computed.clear()
    feature_set = year.features(spec, MAY)
    assert computed == [part.rows for part in feature_set.parts[2:]]


def test_features_that_were_deleted_from_the_store_are_made_anew(year: Any, computed: list[int]) -> None:
    _, first = made(year)
    computed.clear()
    year.site.store.delete(first.path("orders", first.key))
    year.site.store.delete(first.parts[1].data.path)
    _, again = made(year)
    assert again.parts == first.parts
    assert computed == [first.parts[1].rows]


def test_the_split_lies_within_a_part(year: Any) -> None:
    snapshot, feature_set = made(year)
    assert feature_set.parts[-1].start < feature_set.split_at < feature_set.parts[-1].end
    frame = expected_rows(year, snapshot)
    frame = frame[frame["delay"].notna()]
    train, holdout = year.train(feature_set), year.holdout(feature_set)
    early = frame["at"] < frame["at"].max() - 14 * DAY
    assert train["__time__"].tolist() == frame["at"][early].tolist()
    assert holdout["__time__"].tolist() == frame["at"][~early].tolist()
    assert (feature_set.train_rows, feature_set.holdout_rows) == (early.sum(), (~early).sum())
    raw = raw_holdout(feature_set, year.site)
    pd.testing.assert_frame_equal(raw, frame[~early][list(feature_set.inputs)].reset_index(drop=True))


def test_a_holdout_of_several_parts_is_read_from_all_of_them(year: Any) -> None:
    spec = year.spec(source=WINDOW, train=year.spec().train.model_copy(update={"holdout": 60 * DAY}))
    feature_set = year.features(spec, MAY)
    raw, holdout = raw_holdout(feature_set, year.site), year.holdout(feature_set)
    assert len(raw) == feature_set.holdout_rows == len(holdout)
    np.testing.assert_array_equal(raw["price"], holdout["price"])
    assert {time.month for time in raw["at"]} == {3, 4}


# -- what is decided over all rows ---------------------------------------------------------------------------------


def test_the_type_of_the_label_and_of_the_entity_is_that_of_all_rows(year: Any) -> None:
    """Only April has a label that is no truth value, and an order without a shop: January must know of both."""
    for month in (1, 2, 3, 4):
        file = year.site.settings.data / "orders" / f"{month}.parquet"
        frame = pd.read_parquet(file)
        label = np.arange(len(frame)) % 2
        frame = frame.assign(delay=label + 0.0, shop=frame["shop"].astype("float64"))
        frame.loc[frame.index[:3], "shop"] = np.nan if month == 4 else 1.0
        year.write(frame, file.name)
    feature_set = made(year, label="delay", label_expression=None)[1]
    train = year.train(feature_set)
    assert (str(train["__label__"].dtype), feature_set.classes) == ("int64", ("0", "1"))
    assert train["__entity__"].dropna().str.fullmatch(r"\d+").all()
    file = year.site.settings.data / "orders" / "4.parquet"
    year.write(pd.read_parquet(file).assign(delay=0.5), file.name)
    with pytest.raises(DataError, match=r"classes cannot be fractions, e\.g\. 0\.5"):
        made(year, label="delay", label_expression=None)


def test_an_expression_over_all_rows_has_the_label_it_would_have_of_one_file(year: Any) -> None:
    snapshot, feature_set = made(year, label_expression="delay > delay.mean()")
    delay = expected_rows(year, snapshot)["delay"]
    labels = [*year.train(feature_set)["__label__"], *year.holdout(feature_set)["__label__"]]
    assert labels == (delay > delay.mean())[delay.notna()].tolist()


def test_the_function_sees_every_part_with_the_types_of_the_whole(year: Any) -> None:
    """A truth value is missing in April only; so it is no plain truth value in January either."""
    folder = year.site.settings.data / "orders"
    for file in sorted(folder.iterdir()):
        frame = pd.read_parquet(file)
        flag = pd.Series([True, False] * len(frame)).head(len(frame)).astype("object")
        flag[:5] = None if file.name == "4.parquet" else True
        year.write(frame.assign(gift=flag.to_numpy()), file.name)
    code = "def build(frame):\n    assert frame['gift'].dtype == object\n    return frame[['price']]\n"
    year.write_features(code)
    made(year, inputs=["price", "gift"])


def test_columns_that_depend_on_the_part_are_refused(year: Any) -> None:
    file = year.site.settings.data / "orders" / "4.parquet"
    year.write(pd.read_parquet(file).assign(kind="cars"), file.name)
    year.write_features("import pandas as pd\n\ndef build(frame):\n    return pd.get_dummies(frame['kind'])\n")
    with pytest.raises(FeatureError, match=r"columns depend on the rows it is given \(cars, food, toys\)"):
        made(year)


def test_rows_of_old_parts_are_proved_too(year: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made(year)
    drawn: list[pd.DataFrame] = []
    prove = module.prove_row_wise
    monkeypatch.setattr(
        module, "prove_row_wise", lambda spec, f, rows: (drawn.append(rows.raw), prove(spec, f, rows))[1]
    )
    _, after = made(year, JUNE)
    assert {time.month for time in drawn[0]["at"]} == {2, 3, 4, 5}
    assert after.parity_rows == after.train_rows + after.holdout_rows


# -- what was made before there were parts -------------------------------------------------------------------------


def test_a_snapshot_of_one_file_makes_the_same_features(year: Any) -> None:
    spec = year.spec(source=WINDOW)
    snapshot, feature_set = made(year)
    data = keep_frame(year.site, "orders/data/snapshot/old/rows.parquet", year.rows(snapshot))
    part = Part(start=snapshot.start, end=snapshot.end, data=data)
    old = snapshot.model_copy(update={"key": "old", "parts": (part,)})
    year.site.store.create(old.path("orders", "old"), old.to_bytes())
    validation = year.validate(spec, MAY)
    made_of_old = features(spec, year.request(MAY), old, validation, year.site)
    assert len(made_of_old.parts) == 1
    pd.testing.assert_frame_equal(year.train(made_of_old), year.train(feature_set))
    pd.testing.assert_frame_equal(year.holdout(made_of_old), year.holdout(feature_set))
    pd.testing.assert_frame_equal(raw_holdout(made_of_old, year.site), raw_holdout(feature_set, year.site))


def test_rows_that_are_gone_are_missed_by_name(year: Any) -> None:
    snapshot, _ = made(year)
    year.site.store.delete(snapshot.parts[2].data.path)
    with pytest.raises(ObjectMissing, match=snapshot.parts[2].data.sha256):
        year.validate(year.spec(source=WINDOW), MAY)
    frame = expected_rows(year, snapshot)
    assert keep_parts(year.site, "orders", frame, "at", snapshot.start, snapshot.end) == snapshot.parts
    assert year.validate(year.spec(source=WINDOW), MAY).success
