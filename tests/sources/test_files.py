"""The files source, asked as `check`, `init` and the data's end ask it. How it is collected from: tests/stages."""

from __future__ import annotations

import bz2
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from retrain.data.event_time import Window
from retrain.data.intake import rows
from retrain.errors import DataError, SourceError
from retrain.sources.base import Place
from retrain.sources.files import Files

START = datetime(2013, 1, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=1))
FRAME = pd.DataFrame(
    {
        "at": pd.date_range(START, periods=24, freq="h", unit="us"),
        "x": [1.5, None] * 12,
        "whole": range(24),
        "flag": [True, False] * 12,
        "text": ["a", "7"] * 12,
        "y": range(24),
    }
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("p", tmp_path / "p", tmp_path)


def files(pattern: str = "*", **keys: Any) -> Files:
    return Files.model_validate({"files": pattern, "timestamp": "at", "label": "y", **keys})


def written(place: Place, name: str, frame: pd.DataFrame = FRAME, **form: Any) -> Path:
    file = place.data / name
    if file.suffix == ".parquet":
        frame.to_parquet(file, index=False)
    else:
        frame.to_csv(file, index=False, **form)
    return file


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_the_head_is_what_is_read_of_the_first_rows(place: Place, name: str) -> None:
    source, file = files(), written(place, name, FRAME.assign(nothing=pd.Series(dtype="float64")))
    with source.read(WINDOW, None, place) as reading:
        read = rows(reading.batches, source, WINDOW, "p", "here")
    pd.testing.assert_frame_equal(source.head(str(file), 10, place), read.head(10))


def test_a_timestamp_in_the_head_that_cannot_be_read_is_none(place: Place) -> None:
    source, file = files(), written(place, "a.csv", FRAME.assign(at=["soon", *FRAME["at"].astype(str)[1:]]))
    assert source.head(str(file), 3, place)["at"].isna().tolist() == [True, False, False]


def test_without_its_timestamp_there_is_a_head_all_the_same(place: Place) -> None:
    file = written(place, "a.csv", FRAME.drop(columns="at"))
    assert list(files().head(str(file), 3, place).columns) == ["x", "whole", "flag", "text", "y"]


def test_the_newest_row_is_that_of_all_files(place: Place) -> None:
    written(place, "a.csv", FRAME, sep=";")
    written(place, "b.parquet", FRAME.assign(at=FRAME["at"] - timedelta(days=9)))
    assert files().newest(place) == START + timedelta(hours=23)
    written(place, "a.csv", FRAME.assign(at="soon"))
    assert files("*.csv").newest(place) is None


def test_the_newest_row_without_a_timestamp_names_the_nearest_column(place: Place) -> None:
    written(place, "a.csv", FRAME)
    with pytest.raises(DataError, match=r"'att' of pipeline 'p' is not in a\.csv\. Did you mean 'at'"):
        files(timestamp="att").newest(place)


def test_text_that_is_not_utf_8_is_converted_by_whoever_wrote_it(place: Place) -> None:
    file = place.data / "latin.csv"
    file.write_bytes("at,y\n2013-01-01,Münch\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"is not UTF-8 text.*iconv"), files().read(WINDOW, None, place):
        pass


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(b"at,y\n")[:10] + b"\xff" * 50),
        ("a.csv.bz2", bz2.compress(FRAME.to_csv(index=False).encode())[:50] + b"\xff" * 50),
    ],
)
def test_a_compressed_file_that_is_damaged_is_not_tried_again(place: Place, name: str, content: bytes) -> None:
    (place.data / name).write_bytes(content)
    with pytest.raises(SourceError, match="is not whole CSV") as caught, files().read(WINDOW, None, place):
        pass
    assert not caught.value.retryable
    with pytest.raises(SourceError, match="is not whole CSV"):
        files().columns(str(place.data / name), place)
