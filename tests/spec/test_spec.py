"""``pipeline.yaml``: what may stand in it, and what a mistake says."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from retrain.commands.schema import spec_schema
from retrain.errors import SpecError
from retrain.sources.files import Files
from retrain.spec import Spec, Task, durations

LEAST: dict[str, Any] = {
    "name": "p",
    "task": "binary",
    "source": {"files": "*.csv", "timestamp": "at", "label": "late"},
    "train": {"candidates": [{"estimator": "sklearn.dummy.DummyClassifier"}]},
}


def written(tmp_path: Path, folder: str = "p", **changes: Any) -> Path:
    place = tmp_path / folder
    place.mkdir(exist_ok=True)
    (place / "pipeline.yaml").write_text(yaml.safe_dump({**LEAST, **changes}, sort_keys=False))
    return place


def mistakes(tmp_path: Path, **changes: Any) -> dict[str | None, SpecError]:
    with pytest.raises(SpecError) as caught:
        Spec.load(written(tmp_path, **changes))
    return {error.key: error for error in (caught.value, *caught.value.also)}


def test_the_least_a_pipeline_must_say_is_enough(tmp_path: Path) -> None:
    spec = Spec.load(written(tmp_path))
    assert spec.folder == tmp_path / "p"
    assert spec.metric.name == "brier"
    assert spec.source.files == ("*.csv",), "one pattern needs no brackets"
    assert spec.feature_file == tmp_path / "p" / "features.py"
    assert spec.source.row_key == ()


def test_a_mistake_names_file_line_key_value_and_what_was_expected(tmp_path: Path) -> None:
    (error,) = mistakes(tmp_path, bless={"confidence": 95}).values()
    assert error.file == str(tmp_path / "p" / "pipeline.yaml")
    lines = Path(error.file).read_text().splitlines()
    assert error.line is not None
    assert lines[error.line - 1].strip() == "confidence: 95"
    assert (error.key, error.value) == ("bless.confidence", 95)
    assert "less than 1" in str(error)


def test_a_stage_whose_age_is_not_looked_at_is_a_mistake(tmp_path: Path) -> None:
    (error,) = mistakes(tmp_path, staleness={"stages": {"evalute": "1d"}}).values()
    assert error.key == "staleness.stages"
    assert "evaluate" in str(error)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, task="ranking", colour="red", canary={"steps": [0.5, 0.1], "alpha": 2})
    assert {"task", "colour", "canary.steps", "canary.alpha"} <= set(found)


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"name": "other"}, "name", "the folder's name, `p`"),
        ({"source": {**LEAST["source"], "window": "soon"}}, "source.window", "a duration such as"),
        ({"source": {**LEAST["source"], "files": "s3://lake/*.parquet"}}, "source.files", "s3:// cannot be read"),
        ({"source": {**LEAST["source"], "files": ["a.csv", "abfs://b/c"]}}, "source.files", "abfs:// cannot be read"),
        ({"train": {**LEAST["train"], "holdout": "80d", "tuning": "20d"}}, "train.holdout", "than source.window"),
        ({"bless": {"metric": "rmse"}}, "bless.metric", "one of brier"),
        ({"source": {**LEAST["source"], "inputs": ["a", "late"]}}, "source.inputs", "here late"),
        ({"canary": {"steps": []}}, "canary.steps", "rising shares"),
        ({"train": {"candidates": []}}, "train.candidates", "at least 1"),
        ({"features": "features.py"}, "features", "module:function"),
        ({"train": {**LEAST["train"], "seed": -1}}, "train.seed", "greater than or equal to 0"),
        ({"schedule": 5}, "schedule", "valid string"),
        ({"drift": {"distance": "hellinger"}}, "drift.distance", "one of cramer_von_mises, psi, jensen_shannon, wass"),
        ({"drift": {"distance": "nowhere:HALF"}}, "drift.distance", "ModuleNotFoundError"),
        ({"drift": {"distance": "retrain.spec:FILE"}}, "drift.distance", "not an instance of Distance"),
    ],
)  # fmt: skip
def test_values_that_make_no_sense(tmp_path: Path, changes: dict[str, Any], key: str, says: str) -> None:
    found = mistakes(tmp_path, **changes)
    assert key in found
    assert says in str(found[key])


def test_a_distance_that_nobody_brings_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    (error,) = mistakes(tmp_path, drift={"columns": ["a"], "distance": "hellinger"}).values()
    assert error.line is not None
    assert Path(error.file).read_text().splitlines()[error.line - 1].strip() == "distance: hellinger"
    assert (error.key, error.value) == ("drift.distance", "hellinger")
    assert Spec.load(written(tmp_path, drift={"distance": "psi"})).drift.distance == "psi"


def test_files_that_lie_on_no_disk_are_refused_with_their_line(tmp_path: Path) -> None:
    (error,) = mistakes(tmp_path, source={**LEAST["source"], "files": "s3://lake/rows/*.parquet"}).values()
    assert error.line is not None
    assert "s3://lake/rows" in Path(error.file).read_text().splitlines()[error.line - 1]
    assert (error.key, error.value) == ("source.files", "s3://lake/rows/*.parquet")
    assert "mount it" in str(error)


def test_where_the_folder_is_cannot_be_written_down(tmp_path: Path) -> None:
    place = written(tmp_path)
    (place / "pipeline.yaml").write_text((place / "pipeline.yaml").read_text() + "folder: /etc\n")
    with pytest.raises(SpecError, match="no such key"):
        Spec.load(place)


def test_the_label_may_follow_from_other_columns_which_features_never_see(tmp_path: Path) -> None:
    source = {**LEAST["source"], "label_expression": "arr_delay >= 30 and not cancelled"}
    spec = Spec.load(written(tmp_path, source=source))
    assert spec.source.label_columns == {"late", "arr_delay", "cancelled"}
    assert "arr_delay" not in spec.source.input_columns(["at", "arr_delay", "cancelled", "carrier"])


def test_entity_and_timestamp_name_a_row_unless_a_key_does(tmp_path: Path) -> None:
    entity = {**LEAST["source"], "entity": "who"}
    assert Spec.load(written(tmp_path, source=entity)).source.row_key == ("who", "at")
    assert Spec.load(written(tmp_path, source={**entity, "key": "id"})).source.row_key == ("id",)


def test_a_fragment_is_plain_json_and_changes_with_its_keys_only(tmp_path: Path) -> None:
    one = Spec.load(written(tmp_path))
    other = Spec.load(written(tmp_path, description="changed", canary={"alpha": 0.01}))
    assert one.fragment("source", "train") == other.fragment("source", "train")
    assert one.fragment("canary") != other.fragment("canary")
    assert "validate" in one.fragment("validate")
    json.dumps(one.fragment("source", "train", "validate"))


def test_a_file_that_the_spec_names_must_be_there(tmp_path: Path) -> None:
    spec = Spec.load(written(tmp_path))
    with pytest.raises(SpecError, match=r"features\.py"):
        spec.code_digest()
    spec.feature_file.write_text("def build(frame): return frame\n")
    before = spec.code_digest()
    spec.feature_file.write_text("def build(frame): return frame * 2\n")
    assert spec.code_digest() != before


def test_the_schema_for_editors_is_the_one_of_this_code(root: Path) -> None:
    """Written by `retrain schema --out docs/pipeline.schema.json`."""
    golden = json.loads((root / "docs/pipeline.schema.json").read_text())
    assert golden == spec_schema(), "run: retrain schema --out docs/pipeline.schema.json"


def test_the_schema_knows_every_key_and_describes_its_own() -> None:
    schema = spec_schema()
    assert set(schema["required"]) == {"name", "task", "source", "train"}
    assert {"validate", "canary", "bless"} <= set(schema["properties"])
    assert "folder" not in schema["properties"], "where the file lies is no key"
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]["task"]["enum"]) == set(get_args(Task))


@pytest.mark.parametrize("name", ["flights"])
def test_the_schema_accepts_what_the_spec_accepts(root: Path, tmp_path: Path, name: str) -> None:
    import jsonschema

    jsonschema.validate(
        yaml.safe_load((root / "include/pipelines" / name / "pipeline.yaml").read_text()), spec_schema()
    )
    jsonschema.validate(LEAST, spec_schema())
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        jsonschema.validate({**LEAST, "colour": "red"}, spec_schema())


@given(st.integers(1, 10_000), st.sampled_from(sorted(durations.UNITS)))
def test_durations_are_spelled_as_they_are_read(count: int, unit: str) -> None:
    span = durations.parse(f"{count}{unit}")
    assert span == timedelta(seconds=count * durations.UNITS[unit])
    assert durations.parse(durations.spell(span)) == span


@given(st.text(max_size=6).filter(lambda text: not text.strip()[:1].isdigit()))
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="14d"):
        durations.parse(text)


# -- the kinds of sources ----------------------------------------------------------------------------------------


def test_a_source_that_names_no_kind_is_files(tmp_path: Path) -> None:
    short = Spec.load(written(tmp_path))
    spelled = Spec.load(written(tmp_path, source={"kind": "files", **LEAST["source"]}))
    assert short.source == spelled.source
    assert type(short.source) is Files
    assert short.fragment("source") == spelled.fragment("source")


def test_a_snapshot_of_files_is_named_as_before_there_were_kinds(tmp_path: Path) -> None:
    fragment = Spec.load(written(tmp_path)).fragment("source")["source"]
    known = {"files", "timestamp", "timestamp_format", "timezone", "entity", "key", "label", "label_expression"}
    assert set(fragment) == known | {"label_delay", "window", "inputs"}
    assert fragment["files"] == ["*.csv"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("flies", "did you mean `files`"),
        ("base", "There is no 'base' among sources"),
        ("nobody.sources:Nowhere", "cannot be imported"),
        ("retrain.spec:Train", "is the class Train, not a"),
        (
            "retrain.spec:Source",
            "lacks `columns`, `described`, `head`, `newest`, `origins`, `read`",
        ),
        (5, "the name of a source, or its import path"),
    ],
)
def test_a_kind_that_is_none_is_named_with_its_line(tmp_path: Path, kind: object, says: str) -> None:
    (error,) = mistakes(tmp_path, source={**LEAST["source"], "kind": kind}).values()
    assert error.key == "source.kind"
    assert error.line is not None
    assert Path(error.file).read_text().splitlines()[error.line - 1].strip() == f"kind: {kind}"
    assert says in str(error)


def test_a_wrong_key_of_a_kind_has_its_line_and_the_nearest_one(tmp_path: Path) -> None:
    source = {"flies": "*.csv", "timestamp": "at", "label": "late", "timezone": "Mars/Olympus"}
    found = mistakes(tmp_path, source=source)
    assert set(found) == {"source.flies", "source.files", "source.timezone"}
    assert found["source.flies"].do == "did you mean `files`?"
    assert "line 4" in str(found["source.flies"])


def test_the_schema_knows_the_keys_of_our_kinds_and_lets_others_have_their_own() -> None:
    import jsonschema

    def valid(**source: Any) -> bool:
        content = {**LEAST, "source": {"timestamp": "at", "label": "late", **source}}
        return jsonschema.Draft202012Validator(spec_schema()).is_valid(content)

    assert valid(files="*.csv")
    assert valid(kind="files", files=["a.csv", "b.csv"], inputs="x")
    assert valid(kind="shop.sources:Warehouse", query="select 1")
    assert not valid()
    assert not valid(flies="*.csv")
    assert not valid(kind="files", query="select 1")
    assert not valid(kind="shop.sources:Warehouse", query="select 1", window=5)
