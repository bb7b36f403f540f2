"""`retrain init`: a whole folder, or a clear reason and nothing at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrain.errors import DataError, SourceError, StoreFull, UsageError
from retrain.model.model import feature_function
from retrain.scaffold.folder import Made, Wish, make
from retrain.site import Site
from retrain.spec import Spec

Write = Callable[..., Path]
Odd = Callable[..., pd.DataFrame]
FILES = {"pipeline.yaml", "features.py", "test_features.py", "expectations.json", "README.md"}


@pytest.fixture
def init(site: Site) -> Callable[..., Made]:
    def run(file: Path, **wish: Any) -> Made:
        keys = {"name": "power", "label": "load kW", "timestamp": "When", **wish}
        return make(Wish(file=file, **keys), site.settings)

    return run


def test_the_folder_is_whole_and_loads(init: Any, written: Write, odd_frame: Odd) -> None:
    made = init(written(odd_frame(), form="%d.%m.%Y %H:%M", sep=";"))
    assert {file.name for file in made.folder.iterdir()} == FILES
    spec = Spec.load(made.folder)
    assert (spec.task, spec.source.timestamp_format) == ("regression", "%d.%m.%Y %H:%M")
    assert spec.source.inputs == ("When", "Sky today", "temp (C)", "weekend", "open")
    assert spec.schedule is None
    assert [folder.name for folder in made.folder.parent.iterdir()] == ["power"], "nothing is left beside it"


def test_the_same_data_make_the_same_files(init: Any, written: Write, odd_frame: Odd) -> None:
    file = written(odd_frame())
    first = {each.name: each.read_bytes() for each in init(file).folder.iterdir()}
    again = {each.name: each.read_bytes() for each in init(file, force=True).folder.iterdir()}
    assert first == again


def test_its_features_and_their_test_run_as_they_are(init: Any, written: Write, odd_frame: Odd) -> None:
    frame = odd_frame()
    made = init(written(frame, form="%b %d, %Y %I %p"))
    build = feature_function(made.folder / "features.py", "build")
    out = build(frame.drop(columns="load kW"))
    assert list(out.columns) == ["temp (C)", "open", "Sky today", "weekend", "hour_of_day", "day_of_week"]
    assert set(out["Sky today"].dropna()) == {0.0, 1.0, 2.0}
    assert (out["hour_of_day"] == frame["When"].dt.hour).all()
    test = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_features.py"],
        cwd=made.folder,
        capture_output=True,
        text=True,
    )
    assert test.returncode == 0, test.stdout


def test_features_take_what_they_have_never_seen(init: Any, written: Write, odd_frame: Odd) -> None:
    build = feature_function(init(written(odd_frame())).folder / "features.py", "build")
    row = {"When": "2031-02-03T04:30:00Z", "Sky today": "frogs", "temp (C)": "warm", "weekend": None, "open": True}
    out = build(pd.DataFrame([row])).iloc[0]
    assert out[["temp (C)", "Sky today", "weekend"]].isna().all()
    assert (out["open"], out["hour_of_day"], out["day_of_week"]) == (1.0, 4.5, 0.0)


def test_a_column_named_like_a_feature_is_no_trouble(init: Any, written: Write, odd_frame: Odd) -> None:
    frame = odd_frame().rename(columns={"temp (C)": "hour_of_day", "weekend": 'a "quoted": name'})
    made = init(written(frame))
    out = feature_function(made.folder / "features.py", "build")(frame.drop(columns="load kW"))
    assert out.shape[1] == len(set(out.columns)) == 6
    assert 'a "quoted": name' in Spec.load(made.folder).source.inputs


def test_great_expectations_reads_the_suite_and_the_data_meet_it(init: Any, written: Write, odd_frame: Odd) -> None:
    import great_expectations as gx
    from great_expectations.core.expectation_suite import expectationSuiteSchema

    frame = odd_frame().assign(open=lambda data: data["open"].map({"true": True, "false": False}))
    stored = json.loads((init(written(odd_frame())).folder / "expectations.json").read_text())
    context = gx.get_context(mode="ephemeral")
    suite = gx.ExpectationSuite(**expectationSuiteSchema.load(stored))
    assert json.loads(json.dumps(expectationSuiteSchema.dump(suite))) == stored, "it is exactly as GX stores it"
    batch = context.data_sources.pandas_default.read_dataframe(frame)
    assert batch.validate(suite).success
    worse = context.data_sources.pandas_default.read_dataframe(frame.assign(**{"temp (C)": frame["temp (C)"] * 60}))
    broken = {each.expectation_config.type for each in worse.validate(suite).results if not each.success}
    assert broken == {"expect_column_values_to_be_between", "expect_column_mean_to_be_between"}
    assert all(each["notes"] for each in stored["expectations"]), "each says where its bound came from"


def test_bounds_never_cut_off_what_was_seen(init: Any, written: Write, odd_frame: Odd) -> None:
    frame = odd_frame().assign(tiny=lambda data: data["load kW"] * 1e-9, huge=lambda data: -1e12 - data["temp (C)"])
    frame = frame.assign(**{"load kW": np.random.default_rng(1).normal(size=len(frame))})
    made = init(written(frame))
    suite = json.loads((made.folder / "expectations.json").read_text())["expectations"]
    bounds = {one["kwargs"]["column"]: one["kwargs"] for one in suite if one["type"].endswith("values_to_be_between")}
    for name in ("tiny", "huge", "temp (C)", "load kW"):
        assert bounds[name]["min_value"] <= frame[name].min()
        assert bounds[name]["max_value"] >= frame[name].max()
    assert bounds["tiny"]["min_value"] >= 0, "never below zero where nothing was"


def test_parquet_with_an_entity_and_classes(init: Any, tmp_path: Path, odd_frame: Odd) -> None:
    frame = odd_frame(label="level").drop(columns="").assign(station=lambda data: np.arange(len(data)) % 5)
    file = tmp_path / "level.parquet"
    frame.to_parquet(file)
    made = init(file, label="level", entity="station", timezone="Europe/Berlin")
    spec = Spec.load(made.folder)
    assert (spec.task, spec.source.key) == ("binary", ("station", "When"))
    assert spec.source.entity is None, "five stations are too few to try a challenger on a share of them"
    assert "station" in spec.source.inputs
    assert "Europe/Berlin" in (made.folder / "features.py").read_text()


def test_a_file_below_the_data_folder_is_named_relative_to_it(
    init: Any, site: Site, written: Write, odd_frame: Odd
) -> None:
    site.settings.data.mkdir(parents=True)
    file = written(odd_frame(), "we[ird].csv").rename(site.settings.data / "we[ird].csv")
    assert Spec.load(init(file).folder).source.files == ("we[[]ird].csv",)


def test_an_existing_folder_is_not_touched_without_force(init: Any, written: Write, odd_frame: Odd) -> None:
    file = written(odd_frame())
    folder = init(file).folder
    (folder / "features.py").write_text("# mine\n")
    with pytest.raises(UsageError, match="--force"):
        init(file)
    assert (folder / "features.py").read_text() == "# mine\n"
    init(file, force=True)
    assert "def build" in (folder / "features.py").read_text()


@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk_leaves_nothing_half_written(
    init: Any, site: Site, written: Write, odd_frame: Odd, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    file = written(odd_frame())
    if force:
        (init(file).folder / "features.py").write_text("# mine\n")
    write = Path.write_text

    def full(path: Path, *args: Any, **keys: Any) -> int:
        if path.name == "README.md":
            raise OSError(28, "No space left on device")
        return write(path, *args, **keys)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StoreFull, match="nothing was left behind"):
        init(file, force=force)
    monkeypatch.undo()
    left = [path.name for path in site.settings.pipelines.iterdir()]
    assert left == (["power"] if force else [])
    if force:
        assert (site.settings.pipelines / "power" / "features.py").read_text() == "# mine\n"


def test_a_rename_that_fails_puts_the_old_folder_back(
    init: Any, written: Write, odd_frame: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(odd_frame())
    folder = init(file).folder
    (folder / "features.py").write_text("# mine\n")
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if Path(target) == folder and Path(source).name == "power":
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(UsageError, match="cannot be written"):
        init(file, force=True)
    assert (folder / "features.py").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"label": "Load KW"}, "did you mean `load kW`"),
        ({"timestamp": "when"}, "did you mean `When`"),
        ({"entity": "station"}, "has no such column"),
        ({"key": ("nope",)}, "--key is 'nope'"),
        ({"name": "Power!"}, "cannot be a pipeline's name"),
        ({"name": "../up"}, "cannot be a pipeline's name"),
        ({"timezone": "Mars/Base"}, "no time zone"),
        ({"label": "When"}, "cannot be both"),
        ({"task": "binary"}, "not two"),
    ],
)
def test_wrong_wishes(init: Any, site: Site, written: Write, odd_frame: Odd, wish: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        init(written(odd_frame()), **wish)
    assert not site.settings.pipelines.exists() or not list(site.settings.pipelines.iterdir())


def test_an_address_is_not_taken_for_a_path(init: Any, site: Site) -> None:
    with pytest.raises(UsageError, match="at s3://, which cannot be read"):
        init(Path("s3://lake/rows.csv"))


@pytest.mark.parametrize(
    ("name", "content", "kind", "says"),
    [
        ("gone.csv", None, UsageError, "There is no file"),
        ("empty.csv", b"", SourceError, "empty"),
        ("sheet.xlsx", b"PK\x03\x04 and so on", SourceError, "not Parquet"),
        ("broken.parquet", b"PAR1 cut off", SourceError, "not whole Parquet"),
        ("latin.csv", "When,load kW\n2024-01-01,Münch\n".encode("latin-1"), SourceError, "iconv"),
        ("header.csv", b"When,load kW\n", DataError, "no timestamp at all"),
        ("future.csv", b"When,load kW\n2199-01-01,1\n", DataError, "in the future"),
        ("bad.csv", b"When,load kW\nsoon,1\nlater,2\n", DataError, "'soon', 'later'"),
        ("one.csv", b"When,load kW\n2024-01-01,1\n2024-01-02,1\n", DataError, "one value only"),
        ("ragged.csv", b"When,load kW\n2024-01-01,1,2,3\n2024-01-02,1\n", SourceError, "not whole CSV"),
    ],
)
def test_files_that_cannot_be_used(
    init: Any, site: Site, tmp_path: Path, name: str, content: bytes | None, kind: type[Exception], says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(kind, match=says):
        init(tmp_path / name)
    assert not site.settings.pipelines.exists() or not list(site.settings.pipelines.iterdir())
