"""What is learnt from the data before a pipeline is written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from retrain.errors import DataError, UsageError
from retrain.scaffold.profile import Profile, profile

ROWS = 200


def frame(**columns: object) -> pd.DataFrame:
    when = pd.date_range("2024-01-01", periods=ROWS, freq="h", tz="UTC")
    return pd.DataFrame({"when": when, "y": np.arange(ROWS) % 2, **columns})


def found(data: pd.DataFrame, **wish: object) -> Profile:
    keys = {"timestamp": "when", "label": "y", "entity": None, "key": (), "task": None}
    return profile(data, **{**keys, **wish})  # type: ignore[arg-type]


def left_out(data: pd.DataFrame, column: str) -> str:
    return next(each.left_out for each in found(data).columns if each.name == column)


@pytest.mark.parametrize(
    ("label", "task"),
    [
        (np.arange(ROWS) % 2, "binary"),
        (np.arange(ROWS) % 2 == 0, "binary"),
        (["yes", "no"] * (ROWS // 2), "binary"),
        (["a", "b", "c", "d"] * (ROWS // 4), "multiclass"),
        (np.arange(ROWS) % 4, "multiclass"),
        (np.linspace(0, 1, ROWS), "regression"),
        (np.arange(ROWS), "regression"),
    ],
)
def test_the_task_follows_from_the_label(label: object, task: str) -> None:
    assert found(frame(y=label)).task == task


def test_few_whole_numbers_are_noted_as_a_guess() -> None:
    assert "--task regression" in found(frame(y=np.arange(ROWS) % 4)).notes[0]
    assert found(frame(y=np.arange(ROWS) % 4), task="regression").classes == ()


@pytest.mark.parametrize(
    ("label", "task", "kind", "says"),
    [
        (["a"] * ROWS, None, DataError, "one value only"),
        ([None] * ROWS, None, DataError, "no value at all"),
        ([f"t{number}" for number in range(ROWS)], None, DataError, "too many for classes"),
        (["a", "b"] * (ROWS // 2), "regression", UsageError, "needs numbers"),
        (["a", "b", "c", "d"] * (ROWS // 4), "binary", UsageError, "not two"),
    ],
)
def test_labels_that_cannot_be_learnt(label: object, task: str | None, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        found(frame(y=label), task=task)


def test_useless_columns_are_left_out_with_the_reason() -> None:
    random = np.random.default_rng(0)
    data = frame(
        empty=[None] * ROWS,
        same=["x"] * ROWS,
        number=range(ROWS),
        order_id=random.permutation(ROWS) * 7,
        ticket=[f"T{number}" for number in range(ROWS)],
        later=pd.date_range("2024-01-02", periods=ROWS, freq="h").strftime("%Y-%m-%d %H:%M"),
        good=random.normal(size=ROWS),
        kind=["a", "b", "c", "d"] * (ROWS // 4),
    )
    reasons = {column.name: column.left_out for column in found(data).columns}
    assert reasons == {
        "empty": "it is empty",
        "same": "it never changes",
        "number": "it is a row number",
        "order_id": "it is an id: every row has its own",
        "ticket": "nearly every row has a value of its own",
        "later": "it is a second timestamp; make features of it by hand if it helps",
        "good": "",
        "kind": "",
    }
    assert found(data).key == ("order_id",)


def test_columns_that_give_the_label_away_are_left_out() -> None:
    random = np.random.default_rng(0)
    delay = random.normal(20, 30, ROWS)
    hint, status = delay + 40 * random.normal(size=ROWS), np.where(delay >= 30, "late", "on time")
    binary = frame(y=delay >= 30, delay=delay, status=status, hint=hint)
    assert "gives the label away" in left_out(binary, "delay")
    assert "gives the label away" in left_out(binary, "status")
    assert left_out(binary, "hint") == ""
    assert "gives the label away" in left_out(frame(y=delay, minutes=delay, seconds=delay * 60), "seconds")


def test_only_an_entity_with_enough_values_routes_requests() -> None:
    data = pd.DataFrame({"when": pd.date_range("2024", periods=900, freq="h", tz="UTC"), "y": range(900)})
    many = found(data.assign(who=[f"c{n % 450}" for n in range(900)]), entity="who")
    few = found(data.assign(who=[f"c{n % 9}" for n in range(900)]), entity="who")
    assert (many.entity, few.entity) == ("who", None)
    assert [column.name for column in few.inputs] == ["who"]
    assert any("too few" in note for note in few.notes)


def test_the_entity_and_the_moment_name_a_row_or_the_user_must_say_what_does() -> None:
    data = frame(who=["a", "b"] * (ROWS // 2), part=np.arange(ROWS) % 2)
    assert found(data, entity="who").key == ("who", "when")
    twice = pd.concat([data, data.iloc[:3].assign(part=1 - data["part"])]).sort_values("when", ignore_index=True)
    with pytest.raises(DataError, match=r"6 rows share 'who' and 'when'.*--key"):
        found(twice, entity="who")
    assert found(twice, entity="who", key=("who", "when", "part")).key == ("who", "when", "part")
    assert found(twice).key == (), "without an entity rows may share a moment"


def test_text_beyond_the_most_frequent_is_cut() -> None:
    values = np.where(np.arange(ROWS) < 100, "common", [f"v{number % 80}" for number in range(ROWS)])
    column = found(frame(text=values)).inputs[0]
    assert column.values[0] == "common"
    assert len(column.values) == 50
    assert column.distinct > 50


def test_rows_without_a_label_are_counted() -> None:
    data = frame()
    data["y"] = data["y"].astype("float64").where(data.index < 150)
    seen = found(data)
    assert "50 rows have no label yet" in " ".join(seen.notes)
    assert len(seen.moments) == 150
